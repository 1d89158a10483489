"""The doctor: everything an installation needs, looked at once; what is wrong, and what to do about it.

It reads and never changes anything, and it never raises: what it cannot look at is a finding too.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.error import URLError
from urllib.request import urlopen

import sqlalchemy as sa

from drift.config.features import unmatched
from drift.config.monitor import load_monitor, monitor_files
from drift.config.reference import local
from drift.errors import ConfigError, DriftError
from drift.pipeline.context import SourceReader
from drift.pipeline.gate import stored_calendar
from drift.pipeline.left_behind import left_behind
from drift.store import engine, migrations
from drift.store.store import Store
from drift.text.formatting import when
from drift.text.secrets import masked
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from drift.config.monitor import Monitor

State = Literal["ok", "warn", "fail"]

SKEW = timedelta(seconds=5)
"""A clock that is off by more than this makes leases and quiet hours wrong."""

LITTLE, SCARCE = 1 << 30, 100 << 20
"""Bytes on a disk below which there is a warning, and a failure."""

LATE = 3
"""A monitor that has not run for this many windows is late."""

AIRFLOW = "AIRFLOW__API__BASE_URL"
_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, such as ``flights: source``: what was seen, and what to do about it."""

    name: str
    state: State
    message: str
    fix: str = ""


def examine(
    url: str,
    folder: Path,
    *,
    env: Mapping[str, str],
    connect: Callable[[str], str],
    resolve: Callable[[str], str],
    now: Callable[[], datetime],
    airflow: str = "",
) -> Iterator[Check]:
    """Look at everything, one finding at a time: the database, the folder of monitor files, sources, routes, Airflow.

    `connect` and `resolve` give the URL of a connection and of a route; `airflow` is the address of its API server,
    by default what `AIRFLOW` says.
    """
    monitors: list[Monitor] = []
    yield from _configuration(folder, monitors)
    yield from _packages(monitors)
    stores: list[Store] = []
    try:
        yield from _database(url, stores, now)
        for monitor in monitors:
            yield _source(monitor, connect, now)
            yield from _routes(monitor, resolve)
            if stores:
                yield from _running(monitor, stores[0], now())
                yield from _left_behind(monitor, stores[0], now())
        if stores:
            yield from _future(stores[0], now())
            yield _outbox(stores[0])
    finally:
        for store in stores:
            store.close()
    yield from _airflow(airflow or env.get(AIRFLOW, ""))


def _configuration(folder: Path, monitors: list[Monitor]) -> Iterator[Check]:
    fix = "drift init DATA writes a first monitor; name another folder with --monitors or DRIFT_MONITORS"
    try:
        files = monitor_files(folder)
    except ConfigError as error:
        yield Check("monitors", "fail", "; ".join(error.problems), fix)
        return
    for file in files:
        try:
            monitors.append(load_monitor(file))
        except ConfigError as error:
            more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
            yield Check(f"monitor file {file.name}", "fail", f"{error.problems[0]}{more}", f"drift check {file}")
    names = [monitor.name for monitor in monitors]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield Check("monitors", "fail", f"two files define {', '.join(twice)}", "give each monitor a name of its own")
    elif monitors:
        yield Check("monitors", "ok", f"{len(monitors)} in {folder}: {', '.join(sorted(names)[:10])}")
    elif not files:
        yield Check("monitors", "warn", f"{folder} holds no monitor file", fix)


def _packages(monitors: list[Monitor]) -> Iterator[Check]:
    wanted = {
        "great-expectations": ("validation", any(monitor.expectations for monitor in monitors)),
        "apprise": ("notify", any(monitor.alerts.routes for monitor in monitors)),
    }
    for package, (extra, needed) in wanted.items():
        if needed and _version(package) is None:
            fix = f"pip install 'driftmeter[{extra}]'"
            yield Check(package, "fail", "is not installed, and monitors need it", fix)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


# -- the results database ---------------------------------------------------------------------------------------------


