"""The gate: may what follows a monitor (a training, a publication) go on? Decided by the stored results alone.

`drift.airflow.drift_gate` and ``drift gate`` on the command line ask the same question and say the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from drift.alerts.rendering import named
from drift.alerts.signals import Signal, signals_of
from drift.config.reference import WindowSpec
from drift.detection.scores import SEVERITY_RANK
from drift.errors import DriftError
from drift.text.formatting import when

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from drift.detection.reports import Report
    from drift.store.rows import Row
    from drift.store.store import Store
    from drift.windows import Calendar, Window

Choice = Literal["block", "pass"]
AtLeast = Literal["warning", "critical"]

NAMED = 5
"""How many findings are named, the worst first; the others are counted."""


@dataclass(frozen=True, slots=True)
class Clearance:
    """Whether a downstream job may go on, and why.

    Parameters
    ----------
    window
        The window that decided; None where the monitor has none.
    status
        The word it is stored under: ``ok``, ``critical``, ``rejected``, ``error``, …; ``absent`` without a result.
    final
        False where another answer may come by itself: there is no result yet.
    found
        What was found at or above the severity: features, columns, the gate.
    """

    monitor: str
    window: Window | None
    label: str
    status: str
    cleared: bool
    final: bool
    reason: str
    found: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"{self.monitor} {self.label}" if self.label else self.monitor
        return f"{where}: {'go on' if self.cleared else 'stop'}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "monitor": self.monitor,
            "window": self.window.key if self.window else None,
            "label": self.label,
            "status": self.status,
            "cleared": self.cleared,
            "reason": self.reason,
            "found": list(self.found),
        }


def decide(
    store: Store,
    monitor: str,
    *,
    severity: AtLeast = "critical",
    window: Window | None = None,
    no_result: Choice = "block",
    rejected: Choice = "block",
    max_age: timedelta | None = None,
    now: datetime,
) -> Clearance:
    """Say whether what follows a monitor may go on.

    It may not where a feature, a column, the table or the Great Expectations gate is at or above `severity` in the
    window: just what would open an alert, silenced or not. A monitor that the database does not know is an error:
    with a wrong name a gate would be open, or shut, for ever.

    Parameters
    ----------
    window
        The window that counts; None is the newest one that is over and that the monitor was run for.
    no_result
        What is to happen where the window has no result: it was never run, is being run, its run failed, no data came,
        or no feature was judged.
    rejected
        What is to happen where its expectations rejected the window, so that it was never scored.
    max_age
        A window that ended longer ago than this does not count; None takes any.
    """
    calendar = stored_calendar(store, monitor)
    run = store.run_of(monitor, window) if window else next(iter(store.runs(monitor, 1, over_at=now)), None)
    if window is None and run is not None:
        window = calendar.containing(run["window_start"])
    label = calendar.label(window) if window else ""
    report = store.load_report(monitor, window.start, evidence=False) if window else None
    status = "absent" if run is None else str(run["status"])
    missing = _missing(run, window, report, max_age, now)
    if window is not None and window.end > now:
        missing = f"the window is not over until {when(window.end)}"
    if missing or window is None or report is None:
        why = f"no result: {missing}"
        return Clearance(monitor, window, label, status, no_result == "pass", final=False, reason=why)
    if report.gate == "rejected":
        failed = [row["message"] for row in store.validations(monitor, window) if not row["success"]]
        why = "; ".join(["its expectations rejected the window", *failed])
        return Clearance(monitor, window, label, "rejected", rejected == "pass", final=True, reason=why)
    why, found = _judge(report, severity)
    return Clearance(monitor, window, label, status, not found, final=True, reason=why, found=found)


def _missing(
    run: Row | None, window: Window | None, report: Report | None, max_age: timedelta | None, now: datetime
) -> str:
    """Say why there is no result; empty where there is one."""
    if run is None or window is None:
        return "the window was never run" if window else "the monitor was never run"
    if max_age is not None and now - window.end > max_age:
        return f"the newest window ended {when(window.end)}, too long ago"
    if run["status"] == "running":
        return f"the window is being run since {when(run['started_at'])}"
    if run["error"] or report is None:
        return str(run["error"] or "the window was not scored")
    if report.status == "not_judged":
        explained = {"no_rows", "no_reference", "not_judged"} & {finding.kind for finding in report.findings}
        why = [] if explained else [report.rollup().reason]
        return "; ".join([*why, *(finding.message for finding in report.findings)])
    return ""


def _judge(report: Report, severity: AtLeast) -> tuple[str, tuple[str, ...]]:
    """Say what was found, and name what of it is at or above the severity."""
    bad = sorted((o for o in signals_of(report) if o.state == "firing"), key=lambda o: -SEVERITY_RANK[o.severity])
    found = [one for one in bad if SEVERITY_RANK[one.severity] >= SEVERITY_RANK[severity]]
    if found:
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        words = ", ".join(f"{_name(one)} {one.severity}" for one in found[:NAMED]) + more
        return words, tuple(map(_name, found))
    judged = sum(verdict.judged for verdict in report.verdicts)
    below = f"; below that: {', '.join(map(_name, bad[:NAMED]))}" if bad else ""
    return f"nothing {_at_least(severity)} in {judged} features{below}", ()


def _at_least(severity: AtLeast) -> str:
    return "critical" if severity == "critical" else "warning or critical"


def _name(one: Signal) -> str:
    return named(one.kind, one.key, one.feature, one.segment)


def stored_calendar(store: Store, monitor: str) -> Calendar:
    """Return the calendar of a monitor as it was run last on this database."""
    known = {row["monitor"]: row["config"] for row in store.monitors()}
    if monitor not in known:
        names = ", ".join(sorted(known)) or "none"
        raise DriftError(f"no monitor {monitor!r} was ever run on {store.name}; there is: {names}")
    return WindowSpec.model_validate(known[monitor]["window"]).calendar
