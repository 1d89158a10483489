"""Values to store, and ways to look at what was stored: shared by the tests of the store and its parts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from drift.detection.evidence import Evidence
from drift.detection.findings import Finding
from drift.detection.reports import Report
from drift.detection.scores import Explanation, Score, Verdict
from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.histograms import Histogram, Profile, Summary
from drift.profiles.pair_choice import choose
from drift.profiles.pairs import Pairs
from drift.sources.validation_results import Outcome
from drift.store import schema as tables
from drift.windows import Calendar, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drift.profiles.binning import Binning
    from drift.store.store import Store

CALENDAR = Calendar("1d", "America/New_York")
DAY = CALENDAR.starting(datetime(2013, 2, 8))  # noqa: DTZ001 - a local date
NOW = datetime(2013, 2, 9, 6, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
KEY = "0123456789abcdef"
HOSTILE = [
    "a'b\"c`d",
    "'; DROP TABLE score; --",
    "π‖Q 🛫 \u202eevil",
    "x" * 300,
    "",
    " ",
    "%s %(x)s :y ? {z}",
    "a\nb\tc\\",
    "*[a-z]?",
    "segment",
]


def numeric(*edges: float) -> NumericBinning:
    """A binning with these edges."""
    return NumericBinning(np.array(edges, float))


BINNINGS: dict[str, Binning] = {
    "dep_delay": numeric(-10.0, 0.0, 0.1 + 0.2, 1e300),
    "carrier": CategoricalBinning(("UA", "\0", "it's"), ("ü",), "salt"),
    "tailnum": CategoricalBinning((), None),
    "dark": CategoricalBinning(("false", "true")),
    "nothing": numeric(),
}


def nth(i: int) -> Window:
    """The window `i` days after."""
    return Window(DAY.start + timedelta(days=i), DAY.end + timedelta(days=i))


def counted(binnings: Mapping[str, Binning], window: Window = DAY, *, seed: int = 7, rows: int = 900) -> Profile:
    """A profile with counts drawn at random."""
    rng = np.random.default_rng(seed)
    histograms = {
        name: Histogram(one, rng.multinomial(rows, np.full(one.n_cells, 1 / one.n_cells)))
        for name, one in binnings.items()
    }
    summaries = {
        name: Summary(rows, 0.1 + 0.2, 1e-300, -1.5, 7.25, 3, 1)
        for name, one in binnings.items()
        if isinstance(one, NumericBinning)
    }
    schema = {"zeta": "list<item: int64>"} | dict.fromkeys(binnings, "double")
    return Profile(window, rows, histograms, summaries, schema, {"zeta": "type list<item: int64> cannot be compared"})


def paired(profile: Profile, *, seed: int = 7) -> Profile:
    """The same with the pairs of some of its features, drawn at random."""
    columns = choose({name: histogram.binning for name, histogram in profile.histograms.items()})
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, cells.n_cells, 1000, np.uint8) for cells in columns.values()]
    return replace(profile, pairs=Pairs.of(columns, np.stack(codes)))


def scored(feature: str, evidence: Evidence, status: Any = "ok", **changes: Any) -> Verdict:
    """A verdict with a score."""
    binning = evidence.current.binning
    given: dict[str, Any] = {
        "feature": feature,
        "kind": binning.kind,
        "kl": 0.1 + 0.2,
        "kl_reverse": 5e-324,
        "psi": 0.3,
        "js": 0.01,
        "kl_corrected": -1e-5,
        "ci_low": 0.0,
        "ci_high": 0.5,
        "p": 1e-200,
        "q": 0.01,
        "z": None,
        "z_lasting": None,
        "cells": 6,
        "noise": (6 - 1) / 2 * (1 / evidence.reference.n + 1 / evidence.current.n),
        "n_reference": evidence.reference.n,
        "n_current": evidence.current.n,
        "smoothing": "pooled",
        "fingerprint": binning.fingerprint,
        "contributions": np.linspace(0, 0.1, binning.n_cells),
    }
    explained: dict[str, Any] = {
        "reference": "same weekday of 8 weeks",
        "kl_fixed": 0.7,
        "wasserstein": 57.25,
        "cell": None,
    }
    score = Score(**given | {name: value for name, value in changes.items() if name not in explained})
    explanation = Explanation(**explained | {name: value for name, value in changes.items() if name in explained})
    severity: Any = status if status in {"warning", "critical"} else "none"
    reason = f"because {feature}"
    return Verdict(feature, status, severity, reason, 0.01, 0.1, score, "prediction", 0.4, explanation)


def judged(
    binnings: Mapping[str, Binning], window: Window = DAY, *, seed: int = 7, name: str = "flights", **changes: Any
) -> Report:
    """A report of the window that `counted` makes, against another such window."""
    current, reference = counted(binnings, window, seed=seed), counted(binnings, window, seed=99, rows=9_000)
    evidence = {
        feature: Evidence(
            reference.histograms[feature],
            current.histograms[feature],
            reference.summaries.get(feature),
            current.summaries.get(feature),
        )
        for feature in binnings
    }
    verdicts = [
        scored(feature, evidence[feature], "critical" if i == 0 else "ok") for i, feature in enumerate(binnings)
    ]
    verdicts.append(Verdict("zeta", "not_comparable", "none", "type list", 0.01, 0.1))
    described, found = "trailing 28d: 27 of 28 windows", [Finding("new_column", "column new: new (int64)", "new")]
    label = CALENDAR.label(window)
    report = Report(name, window, described, verdicts, 9_000, 900, "warned", found, evidence, label)
    return replace(report, **changes)


def outcomes() -> list[Outcome]:
    """What three expectations said."""
    return [
        Outcome("a1", "expect_table_row_count_to_be_between", None, "reject", True, '{"observed_value": 900}', "fine"),
        Outcome("b2", "expect_column_values_to_not_be_null", "carrier", "warn", False, '{"n": 9}', "9 nulls"),
        Outcome("c3", "expect_nonsense", "gone", "warn", False, None, "no such column", error=True),
    ]


def dump(store: Store, *but: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, as the driver gives it."""
    found = {}
    with store.engine.connect() as connection:
        for name in sorted(set(tables.metadata.tables) - set(but)):
            found[name] = sorted(map(repr, connection.exec_driver_sql(f'SELECT * FROM "{name}"')))
    return found  # type: ignore[return-value]


def save_everything(store: Store, now: datetime, window: Window = DAY, *, seed: int = 7) -> None:
    """Every stage of one run."""
    store.save_monitor("flights", KEY, {"name": "flights", "every": "1d"}, now)
    store.save_run_started("flights", window, KEY, now, url="http://log")
    store.save_gate("flights", window, "warned", outcomes(), now)
    fit(store, BINNINGS, now=now)
    profile = paired(counted(BINNINGS, window, seed=seed), seed=seed)
    assert store.save_profile("flights", profile, gate="warned", binning_key=KEY, now=now)
    store.save_report("flights", judged(BINNINGS, window, seed=seed))
    store.save_run_finished("flights", window, "critical", now, reference="trailing 28d")


def fit(store: Store, binnings: Mapping[str, Binning], *, now: datetime = NOW, **changes: Any) -> dict[str, Binning]:
    """Freeze binnings."""
    given: dict[str, Any] = {
        "types": dict.fromkeys(binnings, "double"),
        "fitted_from": nth(-28).start,
        "fitted_to": DAY.start,
        "n_rows": 9_000,
        "now": now,
        "by": "drift",
        "reason": "first reference",
    } | changes
    return store.save_baseline("flights", binnings, **given)
