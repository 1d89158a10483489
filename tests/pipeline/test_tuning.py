"""Tuning: judged again as a replay would, never louder than wished, and honest about what it costs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from drift.config.monitor import parse_monitor
from drift.config.overrides import with_settings
from drift.errors import DriftError
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
from tests.support.flights import SQL, clock, monitor_text

if TYPE_CHECKING:
    from pathlib import Path


__all__ = ["context", "no_source", "stored"]


@pytest.fixture
def scored(context: Context) -> Scored:
    """The stored windows replayed, with a few planted faults."""
    windows, _ = windows_run(context.store, context.monitor, now=clock())
    memory = Memory(context.store)
    before = replay(context.monitor, memory, windows)
    return Scored.of(before, memory.past, plant(before, memory, rng=np.random.default_rng(2), times=6))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"detection.effect.warning": 0.05},
        {"detection.effect.warning": 0.004, "detection.z": 1.0, "detection.persistence.at_least": 1},
        {"detection.features.delay.warning": 0.3, "detection.features.delay.critical": 0.5},
        {"detection.cell_z": 3.0, "detection.z": 2.0},
    ],
)
def test_judging_again_is_a_replay(context: Context, settings: dict[str, Any]) -> None:
    """Scores judged under other settings end in the verdicts and the pages of a full replay under them.

    Without a seasonal companion: which features that excuses depends on the floors. What lasts is another under another
    persistence, unless one window is enough.
    """
    plain = with_settings(context.monitor, {"detection.seasonal": False})
    context = Context.of(plain, context.store, no_source)
    windows, _ = windows_run(context.store, plain, now=clock())
    memory = Memory(context.store)
    scored = Scored.of(replay(context.monitor, memory, windows), memory.past, [])
    full = replayed(context, settings)
    reports, past = rejudge(scored, full.monitor.detection)
    again = [(v.feature, v.status, v.severity, v.reason) for r in reports for v in r.verdicts]
    assert again == [(v.feature, v.status, v.severity, v.reason) for r in full.reports for v in r.verdicts]
    told = [(c.window, c.key, c.severity, c.transition) for c in calls(full.monitor, reports, 0)]
    assert told == [(c.window, c.key, c.severity, c.transition) for c in full.calls]
    severities = [past[i][v.feature].severity for i, r in enumerate(reports) for v in r.verdicts if v.score]
    assert severities == [v.severity for r in reports for v in r.verdicts if v.score]


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
