"""Runs left behind: begun by a process that died before it could say how they ended.

One machine asks its own system whether a process lives. Of the others, and of Airflow's tasks, only time tells: should
such a run end after all, what it says then takes the place of what was said for it.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from drift.text.formatting import when

if TYPE_CHECKING:
    from drift.store.rows import Row

LOST = timedelta(days=1)
"""No run of one window takes as long as this."""


def this_process() -> str:
    """Name this process on all machines, and apart from the one that has its number after it."""
    return f"{socket.gethostname()} {os.getpid()} {_born(os.getpid())}"


def left_behind(run: Row, now: datetime) -> str:
    """Say that a run which is said to be running is not; empty while it may be.

    Examples
    --------
    >>> from datetime import UTC
    >>> began = datetime(2013, 2, 9, 6, tzinfo=UTC)
    >>> left_behind({"process": this_process(), "started_at": began}, began + timedelta(hours=1))
    ''
    >>> left_behind({"process": None, "started_at": began}, began + timedelta(hours=30))
    'it began at 2013-02-09 06:00 UTC, and its process died before it ended'
    """
    # A clock that was ahead when it began must not keep it alive.
    if _lives(run["process"] or "") and abs(now - run["started_at"]) < LOST:
        return ""
    return f"it began at {when(run['started_at'])}, and its process died before it ended"


def _lives(process: str) -> bool:
    """Say whether a process may be alive: False only for one of this machine that is not there."""
    host, number, born = (*process.split(" "), "", "")[:3]
    if host != socket.gethostname() or not number:
        return True
    with suppress(PermissionError):
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            return False
    return born == _born(int(number))


def _born(number: int) -> str:
    """Return when a process began, in the system's own count; empty where the system does not say."""
    try:
        # Its name, in parentheses, may hold anything.
        return Path(f"/proc/{number}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
