"""Which columns a monitor watches, and as what.

Where keys are patterns (``*_delay``), the most specific one that matches a feature wins: its exact name first, then
the pattern with the most fixed characters.
"""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from drift.config.problems import noun, shorten
from drift.config.validation import Model, Refusal, Text, refuse_value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

FeatureKind = Literal["numeric", "categorical", "boolean", "datetime"]
Role = Literal["input", "prediction", "label"]

_MAX_BINS = 1000
_NAMED = 10
"""Columns that a message names where none is near."""
_WILDCARD = r"\[[^]]*\]|[*?]"
_V = TypeVar("_V")


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether `name` is one of `patterns` or matches one, with ``*``, ``?`` and ``[…]`` and case as it stands.

    Examples
    --------
    >>> matches("dep_delay", ["*_delay"]), matches("x[1]", ["x[1]"]), matches("Origin", ["origin"])
    (True, True, False)
    """
    return matcher(patterns)(name)


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return what `matches` says of patterns, for many names: thousands of either take no time."""
    exact = frozenset(patterns)
    wild = [pattern for pattern in exact if is_pattern(pattern)]
    return lambda name: name in exact or any(fnmatchcase(name, pattern) for pattern in wild)


def is_pattern(name: str) -> bool:
    """Whether a name holds a wildcard.

    Examples
    --------
    >>> is_pattern("*_delay"), is_pattern("dep_delay")
    (True, False)
    """
    return "*" in name or "?" in name or "[" in name


def most_specific(name: str, choices: Mapping[str, _V]) -> _V | None:
    """Return what is chosen for `name`: under its exact name, else under the pattern with the most fixed characters.

    The order in which the patterns are written has no part in it, since JSON keeps none.
    """
    if name in choices:
        return choices[name]
    fitting = [pattern for pattern in choices if is_pattern(pattern) and fnmatchcase(name, pattern)]
    if not fitting:
        return None
    return choices[min(fitting, key=lambda pattern: (-len(re.sub(_WILDCARD, "", pattern)), pattern))]


def unmatched(written: Iterable[tuple[str, str]], columns: Collection[str]) -> list[str]:
    """Say which names and patterns, each beside its key, match none of some columns, and which column is nearest.

    Examples
    --------
    >>> unmatched([("segments", "orgin"), ("features.exclude", "fl*")], ["flight", "origin"])
    ['segments: "orgin" matches no column; fix: write origin, the nearest, or remove it']
    """
    found, known = [], frozenset(columns)
    for key, pattern in written:
        if pattern == "*" or pattern in known or any(map(matcher([pattern]), known if is_pattern(pattern) else ())):
            continue
        near = get_close_matches(re.sub(_WILDCARD, "", pattern), columns, n=1)
        names = f"one of {', '.join(sorted(columns)[:_NAMED])}" + (", …" if len(columns) > _NAMED else "")
        meant = f"{near[0]}, the nearest" if near else names
        found.append(f"{key}: {shorten(pattern)} matches no column; fix: write {meant}, or remove it")
    return found


