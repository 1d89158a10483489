"""What else happened: news alone, where it counts, and of whatever origin."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from drift.alerts.circumstances import Event, Fit, Passed, circumstances
from drift.alerts.marks import new_mark
from drift.detection.findings import Finding
from drift.windows import Calendar

DAYS = Calendar("1d")
FIRST = datetime(2026, 3, 1, tzinfo=UTC)


def day(n: int, **known: Any) -> Passed:
    """The window `n` days after the first."""
    return Passed(FIRST + timedelta(days=n), **known)


def told(*windows: Passed, **known: Any) -> list[tuple[int, str, str]]:
    """What happened: day, kind and words."""
    found = circumstances(windows, calendar=DAYS, **known)
    return [((event.at - FIRST).days, event.kind, event.text) for event in found]


def test_what_lasts_is_news_once() -> None:
    """A failure, a finding, a rejection, an expectation: where it begins, and again where it comes back."""
    lost = Finding("missing_column", "column fare: missing", "fare", "critical")
    fewer = [Finding("fewer_rows", f"{n} rows, 60 % fewer than usual") for n in (400, 390)]
    found = told(
        day(0, gate="accepted", findings=[]),
        day(1, gate="accepted", findings=[lost, fewer[0]]),
        day(2, gate="rejected", failures={"a": "a null", "b": "b null"}, findings=[lost, fewer[1]]),
        day(3, gate="rejected", failures={"a": "a null"}, findings=[]),
        day(4, error="no such file"),
        day(5, error="no such file"),
        day(6, gate="warned", failures={"a": "a null", "c": "c null"}, findings=[lost]),
    )
    assert found == [
        (1, "schema", "column fare: missing"),
        (1, "rows", "400 rows, 60 % fewer than usual"),
        (2, "rejected", "rejected by its expectations: a null; b null"),
        (4, "failed", "no such file"),
        (6, "expectation", "c null"),
        (6, "schema", "column fare: missing"),
    ]


def test_of_many_expectations_that_reject_some_are_named() -> None:
    """And the others counted."""
    ((_, _, words),) = told(day(0), day(1, gate="rejected", failures={str(n): f"e{n}" for n in range(9)}))
    assert words == "rejected by its expectations: e0; e1; e2; e3; and 5 more"


def test_of_the_first_window_all_is_known() -> None:
    """There is nothing to differ from."""
    assert told(day(0, gate="rejected", failures={"a": "a null"}, error="lost", findings=[])) == []


def test_what_only_says_how_much_was_judged_is_no_news() -> None:
    """A short reference did not happen to the data."""
    assert told(day(0, findings=[]), day(1, findings=[Finding("no_reference", "no reference yet")])) == []


def test_an_upstream_asset_that_is_updated_otherwise_is_news() -> None:
    """By another DAG or kind of run, or more often; not by the next run of the same schedule."""

    def loaded(n: int, *runs: str, dag: str = "ingest") -> Passed:
        return day(n, upstream=[{"asset": "sales", "dag": dag, "run": run} for run in runs] or None)

    found = told(
        loaded(0, "scheduled__1"),
        loaded(1, "scheduled__2"),
        loaded(2, "manual__3"),
        loaded(3),
        loaded(4, "manual__4", "manual__5"),
        loaded(5, "", dag=""),
    )
    said = "sales was updated by ingest, run manual__"
    assert found == [
        (2, "upstream", f"{said}3"),
        (4, "upstream", f"{said}4; {said}5"),
        (5, "upstream", "sales was updated by no DAG"),
    ]


def test_a_configuration_is_named_by_the_keys_that_changed() -> None:
    """At the first window that ran with it, whatever ran or not in between."""
    before: dict[str, Any] = {"detection": {"z": 4, "fdr": 0.05}, "segments": [], "name": "n"}
    after = {"detection": {"z": 5, "fdr": 0.05}, "segments": ["origin"], "name": "n"}
    windows = (day(0, config_hash="a"), day(1), day(2, config_hash="b"), day(3, config_hash="b"))
    configs: dict[str, Any] = {"a": before, "b": after}
    assert told(*windows, configs=configs) == [
        (2, "config", "the monitor's configuration changed: detection.z, segments")
    ]
    many: dict[str, Any] = {"a": {str(n): n for n in range(9)}, "b": {}}
    assert told(*windows, configs=many)[0][2].endswith(": 0, 1, 2, 3 and 5 more")
    assert told(*windows)[0][2] == "the monitor's configuration changed"


def test_a_baseline_stands_at_the_first_window_that_ran_with_it() -> None:
    """In the order of the windows, though they were run long after."""
    later = FIRST + timedelta(days=400)
    fit = Fit(2, later + timedelta(minutes=1), "ann", "new bins", FIRST, FIRST + timedelta(days=28), 5)
    runs = [day(n, started_at=later + timedelta(minutes=2 * n)) for n in range(3)]
    said = (1, "baseline", "baseline version 2 of 5 features: 2026-03-01 … 03-28, by ann: new bins")
    assert told(*runs, baselines=[fit]) == [said]
    assert told(*runs[1:], baselines=[fit], ran=runs[0].started_at) == [said]
    assert told(*runs[1:], baselines=[fit]) == []


def test_events_are_in_the_order_of_time_and_marks_come_first() -> None:
    """A mark where it was put; a run that failed says where to read on."""
    noted = [new_mark(text, at=FIRST + timedelta(days=n), by="ann", now=FIRST) for n, text in ((1, "b"), (3, "a"))]
    windows = [day(0), replace(day(1), error="lost", url="https://airflow/log"), day(2)]
    found = circumstances(windows, calendar=DAYS, marks=noted[::-1])
    assert found == [
        Event(noted[0].at, "mark", "b"),
        Event(windows[1].start, "failed", "lost", "https://airflow/log"),
        Event(noted[1].at, "mark", "a"),
    ]
