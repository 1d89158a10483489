"""What happened to a monitor beside its scores: the glyphs of it on its time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drift.alerts.circumstances import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from drift.alerts.circumstances import Event, EventKind
    from drift.store.reads.windows import WindowState

GLYPHS: dict[EventKind, str] = {
    "mark": "★",
    "upstream": "↑",
    "failed": "✕",
    "rejected": "⊘",
    "expectation": "∉",
    "schema": "⇄",
    "rows": "#",
    "baseline": "⚑",
    "config": "⚙",
    "finding": "*",
}


def gap_of(state: WindowState) -> str:
    """Return why a window holds no score of a feature that others hold."""
    return state.status if state.status in {"rejected", "failed", "running"} else "absent"


def legend(events: Iterable[Event]) -> list[tuple[str, str]]:
    """Return the glyph and the words of each kind of event there is."""
    kinds = {event.kind for event in events}
    return [(GLYPHS[kind], words) for kind, words in KINDS.items() if kind in kinds]
