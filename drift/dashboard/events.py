"""What happened to a monitor beside its scores, put on its time axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from drift.config.reference import describe_span
from drift.dashboard.formatting import STATUSES, clipped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from drift.dashboard.formatting import Place
    from drift.store.reads.baselines import Fit
    from drift.store.reads.windows import WindowState

Kind = Literal["failed", "rejected", "baseline", "config", "news"]

MARKS: dict[str, tuple[str, str]] = {
    "failed": ("✕", "run failed"),
    "rejected": ("⊘", "rejected"),
    "baseline": ("⚑", "new baseline"),
    "config": ("⚙", "configuration changed"),
    "news": ("*", "finding"),
}
"""The glyph and the words of each kind of event, the gravest first."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, at the window from which on it counts."""

    kind: Kind
    start: datetime
    words: str


def events(moments: Sequence[WindowState], baselines: Sequence[Fit], place: Place) -> list[Event]:
    """Return what happened in some consecutive windows of a monitor, oldest first.

    A new baseline, like a new configuration, stands at the first window that ran with it.
    """
    found: list[Event] = []
    config: str | None = None
    ran: datetime | None = None
    for moment in moments:
        if moment.status in {"rejected", "failed"}:
            why = moment.run.get("error") or STATUSES[moment.status][1]
            found.append(Event("failed" if moment.status == "failed" else "rejected", moment.start, str(why)))
        now = moment.run.get("started_at")
        if now is not None:
            found += [
                Event("baseline", moment.start, _fitted(fit, place)) for fit in baselines if ran and ran < fit.at <= now
            ]
            ran = now if ran is None else max(ran, now)
        after = moment.run.get("config_hash")
        if config and after and config != after:
            found.append(Event("config", moment.start, f"the monitor's configuration changed: {config} to {after}"))
        config = after or config
        news = moment.report.get("findings") or []
        found += [Event("news", moment.start, str(finding["message"])) for finding in news]
    return found


def _fitted(fit: Fit, place: Place) -> str:
    span = describe_span(place.calendar, fit.start, fit.end)
    many = f"{fit.features} feature{'s' * (fit.features != 1)}"
    return f"baseline version {fit.version} of {many}: {span}, by {fit.by}: {clipped(fit.reason, 120)}"
