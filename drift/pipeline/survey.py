"""A look at data that nobody has described yet: which column tells the time, how rows fill windows, some of the rows.

What is read is bounded: the first rows, the time columns or a database's own minimum and maximum, and some rows of a
few windows between the first and the last.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from drift.config.detection import Detection
from drift.config.source import PARTS, Source
from drift.errors import DriftError, SourceError
from drift.profiles.columns import LOOKED, TIME_NAME
from drift.profiles.kinds import infer_kind, infer_scale
from drift.sources.arrow_types import in_microseconds
from drift.sources.snapshot import Snapshot, open_snapshot
from drift.sources.time_filter import instant, is_time
from drift.sources.time_span import time_span
from drift.windows import Calendar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa

    from drift.windows import Window

WINDOWS = 8
"""Windows of which rows are looked at: the last complete one, the first, and some between."""

ENOUGH = 100
"""Rows that a window should hold in the mean."""

JUDGED = Detection().min_rows
"""Fewer rows are not judged."""

_VALUES = 50
_COMPACT = 22_000_101
"""Whole numbers below are dates such as 20130208, those above count from 1970."""

_TRIED = 4
"""Time columns that are tried, the most promising first."""

_MOMENT = re.compile(
    r"(^|_)(event|order|ordered|created|create|placed|happened|occurred|booked|booking|pickup|transaction|tx|log|sale"
    r"|timestamp|ts|date|day|time|datetime|dt|ds|at)(_|$)"
)
_OTHER_MOMENT = re.compile(
    r"birth|dob|updat|modif|delet|deliver|ship|expir|due|valid|(^|_)(end|ended|until|cancel\w*|refund\w*|return\w*|last"
    r"|next|load\w*|ingest\w*|sync\w*)(_|$)"
)


@dataclass(frozen=True, slots=True)
class Survey:
    """What was seen of a source.

    Parameters
    ----------
    source
        The source, with the column that tells the time.
    every
        Length of the windows that its rows fill best.
    n_rows
        All of them.
    windows
        Those from the first row to the last, as far as they are over.
    rows
        Rows of the windows that were looked at.
    sample
        Rows of these windows, `drift.profiles.columns.LOOKED` at most.
    placed
        Columns that say where the rows lie.
    """

    source: Source
    every: str
    n_rows: int
    windows: Sequence[Window]
    rows: Sequence[int]
    sample: pa.Table
    placed: frozenset[str]

    @property
    def rows_a_window(self) -> int:
        """Rows that a window usually holds."""
        return int(median(self.rows))

    @property
    def calendar(self) -> Calendar:
        """The calendar that cuts the windows."""
        return Calendar(self.every)


def survey(source: Mapping[str, Any], url: str | None, *, now: datetime) -> Survey:
    """Look at a source that is given without its time column, as in a monitor file.

    Raises
    ------
    DriftError
        If it holds no row, or none of its columns tells the time.
    """
    whole = open_snapshot(_timed(source, {"time_column": "?"}), None, calendar=Calendar("1d"), url=url)
    n_rows = whole.count_rows()
    if not n_rows:
        raise DriftError(f"{whole.origin} holds no row: there is nothing to look at")
    head = whole.head(LOOKED)
    candidates = list(time_keys(head, whole.placed))
    for time in candidates[:_TRIED]:
        timed = _timed(source, time)
        with suppress(SourceError):
            found = _filled(timed, url, n_rows, head, whole, now=now)
            if found:
                return found
    tried = f" ({', '.join(str(next(iter(time.values()))) for time in candidates)} hold few)" if candidates else ""
    raise DriftError(
        f"{whole.origin}: no column tells when a row happened, by windows that are over{tried}; it has "
        f"{', '.join(whole.arrow_schema.names[:20])}"
    )


def _timed(source: Mapping[str, Any], time: Mapping[str, Any]) -> Source:
    return Source.model_validate({**source, **time})


def time_keys(head: pa.Table, placed: frozenset[str] = frozenset()) -> Iterator[dict[str, Any]]:
    """Yield what may tell the time, as keys of a source, the most promising first.

    Folders by date go first, for whole files need not be opened then; then a column whose name is that of the moment,
    before those of something that comes later or long before (updated, delivered, born).

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = {"born": ["1980-05-06"], "updated_at": ["2024-01-02T00:00"], "day": ["2024-01-01"], "n": [3]}
    >>> [key["time_column"] for key in time_keys(pa.table(rows))]
    ['day', 'updated_at']
    """
    parts = {part: part for part in PARTS if part in placed}
    if {"year", "month", "day"} <= parts.keys():
        yield {"time": parts}
    names = [name for name in head.column_names if _tells_time(_snake(name), head[name].combine_chunks())]
    yield from ({"time_column": name} for name in sorted(names, key=lambda name: _rank(name, head, placed)))


def _tells_time(name: str, column: pa.Array[Any]) -> bool:
    """Whether most values are times; of numbers since 1970 the name has to say so, for keys look like them."""
    import pyarrow.types as t

    if infer_kind(column.type) == "datetime":
        return infer_scale(column.type) != "time"
    counts = t.is_integer(column.type)
    if not counts and infer_kind(column.type) != "categorical":
        return False
    try:
        values: list[Any] = column.drop_null().slice(0, _VALUES).to_pylist()
    except UnicodeDecodeError:
        return False
    times = []
    for value in values:
        if is_time(value) and (not counts or value < _COMPACT or TIME_NAME.search(name)):
            with suppress(SourceError, OverflowError):
                times.append(instant(value, Calendar("1d"), None, ""))
    return len(times) >= 0.9 * len(values) > 0 and all(1990 <= time.year <= 2100 for time in times)


def _rank(name: str, head: pa.Table, placed: frozenset[str]) -> tuple[Any, ...]:
    column: Any = head[name]
    wording = 2 if _OTHER_MOMENT.search(_snake(name)) else 0 if _MOMENT.search(_snake(name)) else 1
    return name not in placed, column.null_count > 0.1 * len(column), wording, head.column_names.index(name)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _filled(
    source: Source, url: str | None, n_rows: int, head: pa.Table, whole: Snapshot, *, now: datetime
) -> Survey | None:
    """Cut the time from the first row to the last into windows that hold enough rows; None where hardly any does."""
    span = time_span(source, Calendar("1d"), url)
    if span is None or span[1] - span[0] > timedelta(days=366 * 30):
        return None
    dates = bool(source.time) or _holds_dates(head[source.time_column or ""].combine_chunks())
    for every in lengths(n_rows, span[1] - span[0], dates=dates):
        calendar = Calendar(every)
        first, last = calendar.containing(span[0]), calendar.containing(span[1])
        windows = list(calendar.between(first.start, min(last.end, calendar.last_complete(now).end)))
        if not windows:
            return None
        some = spread(windows)
        snapshots = [open_snapshot(source, window, calendar=calendar, url=url) for window in some]
        rows = [snapshot.count_rows() for snapshot in snapshots]
        if sum(n > 0 for n in rows) * 2 <= len(rows):
            continue
        sample = _together([snapshot.head(LOOKED // len(some)) for snapshot in snapshots])
        return Survey(source, every, n_rows, windows, [n for n in rows if n], sample, whole.placed)
    return None


def _holds_dates(column: pa.Array[Any]) -> bool:
    """Whether each value is the beginning of a day."""
    times = []
    for value in in_microseconds(column.drop_null().slice(0, _VALUES)).to_pylist():
        with suppress(SourceError, OverflowError):
            times.append(instant(value, Calendar("1d"), None, ""))
    return all(not (time.hour or time.minute or time.second) for time in times)


def lengths(n_rows: int, span: timedelta, *, dates: bool) -> list[str]:
    """Return lengths of windows, the best first: the shortest that hold enough rows; if they are empty, longer ones.

    Examples
    --------
    >>> lengths(90_000, timedelta(days=90), dates=False), lengths(900, timedelta(days=90), dates=False)
    (['1d', '7d', '1mo'], ['7d', '1mo'])
    >>> lengths(90_000, timedelta(days=3), dates=False)[0], lengths(90_000, timedelta(days=3), dates=True)[0]
    ('1h', '1d')
    """
    days = max(span / timedelta(days=1), 1.0)
    a_day = n_rows / days
    found = ["1d", "7d", "1mo"]
    if days < 8 and not dates and a_day >= 24 * ENOUGH:
        return ["1h", *found]
    # With fewer rows than are judged, a short history of longer windows is better than a long one of none.
    if a_day < ENOUGH and days >= (56 if a_day >= JUDGED else 28):
        found = found[1:]
        if 7 * a_day < ENOUGH and days >= (240 if 7 * a_day >= JUDGED else 120):
            found = found[1:]
    return found


def spread(windows: Sequence[Window]) -> list[Window]:
    """Return some windows, evenly spread; the last one is among them, and the first where there are few."""
    n = min(WINDOWS, len(windows))
    return [windows[(i + 1) * len(windows) // n - 1] for i in range(n)]


def _together(tables: Sequence[pa.Table]) -> pa.Table:
    """Join tables of one source; columns whose types have nothing in common are left to a later look."""
    import pyarrow as pa

    filled = [table for table in tables if table.num_rows]
    try:
        return pa.concat_tables(filled, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return filled[-1]
