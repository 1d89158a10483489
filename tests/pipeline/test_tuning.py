"""Tuning: judged again as a replay would, never louder than wished, and honest about what it costs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from drift.config.monitor import parse_monitor
from drift.config.overrides import with_settings
from drift.errors import DriftError
from drift.pipeline import tuning
from drift.pipeline.context import Context
from drift.pipeline.fault_injection import plant
from drift.pipeline.replay import replay, windows_run
from drift.pipeline.tuning import (
    MUTED,
    Scored,
    Trial,
    _quieten,
    calls,
    lead_needed,
    lost,
    rejudge,
    search,
    try_out,
    tune,
    with_floor,
)
from drift.store.memory import Memory
from tests.pipeline.test_replay import context, no_source, replayed, stored
from tests.pipeline.test_run import dump
from tests.support.command import runner
from tests.support.flights import SQL, clock, monitor_text, open_context

if TYPE_CHECKING:
    from pathlib import Path

    from drift.detection.reports import Report
    from drift.pipeline.replay import Call, Replay

__all__ = ["context", "no_source", "stored"]


@pytest.fixture(scope="module")
def scored(stored: Path) -> Scored:
    """The stored windows replayed, with a few planted faults."""
    whole = open_context(f"sqlite:///{stored / 'drift.db'}", "")
    context = Context.of(whole.monitor, whole.store, no_source)
    windows, _ = windows_run(context.store, context.monitor, now=clock())
    memory = Memory(context.store)
    before = replay(context.monitor, memory, windows)
    return Scored.of(before, memory.past, plant(before, memory, rng=np.random.default_rng(2), times=6))


def judged_and_replayed(context: Context, settings: dict[str, Any]) -> tuple[list[Report], list[Call], Replay]:
    """Judge the scores of a replay again under other settings, and replay in full under these."""
    plain = with_settings(context.monitor, {"detection.seasonal": False})
    context = Context.of(plain, context.store, no_source)
    windows, _ = windows_run(context.store, plain, now=clock())
    memory = Memory(context.store)
    scored = Scored.of(replay(plain, memory, windows), memory.past, [])
    full = replayed(context, settings)
    reports, past = rejudge(scored, full.monitor.detection)
    severities = [past[i][v.feature].severity for i, r in enumerate(reports) for v in r.verdicts if v.score]
    assert severities == [v.severity for r in reports for v in r.verdicts if v.score]
    return reports, calls(full.monitor, reports, 0), full


def judgements(report: Report) -> list[tuple[str, ...]]:
    """What a report says of each feature, without the numbers."""
    return [(v.feature, v.status, v.severity) for v in report.verdicts]


@pytest.mark.parametrize(
    ("settings", "alike"),
    [
        ({}, 1.0),
        ({"detection.z": 6.0}, 1.0),
        ({"detection.effect.warning": 0.05}, 0.95),
        ({"detection.effect.warning": 0.004, "detection.z": 1.0, "detection.persistence.at_least": 1}, 0.85),
        ({"detection.features.delay.warning": 0.3, "detection.features.delay.critical": 0.5}, 0.85),
        ({"detection.cell_z": 3.0, "detection.z": 2.0}, 0.95),
    ],
)
def test_judging_again_is_a_replay(context: Context, settings: dict[str, Any], alike: float) -> None:
    """Scores judged under other settings end in the verdicts and the pages of a full replay under them.

    The numbers in the reasons are those of the replay, too, where the same windows drift and the floors are the same.
    Elsewhere they are until something drifts: from then on a feature's past and reference leave out what the settings
    in force called. Without a seasonal companion: which features that excuses depends on the floors.
    """
    reports, told, full = judged_and_replayed(context, settings)
    assert [judgements(r) for r in reports] == [judgements(r) for r in full.reports]
    assert [(c.window, c.key, c.severity, c.transition) for c in told] == [
        (c.window, c.key, c.severity, c.transition) for c in full.calls
    ]
    reasons, in_full = ([[v.reason for v in r.verdicts] for r in some] for some in (reports, full.reports))
    first = next(i for i, r in enumerate(reports) if any(v.severity != "none" for v in r.verdicts))
    assert reasons[: first + 1] == in_full[: first + 1]
    same = [a == b for one, other in zip(reasons, in_full, strict=True) for a, b in zip(one, other, strict=True)]
    assert sum(same) >= alike * len(same)


def test_under_another_persistence_judging_again_is_nearly_a_replay(context: Context) -> None:
    """What lasts, and the past that one window is compared with, are others: a page may come a window later."""
    reports, told, full = judged_and_replayed(context, {"detection.persistence.at_least": 1})
    again, in_full = ([one for r in some for one in judgements(r)] for some in (reports, full.reports))
    assert sum(a != b for a, b in zip(again, in_full, strict=True)) <= 1
    assert [(c.key, c.severity, c.transition) for c in told] == [(c.key, c.severity, c.transition) for c in full.calls]
    assert all(abs(a.window - b.window) <= timedelta(days=1) for a, b in zip(told, full.calls, strict=True))


@pytest.mark.parametrize("wished", [0.0, 0.5, 2.0, 50.0])
def test_the_proposal_pages_no_more_than_wished(scored: Scored, wished: float) -> None:
    """And of what does so nothing that was tried finds much more; where nothing does, it is the quietest."""
    current, (proposed, *others), front = search(scored, wished=wished)
    quietest = min(trial.a_month for trial in [proposed, *others])
    assert proposed.a_month <= max(wished, quietest)
    assert all(trial.recall <= proposed.recall + 0.0101 for trial in front if trial.a_month <= wished)
    assert current == try_out(scored, scored.replay.monitor.detection)
    pages = [trial.a_month for trial in front]
    assert pages == sorted(pages)
    recalls = [trial.recall for trial in front]
    assert recalls == sorted(set(recalls))


def test_settings_that_fit_are_kept(scored: Scored) -> None:
    """Without faults to find nothing is better than what is in force, as long as that is quiet enough."""
    blind = replace(scored, planted=[])
    current, (proposed, *_), _ = search(blind, wished=30)
    assert proposed == current


def test_the_loudest_feature_may_get_a_floor_of_its_own(scored: Scored) -> None:
    """Where one feature makes all the noise, raising its floor alone is among what is tried."""
    loud = with_floor(scored.replay.monitor.detection, 0.004)
    assert {c.feature for c in try_out(scored, loud).calls} == {"delay"}
    tried: list[Trial] = []
    base = scored.replay.monitor

    def attempt(detection: Any) -> Trial:
        tried.append(try_out(scored, detection))
        return tried[-1]

    _quieten(attempt, base.detection, 0.0)
    assert tried[-1].a_month <= tried[0].a_month
    assert list(tried[-1].detection.features) == ["delay"]
    assert tried[-1].detection.effect_for("delay").warning == MUTED
    assert tried[-1].detection.effect == base.detection.effect


def test_a_marked_event_is_kept_before_the_wish_is_met(context: Context) -> None:
    """Settings that page less often are passed over for those that page of the event, however few pages are wished."""
    loud = with_settings(context.monitor, {"detection.z": 0.5, "detection.persistence.at_least": 1})
    windows, memory = windows_run(context.store, loud, now=clock())[0], Memory(context.store)
    before = replay(loud, memory, windows)
    scored = Scored.of(before, memory.past, [])
    _, (quiet, *_), _ = search(scored, wished=0.0)
    paged = [window for window in windows if window.start in {call.window for call in before.calls}]
    event = next(window for window in paged if lost(before, quiet.calls, [window]))
    _, (proposed, *others), _ = search(replace(scored, keep=[event]), wished=0.0)
    assert not lost(before, proposed.calls, [event])
    assert proposed.a_month > quiet.a_month
    assert proposed.a_month == min(trial.a_month for trial in [proposed, *others] if not trial.lost)


def test_an_event_outside_the_replay_is_an_error(context: Context) -> None:
    """It says which windows there are."""
    windows, lead = windows_run(context.store, context.monitor, last=30, now=clock())
    event = context.monitor.window.calendar.starting(date(1999, 1, 1))
    with pytest.raises(DriftError, match="cannot keep 1999-01-01: the windows replayed are"):
        tune(context, windows, lead=lead, wished=2.0, rng=np.random.default_rng(0), times=0, keep=[event])


@pytest.mark.parametrize("wished", [-1.0, float("nan"), float("inf")])
def test_an_impossible_wish_is_told(scored: Scored, wished: float) -> None:
    """Fewer than no pages cannot be."""
    with pytest.raises(DriftError, match="wish for 0 or more"):
        search(scored, wished=wished)


def test_tuning_is_repeatable_and_writes_nothing(context: Context) -> None:
    """The same seed proposes the same, the database stays as it was, and the proposal was replayed in full."""
    windows, lead = windows_run(context.store, context.monitor, last=30, lead=lead_needed(context.monitor), now=clock())
    before = dump(context)

    def once() -> Any:
        return tune(context, windows, lead=lead, wished=1.5, rng=np.random.default_rng(5), times=4)

    first, second = once(), once()
    assert first.to_dict() == second.to_dict()
    assert dump(context) == before
    assert first.reached
    full = replayed(Context.of(first.monitor, context.store, no_source), last=30)
    assert [c for c in full.calls if c.about_data] == first.proposed.calls
    assert {c.key for c in first.dropped} <= {c.key for c in first.before.calls}


def test_what_is_in_force_is_kept_where_only_that_is_quiet_enough(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that page too often in full do not take the place of those that are known to meet the wish."""
    windows, lead = windows_run(context.store, context.monitor, last=30, lead=lead_needed(context.monitor), now=clock())
    rng = np.random.default_rng
    better = tune(context, windows, lead=lead, wished=1.5, rng=rng(5), times=4)
    monkeypatch.setattr(tuning, "FULL", 1)  # the first one is louder in full
    found = tune(context, windows, lead=lead, wished=1.5, rng=rng(5), times=4)
    assert (found.reached, found.yaml, found.proposed) == (True, "", found.current)
    assert better.reached
    assert better.proposed.recall > found.current.recall


