"""Twin of `drift.errors`."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from drift import errors
from drift.errors import (
    ConfigError,
    DistributionError,
    DriftError,
    MissingExtra,
    SourceError,
    SourceMissing,
    UnknownFeature,
)

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)]


def make(kind: type[DriftError]) -> DriftError:
    """Build one error of a class, with the arguments it takes."""
    if kind is ConfigError:
        return ConfigError(["flights.yaml:3: source: …", "flights.yaml:9: windw: unknown key"])
    if kind is MissingExtra:
        return MissingExtra("apprise", extra="notify")
    if kind is UnknownFeature:
        return UnknownFeature("prise", ["price", "city"])
    return kind("table 'flights' has no column 'dep_delay'")


def test_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    """The drawing at the head of the module shows every class under its real parent."""
    drawn: dict[str, str] = {}
    open_at: list[tuple[int, str]] = []
    for line in str(errors.__doc__).splitlines():
        match = re.match(r"^(?P<rule>[\s│├└─]*)(?P<name>[A-Z]\w+)\s*(?:\s{2}|$)", line)
        if match and match["name"] in vars(errors):
            depth = len(match["rule"])
            open_at = [(at, name) for at, name in open_at if at < depth]
            drawn[match["name"]] = open_at[-1][1] if open_at else "Exception"
            open_at.append((depth, match["name"]))
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_one_root_and_says_what_it_means(kind: type[DriftError]) -> None:
    """`except DriftError` catches all that Drift raises on purpose, and each class is documented."""
    assert issubclass(kind, DriftError)
    assert inspect.getdoc(kind)


def test_builtin_kinship() -> None:
    """Callers who know nothing of Drift catch the two that are like a builtin by the builtin's name."""
    assert issubclass(DistributionError, ValueError)
    assert issubclass(MissingExtra, ImportError)
    assert issubclass(SourceMissing, SourceError)


def test_config_error_keeps_every_problem() -> None:
    """All problems of a file stand in the message, one a line, in the order of the file."""
    error = ConfigError(["a.yaml:1: first", "a.yaml:9: second"])
    assert error.problems == ["a.yaml:1: first", "a.yaml:9: second"]
    assert str(error) == "a.yaml:1: first\na.yaml:9: second"


def test_missing_extra_says_what_to_type() -> None:
    """The message is the command that mends it."""
    assert "pip install 'driftmeter[notify]'" in str(MissingExtra("apprise", extra="notify"))


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_survive_a_process_boundary(kind: type[DriftError]) -> None:
    """A pickled or copied error says the same: Airflow and process pools send errors between processes."""
    error = make(kind)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own bytes
        assert type(twin) is kind
        assert str(twin) == str(error)
        assert getattr(twin, "problems", None) == getattr(error, "problems", None)
