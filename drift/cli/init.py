"""`drift init`: looks at data and writes a first monitor for them."""

from __future__ import annotations

import os
import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from drift.cli.options import DATABASE, MONITORS, Database, Folder, now, print_error, say
from drift.errors import DriftError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from drift.pipeline.proposal import Proposal


NOBODY = (
    "notifies nobody: set DRIFT_ROUTE_OPS to the URL of a channel (slack://…, mailto://…, json://…), and write "
    "routes: [{to: ops}]"
)


class Target(NamedTuple):
    """Data that get a monitor: a source without its time column, and what is known of it."""

    name: str
    source: Mapping[str, Any]
    description: str = ""
    owner: str = ""


def init(
    data: Annotated[
        list[str],
        typer.Argument(help="Parquet or CSV: files, a folder, a glob; or the URL of a database, or a connection."),
    ],
    table: Annotated[
        list[str] | None, typer.Option("--table", help="Table or view of the database. Default: all of the schema.")
    ] = None,
    schema: Annotated[str | None, typer.Option(help="Schema of the tables.")] = None,
    dbt: Annotated[
        Path | None, typer.Option(help="A dbt manifest: a monitor for each model that the database holds.")
    ] = None,
    route: Annotated[
        list[str] | None, typer.Option(help="Who is notified: NAME of DRIFT_ROUTE_<NAME>. Default: all that are set.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Write over files that are there.")] = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Look at data, and write a first monitor for them: time column, window, features, expectations, reference.

    [bold]drift init data/orders/*.parquet[/], [bold]drift init sqlite:///shop.db --table orders[/],
    [bold]drift init postgresql://… --schema public[/], [bold]drift init postgresql://… --dbt target/manifest.json[/]
    """
    from drift.alerts.channels import known_routes
    from drift.pipeline.proposal import propose
    from drift.pipeline.survey import survey

    url, connection = _database_of(data[0])
    routes = route or known_routes(os.environ)
    if url:
        targets = list(_models(dbt, connection, url) if dbt else _tables(url, connection, table, schema))
    else:
        targets = list(_files(data))
    written: list[Proposal] = []
    for target in targets:
        path = folder / f"{target.name}.yaml"
        if path.exists() and not force:
            print_error(f"{target.name}: {path} is there already: --force writes over it")
            continue
        try:
            look = survey(target.source, url or None, now=now())
            proposal = propose(target.name, look, description=target.description, owner=target.owner, routes=routes)
            _write(path, proposal)
        except DriftError as error:
            print_error(f"{target.name}: {error}")
            continue
        written.append(proposal)
        _show(path, proposal)
    if not written:
        raise typer.Exit(2)
    _prepare(database)
    say(f"notifies {', '.join(routes)}" if routes else NOBODY)
    if routes and find_spec("apprise") is None:
        say(f"note: {MissingExtra('apprise', extra='notify')}")
    say("next:")
    for line in _typed_next(written, connection, url, folder):
        say(f"  {line}")


def _database_of(data: str) -> tuple[str, str]:
    """Return the URL of a database and the name of its connection; empty where the data are files."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    from drift.config.connections import resolve_url, variable_of

    scheme, sign, _ = data.partition("://")
    if not sign:
        known = (
            not Path(data).exists() and os.environ.get(variable_of(data)) if re.fullmatch(r"[\w.-]+", data) else None
        )
        return (resolve_url(data, os.environ), data) if known else ("", "")
    if scheme in {"s3", "gs", "gcs", "az", "abfs", "abfss", "hdfs", "file", "http", "https"}:
        return "", ""
    try:
        name = Path(make_url(data).database or scheme).stem
    except (ArgumentError, ValueError):
        # What is wrong with it may quote a password.
        raise DriftError("the URL cannot be read: write dialect://user:password@host/database") from None
    return data, _identifier(name)


def _identifier(text: str) -> str:
    """Return a text as the name of a monitor or connection."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-")[:100] or "data"


def _files(data: Sequence[str]) -> Iterator[Target]:
    """Files of one folder with the same columns are one table; others a table each."""
    from drift.sources.snapshot import open_table

    paths = [
        os.path.relpath(each) if Path(each).is_absolute() and Path(each).is_relative_to(Path.cwd()) else each
        for each in data
    ]
    if len(paths) == 1:
        yield Target(_name_of(paths[0]), {"files": paths[0]})
        return
    alike: dict[tuple[Any, ...], list[str]] = {}
    for path in paths:
        key = Path(path).parent, Path(path).suffix, frozenset(open_table(path).schema)
        alike.setdefault(key, []).append(path)
    for (parent, suffix, _), together in alike.items():
        if len(together) == 1:
            yield Target(_name_of(together[0]), {"files": together[0]})
        elif len(alike) == 1:
            files = str(parent / f"*{suffix}")
            yield Target(_name_of(files), {"files": files})
        else:
            raise DriftError(
                f"{', '.join(together[:3])} and others differ in their columns: give one table at a time, as a glob in "
                "quotes"
            )


def _name_of(files: str) -> str:
    """Return the name of a monitor of files: the last part of their path that is not a wildcard, a date or a key."""
    parts = [part for part in re.split(r"[/\\]", files.partition("://")[2] or files) if part not in {"", ".", ".."}]
    plain = [part for part in parts if not re.search(r"[*?\[=]", part)]
    name = re.sub(r"(\.(parquet|pq|csv|gz|bz2|zst|lz4))+$", "", plain[-1] if plain else "data", flags=re.IGNORECASE)
    return _identifier(name)


def _tables(url: str, connection: str, tables: Sequence[str] | None, schema: str | None) -> Iterator[Target]:
    from drift.sources import sql
    from drift.sources.warehouse import query
    from drift.sources.warehouse.source import reads_inside

    tables_of = query.tables_of if reads_inside("auto", url) else sql.tables_of
    for name in tables or tables_of(url, schema):
        place = {"schema": schema} if schema else {}
        yield Target(_identifier(name), {"connection": connection, "table": name, **place})


def _models(manifest: Path, connection: str, url: str) -> Iterator[Target]:
    """Return the models of a dbt manifest that are tables or views, with their owners and descriptions."""
    import json

    try:
        content = json.loads(manifest.read_text("utf-8"))
        nodes = [node for node in content["nodes"].values() if node["resource_type"] == "model"]
    except OSError as error:
        raise DriftError(f"{manifest}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DriftError(f"{manifest} is not a dbt manifest: dbt writes it to target/manifest.json") from None
    for node in nodes:
        config = node.get("config") or {}
        if config.get("materialized") == "ephemeral" or config.get("enabled") is False:
            continue
        place = {} if url.startswith("sqlite") or not node.get("schema") else {"schema": node["schema"]}
        source = {"connection": connection, "table": node.get("alias") or node["name"], **place}
        description = " ".join(str(node.get("description") or "").split())
        yield Target(_identifier(node["name"]), source, description, _owner(node, content))


def _owner(node: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Return who owns a model: by its meta, or by its group."""
    meta = {**(node.get("meta") or {}), **((node.get("config") or {}).get("meta") or {})}
    groups = [each for each in (manifest.get("groups") or {}).values() if each.get("name") == node.get("group")]
    owner = meta.get("owner") or next((each.get("owner") for each in groups), None)
    return str(owner.get("name") or owner.get("email") or "") if isinstance(owner, dict) else str(owner or "")


def _write(path: Path, proposal: Proposal) -> None:
    from drift.config.monitor import parse_monitor

    text = proposal.to_yaml(validated=find_spec("great_expectations") is not None)
    parse_monitor(text, str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise DriftError(f"cannot write {path}: {error.strerror or error}") from error


def _show(path: Path, proposal: Proposal) -> None:
    from drift.pipeline.survey import JUDGED
    from drift.text.formatting import many, thousands

    look = proposal.survey
    label = look.calendar.label
    span = f"{label(look.windows[0])} to {label(look.windows[-1])}"
    say(f"wrote {path}")
    say(
        f"  saw {many(look.n_rows, 'row')}; {span}: {many(len(look.windows), 'window')} of {look.every} by "
        f"{', '.join(look.source.time_columns)}, usually {thousands(look.rows_a_window)} rows each"
    )
    say(f"  watches {many(len(proposal.watched), 'column')}: {', '.join(proposal.watched)}")
    for name, why in proposal.left_out.items():
        say(f"  left out {name}: {why}")
    if look.rows_a_window < JUDGED:
        say(f"  note: windows of fewer than {JUDGED} rows are not judged; make them longer, or set detection.min_rows")
    if proposal.segments:
        say(f"  segments: {', '.join(proposal.segments)}")


def _prepare(database: str) -> None:
    """Create the results database where it is a SQLite file that is not there."""
    from drift.store import engine, migrations

    if not engine.is_there(engine.normalise(database)):
        migrations.upgrade(database)


def _typed_next(written: Sequence[Proposal], connection: str, url: str, folder: Path) -> Iterator[str]:
    """Yield what to type next; the environment first."""
    from drift.config.monitor import monitor_files

    yield from _exports(connection, url, folder)
    if len(written) == len(monitor_files(folder)):
        yield "drift backfill --all"
    else:
        yield from (f"drift backfill {proposal.name} --all" for proposal in written)
    yield "drift dashboard"


def _exports(connection: str, url: str, folder: Path) -> Iterator[str]:
    """Yield what has to be in the environment from now on; a password is not repeated."""
    from drift.config.connections import variable_of
    from drift.text.secrets import learn_url, masked

    if connection and not os.environ.get(variable_of(connection)):
        learn_url(url)
        hidden = masked(url)
        yield f"export {variable_of(connection)}={shlex.quote(hidden)}{'  # with its password' * (hidden != url)}"
    if folder != MONITORS and not os.environ.get("DRIFT_MONITORS"):
        yield f"export DRIFT_MONITORS={shlex.quote(str(folder))}"
