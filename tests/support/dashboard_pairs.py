"""Days on which columns go with each other, and two on which one of them is dealt out anew, as runs store them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from drift.alerts.lifecycle import advance
from drift.alerts.signals import signals_of
from drift.config.detection import Detection
from drift.detection.relationships import judge_relationships, relationship_finding
from drift.profiles.binning import CategoricalBinning
from drift.profiles.coarse_cells import coarse
from drift.profiles.histograms import Histogram, Profile
from drift.profiles.pairs import Pairs
from tests.support.dashboard_samples import HOSTILE, NOW, day, report, save

if TYPE_CHECKING:
    from drift.store.store import Store

PAIRED = "paired"
CARRIERS = CategoricalBinning(("AA", HOSTILE, "UA"))
COLUMNS = {
    "carrier": coarse(CARRIERS),
    HOSTILE: coarse(CategoricalBinning(("D1", "D2", "D3"))),
    "late": coarse(CARRIERS),
}
ROWS, DAYS, BROKEN = 600, 20, (17, 18)


def counted(number: int) -> Pairs:
    """Count a day."""
    rng = np.random.default_rng(number)
    carrier = rng.integers(0, 3, ROWS)
    others = [np.where(rng.random(ROWS) < 0.1, rng.integers(0, 3, ROWS), carrier) for _ in range(2)]
    carrier = rng.permutation(carrier) if number in BROKEN else carrier
    return Pairs.of(COLUMNS, np.stack([carrier, *others]).astype(np.uint8))


def fill_pairs(store: Store, days: int = DAYS) -> None:
    """Store and judge the days, each compared with those before it that were not broken."""
    store.save_monitor(PAIRED, "c0ffee", {"window": {"every": "1d", "timezone": "America/New_York"}}, NOW)
    before: dict[int, Pairs] = {}
    for number in range(days):
        window, pairs = day(number), counted(number)
        made = report(PAIRED, window, dict.fromkeys(COLUMNS, "ok"))
        if before:
            judged = judge_relationships(
                Pairs.total([*before.values()]),
                pairs,
                store.measured(PAIRED, before=window.start),
                Detection(),
                start=window.start,
                windows=[day(each).start for each in before],
            )
            told = [relationship_finding(each) for each in judged.broken]
            made = replace(made, findings=told, measured=judged.measured, unjudged_pairs=judged.why_not, n_pairs=3)
            made = replace(made, relationships=judged.broken)
        else:
            made = replace(made, findings=[], unjudged_pairs="too few windows of the reference have any")
        save(store, made)
        bins = {name: cells.binning for name, cells in COLUMNS.items()}
        histograms = {name: Histogram(each, ROWS * (np.arange(each.n_cells) == 0)) for name, each in bins.items()}
        profile = Profile(window, ROWS, histograms, pairs=pairs)
        store.save_profile(PAIRED, profile, gate="accepted", binning_key="k", now=NOW)
        if number not in BROKEN:
            before[number] = pairs
        changes = advance(store.alerts(PAIRED), signals_of(made), monitor=PAIRED, now=NOW)
        store.save_alerts(changes.alerts, changes.events)
