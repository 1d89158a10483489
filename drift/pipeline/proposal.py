"""A proposal: the monitor file that a first look at data suggests, with comments that say why."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.profiles.columns import FEW, Misfit, misfit
from drift.profiles.kinds import infer_kind, infer_scale, to_labels, to_numbers
from drift.text.formatting import many, thousands
from drift.windows import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from drift.pipeline.survey import Survey

HEADER = "# yaml-language-server: $schema=monitor.schema.json"
"""The first line, for editors: `drift schema` prints what it names."""

SETS, SEGMENTS = 12, (2, 12)
"""Values that a set of expected ones may have, and that a column may have which cuts windows into segments."""

_CODES = 20
"""Whole numbers of a column named as a key that are few enough to be categories."""

_MOST_SEGMENTS, _SEGMENT_ROWS = 2, 100
_MOST_EXPECTED = 20

_TRAILING: dict[str, tuple[str, ...]] = {
    "1h": ("7d", "2d", "1d"),
    "1d": ("28d", "14d", "7d"),
    "7d": ("56d", "28d"),
    "1mo": ("12mo", "6mo", "3mo"),
}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./*=-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A monitor that a look at data suggests.

    Parameters
    ----------
    name, description, owner
        What the monitor is called, what its data are, and who owns them; empty where nobody said.
    survey
        What was seen.
    left_out
        Columns that had better not be features, with why.
    categories
        Whole numbers that are codes, not quantities.
    segments
        Columns whose few values each have rows enough to be watched by themselves.
    expectations
        What holds in the rows that were looked at, each with the values of its arguments.
    routes
        Who is notified.
    """

    name: str
    survey: Survey
    left_out: Mapping[str, Misfit]
    categories: Sequence[str]
    segments: Sequence[str]
    expectations: Sequence[tuple[str, Mapping[str, Any]]]
    description: str = ""
    owner: str = ""
    routes: Sequence[str] = field(default_factory=tuple)

    @property
    def watched(self) -> list[str]:
        """The columns that are features."""
        times, placed = self.survey.source.time_columns, self.survey.placed
        columns = self.survey.sample.column_names
        return [each for each in columns if each not in self.left_out and each not in {*times, *placed}]

    def to_yaml(self, *, validated: bool = True) -> str:
        """Return the monitor file; without Great Expectations its expectations are comments."""
        return (
            "\n".join([*self._head(), *self._features(), *self._expected(validated=validated), *self._alerts()]) + "\n"
        )

    def _head(self) -> Iterator[str]:
        look, source = self.survey, self.survey.source
        yield HEADER
        yield f"name: {scalar(self.name)}"
        if self.description:
            yield f"description: {scalar(self.description)}"
        yield "source:"
        written = source.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        yield from (f"  {key}: {_flow(value)}" for key, value in written.items())
        every, n = look.every, len(look.windows)
        yield f"# {many(n, 'window')} so far, usually of {thousands(look.rows_a_window)} rows."
        yield f"# Days begin at midnight in UTC; elsewhere with {{every: {every}, timezone: Europe/Berlin}}."
        yield f"window: {{every: {every}}}"
        yield f"reference: {{trailing: {trailing(every, n)}}}"

    def _features(self) -> Iterator[str]:
        if self.left_out or self.categories:
            yield "features:"
        if self.left_out:
            yield "  exclude:"
            yield from (f"    - {scalar(name)}  # {why}" for name, why in self.left_out.items())
        if self.categories:
            yield f"  kinds: {{{', '.join(f'{scalar(name)}: categorical' for name in self.categories)}}}  # codes"
        if self.segments:
            yield f"segments: {_flow(list(self.segments))}  # each value is watched by itself, too"

    def _expected(self, *, validated: bool) -> Iterator[str]:
        mark = "" if validated else "# "
        if not validated:
            yield "# What holds today; Great Expectations checks it: pip install 'driftmeter[validation]'"
        else:
            yield "# What holds today. A window that fails raises an alert; with reject it is also not compared."
        yield f"{mark}expectations:"
        for name, arguments in self.expectations:
            yield f"{mark}  - {name}: {_flow(arguments)}"
            yield f"{mark}    severity: warn"

    def _alerts(self) -> Iterator[str]:
        yield "alerts:"
        if self.owner:
            yield f'  owners: {{"*": {scalar(self.owner)}}}'
        routes = ", ".join(f"{{to: {scalar(each)}}}" for each in self.routes)
        hint = "" if routes else "  # [{to: ops}] notifies the Apprise URL in DRIFT_ROUTE_OPS"
        yield f"  routes: [{routes}]{hint}"


