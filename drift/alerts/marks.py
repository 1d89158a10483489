"""Marks: what a person, or a pipeline, notes on the time axis of monitors: a release, a migration, a campaign."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drift.errors import DriftError
from drift.text.secrets import masked

if TYPE_CHECKING:
    from datetime import datetime

LONGEST = 500
"""Characters of a mark's text."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something noted at an instant, of one monitor or, where `monitor` is None, of all.

    `id` is twelve hexadecimal digits made of monitor, instant and text: the same mark made again is the same.
    """

    id: str
    at: datetime
    monitor: str | None
    text: str
    created_at: datetime
    created_by: str


def new_mark(text: str, *, at: datetime, by: str, now: datetime, monitor: str | None = None) -> Mark:
    """Mark an instant, which may be in the past or in the future.

    Raises
    ------
    DriftError
        If there is no text, or too much, or the time has no time zone.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> now = datetime(2013, 2, 8, 5, tzinfo=UTC)
    >>> one, again = (new_mark("release 214", at=now, by=who, now=now) for who in ("ann", "bob"))
    >>> one.id == again.id, one.id == new_mark("release 214", at=now, by="ann", now=now, monitor="flights").id
    (True, False)
    """
    said = masked(" ".join(text.split()))
    if not said:
        raise DriftError("a mark needs a text: drift mark 'release 214'")
    if len(said) > LONGEST:
        raise DriftError(f"the text of a mark has {len(said):,} characters: {LONGEST} at most")
    if at.tzinfo is None:
        raise DriftError(f"{at} has no time zone: give an aware time")
    key = f"{'' if monitor is None else monitor}\0{at.timestamp():.6f}\0{said}"
    name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return Mark(name, at, monitor, said, now, by.strip() or "unknown")