def _database(url: str, stores: list[Store], now: Callable[[], datetime]) -> Iterator[Check]:
    try:
        parsed = engine.normalise(url)
    except DriftError as error:
        yield Check("database", "fail", str(error), "set DRIFT_DATABASE")
        return
    try:
        stores.append(Store.open(url))
    except DriftError as error:
        yield Check("database", "fail", str(error), "is it the right one? DRIFT_DATABASE or --database names it")
    else:
        yield Check("database", "ok", f"{stores[0].name} is at revision {migrations.head()}")
        yield from _tables(url)
        yield from _server(stores[0], now)
    if parsed.get_backend_name() == "sqlite":
        yield _disk(Path(str(parsed.database)))


def _tables(url: str) -> Iterator[Check]:
    try:
        different = migrations.differences(url)
    except DriftError as error:
        yield Check("tables", "fail", str(error))
        return
    if different:
        fix = "somebody changed them by hand: restore a backup, or change them back"
        yield Check("tables", "fail", f"{len(different)} differences, the first: {different[0]}", fix)


def _server(store: Store, now: Callable[[], datetime]) -> Iterator[Check]:
    if store.engine.dialect.name != "postgresql":
        return
    try:
        with engine.reading(store.engine) as connection:
            before = now()
            theirs = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
            after = now()
            used = connection.exec_driver_sql("SELECT count(*) FROM pg_stat_activity").scalar_one()
            most = int(str(connection.exec_driver_sql("SHOW max_connections").scalar_one()))
    except DriftError as error:
        yield Check("database server", "fail", str(error))
        return
    skew = max(before - theirs, theirs - after, timedelta())
    if skew > SKEW:
        message = f"the database's clock is off by {skew.total_seconds():.0f} s from this machine's"
        yield Check("clock", "warn", message, "let both follow a time server")
    else:
        yield Check("clock", "ok", "this machine's and the database's agree")
    tight = used > 0.8 * most
    message = f"{used} of {most} connections of the server are in use"
    fix = "raise max_connections, or put a pooler before it" if tight else ""
    yield Check("connections", "warn" if tight else "ok", message, fix)


def _disk(path: Path) -> Check:
    folder = next(each for each in (path.absolute(), *path.absolute().parents) if each.is_dir())
    free = shutil.disk_usage(folder).free
    state: State = "fail" if free < SCARCE else "warn" if free < LITTLE else "ok"
    size = path.stat().st_size / (1 << 20) if path.exists() else 0
    message = f"{free / (1 << 30):.1f} GiB free beside the database of {size:.1f} MiB"
    return Check("disk", state, message, "make room; drift prune --keep 400d forgets old windows" * (state != "ok"))


# -- each monitor -----------------------------------------------------------------------------------------------------


def _source(monitor: Monitor, connect: Callable[[str], str], now: Callable[[], datetime]) -> Check:
    name = f"{monitor.name}: source"
    source = SourceReader(monitor, connect)
    window = monitor.window.calendar.last_complete(now())
    try:
        snapshot = source.snapshot(window)
        schema = source.columns(snapshot)
    except DriftError as error:
        return Check(name, "fail", masked(str(error)))
    except Exception as error:  # noqa: BLE001 - a driver's own failure is a finding, not the end of the others
        reason = masked(str(error).split("\n")[0])
        return Check(name, "fail", f"{type(error).__name__}: {reason}", "check the connection's URL and driver")
    features, problems = source.features(schema), unmatched(monitor.patterns, snapshot.schema)
    if problems:
        return Check(name, "fail", "; ".join(problems))
    if not features:
        return Check(name, "fail", "no column is left to watch", "see features.include and features.exclude")
    return Check(name, "ok", f"{len(features)} features; times in {', '.join(monitor.source.time_columns)}")


def _routes(monitor: Monitor, resolve: Callable[[str], str]) -> Iterator[Check]:
    names = list(dict.fromkeys(route.to for route in monitor.alerts.routes))
    bad = []
    for to in names:
        try:
            resolve(to)
        except DriftError as error:
            bad.append(to)
            yield Check(f"{monitor.name}: route {to}", "fail", masked(str(error)))
    if len(bad) < len(names):
        yield Check(f"{monitor.name}: routes", "ok", f"{', '.join(n for n in names if n not in bad)} known")
    if not names:
        yield Check(f"{monitor.name}: routes", "warn", "nobody is notified of its alerts", "add alerts.routes")


