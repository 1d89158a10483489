"""A replay says what a run said, or would have said, and touches nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np
import pytest

from drift.alerts.alerts import NOTIFIED
from drift.alerts.lifecycle import advance
from drift.alerts.signals import Signal
from drift.config.overrides import with_settings
from drift.detection.onset import Onset
from drift.errors import StoreError
from drift.pipeline import evaluate, run
from drift.pipeline.context import Context, binning_key
from drift.pipeline.replay import CALLS, Replay, calls_of, lead_of, replay, to_dict, windows_run
from drift.store.memory import Memory
from drift.store.store import Store
from drift.windows import Calendar
from tests.pipeline.test_run import dump
from tests.support.command import runner
from tests.support.flights import FIRST, SQL, clock, monitor_text, open_context, rows, write_sql

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from drift.detection.reports import Report
    from drift.windows import Window

DAYS = 45
FAULTS = {20: 9.0, 21: 9.0, 33: 3.0, 34: 3.0, 35: 3.0}
"""By how much the delays of some days are off."""


def unsteady(days: int = DAYS) -> pd.DataFrame:
    """Return days whose delays wander as real ones do, with two faults in them."""
    frame = rows(days)
    wander = np.random.default_rng(7).normal(0, 0.6, days)
    offset = [wander[i] + FAULTS.get(i, 0) for i in range(days)]
    frame["delay"] += np.repeat(offset, len(frame) // days)
    return frame


def no_source(connection: str) -> NoReturn:
    """Stand for a warehouse that must not be asked."""
    raise AssertionError(f"the source {connection} was opened")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of every day, a monitor's file, and no source any more."""
    folder = tmp_path_factory.mktemp("replayed")
    warehouse = folder / "warehouse.db"
    write_sql(unsteady(), f"sqlite:///{warehouse}")
    context = open_context(f"sqlite:///{folder / 'drift.db'}", f"sqlite:///{warehouse}")
    calendar = context.monitor.window.calendar
    windows = [calendar.starting(FIRST + timedelta(days=i)) for i in range(DAYS)]
    run.backfill(context, windows, clock=clock, page=True)
    context.store.close()
    warehouse.unlink()
    (folder / "monitors").mkdir()
    (folder / "monitors" / "flights.yaml").write_text(monitor_text(SQL))
    return folder


@pytest.fixture
def context(stored: Path) -> Context:
    """The monitor on these results; its source raises."""
    whole = open_context(f"sqlite:///{stored / 'drift.db'}", "")
    return Context.of(whole.monitor, whole.store, no_source)


def replayed(context: Context, settings: dict[str, Any] | None = None, **which: Any) -> Replay:
    """Replay with some settings changed."""
    monitor = with_settings(context.monitor, settings or {})
    windows, lead = windows_run(context.store, monitor, lead=lead_of(monitor), **which, now=clock())
    return replay(monitor, Memory(context.store), windows, lead=lead)


def said(reports: list[Report] | Any) -> list[tuple[object, ...]]:
    """What reports say of each feature, to the last digit."""
    return [
        (
            r.label,
            r.gate,
            r.reference,
            tuple(map(str, r.findings)),
            v.feature,
            v.status,
            v.severity,
            v.reason,
            v.warning,
        )
        + (() if v.score is None else (v.score.kl, v.score.q, v.score.z, v.score.ci_high))
        for r in reports
        for v in r.verdicts
    ]


def test_unchanged_settings_say_what_the_run_said(context: Context) -> None:
    """Window by window, feature by feature: status, reason and every number."""
    ran = context.store.load_reports("flights", since=datetime(2000, 1, 1, tzinfo=UTC))
    assert len(ran) == DAYS
    assert said(replayed(context).reports) == said(ran)
    assert {r.status for r in ran} >= {"ok", "critical", "not_judged"}


def test_the_last_windows_are_as_in_the_whole(context: Context) -> None:
    """Those before the first one are looked back at, but page nobody."""
    whole, last = replayed(context), replayed(context, last=13)
    assert len(last.windows) == 13
    assert said(last.reports[last.lead :]) == said(whole.reports[-13:])
    assert list(last.calls) == [call for call in whole.calls if call.window >= last.windows[0].start]


def test_a_replay_without_history_is_short(context: Context) -> None:
    """Where there is no history asked for, only what persistence counts leads."""
    assert lead_of(with_settings(context.monitor, {"detection.history": 0})) == 2


def test_pages_are_those_of_the_run(context: Context) -> None:
    """One for each window in which the timelines of an incident's alerts say that one of them opened or grew worse."""
    diary = {
        (event.window_start, alert.key, event.transition): alert.known_as
        for alert in context.store.alerts("flights")
        for event in context.store.alert_events(alert.id)
        if event.transition in CALLS
    }
    calls = replayed(context).calls
    assert diary
    found = {(call.window, call.key, call.transition): call.incident for call in calls}
    assert found.items() <= diary.items()
    pages = {(window, incident) for (window, _, _), incident in diary.items()}
    assert sorted((call.window, call.incident) for call in calls) == sorted(pages)
    assert all(call.reason and call.severity in {"warning", "critical"} for call in calls)
    assert CALLS < NOTIFIED


