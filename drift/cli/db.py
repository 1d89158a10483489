"""`drift db`: create the results database, migrate it, look at it."""

from __future__ import annotations

from typing import Annotated

import typer

from drift.cli.options import DATABASE, Database, print_error, say

db_app = typer.Typer(help="Create, migrate and check the results database.", no_args_is_help=True)


@db_app.command("upgrade")
def db_upgrade(database: Database = DATABASE) -> None:
    """Create the results database, or bring it up to this version."""
    from drift.store import migrations

    migrations.upgrade(database)
    _print_revision(database)


@db_app.command("downgrade")
def db_downgrade(
    revision: Annotated[str, typer.Argument(help="Revision to go back to, or base.")], database: Database = DATABASE
) -> None:
    """Take the results database back to a revision."""
    from drift.store import migrations

    migrations.downgrade(database, revision)
    _print_revision(database)


@db_app.command("current")
def db_current(database: Database = DATABASE) -> None:
    """Print the revision the results database is at."""
    from drift.store import migrations

    say(migrations.current(database) or "not created: drift db upgrade")


@db_app.command("check")
def db_check(database: Database = DATABASE) -> None:
    """Check that the tables of the results database are those of this version. Exits with 1 if they differ."""
    from drift.store import migrations

    migrations.check(database)
    found = migrations.differences(database)
    for difference in found:
        print_error(difference)
    if found:
        raise typer.Exit(1)
    _print_revision(database, ", and its tables are as they should be")


def _print_revision(url: str, more: str = "") -> None:
    from drift.store import migrations
    from drift.store.engine import hidden

    say(f"{hidden(url)} is at revision {migrations.current(url)}{more}")