def propose(
    name: str, survey: Survey, *, description: str = "", owner: str = "", routes: Sequence[str] = ()
) -> Proposal:
    """Suggest a monitor for what was seen."""
    times = {*survey.source.time_columns, *survey.placed}
    columns: dict[str, Any] = {
        each: survey.sample[each].combine_chunks() for each in survey.sample.column_names if each not in times
    }
    misfits = {each: misfit(each, values, survey.n_rows) for each, values in columns.items()}
    left_out = {each: why for each, why in misfits.items() if why and why.sort != "constant"}
    features = {each: values for each, values in columns.items() if each not in left_out}
    return Proposal(
        name,
        survey,
        left_out,
        [each for each, values in features.items() if _is_code(each, values)],
        _segments(features, survey.rows_a_window),
        list(_expectations(survey, columns, features)),
        description,
        owner,
        routes,
    )


def trailing(every: str, n_windows: int) -> str:
    """Return the longest of the usual references that leaves a third of the history to be compared with it.

    Examples
    --------
    >>> trailing("1d", 90), trailing("1d", 30), trailing("1d", 5), trailing("1mo", 24)
    ('28d', '14d', '7d', '12mo')
    """
    spans = _TRAILING[every]
    length = Span.parse(every).nominal
    fitting = [span for span in spans if Span.parse(span).nominal / length <= 2 / 3 * n_windows]
    return fitting[0] if fitting else spans[-1]


def _is_code(name: str, values: pa.Array[Any]) -> bool:
    key = re.search(r"(^|_)(id|code|key|no|nr|type|class|zip|status)$", name.lower())
    if not key or infer_scale(values.type) != "integer" or infer_kind(values.type) != "numeric":
        return False
    return 1 < len(values.drop_null().unique()) <= _CODES


def _segments(features: Mapping[str, pa.Array[Any]], rows: int) -> list[str]:
    """Return the columns of few values, the fewest first, of which each has rows enough in a window."""
    found = []
    for name, values in features.items():
        if infer_kind(values.type) != "categorical":
            continue
        labels, counts, missing = to_labels(values)
        least = min(counts, default=0) / max(len(values), 1) * rows
        if SEGMENTS[0] <= len(labels) <= SEGMENTS[1] and least >= _SEGMENT_ROWS and not missing:
            found.append((len(labels), name))
    return [name for _, name in sorted(found)[:_MOST_SEGMENTS]]


def _expectations(
    survey: Survey, columns: Mapping[str, pa.Array[Any]], features: Mapping[str, pa.Array[Any]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "expect_table_row_count_to_be_between", {"min_value": max(1, _rounded(min(survey.rows) / 3))}
    whole = [name for name, values in columns.items() if len(values) >= FEW and not values.null_count]
    for name in whole[:_MOST_EXPECTED]:
        yield "expect_column_values_to_not_be_null", {"column": name, "mostly": 0.99}
    for name, values in list(features.items())[:_MOST_EXPECTED]:
        kind = "code" if _is_code(name, values) else infer_kind(values.type)
        if kind == "categorical":
            labels = sorted(to_labels(values)[0])
            if len(values) >= FEW and 1 <= len(labels) <= SETS and all(label.isprintable() for label in labels):
                yield "expect_column_values_to_be_in_set", {"column": name, "value_set": labels, "mostly": 0.99}
        elif kind == "numeric":
            numbers = to_numbers(values)
            finite = numbers[np.isfinite(numbers)]
            if len(finite) >= FEW and finite.min() >= 0 and finite.max() > 0:
                most = _rounded(10 * float(finite.max()), up=True)
                yield (
                    "expect_column_values_to_be_between",
                    {
                        "column": name,
                        "min_value": 0,
                        "max_value": most,
                        "mostly": 0.99,
                    },
                )


def _rounded(value: float, *, up: bool = False) -> int:
    """Return a number with one digit that is not 0.

    Examples
    --------
    >>> _rounded(222), _rounded(222, up=True), _rounded(0.3), _rounded(0.3, up=True)
    (200, 300, 0, 1)
    """
    if value < 1:
        return int(up)
    power = int(10 ** math.floor(math.log10(value)))
    return int(math.ceil(value / power) if up else value // power) * power


def scalar(value: object) -> str:
    """Return a plain value as YAML that the loader reads back.

    Examples
    --------
    >>> scalar("order_id"), scalar("no"), scalar("1e3"), scalar("a: b"), scalar(0.5)
    ('order_id', '"no"', '"1e3"', '"a: b"', '0.5')
    """
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # YAML has no halves of characters, as JSON has.
    return re.sub(r"[^ -~]", _escaped, json.dumps(value, ensure_ascii=False))


def _escaped(character: re.Match[str]) -> str:
    return character[0] if character[0].isprintable() and character[0] < "\ud800" else f"\\U{ord(character[0]):08X}"


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return scalar(value)
