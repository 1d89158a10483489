"""The glyph and the words of every status, alike on pages, in reports and in figures."""

from __future__ import annotations

STATUSES: dict[str, tuple[str, str]] = {
    "critical": ("◆", "critical"),
    "warning": ("▲", "warning"),
    "pending": ("△", "drifts, not lasting yet"),
    "ok": ("·", "ok"),
    "insufficient_data": ("○", "insufficient data"),
    "not_comparable": ("≠", "not comparable"),
    "not_judged": ("∅", "not judged"),
    "error": ("!", "error"),
    "rejected": ("⊘", "rejected by its expectations"),
    "failed": ("✕", "run failed"),
    "running": ("…", "running"),
    "absent": ("–", "no score"),
    "never": ("–", "never run"),
    "open": ("●", "open"),
    "acknowledged": ("◐", "acknowledged"),
    "resolved": ("✓", "resolved"),
    "accepted": ("✓", "accepted"),
    "warned": ("▲", "warned"),
    "snoozed": ("☾", "snoozed"),
    "late": ("»", "late"),
    "not_validated": ("–", "not validated"),
    "unreadable": ("✕", "cannot be read"),
}
"""The glyph and the words of every status."""


def status_of(status: str, severity: str) -> str:
    """Return the status to show of a verdict, ``pending`` for a drift that has not lasted yet.

    Examples
    --------
    >>> status_of("ok", "warning")
    'pending'
    """
    return "pending" if status == "ok" and severity != "none" else status