def test_alerts_of_one_incident_are_one_page_a_window() -> None:
    """The worst of them stands for all, with since when and where; in another window they page again."""
    calendar = Calendar("1d")
    days = [calendar.starting(datetime(2024, 2, day, tzinfo=UTC)) for day in (1, 2)]
    onset = Onset(days[0].start, days[0].start, days[0].start)

    def signal(day: Window, feature: str, severity: Literal["warning", "critical"]) -> Signal:
        return Signal(day, f"drift:{feature}", "drift", feature, severity, severity, "KL", onset=onset)

    said = [signal(days[0], "a", "warning"), signal(days[0], "b", "critical"), signal(days[1], "a", "critical")]
    first = advance([], said[:2], monitor="flights", now=days[0].end)
    assert len(first.notices) == 2
    (page,) = calls_of(first.notices, calendar, days[0])
    assert (page.key, page.severity, page.incident) == ("drift:b", "critical", first.alerts[0].incident)
    assert page.words == "KL; since 2024-02-01"
    alone = advance([], said[:1], monitor="flights", now=days[0].end)
    worse = advance(alone.alerts, said[2:], monitor="flights", now=days[1].end)
    assert [call.transition for call in calls_of(worse.notices, calendar, days[1])] == ["escalated"]


def test_nothing_is_written_and_no_source_opened(context: Context) -> None:
    """Every row of the results database is as before; a connection would have raised."""
    before = dump(context)
    replayed(context)
    replayed(context, {"reference.trailing": "14d", "detection.effect.warning": 0.5, "detection.effect.critical": 0.9})
    assert dump(context) == before


