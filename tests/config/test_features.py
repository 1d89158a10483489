"""Features: which columns are chosen, and which pattern counts for one."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.features import Features, matches, most_specific
from drift.config.validation import parse_options
from drift.errors import ConfigError

NAMES = st.text(alphabet="ab_*?[]", min_size=1, max_size=6)


def told(**keys: Any) -> str:
    """What is wrong with the features, as one text."""
    with pytest.raises(ConfigError) as caught:
        parse_options(lambda: Features(**keys))
    return str(caught.value)


@pytest.mark.parametrize(
    ("include", "exclude", "chosen"),
    [
        (["*"], [], ["dep_delay", "arr_delay", "x[1]", "Origin"]),
        (["*_delay"], [], ["dep_delay", "arr_delay"]),
        (["*"], ["*_delay"], ["x[1]", "Origin"]),
        (["dep_delay"], ["*_delay"], []),
        (["x[1]"], [], ["x[1]"]),
        (["origin"], [], []),
        (["[da]*"], ["arr*"], ["dep_delay"]),
    ],
)
def test_selection(include: list[str], exclude: list[str], chosen: list[str]) -> None:
    """Patterns choose columns in the table's order; an exclusion goes before everything."""
    columns = ["dep_delay", "arr_delay", "x[1]", "Origin"]
    assert Features(include=include, exclude=exclude).select(columns) == chosen


@given(NAMES, st.lists(NAMES, max_size=4))
def test_names_and_patterns_match_as_in_a_shell(name: str, patterns: list[str]) -> None:
    """A name matches what is written like it, and the patterns of the shell."""
    assert matches(name, patterns) == any(name == each or fnmatchcase(name, each) for each in patterns)


@given(NAMES)
def test_a_name_matches_itself(name: str) -> None:
    """Columns with brackets and stars in their names can be named."""
    assert matches(name, [name])
    assert most_specific(name, {"*": 2, name: 1}) == 1


@given(st.dictionaries(NAMES, st.integers(), max_size=5), NAMES, st.randoms(use_true_random=False))
def test_the_order_of_patterns_does_not_matter(choices: dict[str, int], name: str, random: Any) -> None:
    """A mapping means the same however it is sorted, as JSON and the configuration hash take it."""
    items = list(choices.items())
    random.shuffle(items)
    assert most_specific(name, dict(items)) == most_specific(name, choices)


def test_the_most_specific_pattern_counts() -> None:
    """The exact name, then the pattern with the most fixed characters; classes in brackets are not fixed."""
    features = Features(
        kinds={"*": "categorical", "dep_*": "numeric", "d[abcdefgh]p*": "boolean"},
        bins={"*_delay": 20, "dep_delay": [0.0, 15.0]},
        hashed=["tail*"],
    )
    assert features.kind_for("dep_delay") == "numeric"
    assert features.kind_for("origin") == "categorical"
    assert (features.bins_for("dep_delay"), features.bins_for("arr_delay")) == ([0.0, 15.0], 20)
    assert features.bins_for("origin") is None
    assert (features.hashes("tailnum"), features.hashes("origin")) == (True, False)


@pytest.mark.parametrize("bins", [2, 1000, [0, 1], [-1.5, 0, 2.5]])
def test_valid_bins(bins: Any) -> None:
    """A number of bins, or edges, which become floats."""
    found = Features(bins={"x": bins}).bins_for("x")
    assert found == bins
    assert isinstance(found, int) or all(isinstance(edge, float) for edge in found or [])


@pytest.mark.parametrize(
    ("bins", "problem"),
    [
        (1, "1 bins are too few or too many; fix: write 2 to 1000"),
        (1001, "1001 bins are too few"),
        (True, "should be a number of bins or a list of edges, not true or false"),
        ("20", "should be a number of bins or a list of edges, not text"),
        (2.5, "should be a number of bins or a list of edges, not a number"),
        ([0], "1 edges are too few"),
        ([], "0 edges are too few"),
        (list(range(1002)), "1002 edges are too few or too many; fix: write 2 to 1001 edges"),
        ([0, 0], "the edges do not increase from 0 to 0"),
        ([0, 2, 1], "the edges do not increase from 2 to 1; fix: sort them, each once"),
        ([0, math.inf], "an edge is not a finite number"),
        ([0, math.nan], "an edge is not a finite number"),
        ([0, "1"], '"1" is not a finite number'),
        ([0, True], "true is not a finite number"),
    ],
)
def test_invalid_bins(bins: Any, problem: str) -> None:
    """Bins that cannot be are refused with what they should be."""
    assert f"bins.x: {problem}" in told(bins={"x": bins})


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"levels": 0}, "levels: 0 should be at least 1"),
        ({"levels": 10_001}, "levels: 10001 should be at most 10000"),
        ({"levels": True}, "levels: should be a whole number, not true or false"),
        ({"include": []}, "include: is empty"),
        ({"include": "dep_delay"}, "include: should be a list, not text"),
        ({"exclude": [1]}, "exclude[0]: should be text, not a number"),
        ({"kinds": {"x": "number"}}, 'kinds.x: "number" is not known; fix: did you mean numeric?'),
        ({"exlude": []}, "exlude: is not a known key; fix: did you mean exclude?"),
    ],
)
def test_invalid_keys(keys: dict[str, Any], problem: str) -> None:
    """Ranges and types are checked."""
    assert problem in told(**keys)


def test_roles_and_weights_by_pattern() -> None:
    """The most specific pattern counts; without one a feature is an input of weight 1."""
    features = Features(roles={"p_*": "prediction", "p_true": "label"}, weights={"*": 0.5, "p_true": 3})
    assert [features.role_for(name) for name in ("age", "p_default", "p_true")] == ["input", "prediction", "label"]
    assert [features.weight_for(name) for name in ("age", "p_true")] == [0.5, 3.0]
    assert Features().weight_for("age") == 1.0


@pytest.mark.parametrize("weight", [-0.1, math.inf, math.nan, "much"])
def test_a_weight_is_a_number_from_zero(weight: Any) -> None:
    """Negative, infinite and undefined importances are refused."""
    assert "weights.age" in told(weights={"age": weight})


def test_an_unknown_role_is_refused() -> None:
    """With the ones there are."""
    assert "prediction" in told(roles={"age": "predicton"})
