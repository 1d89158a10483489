"""`drift mark`: notes a release, a migration or a campaign on the time axis of monitors."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from drift.cli.options import DATABASE, By, Database, Json, now, open_store, print_json, say
from drift.errors import DriftError
from drift.text.formatting import when


def mark(
    by: By,
    text: Annotated[str | None, typer.Argument(help="What happened, such as 'release 214'.")] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="When, in the monitor's time zone: 2013-02-08 or 2013-02-08T17:30. Default: now."),
    ] = None,
    monitor: Annotated[
        list[str] | None,
        typer.Option("--monitor", help="A monitor that it is about; may be given again. Default: all."),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List marks instead, those of --monitor or all.")] = False,
    delete: Annotated[str | None, typer.Option("--delete", metavar="ID", help="Delete a mark instead.")] = None,
    as_json: Json = False,
    database: Database = DATABASE,
) -> None:
    """Mark a moment: charts and alerts show it beside what drifts. The same mark made again is one."""
    from drift.pipeline import actions

    if sum((text is not None, listed, delete is not None)) != 1:
        raise DriftError("drift mark takes either a text, --list or --delete ID")
    store = open_store(database)
    if delete is not None:
        if not store.delete_mark(delete):
            raise DriftError(f"there is no mark {delete!r}: drift mark --list lists them")
        say(f"{delete}: deleted")
        return
    if text is not None:
        found = actions.mark(store, text, at=at, monitors=monitor or (), by=by, now=now())
    else:
        names: list[str | None] = [*(monitor or ())] or [None]
        known = [one for name in names for one in store.marks(name)]
        found = sorted(dict.fromkeys(known), key=lambda one: (one.at, one.id))
    if as_json:
        print_json([asdict(one) for one in found])
    for one in () if as_json else found:
        say(f"{one.id}  {when(one.at)}  {one.monitor or 'all monitors'}: {one.text} (by {one.created_by})")
    if not found and not as_json:
        say("nothing is marked: drift mark 'release 214'")
