"""What pages and API take from a request, checked, and what they get to answer it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, HTTPException, Query, Request
from pydantic import AfterValidator

from drift.dashboard.formatting import LocalTime, local_time_of
from drift.dashboard.other_references import SYNTAX
from drift.store.store import Store


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain a NUL")
    return text


def _open(request: Request) -> Store:
    store: Store = request.app.state.open_store()
    return store


Opened = Annotated[Store, Depends(_open)]
Name = Annotated[str, Query(max_length=4000), AfterValidator(_storable)]
Maybe = Annotated[str | None, Query(max_length=4000), AfterValidator(lambda text: text and _storable(text))]
Segment = Annotated[
    str,
    Query(max_length=4000, description="A segment such as origin=JFK; by default the whole window."),
    AfterValidator(_storable),
]
Windows = Annotated[int, Query(ge=1, le=400, description="How many of the newest windows.")]
PageNumber = Annotated[int, Query(ge=1, le=10_000)]
WindowStart = Annotated[
    str | None,
    Query(max_length=40, description="Start of a window: an instant in ISO 8601, or the monitor's local date."),
]

Against = Annotated[
    str | None,
    Query(
        max_length=90,
        description=f"Another reference for the window, from stored counts: {SYNTAX} (both days included).",
    ),
    AfterValidator(lambda text: text and _storable(text)),
]
State = Literal["live", "open", "acknowledged", "resolved", "all"]

TO_RUN = "Trigger its DAG in Airflow, or use drift run MONITOR or drift backfill MONITOR --all"
LIVE = ("open", "acknowledged")
ALL = ("open", "acknowledged", "resolved")


def states_of(state: State) -> tuple[str, ...]:
    """Return the states that a reader asks for by one word; ``live`` is open or acknowledged."""
    return {"live": LIVE, "all": ALL}.get(state, (state,))


def local_times(store: Store) -> defaultdict[str, LocalTime]:
    """Return the local time of each monitor; UTC for those that are not stored any more."""
    return defaultdict(
        lambda: local_time_of({}), {row["monitor"]: local_time_of(row["config"]) for row in store.monitors()}
    )


def known_monitor(store: Store, name: str) -> dict[str, Any]:
    """Return a monitor's newest stored version; 404 where nothing was ever stored of it."""
    for row in store.monitors():
        if row["monitor"] == name:
            return row
    raise HTTPException(404, f"no monitor with this name has run yet. {TO_RUN}")


def shown_until(local: LocalTime, text: str | None) -> datetime:
    """Return before when the newest windows have to start: what is given, or now; the future is not the newest."""
    found: datetime = instant(local, text) or datetime.now(UTC)
    return found


def instant(local: LocalTime, text: str | None) -> Any:
    """Read a window's start; None where none is given, 422 where it is not a time."""
    if not text:
        return None
    found = local.instant(text)
    if found is None:
        raise HTTPException(422, "not a time: write 2013-02-08, or 2013-02-08T05:00:00Z")
    return found
