"""A results database as a dashboard finds it, with names that want to be markup: what its tests share."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np

from drift.alerts.actions import act
from drift.alerts.lifecycle import advance
from drift.alerts.signals import signals_of
from drift.detection.evidence import Evidence
from drift.detection.findings import Finding
from drift.detection.localise import Slice, Where
from drift.detection.onset import Onset
from drift.detection.reports import Report
from drift.detection.scores import Explanation, Score, Verdict
from drift.profiles.binning import CategoricalBinning, NumericBinning
from drift.profiles.histograms import Histogram, Profile
from drift.sources.validation import Outcome
from drift.windows import Calendar, Window

if TYPE_CHECKING:
    from drift.store.store import Store

HOSTILE = "<script>alert(1)</script>/../a%2Fb\"'&\x1b[31m\u202e`ü✈ {{7*7}} =1+1"
MONITOR = "flights"
ODD = "odd/<b>monitor</b>"
CALENDAR = Calendar("1d", "America/New_York")
FIRST = date(2013, 2, 1)
NOW = datetime(2013, 3, 1, tzinfo=UTC)
TOKEN = "correct horse battery staple"
LABELS = CategoricalBinning((HOSTILE, "JFK"))
NUMBERS = NumericBinning(np.array([0.0, 10.0, 20.0]))
BEFORE, AFTER = np.array([100, 200, 300, 200, 200]), np.array([30, 10, 10, 20, 30])

KL = {"critical": 1.3, "warning": 0.03}


IN_JFK = Where((Slice("origin", "JFK", "origin = JFK", 0.35, 0.34, 0.04, moved=False, sql="origin = 'JFK'"),))


def day(number: int) -> Window:
    """The window of a day, counted from the first."""
    return CALENDAR.starting(FIRST + timedelta(days=number))


def verdict(feature: str, status: str, evidence: Evidence) -> Verdict:
    """A verdict with a score where its status has one."""
    if status in {"insufficient_data", "not_comparable", "error"}:
        return Verdict(feature, status, "none", f"{status} because", 0.01, 0.1)  # type: ignore[arg-type]
    kl = KL.get(status, 0.001)
    n = evidence.current.binning.n_cells
    score = Score(
        feature=feature, kind=evidence.current.binning.kind, kl=kl, kl_reverse=kl, psi=2 * kl, js=kl / 4,
        kl_corrected=kl, ci_low=kl / 2, ci_high=kl * 2, p=0.5, q=0.5, z=1.5, z_lasting=None, noise=0.002, cells=n,
        n_reference=1000, n_current=100, smoothing="pooled", fingerprint=evidence.current.binning.fingerprint,
        contributions=np.full(n, kl / n),
    )  # fmt: skip
    severity: Any = status if status in KL else "none"
    since = Onset(day(1).start, day(0).start, day(1).start) if status in KL else None
    return Verdict(
        feature,
        status,  # type: ignore[arg-type]
        severity,
        f"KL {kl}",
        0.01,
        0.1,
        score,
        explanation=Explanation(onset=since, where=IN_JFK if status in KL else None),
        size=kl,
    )


def report(monitor: str, window: Window, statuses: dict[str, str], gate: Any = "accepted") -> Report:
    """A report with evidence for each feature."""
    found = {}
    for feature in statuses:
        binning = LABELS if feature == HOSTILE else NUMBERS
        found[feature] = Evidence(Histogram(binning, BEFORE), Histogram(binning, AFTER))
    verdicts = [verdict(feature, status, found[feature]) for feature, status in statuses.items()]
    evidence = {v.feature: found[v.feature] for v in verdicts if v.status != "not_comparable"}
    return Report(
        monitor, window, "trailing 28d: 28 of 28 windows", verdicts, 1000, 100, gate,
        [Finding("missing_column", f"column {HOSTILE}: missing", HOSTILE)],
        evidence, CALENDAR.label(window),
    )  # fmt: skip


def save(store: Store, made: Report, *, config_hash: str = "c0ffee") -> None:
    """Store a report as a run would, its counts too."""
    window = made.window
    assert window is not None
    store.save_run_started(made.monitor, window, config_hash, NOW, url="javascript:alert(1)")
    store.save_gate(made.monitor, window, made.gate, [], NOW)
    profile = Profile(window, made.n_current, {f: e.current for f, e in made.evidence.items()})
    store.save_profile(made.monitor, profile, gate=made.gate, binning_key="k", now=NOW)
    store.save_report(made.monitor, made)
    status = "rejected" if made.gate == "rejected" else made.status
    store.save_run_finished(made.monitor, window, status, NOW + timedelta(seconds=2), reference=made.reference)


def fill(store: Store) -> None:
    """Two monitors: a week with one window of every kind, and one with a name that wants to be markup."""
    config = {
        "name": MONITOR,
        "description": "Departures <i>today</i>",
        "window": {"every": "1d", "timezone": "America/New_York"},
        "source": {"connection": "s3cret-connection", "query": "SELECT 's3cret'"},
    }
    store.save_monitor(MONITOR, "c0ffee", config, NOW)
    store.save_monitor(ODD, "0dd", {"window": {"every": "nonsense"}}, NOW)
    week = ["ok", "insufficient_data", "not_comparable", "error", "warning", "critical"]
    for number, status in enumerate(week):
        made = report(MONITOR, day(number), {"dep_delay": status, HOSTILE: "ok", "origin": "ok"})
        save(store, made)
        changes = advance(store.alerts(MONITOR), signals_of(made), monitor=MONITOR, now=NOW)
        store.save_alerts(changes.alerts, changes.events)
    rejected = Report(MONITOR, day(6), "none: rejected by its expectations", [], 0, 0, "rejected", label="x")
    save(store, rejected)
    outcomes = [
        Outcome("k1", "expect_a", HOSTILE, "reject", False, '{"n": 3}', "3 rows are null", False),
        Outcome("k2", "expect_b", None, "warn", True, None, "930 rows", False),
    ]
    store.save_gate(MONITOR, day(6), "rejected", outcomes, NOW)
    store.save_run_started(MONITOR, day(7), "c0ffee", NOW, url="https://airflow.example/log")
    store.save_run_finished(MONITOR, day(7), "error", NOW, error=f"the warehouse does not answer {HOSTILE}")
    save(store, report(ODD, Calendar("1d").starting(FIRST), {"x": "ok"}))
    opened = next(alert for alert in store.alerts(MONITOR) if alert.live)
    after, event = act(opened, "acknowledge", by=HOSTILE, now=NOW)
    store.save_alerts([after], [event])


def url(page: str, /, **parameters: object) -> str:
    """An address with its parameters."""
    return f"/{page}?{urlencode(parameters)}"
