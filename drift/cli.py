"""The command line: arguments in, tables or JSON out; everything else happens elsewhere.

Exit codes: 0 done, and quiet; 1 drift at or above ``--fail-on``, or problems found by ``drift check``; 2 bad usage,
bad input, or something that cannot be reached.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import drift
from drift.errors import ConfigError, DriftError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drift.config import Monitor
    from drift.reports import Report
    from drift.store import Store
    from drift.watch import Watch
    from drift.windows import Window

DATABASE = "sqlite:///drift.db"
MONITORS = Path("dags/monitors")

app = typer.Typer(
    name="drift",
    help=(
        "Data-drift monitoring you can trust to wake you: KL divergence with its sampling error.\n\n"
        "Exit codes: 0 done and quiet · 1 drift found (with --fail-on), or problems found by check · "
        "2 bad usage or input."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
alerts_app = typer.Typer(help="See and answer alerts.", no_args_is_help=False, invoke_without_command=True)
baseline_app = typer.Typer(
    help="The frozen bins that windows are counted into, and the windows they stand for.", no_args_is_help=True
)
db_app = typer.Typer(help="The results database: create, migrate, look.", no_args_is_help=True)
app.add_typer(alerts_app, name="alerts")
app.add_typer(baseline_app, name="baseline")
app.add_typer(db_app, name="db")

FailOn = Literal["warning", "critical"]
Json = Annotated[bool, typer.Option("--json", help="Print JSON (docs/report.md) instead of tables.")]
Database = Annotated[
    str, typer.Option("--database", "-d", envvar="DRIFT_DATABASE", help="URL of the results database.")
]
Folder = Annotated[Path, typer.Option("--monitors", envvar="DRIFT_MONITORS", help="Folder of the monitor files.")]
MonitorName = Annotated[str, typer.Argument(metavar="MONITOR", help="Name of a monitor, or the path of its file.")]
Feature = Annotated[str, typer.Argument(help="Name of a feature.")]
Day = Annotated[
    str | None,
    typer.Option(
        "--date", help="A local date or time of the monitor; the window that holds it. Default: the last one."
    ),
]
Fail = Annotated[FailOn | None, typer.Option("--fail-on", help="Exit with 1 if any feature reaches this severity.")]


def main() -> None:
    """Run the command line; every expected failure is one line on stderr and exit code 2."""
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            _error(problem)
        sys.exit(2)
    except DriftError as error:
        _error(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has gone; that is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _error(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)


def _version(value: bool) -> None:
    if value:
        print(f"drift {drift.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Carry the options that belong to no command."""


# -- two tables ------------------------------------------------------------------------------------------------------


@app.command()
def compare(
    reference: Annotated[str, typer.Argument(help="Parquet or CSV: a file, a folder or a glob.")],
    current: Annotated[str, typer.Argument(help="The same, to hold against it.")],
    include: Annotated[list[str] | None, typer.Option("--include", "-i", help="Only these columns (pattern).")] = None,
    exclude: Annotated[list[str] | None, typer.Option("--exclude", "-x", help="Not these columns (pattern).")] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="COLUMN=numeric|categorical|boolean|datetime.")
    ] = None,
    warning: Annotated[float, typer.Option(help="Effect floor for a warning, in nats.")] = 0.01,
    critical: Annotated[float, typer.Option(help="Effect floor for critical, in nats.")] = 0.1,
    min_rows: Annotated[int, typer.Option(help="Fewer rows than this are insufficient data.")] = 200,
    fail_on: Fail = None,
    as_json: Json = False,
) -> None:
    """Compare two tables, feature by feature: D(current‖reference) in nats, with its error.

    Needs no configuration and no database. Example:
    [bold]drift compare train.parquet today.parquet --fail-on critical[/]
    """
    from drift.comparison import compare as compare_tables
    from drift.config import Detection, Effect, Features, Persistence, parse_options

    features, detection = parse_options(
        lambda: (
            Features(include=include or ["*"], exclude=exclude or [], kinds=_pairs(kind or [], "--kind")),
            Detection(
                min_rows=min_rows,
                effect=Effect(warning=warning, critical=critical),
                persistence=Persistence(of=1, at_least=1),
            ),
        )
    )
    report = compare_tables(reference, current, features=features, detection=detection)
    _show(report, as_json=as_json)
    _exit(report, fail_on)