def _running(monitor: Monitor, store: Store, now: datetime) -> Iterator[Check]:
    name, fix = f"{monitor.name}: runs", f"drift run {monitor.name}"
    try:
        runs = store.runs(monitor.name, 1, over_at=now)
    except DriftError as error:
        yield Check(name, "fail", masked(str(error)), fix)
        return
    if not runs:
        yield Check(name, "warn", "it has never run", f"drift backfill {monitor.name} --all")
        return
    newest = runs[0]
    due = monitor.window.calendar.last_complete(now)
    late = newest["window_end"] + LATE * monitor.window.calendar.span.nominal < due.end
    ended = newest["status"] == "running" or not newest["error"]
    if not ended:
        yield Check(name, "warn", f"the newest run failed: {masked(newest['error'])}", fix)
    elif late and monitor.watches(due):
        ended_at = when(newest["window_end"])
        yield Check(name, "warn", f"it is late: its newest window ended {ended_at}", f"is its schedule paused? {fix}")
    else:
        yield Check(name, "ok", f"the newest is {newest['status']}")


def _left_behind(monitor: Monitor, store: Store, now: datetime) -> Iterator[Check]:
    """Name the runs whose process died before they ended."""
    name, calendar = f"{monitor.name}: left behind", monitor.window.calendar
    try:
        for run in store.running(monitor.name):
            if why := left_behind(run, now):
                label = calendar.label(Window(run["window_start"], run["window_end"]))
                yield Check(name, "warn", f"the run of {label}: {why}", f"drift run {monitor.name} --date {label}")
    except DriftError as error:
        yield Check(name, "fail", masked(str(error)))


def _future(store: Store, now: datetime) -> Iterator[Check]:
    """Name the windows that are not over, and were run: somebody mistyped a date."""
    try:
        for name, window in store.unfinished(now):
            start = local(window.start, stored_calendar(store, name))
            message = f"the window {start} was run, and is not over until {when(window.end)}"
            yield Check(f"{name}: future", "warn", message, f"drift runs delete {name} --window {start}")
    except DriftError as error:
        yield Check("future", "fail", masked(str(error)))


def _outbox(store: Store) -> Check:
    try:
        counts = store.outbox_counts()
    except DriftError as error:
        return Check("outbox", "fail", str(error))
    said = f"{counts['pending']} pending, {counts['dead']} given up"
    if counts["dead"]:
        return Check(
            "outbox",
            "warn",
            said,
            "drift alerts undelivered names them and why; drift alerts retry --all tries them again",
        )
    return Check("outbox", "ok", said)


# -- Airflow ----------------------------------------------------------------------------------------------------------


def _airflow(address: str) -> Iterator[Check]:
    installed = _version("apache-airflow")
    if installed is None:
        fix = "where it is to run: pip install 'driftmeter[airflow]'"
        yield Check("airflow", "warn", "is not installed here", fix)
    else:
        yield Check("airflow", "ok", f"{installed} is installed")
    if not address:
        return
    health = f"{address.rstrip('/')}/api/v2/monitor/health"
    fix = f"start its API server, or name it with --airflow or {AIRFLOW}"
    if not address.startswith(("http://", "https://")):
        yield Check("airflow server", "fail", f"{masked(address)} is not an http address", fix)
        return
    try:
        with urlopen(health, timeout=_SECONDS) as answer:  # noqa: S310 - http only, as just checked
            parts = json.load(answer)
    except (URLError, OSError, ValueError) as error:
        yield Check("airflow server", "fail", f"{masked(health)}: {masked(str(error))}", fix)
        return
    ill = sorted(k for k, v in parts.items() if isinstance(v, dict) and v.get("status") not in {"healthy", None})
    if ill:
        yield Check("airflow server", "fail", f"not healthy: {', '.join(ill)}", "look at its logs")
    else:
        yield Check("airflow server", "ok", f"{masked(address)} is healthy")
