"""Changed settings: as they are asked for, and as they are pasted."""

from __future__ import annotations

from typing import Any

import pytest

from drift.config.monitor import Monitor, parse_monitor
from drift.config.overrides import adopt, changes, read_settings, snippet, with_settings
from drift.errors import ConfigError
from tests.support.flights import SQL, monitor_text


def monitor(**changes: str) -> Monitor:
    """The flights' monitor with some keys changed."""
    return parse_monitor(monitor_text(SQL, **changes))


def test_a_setting_is_read_as_in_a_monitor_file() -> None:
    """Numbers are numbers, spans are text, and what stands in brackets is a list."""
    texts = ["detection.z=5", "reference.trailing=14d", "reference.fixed=[2024-01-01, 2024-02-01]"]
    assert read_settings(texts) == {
        "detection.z": 5,
        "reference.trailing": "14d",
        "reference.fixed": ["2024-01-01", "2024-02-01"],
    }


@pytest.mark.parametrize("text", ["detection.z", "=5", "a=[1", "a=1\nb: 2"])
def test_what_is_no_setting_is_told(text: str) -> None:
    """A typing mistake names itself and what to write."""
    with pytest.raises(ConfigError, match="is not a setting; fix: write KEY=VALUE"):
        read_settings([text])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("detection.effect.wraning", 0.1, "did you mean warning"),
        ("detection.effect.warning", 0.5, "critical 0.1 lies below warning 0.5"),
        ("detection.persistence.at_least", "two", "should be a whole number"),
        ("detection.effect", 3, "should be a mapping"),
        ("reference.trailing", "1y", "reference.trailing"),
        ("source.files", "x.csv", "cannot be replayed; fix: set detection"),
        ("features.bins", 4, "cannot be replayed"),
    ],
)
def test_a_setting_that_cannot_be_is_told(key: str, value: object, message: str) -> None:
    """The message of the monitor file, with the option in place of a line."""
    with pytest.raises(ConfigError, match=message) as caught:
        with_settings(monitor(), {key: value})
    assert all(problem.startswith("--set ") for problem in caught.value.problems)


@pytest.mark.parametrize(
    "kind", [{"previous": 1}, {"same_weekday": 3}, {"trailing": "14d"}, {"fixed": ["2024-01-01", "2024-01-08"]}]
)
def test_a_new_kind_of_reference_takes_the_place_of_the_old(kind: dict[str, Any]) -> None:
    """Exactly one kind is left, and the default of min_windows is the new one's."""
    before = monitor(reference="{trailing: 28d}")
    after = with_settings(before, {f"reference.{name}": value for name, value in kind.items()})
    assert after == monitor(reference=f"{{{', '.join(f'{k}: {v}'.replace(chr(39), '') for k, v in kind.items())}}}")


def test_a_number_of_windows_that_was_written_stays() -> None:
    """Only a default gives way."""
    after = with_settings(monitor(reference="{trailing: 28d, min_windows: 5}"), {"reference.trailing": "14d"})
    assert after.reference.min_windows == 5


def test_patterns_of_features_may_hold_dots() -> None:
    """A dotted key is split around them."""
    after = with_settings(monitor(), {"detection.features.a.b.warning": 0.02})
    assert after.detection.effect_for("a.b").warning == 0.02


def test_nothing_asked_changes_nothing() -> None:
    """The same monitor, with the same hash, and nothing to paste."""
    one = monitor()
    assert with_settings(one, {}) == one
    assert snippet(one, one) == ""


def test_another_file_lends_its_detection_and_reference() -> None:
    """Name, source and features stay."""
    mine, other = monitor(), monitor(name="other", reference="{previous: 1}", detection="{z: 6}")
    adopted = adopt(mine, other)
    assert (adopted.name, adopted.reference, adopted.detection) == (mine.name, other.reference, other.detection)


def test_another_files_windows_must_be_the_same() -> None:
    """Days say nothing of hours."""
    with pytest.raises(ConfigError, match="windows of 1h"):
        adopt(monitor(), monitor(window="{every: 1h}", reference="{trailing: 7d}"))


def test_what_is_pasted_is_what_was_changed() -> None:
    """The snippet, merged into the file, makes the changed monitor."""
    before = monitor(detection="{min_rows: 100, features: {carrier: {warning: 0.02}}}")
    asked = {"detection.effect.warning": 0.03, "detection.features.delay.critical": 0.2, "detection.persistence.of": 5}
    after = with_settings(before, asked)
    assert changes(before, after) == {
        "detection": {
            "effect": {"warning": 0.03},
            "features": {"delay": {"critical": 0.2}},
            "persistence": {"of": 5},
        }
    }
    assert "effect:\n    warning: 0.03" in snippet(before, after)