def _pairs(texts: Sequence[str], option: str) -> dict[str, Any]:
    pairs = {}
    for text in texts:
        name, sign, value = text.rpartition("=")
        if not sign or not name:
            raise typer.BadParameter(f"{text!r} is not COLUMN=KIND", param_hint=option)
        pairs[name] = value
    return pairs


# -- monitors --------------------------------------------------------------------------------------------------------


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Monitor files, or folders of them.")],
    as_json: Json = False,
) -> None:
    """Check monitor files and print every problem: file, line, key, and what to do. Exits with 1 if there are any."""
    from drift.config import load_monitor

    paths = [p for f in files for p in (sorted([*f.glob("*.yaml"), *f.glob("*.yml")]) if f.is_dir() else [f])]
    problems: list[str] = []
    for path in paths:
        try:
            monitor = load_monitor(path)
        except ConfigError as error:
            problems += error.problems
            continue
        if monitor.expectations:
            problems += [f"{path}: {problem}" for problem in _expectation_problems(monitor)]
    if as_json:
        _print_json({"files": [str(p) for p in paths], "problems": problems})
    else:
        for problem in problems:
            _error(problem)
        if not problems:
            print(f"{len(paths)} monitor file{'s' * (len(paths) != 1)}, no problems")
    if problems:
        raise typer.Exit(1)


def _expectation_problems(monitor: Monitor) -> list[str]:
    from drift.errors import MissingExtra
    from drift.validation import check_expectations

    try:
        return check_expectations(monitor.expectations)
    except MissingExtra as error:
        return [str(error)]


@app.command()
def schema() -> None:
    """Print the JSON Schema of a monitor file, for editors."""
    from drift.config import json_schema

    _print_json(json_schema())