@pytest.mark.parametrize(
    "settings",
    [
        {"reference.trailing": "14d"},
        {"reference.previous": 1, "reference.min_windows": 1},
        {"reference.same_weekday": 2, "reference.min_windows": 1},
        {"reference.fixed": ["2024-01-01", "2024-01-15"]},
        {"detection.persistence.at_least": 1, "detection.effect.warning": 0.05},
        {"detection.seasonal": False},
        {"detection.z": 2.0, "detection.history": 20},
        {"reference.exclude": ["rejected", "critical"]},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_other_settings_say_what_a_run_under_them_would(
    context: Context, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """The same counts, evaluated again in the database window by window, end in the same verdicts."""
    monitor = with_settings(context.monitor, settings)
    with Store.open(f"sqlite:///{tmp_path / 'again.db'}", create=True) as empty:
        copy(context, empty)
        again = Context.of(monitor, empty, no_source)
        windows, _ = windows_run(context.store, monitor, now=clock())
        ran = [evaluate.evaluate_window(again, window) for window in windows]
    found = replayed(context, settings)
    assert said(found.reports) == said(ran)
    assert said(found.reports) != said(replayed(context).reports)


def copy(context: Context, store: Store) -> None:
    """Copy what was counted, and nothing of what was made of it."""
    name, now = context.name, clock()
    binnings = context.store.active_baseline(name)
    fitted = next(iter(context.store.baseline_rows(name)))
    spans = {key: fitted[key] for key in ("fitted_from", "fitted_to", "n_rows", "reason")}
    store.save_baseline(name, binnings, types={}, now=now, by="test", **spans)
    windows, _ = windows_run(context.store, context.monitor, now=clock())
    key = binning_key(binnings)
    for profile, gate in context.store.load_profiles(name, windows, binnings):
        if profile.window is not None:
            store.save_gate(name, profile.window, gate, [], now)
        store.save_profile(name, profile, gate=gate, binning_key=key, now=now)


def test_high_floors_are_silent_and_low_ones_loud(context: Context) -> None:
    """The more it takes, the fewer pages."""
    none = replayed(context, {"detection.effect.warning": 50.0, "detection.effect.critical": 90.0})
    some = replayed(context)
    many = replayed(context, {"detection.persistence.at_least": 1, "detection.z": 0.1, "detection.fdr": 0.5})
    assert 0 == len(none.calls) < len(some.calls) < len(many.calls)


def test_a_month_is_thirty_days_of_windows(context: Context) -> None:
    """Pages a month are counted over the windows there are."""
    found = replayed(context, last=15)
    assert found.months == 0.5
    assert found.a_month(3) == 6


def test_side_by_side_as_json(context: Context) -> None:
    """Plain JSON: what was changed, and both counts."""
    asked = replayed(context, {"detection.effect.warning": 50.0, "detection.effect.critical": 90.0})
    found = json.loads(json.dumps(to_dict(replayed(context), asked)))
    assert found["asked_for"]["settings"] == {"detection": {"effect": {"warning": 50.0, "critical": 90.0}}}
    assert found["asked_for"]["pages"] == 0 < found["in_force"]["pages"] == sum(found["in_force"]["by_key"].values())
    assert to_dict(asked, None)["asked_for"] is None


def test_a_span_of_windows(context: Context) -> None:
    """Both ends are included; the newest of a span can be asked for."""
    calendar = context.monitor.window.calendar
    first, until = (calendar.starting(FIRST + timedelta(days=i)) for i in (10, 20))
    windows, lead = windows_run(context.store, context.monitor, first=first, until=until, lead=3, now=clock())
    assert (windows[lead], windows[-1], lead, len(windows)) == (first, until, 3, 14)
    windows, lead = windows_run(context.store, context.monitor, until=until, last=2, now=clock())
    assert (windows[-1], lead, len(windows)) == (until, 0, 2)


def test_without_windows_it_says_what_to_run(context: Context, tmp_path: Path) -> None:
    """Nothing stored, or nothing stored there, is an error in words."""
    later = context.monitor.window.calendar.starting(datetime(2030, 1, 1, tzinfo=UTC))
    with pytest.raises(StoreError, match="no reports to replay there: drift backfill flights"):
        windows_run(context.store, context.monitor, first=later, now=clock())
    empty = open_context(f"sqlite:///{tmp_path / 'empty.db'}", "")
    with pytest.raises(StoreError, match="no reports to replay: drift backfill flights"):
        windows_run(empty.store, empty.monitor, now=clock())
    window = empty.monitor.window.calendar.starting(FIRST)
    with pytest.raises(StoreError, match="no baseline yet"):
        replay(empty.monitor, Memory(empty.store), [window])


def test_a_memory_goes_forward(context: Context) -> None:
    """Windows out of order would look back at what had not happened yet."""
    windows, _ = windows_run(context.store, context.monitor, now=clock())
    with pytest.raises(StoreError, match="in order"):
        replay(context.monitor, Memory(context.store), windows[::-1])


def test_rejected_windows_are_replayed_as_such(tmp_path: Path) -> None:
    """A rejected window pages for its gate, is not scored, and is no reference."""
    frame = rows(14)
    frame = frame[(frame["day"] != FIRST + timedelta(days=10)) | (np.arange(len(frame)) % 4 == 0)]
    url = f"sqlite:///{tmp_path / 'w.db'}"
    write_sql(frame, url)
    rule = "[{expect_table_row_count_to_be_between: {min_value: 300}, severity: reject}]"
    ran = open_context(f"sqlite:///{tmp_path / 'd.db'}", url, monitor_text(SQL, expectations=rule))
    calendar = ran.monitor.window.calendar
    windows = [calendar.starting(FIRST + timedelta(days=i)) for i in range(14)]
    reports = run.backfill(ran, windows, clock=clock)
    found = replayed(Context.of(ran.monitor, ran.store, no_source))
    assert said(found.reports) == said(ran.store.load_reports("flights", since=windows[0].start))
    assert found.statuses["rejected"] == 1
    (call,) = found.calls
    assert (call.key, call.label, call.about_data) == ("gate", reports[10].label, False)
    assert "100" in call.reason


def test_the_command_line(stored: Path) -> None:
    """Two settings side by side, as a table and as JSON; a bad one is an error with exit code 2."""
    drift = runner(stored)
    table = drift("replay", "flights", "--set", "detection.effect.warning=0.09", "--last", "30")
    assert (table.returncode, table.stderr) == (0, "")
    assert "asked for" in table.stdout
    assert "drift:delay" in table.stdout
    plain = drift("replay", "flights", "--from", "2024-01-10", "--to", "2024-02-10", "--json")
    found = json.loads(plain.stdout)
    assert (found["windows"], found["asked_for"]) == (32, None)
    (stored / "other.yaml").write_text(monitor_text(SQL, name="other", reference="{previous: 1}"))
    other = json.loads(drift("replay", "flights", "--config", "other.yaml", "--json").stdout)
    assert other["asked_for"]["settings"]["reference"]["previous"] == 1
    wrong = drift("replay", "flights", "--set", "detection.effect.warning=9")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("error: --set detection.effect: critical 0.1 lies below warning 9")


def test_a_replay_of_before_beside_that_of_now(stored: Path) -> None:
    """What an earlier version printed as JSON stands beside the replay; other windows or another file are refused."""
    drift = runner(stored)
    span = ("replay", "flights", "--last", "35")
    document = json.loads(drift(*span, "--json").stdout)
    gone = document["in_force"]["calls"].pop(0)
    (stored / "before.json").write_text(json.dumps(document))
    table = drift(*span, "--before", "before.json")
    assert (table.returncode, table.stderr) == (0, "")
    rows = [line.split() for line in table.stdout.splitlines()]
    assert [gone["label"], gone["key"], "-", gone["severity"]] in [row[:4] for row in rows]
    assert ["all", str(len(document["in_force"]["calls"])), str(len(document["in_force"]["calls"]) + 1)] in rows
    other = drift("replay", "flights", "--last", "3", "--before", "before.json")
    assert (other.returncode, other.stdout) == (2, "")
    assert "ask for the same windows with --from and --to" in other.stderr
    for text in ("no JSON", "[]", "{}", '{"from": 1, "to": 2, "in_force": {"calls": [{"window": 3}]}}'):
        (stored / "broken.json").write_text(text)
        broken = drift(*span, "--before", "broken.json")
        assert broken.returncode == 2
        assert "broken.json" in broken.stderr