def _check_bins(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        if not 2 <= value <= _MAX_BINS:
            refuse_value(f"{value} bins are too few or too many", f"write 2 to {_MAX_BINS}")
        return value
    if not isinstance(value, list):
        refuse_value(f"should be a number of bins or a list of edges, not {noun(value)}", "write 20, or [0, 15, 60]")
    wrong = [edge for edge in value if isinstance(edge, bool) or not isinstance(edge, int | float)]
    if wrong or not all(map(math.isfinite, value)):
        refuse_value(f"{shorten(wrong[0]) if wrong else 'an edge'} is not a finite number", "write edges as numbers")
    edges = [float(edge) for edge in value]
    if not 2 <= len(edges) <= _MAX_BINS + 1:
        refuse_value(f"{len(edges)} edges are too few or too many", f"write 2 to {_MAX_BINS + 1} edges")
    fallen = next((pair for pair in pairwise(edges) if pair[0] >= pair[1]), None)
    if fallen:
        refuse_value(f"the edges do not increase from {fallen[0]:g} to {fallen[1]:g}", "sort them, each once")
    return edges


_Bins = Annotated[
    Annotated[int, Field(ge=2, le=_MAX_BINS)] | Annotated[list[float], Field(min_length=2)],
    BeforeValidator(_check_bins),
]


class Features(Model):
    """Which columns are watched, and as what. Names may hold wildcards: ``*``, ``?``, ``[…]``."""

    include: list[Text] = Field(["*"], min_length=1, description="Columns to watch, by name or pattern.")
    exclude: list[Text] = Field([], description="Columns not to watch; goes before include.")
    kinds: dict[str, FeatureKind] = Field(
        {}, description="Kind of a feature where its type says another, by name or pattern."
    )
    bins: dict[str, _Bins] = Field(
        {}, description="Number of quantile bins, or the edges themselves, by name or pattern."
    )
    levels: int = Field(50, ge=1, le=10_000, description="Most frequent categories that keep a cell of their own.")
    roles: dict[str, Role] = Field(
        {}, description="What a feature is to the model: input (the default), prediction or label, by name or pattern."
    )
    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        {}, description="Importance of a feature beside the others', 1 by default, by name or pattern."
    )
    hashed: list[Text] = Field([], description="Features whose category labels are stored only as salted hashes.")

    def select(self, columns: Iterable[str]) -> list[str]:
        """Return the columns that are features, in the order given.

        Examples
        --------
        >>> Features(exclude=["*_id"]).select(["flight_id", "dep_delay"])
        ['dep_delay']
        """
        included, excluded = matcher(self.include), matcher(self.exclude)
        return [name for name in columns if included(name) and not excluded(name)]

    @property
    def named(self) -> frozenset[str]:
        """The columns that are named outright, not by a pattern.

        Examples
        --------
        >>> sorted(Features(include=["*", "hour"], kinds={"zip*": "categorical", "year": "categorical"}).named)
        ['hour', 'year']
        """
        names = {*self.include, *self.kinds, *self.bins, *self.roles, *self.weights, *self.hashed}
        return frozenset(name for name in names if not is_pattern(name))

    def picks(self, column: str) -> bool:
        """Whether a column is wanted for itself: named, or included by a pattern that does not take everything.

        Examples
        --------
        >>> Features(include=["*", "order_*"]).picks("order_id"), Features().picks("order_id")
        (True, False)
        """
        return column in self.named or matches(column, (each for each in self.include if each != "*"))

    @property
    def patterns(self) -> list[tuple[str, str]]:
        """Every name or pattern that is written here, beside its key."""
        sections = ("include", "exclude", "kinds", "bins", "roles", "weights", "hashed")
        return [(f"features.{section}", pattern) for section in sections for pattern in getattr(self, section)]

    def kind_for(self, feature: str) -> FeatureKind | None:
        """Return the kind that was set for a feature, or None."""
        return most_specific(feature, self.kinds)

    def bins_for(self, feature: str) -> int | list[float] | None:
        """Return the number of bins or the edges that were set for a feature, or None."""
        return most_specific(feature, self.bins)

    def role_for(self, feature: str) -> Role:
        """Return what a feature is to the model."""
        return most_specific(feature, self.roles) or "input"

    def weight_for(self, feature: str) -> float:
        """Return a feature's importance beside the others'."""
        found = most_specific(feature, self.weights)
        return 1.0 if found is None else found

    def hashes(self, feature: str) -> bool:
        """Whether a feature's labels are stored only as hashes."""
        return matches(feature, self.hashed)

    def unwatched(self, keys: Iterable[str], times: Collection[str]) -> list[Refusal]:
        """Say which of `keys`, names or patterns, cannot be a feature."""
        found: list[Refusal] = []
        included, excluded = matcher(self.include), matcher(self.exclude)
        for key in keys:
            if key in times:
                found.append(((key,), "is the time column, which is not a feature", "remove it here"))
            elif excluded(key):
                found.append(((key,), "is excluded by features.exclude", "remove it here, or from exclude"))
            elif not is_pattern(key) and not included(key):
                near = get_close_matches(key, self.include, n=1)
                fix = f"write {near[0]}, the nearest" if near else "remove it here, or add it to include"
                found.append(((key,), "is not among features.include", fix))
        return found