@app.command()
def run(
    monitor: MonitorName,
    day: Day = None,
    force: Annotated[bool, typer.Option(help="Read the window again although it is stored.")] = False,
    fail_on: Fail = None,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Run a monitor for one window: gate, count, score, alert, notify."""
    from drift import alerting, monitoring

    watch = _watch(monitor, folder, database)
    outcome = monitoring.run_window(watch, _window(watch, day), clock=_now, force=force)
    alerting.deliver(watch.store, _route, now=_now())
    _show(outcome.report, as_json=as_json)
    _exit(outcome.report, fail_on)


@app.command()
def backfill(
    monitor: MonitorName,
    start: Annotated[str, typer.Option("--from", help="First local date.")],
    end: Annotated[str, typer.Option("--to", help="Last local date, included.")],
    force: Annotated[bool, typer.Option(help="Read windows again although they are stored.")] = False,
    page: Annotated[bool, typer.Option(help="Send the alerts too: by default a backfill tells nobody.")] = False,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Run a monitor for every window from one date to another, oldest first."""
    from drift import alerting, monitoring

    watch = _watch(monitor, folder, database)
    windows = _range(watch, start, end)
    failed = []
    with _progress(len(windows), f"backfill {watch.name}", quiet=as_json) as advance:

        def progress(window: Window, result: Report | DriftError) -> None:
            if isinstance(result, DriftError):
                failed.append(f"{watch.label(window)}: {result}")
            advance(watch.label(window))

        reports = monitoring.backfill(watch, windows, clock=_now, force=force, page=page, progress=progress)
    if page:
        alerting.deliver(watch.store, _route, now=_now())
    counts: dict[str, int] = {}
    for report in reports:
        status = monitoring.run_status(report)
        counts[status] = counts.get(status, 0) + 1
    if as_json:
        _print_json({"monitor": watch.name, "windows": len(windows), "statuses": counts, "failed": failed})
    else:
        print(f"{watch.name}: {len(reports)} windows: " + ", ".join(f"{n} {status}" for status, n in counts.items()))
        for line in failed:
            _error(line)
    if failed:
        raise typer.Exit(2)


@app.command()
def history(
    monitor: MonitorName,
    feature: Annotated[str | None, typer.Argument(help="Only this feature.")] = None,
    last: Annotated[int, typer.Option(help="How many windows back.")] = 30,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Show the stored scores of a monitor, newest window last."""
    from drift.rendering import history_table

    watch = _watch(monitor, folder, database)
    rows = watch.store.scores(watch.name, feature=feature, windows=last)
    if as_json:
        _print_json({"monitor": watch.name, "direction": "current||reference", "unit": "nats", "scores": rows})
    elif not rows:
        print(f"{watch.name} has no scores yet: drift backfill {watch.name} --from DATE --to DATE")
    else:
        history_table(watch, rows, feature)


@app.command()
def explain(
    monitor: MonitorName,
    feature: Feature,
    day: Day = None,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Show which cells of a feature moved in one window, and what each adds to its KL."""
    from drift import evaluation
    from drift.rendering import explanation

    watch = _watch(monitor, folder, database)
    report = evaluation.recall(watch, _window(watch, day))
    if feature not in {v.feature for v in report.verdicts}:
        known = ", ".join(v.feature for v in report.verdicts) or "none"
        raise DriftError(f"{watch.name} has no score for {feature!r} in {report.label}; it has: {known}")
    if as_json:
        _print_json(report.to_dict() | {"features": {feature: report.to_dict()["features"][feature]}})
    else:
        explanation(report, feature)


@baseline_app.command("show")
def baseline_show(
    monitor: MonitorName, as_json: Json = False, folder: Folder = MONITORS, database: Database = DATABASE
) -> None:
    """Show the binnings of a monitor: of each feature every version, what it was fitted on, who asked and why."""
    from drift.rendering import baseline_table

    watch = _watch(monitor, folder, database)
    rows = watch.store.baseline_rows(watch.name)
    if as_json:
        _print_json({"monitor": watch.name, "baseline": rows})
    elif not rows:
        print(f"{watch.name} has no baseline yet: the first run with references enough fits one")
    else:
        baseline_table(watch, rows)


By = Annotated[str, typer.Option(envvar="USER", help="Who.")]
Reason = Annotated[str, typer.Option(help="Why.")]
From = Annotated[str, typer.Option("--from", help="First local date.")]
To = Annotated[str, typer.Option("--to", help="Last local date, included.")]


@baseline_app.command("fit")
def baseline_fit(
    monitor: MonitorName,
    day: Day = None,
    by: By = "unknown",
    reason: Reason = "asked for",
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Fit new bins on the references of a window; what was scored under the old ones stays as it is."""
    from drift import baselines

    watch = _watch(monitor, folder, database)
    window = _window(watch, day)
    binnings = baselines.fit(watch, window, now=_now(), by=by, reason=reason)
    print(f"{watch.name}: bins of {len(binnings)} features, fitted for {watch.label(window)}")


@baseline_app.command("promote")
def baseline_promote(
    monitor: MonitorName,
    start: From,
    end: To,
    reason: Reason,
    by: By = "unknown",
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Make the windows from one date to another the baseline, with the bins as they are."""
    from dataclasses import asdict

    from drift import baselines

    watch = _watch(monitor, folder, database)
    done = baselines.promote(watch, _range(watch, start, end), now=_now(), by=by, reason=reason)
    if as_json:
        _print_json({"monitor": watch.name, **asdict(done)})
        return
    state = f"of {done.features} features" if done.features else "already, nothing to do"
    print(f"{watch.name}: the baseline is {done.span} ({done.windows} windows, {done.rows:,} rows) {state}")
    fixed = watch.monitor.reference.fixed
    if fixed and fixed != "baseline":
        print(f"windows are judged against {watch.monitor.reference} still: write reference: {{fixed: baseline}}")


@baseline_app.command("rescore")
def baseline_rescore(
    monitor: MonitorName,
    start: From,
    end: To,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Score stored windows against the references now in force, from stored counts; says which it could not."""
    from drift import baselines

    watch = _watch(monitor, folder, database)
    done = baselines.rescore(watch, _range(watch, start, end), now=_now())
    kept = {watch.label(window): why for window, why in done.kept.items()}
    if as_json:
        _print_json({"monitor": watch.name, "rescored": [report.label for report in done.reports], "kept": kept})
        return
    print(f"{watch.name}: {len(done.reports)} windows scored again, {len(kept)} left as they were")
    for label, why in kept.items():
        print(f"  {label}: {why}")


# -- alerts ----------------------------------------------------------------------------------------------------------


@alerts_app.callback()
def alerts(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: Json = False,
    database: Database = DATABASE,
) -> None:
    """List alerts: open and acknowledged ones, newest first."""
    if context.invoked_subcommand is None:
        from drift.rendering import alerts_table

        found = _store(database).alerts(states=None if everything else ["open", "acknowledged"])
        if as_json:
            from dataclasses import asdict

            _print_json([asdict(alert) for alert in found])
        elif not found:
            print("no alerts" if everything else "no open alerts")
        else:
            alerts_table(found)


@alerts_app.command("show")
def alerts_show(
    alert: Annotated[str, typer.Argument(help="Its id.")], as_json: Json = False, database: Database = DATABASE
) -> None:
    """Show the diary of one alert."""
    from dataclasses import asdict

    from drift.rendering import alert_diary

    store = _store(database)
    found, events = _one_alert(store, alert)
    if as_json:
        _print_json(asdict(found) | {"events": [asdict(e) for e in events]})
    else:
        alert_diary(found, events)


def _one_alert(store: Store, prefix: str) -> tuple[Any, Any]:
    matches = [a for a in store.alerts() if a.id.startswith(prefix)]
    if len(matches) != 1:
        raise DriftError(f"{'no' if not matches else 'more than one'} alert begins with {prefix!r}: drift alerts --all")
    return matches[0], store.alert_events(matches[0].id)


@alerts_app.command("ack")
def alerts_ack(
    alert: Annotated[str, typer.Argument(help="Its id.")],
    by: Annotated[str, typer.Option(envvar="USER", help="Who.")] = "unknown",
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    database: Database = DATABASE,
) -> None:
    """Acknowledge an alert: somebody is on it."""
    _by_hand(database, alert, "acknowledge", by, comment)


@alerts_app.command("resolve")
def alerts_resolve(
    alert: Annotated[str, typer.Argument(help="Its id.")],
    by: Annotated[str, typer.Option(envvar="USER", help="Who.")] = "unknown",
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    database: Database = DATABASE,
) -> None:
    """Resolve an alert by hand."""
    _by_hand(database, alert, "resolve", by, comment)


def _by_hand(database: str, prefix: str, action: Literal["acknowledge", "resolve"], by: str, comment: str) -> None:
    from drift import alerting

    store = _store(database)
    found, _ = _one_alert(store, prefix)
    changed = alerting.answer(store, found, action, by=by, comment=comment, now=_now())
    print(f"{changed.key} ({changed.monitor}): {changed.state}")


@alerts_app.command("deliver")
def alerts_deliver(as_json: Json = False, database: Database = DATABASE) -> None:
    """Send what the outbox still owes: what failed earlier and is due again."""
    from dataclasses import asdict

    from drift import alerting

    done = alerting.deliver(_store(database), _route, now=_now())
    _print_json(asdict(done)) if as_json else print(done)


# -- replay ----------------------------------------------------------------------------------------------------------


Last = Annotated[int | None, typer.Option("--last", min=1, help="Only the newest so many windows.")]
Since = Annotated[str | None, typer.Option("--from", help="First local date.")]
Until = Annotated[str | None, typer.Option("--to", help="Last local date, included.")]


@app.command()
def replay(
    monitor: MonitorName,
    last: Last = None,
    start: Since = None,
    end: Until = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE, such as detection.effect.warning=0.02.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Take detection and reference of this file.")] = None,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Show what other settings would have told of the stored windows; reads no source and writes nothing."""
    from dataclasses import replace

    from drift import replay as replays
    from drift.config import load_monitor
    from drift.rendering import replay_tables
    from drift.settings import adopt, read_settings, with_settings

    watch = _watch(monitor, folder, database)
    asked = adopt(watch.monitor, load_monitor(config)) if config else watch.monitor
    asked = with_settings(asked, read_settings(settings or []))
    lead = max(replays.lead_of(watch.monitor), replays.lead_of(asked))
    windows, lead = _stored(watch, last, start, end, lead)
    memory = replays.Memory(watch.store)
    in_force = replays.replay(watch, memory, windows, lead=lead)
    changed = settings or config
    asked_for = replays.replay(replace(watch, monitor=asked), memory.afresh(), windows, lead=lead) if changed else None
    if as_json:
        _print_json(replays.to_dict(in_force, asked_for))
    else:
        replay_tables(in_force, asked_for)


@app.command()
def tune(
    monitor: MonitorName,
    wished: Annotated[float, typer.Option("--pages-per-month", min=0, help="So many pages that tell of drift.")] = 2.0,
    last: Last = None,
    start: Since = None,
    end: Until = None,
    seed: Annotated[int, typer.Option(min=0, help="Seeds where faults are planted.")] = 0,
    plants: Annotated[int, typer.Option(min=0, max=10_000, help="How often each fault is planted.")] = 40,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Propose settings for a wished number of pages a month, with what they would have caught and missed."""
    import numpy as np

    from drift import tuning
    from drift.rendering import proposal_tables

    watch = _watch(monitor, folder, database)
    windows, lead = _stored(watch, last, start, end, tuning.lead_needed(watch.monitor))
    rng = np.random.default_rng(seed)
    found = tuning.tune(watch, windows, lead=lead, wished=wished, rng=rng, times=plants)
    if as_json:
        _print_json(found.to_dict())
    else:
        proposal_tables(found)


def _stored(watch: Watch, last: int | None, start: str | None, end: str | None, lead: int) -> tuple[list[Window], int]:
    from drift.replay import windows_run

    calendar = watch.monitor.window.calendar
    first, until = (calendar.starting(_moment(day)) if day else None for day in (start, end))
    return windows_run(watch.store, watch.monitor, last=last, first=first, until=until, lead=lead)


# -- database --------------------------------------------------------------------------------------------------------


@db_app.command("upgrade")
def db_upgrade(database: Database = DATABASE) -> None:
    """Create the results database, or bring it up to this version."""
    from drift import migrate

    migrate.upgrade(database)
    print(f"{_safe(database)} is at revision {migrate.current(database)}")


@db_app.command("downgrade")
def db_downgrade(
    revision: Annotated[str, typer.Argument(help="A revision, or base.")], database: Database = DATABASE
) -> None:
    """Take the results database back to a revision."""
    from drift import migrate

    migrate.downgrade(database, revision)
    print(f"{_safe(database)} is at revision {migrate.current(database)}")


@db_app.command("current")
def db_current(database: Database = DATABASE) -> None:
    """Print the revision the results database is at."""
    from drift import migrate

    print(migrate.current(database) or "not created: drift db upgrade")


def _safe(url: str) -> str:
    from drift.database import hidden

    return hidden(url)


# -- services --------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Where the demo lives.")] = Path("demo"),
    airflow: Annotated[bool, typer.Option("--airflow", help="Start Airflow with the demo's monitors instead.")] = False,
    port: Annotated[int, typer.Option(help="Airflow's port, with --airflow.")] = 8080,
) -> None:
    """Watch a year of real flights, find the blizzard, raise the alert: the whole job with embedded defaults."""
    from drift import demo as show

    if airflow:
        raise typer.Exit(show.airflow(folder, port=port))
    show.run(folder)


@app.command()
def dashboard(
    host: Annotated[str, typer.Option(help="Address to bind; other than loopback needs --token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 8090,
    token: Annotated[str | None, typer.Option(envvar="DRIFT_TOKEN", help="What readers must present.")] = None,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Serve the dashboard."""
    from drift.dashboard import serve

    serve(_store(database), host=host, port=port, token=token, monitors=folder)


# -- shared ----------------------------------------------------------------------------------------------------------


def _now() -> datetime:
    return datetime.now(UTC)


def _store(database: str) -> Store:
    from drift.store import Store

    return Store.open(database)


def _watch(name: str, folder: Path, database: str) -> Watch:
    from drift.config import load_monitor
    from drift.connections import resolve_url
    from drift.watch import Watch

    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        monitor = load_monitor(path)
    else:
        if not folder.is_dir():
            raise DriftError(f"{folder} is no folder: name the monitor's file, or its folder with --monitors")
        monitor = _find_monitor(name, folder)
    return Watch(monitor, _store(database), lambda connection: resolve_url(connection, os.environ))


def _find_monitor(name: str, folder: Path) -> Monitor:
    """Return a monitor by name; a broken file beside it is in its way only where it may be the one that is meant."""
    from drift.config import load_monitor

    known, problems = {}, []
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            monitor = load_monitor(path)
        except ConfigError as error:
            problems += error.problems
        else:
            known[monitor.name] = monitor
    if name in known:
        return known[name]
    if problems:
        raise ConfigError(problems)
    raise DriftError(f"{folder} has no monitor {name!r}; it has: {', '.join(sorted(known)) or 'none'}")


def _route(name: str) -> str:
    from drift.notify import resolve_route

    return resolve_route(name, os.environ)


def _moment(text: str) -> date | datetime:
    try:
        return date.fromisoformat(text) if len(text) == len("2013-02-08") else datetime.fromisoformat(text)
    except ValueError as error:
        raise DriftError(f"{text!r} is no date: write 2013-02-08, or 2013-02-08T17:00 for windows of hours") from error


def _window(watch: Watch, day: str | None) -> Window:
    calendar = watch.monitor.window.calendar
    return calendar.starting(_moment(day)) if day else calendar.last_complete(_now())


def _range(watch: Watch, start: str, end: str) -> list[Window]:
    calendar = watch.monitor.window.calendar
    first, last = calendar.starting(_moment(start)), calendar.starting(_moment(end))
    if last < first:
        raise DriftError(f"--to {end} is before --from {start}")
    return list(calendar.between(first.start, last.end))


def _progress(total: int, what: str, *, quiet: bool) -> Any:
    from drift.rendering import progress

    return progress(total, what, quiet=quiet)


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(report.to_json(indent=2))
        return
    from drift.rendering import report_table

    report_table(report)


def _exit(report: Report, fail_on: FailOn | None) -> None:
    told = {"warning": {"warning", "critical"}, "critical": {"critical"}}
    if fail_on and any(v.status in told[fail_on] for v in report.verdicts):
        raise typer.Exit(1)


def _print_json(value: Mapping[str, Any] | Sequence[Any] | Iterable[Any]) -> None:
    def plain(thing: object) -> object:
        if isinstance(thing, datetime):
            return thing.isoformat().replace("+00:00", "Z")
        return str(thing)

    print(json.dumps(value, indent=2, ensure_ascii=False, default=plain))


if __name__ == "__main__":
    main()
