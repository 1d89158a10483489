"""What happened to a monitor beside its scores, put on its time axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from drift.config.reference import describe_span
from drift.dashboard.formatting import clipped
from drift.text.statuses import STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from drift.dashboard.formatting import LocalTime
    from drift.store.reads.baselines import Fit
    from drift.store.reads.windows import WindowState

Kind = Literal["failed", "rejected", "baseline", "config", "finding"]

MARKS: dict[str, tuple[str, str]] = {
    "failed": ("✕", "run failed"),
    "rejected": ("⊘", "rejected"),
    "baseline": ("⚑", "new baseline"),
    "config": ("⚙", "configuration changed"),
    "finding": ("*", "finding"),
}
"""The glyph and the words of each kind of event, the gravest first."""


@dataclass(frozen=True, slots=True)
class TimeMark:
    """Something that happened, at the window from which on it counts."""

    kind: Kind
    start: datetime
    words: str


def gap_of(state: WindowState) -> str:
    """Return why a window holds no score of a feature that others hold."""
    return state.status if state.status in {"rejected", "failed", "running"} else "absent"


def time_marks(states: Sequence[WindowState], baselines: Sequence[Fit], local: LocalTime) -> list[TimeMark]:
    """Return what happened in some consecutive windows of a monitor, oldest first.

    A new baseline, like a new configuration, stands at the first window that ran with it.
    """
    found: list[TimeMark] = []
    config: str | None = None
    ran: datetime | None = None
    for state in states:
        if state.status in {"rejected", "failed"}:
            why = state.run.get("error") or STATUSES[state.status][1]
            found.append(TimeMark("failed" if state.status == "failed" else "rejected", state.start, str(why)))
        now = state.run.get("started_at")
        if now is not None:
            found += [
                TimeMark("baseline", state.start, _fitted(fit, local))
                for fit in baselines
                if ran and ran < fit.at <= now
            ]
            ran = now if ran is None else max(ran, now)
        after = state.run.get("config_hash")
        if config and after and config != after:
            found.append(TimeMark("config", state.start, f"the monitor's configuration changed: {config} to {after}"))
        config = after or config
        findings = state.report.get("findings") or []
        found += [TimeMark("finding", state.start, str(finding["message"])) for finding in findings]
    return found


def _fitted(fit: Fit, local: LocalTime) -> str:
    span = describe_span(local.calendar, fit.start, fit.end)
    many = f"{fit.features} feature{'s' * (fit.features != 1)}"
    return f"baseline version {fit.version} of {many}: {span}, by {fit.by}: {clipped(fit.reason, 120)}"