def test_what_is_proposed_can_be_pasted(context: Context) -> None:
    """The snippet under the monitor's own keys makes the proposed settings."""
    monitor = with_settings(context.monitor, {"detection.z": 0.5, "detection.persistence.at_least": 1})
    windows, lead = windows_run(context.store, monitor, now=clock())
    loud = Context.of(monitor, context.store, no_source)
    found = tune(loud, windows, lead=lead, wished=2.0, rng=np.random.default_rng(5), times=3)
    assert found.current.a_month > 2 >= found.proposed.a_month
    pasted = yaml.safe_load(found.yaml)
    assert set(pasted) == {"detection"}
    changed = {"min_rows": 100, "z": 0.5, **pasted["detection"]}
    changed["persistence"] = {"of": 3, "at_least": 1, **changed.get("persistence", {})}
    assert parse_monitor(monitor_text(SQL, detection=json.dumps(changed))).detection == found.monitor.detection


def test_monitors_without_history_are_tuned(context: Context) -> None:
    """With no history z says nothing; floors and persistence still do."""
    monitor = with_settings(context.monitor, {"detection.history": 0})
    windows, lead = windows_run(context.store, monitor, now=clock())
    found = tune(
        Context.of(monitor, context.store, no_source),
        windows,
        lead=lead,
        wished=1.0,
        rng=np.random.default_rng(0),
        times=0,
    )
    assert found.proposed.a_month <= 1.0
    assert found.proposed.recalls == {}


def test_the_command_line(stored: Path) -> None:
    """A table with the trade-off and a snippet; the same as JSON; a bad wish is an error."""
    drift = runner(stored)
    shown = drift("tune", "flights", "--pages-per-month", "1", "--plants", "5")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "pages a month" in shown.stdout
    assert "planted faults found within 1d / 3d" in shown.stdout
    found = json.loads(drift("tune", "flights", "--pages-per-month", "1", "--plants", "5", "--json").stdout)
    assert found["schema"] == "drift.tuning"
    assert found["proposed"]["pages_a_month"] <= 1 or not found["reached"]
    assert drift("tune", "flights", "--pages-per-month", "-1").returncode == 2
