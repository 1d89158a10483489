"""Validation: every problem at once, in words, and nothing that only follows from another."""

from __future__ import annotations

from typing import Any, Literal, Self

import pytest
from pydantic import Field, ValidationError, model_validator

from drift.config.monitor import Monitor
from drift.config.validation import Model, check, known_timezone, parse_options, refuse, split_message
from drift.config.yaml_document import read
from drift.errors import ConfigError

MAPPING = "fix: write {key: value}, or one indented key a line"


class Inner(Model):
    """A part with a check of the whole."""

    low: float = Field(0, ge=0)
    high: float = Field(1, gt=0, le=10)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low > self.high:
            refuse(((), "low lies above high", "swap them"))
        return self


class Outer(Model):
    """A whole with parts of every sort."""

    name: str = Field(min_length=1, pattern="^[a-z]+$", max_length=9)
    inner: Inner = Field(default_factory=Inner)
    many: list[Inner] = Field(default_factory=list)
    named: dict[str, Inner] = Field(default_factory=dict)
    count: int = Field(1, lt=100)
    kind: Literal["one", "two"] = "one"

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        refuse(*((("many", i), "has low 3", "change it") for i, part in enumerate(self.many) if part.low == 3))
        return self


def told(text: str) -> list[str]:
    """The problems of a text."""
    model, problems = check(Outer, read(text), {})
    assert (model is None) == bool(problems)
    return [problem.at("f") for problem in problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name: 5", "f:1: name: should be text, not a number; fix: put it in quotes"),
        ("name: ''", "f:1: name: is empty; fix: write it, or leave the key out for its default"),
        ("name: abcdefghij", "f:1: name: is too long; fix: keep it to 9"),
        ("name: A b", 'f:1: name: "A b" is not a valid name; fix: match ^[a-z]+$'),
        ("inner: 5", "f:1: name: is missing; fix: add name: flights"),
        (
            "name: a\ninner: 5",
            f"f:2: inner: should be a mapping of keys, not a number; {MAPPING}; leave the key out if unset",
        ),
        (
            "name: a\nmany: {}",
            "f:2: many: should be a list, not a mapping; fix: write [a, b], or one item a line after a dash",
        ),
        (
            "name: a\nnamed: []",
            f"f:2: named: should be a mapping of keys, not a list; {MAPPING}",
        ),
        ("name: a\ncount: 1.5", "f:2: count: should be a whole number, not a number; fix: write digits without quotes"),
        (
            "name: a\ncount: true",
            "f:2: count: should be a whole number, not true or false; fix: write digits without quotes",
        ),
        ("name: a\ncount: 100", "f:2: count: 100 should be less than 100; fix: write a number that is less than 100"),
        (
            "name: a\ninner: {high: 0}",
            "f:2: inner.high: 0 should be more than 0; fix: write a number that is more than 0",
        ),
        ("name: a\nkind: tow", 'f:2: kind: "tow" is not known; fix: did you mean two? allowed: one, two'),
    ],
)
def test_findings_in_words(text: str, problem: str) -> None:
    """Pydantic's findings are told as what is wrong and what to do."""
    assert problem in told(text)


def test_a_finding_without_words_of_our_own() -> None:
    """It is told in pydantic's, and points to the documentation."""

    class Odd(Model):
        flag: bool

    _, problems = check(Odd, read("flag: x"), {})
    says = "f:1: flag: Input should be a valid boolean; fix: see docs/reference/monitors.md"
    assert [p.at("f") for p in problems] == [says]


def test_checks_of_a_whole_are_told_with_those_of_its_parts() -> None:
    """Pydantic alone would hold the check of all `many` back until the unknown key is gone."""
    assert told("name: a\nmany:\n  - {low: x}\n  - {low: 3, high: 5}\n  - {low: 4, high: 2}\nother: 1\ncount: x") == [
        "f:3: many[0].low: should be a number, not text; fix: write a number without quotes",
        "f:4: many[1]: has low 3; fix: change it",
        "f:5: many[2]: low lies above high; fix: swap them",
        "f:6: other: is not a known key; fix: allowed: count, inner, kind, many, name, named",
        "f:7: count: should be a whole number, not text; fix: write digits without quotes",
    ]


def test_what_follows_from_a_problem_is_not_told() -> None:
    """With `high` unreadable, that `low` lies above its default is nobody's mistake."""
    assert told("name: a\ninner: {low: 5, high: x}") == [
        "f:2: inner.high: should be a number, not text; fix: write a number without quotes"
    ]


def test_problems_of_the_yaml_do_not_hide_the_others() -> None:
    """A duplicate key and a wrong value are told together."""
    assert [line[:10] for line in told("name: a\ncount: x\nname: b\nkind: !t one")] == [
        "f:2: count",
        "f:3: name:",
        "f:4: kind:",
    ]


def test_keys_are_told_in_the_order_of_the_file() -> None:
    """Whatever the order of the checks."""
    assert [line[:9] for line in told("zzz: 1\ncount: x\naaa: 1\nname: 5")] == [
        "f:1: zzz:",
        "f:2: coun",
        "f:3: aaa:",
        "f:4: name",
    ]


def test_many_problems_take_little_time() -> None:
    """Nine thousand unknown keys are nine thousand problems."""
    assert len(told("name: a\n" + "".join(f"key{i}: 1\n" for i in range(4900)))) == 4900


def test_models_do_not_change() -> None:
    """A configuration is a value."""
    model = Inner(low=0.5)
    with pytest.raises(ValidationError):
        model.low = 1  # type: ignore[misc]


def test_nothing_to_refuse() -> None:
    """A check that found nothing passes."""
    refuse()


@pytest.mark.parametrize(
    ("message", "parts"),
    [("a: b: do c", ("a: b", "do c")), ("too long", ("too long", "choose another value"))],
)
def test_messages_of_errors_have_two_parts(message: str, parts: tuple[str, str]) -> None:
    """What is wrong stands before the last colon, what to do after it."""
    assert split_message(ValueError(message)) == parts


def test_time_zones() -> None:
    """A name is given back; a wrong one is refused with what to use."""
    assert known_timezone("Europe/Berlin") == "Europe/Berlin"
    with pytest.raises(ValueError, match="'Mars' is not a time zone; fix: use an IANA name"):
        known_timezone("Mars")


def test_python_values_are_named() -> None:
    """Models built in Python are checked the same way."""
    with pytest.raises(ValidationError, match="is not a known key; fix: allowed: high, low"):
        Inner.model_validate({"mid": object()})
    keys: dict[Any, Any] = {5: 1}
    with pytest.raises(ValidationError, match="is not a known key"):
        Inner.model_validate(keys)


@pytest.mark.parametrize("window", [{"every": "5x"}, {"every": 1}, None, {"every": "1d", "timezone": "Mars"}])
def test_what_follows_from_a_mistake_is_not_another(window: Any) -> None:
    """A default that cannot be made for want of what is wrong is not a finding of its own."""
    source = {"files": "a.csv", "time_column": "t"}
    with pytest.raises(ConfigError) as caught:
        parse_options(lambda: Monitor(name="m", source=source, window=window))  # type: ignore[arg-type]
    (said,) = caught.value.problems
    assert said.startswith("window")
