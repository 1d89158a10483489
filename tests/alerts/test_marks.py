"""Marks: one for the same text, time and monitor, and never a secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from drift.alerts.marks import LONGEST, new_mark
from drift.errors import DriftError
from drift.text.secrets import learn

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_same_mark_has_the_same_id() -> None:
    """Whoever makes it, in whatever zone and spacing; another text, time or monitor is another."""
    one = new_mark("release  214\n", at=NOW, by="ann", now=NOW)
    again = new_mark("release 214", at=NOW.astimezone(timezone(timedelta(hours=5))), by="", now=NOW + timedelta(1))
    assert (one.id, one.text, one.created_by, again.created_by) == (again.id, "release 214", "ann", "unknown")
    others = [
        new_mark("release 215", at=NOW, by="ann", now=NOW),
        new_mark("release 214", at=NOW + timedelta(seconds=1), by="ann", now=NOW),
        new_mark("release 214", at=NOW, by="ann", now=NOW, monitor="flights"),
    ]
    assert len({one.id, *(each.id for each in others)}) == 4


def test_a_secret_is_masked_before_the_id_is_made() -> None:
    """So that no hash of it is stored either."""
    learn("hunter2hunter2")
    one = new_mark("key hunter2hunter2 rotated", at=NOW, by="ann", now=NOW)
    assert one == new_mark("key *** rotated", at=NOW, by="ann", now=NOW)


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        (" \n", NOW, "needs a text"),
        ("x" * (LONGEST + 1), NOW, "501 characters: 500 at most"),
        ("release", NOW.replace(tzinfo=None), "has no time zone"),
    ],
)
def test_what_cannot_be_a_mark_is_refused(text: str, at: datetime, said: str) -> None:
    """In words that say what to do."""
    with pytest.raises(DriftError, match=said):
        new_mark(text, at=at, by="ann", now=NOW)
