"""`drift baseline`: the frozen bins that windows are counted into, and the windows they stand for."""

from __future__ import annotations

import typer

from drift.cli.options import (
    DATABASE,
    MONITORS,
    By,
    Database,
    Day,
    Folder,
    From,
    Json,
    MonitorName,
    Reason,
    To,
    now,
    open_context,
    print_json,
    say,
    window_of,
)
from drift.pipeline import spans

baseline_app = typer.Typer(
    help="Show, fit and promote the frozen bins and the windows they were fitted on.", no_args_is_help=True
)


@baseline_app.command("show")
def baseline_show(
    monitor: MonitorName, as_json: Json = False, folder: Folder = MONITORS, database: Database = DATABASE
) -> None:
    """Show the bins of a monitor: each version of each feature, what it was fitted on, by whom and why."""
    from drift.cli.tables import baseline_table

    context = open_context(monitor, folder, database)
    rows = context.store.baseline_rows(context.name)
    if as_json:
        print_json({"monitor": context.name, "baseline": rows})
    elif not rows:
        say(f"{context.name} has no baseline yet: the first run with enough references fits one")
    else:
        baseline_table(context, rows)


@baseline_app.command("fit")
def baseline_fit(
    monitor: MonitorName,
    by: By,
    day: Day = None,
    reason: Reason = "on request",
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Fit new bins on the references of a window. Scores under the old bins stay as they are."""
    from drift.pipeline import baselines

    context = open_context(monitor, folder, database)
    window = window_of(context, day)
    binnings = baselines.fit(context, window, now=now(), by=by, reason=reason)
    say(f"{context.name}: bins of {len(binnings)} features, fitted for {context.label(window)}")


@baseline_app.command("promote")
def baseline_promote(
    monitor: MonitorName,
    start: From,
    end: To,
    reason: Reason,
    by: By,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Make the windows from one date to another the baseline, with the bins as they are."""
    from dataclasses import asdict

    from drift.pipeline import baselines

    context = open_context(monitor, folder, database)
    done = baselines.promote(
        context, spans.between(context.monitor.window.calendar, start, end), now=now(), by=by, reason=reason
    )
    if as_json:
        print_json({"monitor": context.name, **asdict(done)})
        return
    state = f"of {done.features} features" if done.features else "already, nothing to do"
    say(f"{context.name}: the baseline is {done.span} ({done.windows} windows, {done.rows:,} rows) {state}")
    fixed = context.monitor.reference.fixed
    if fixed and fixed != "baseline":
        say(f"windows are still compared with {context.monitor.reference}: write reference: {{fixed: baseline}}")


@baseline_app.command("rescore")
def baseline_rescore(
    monitor: MonitorName,
    start: From,
    end: To,
    as_json: Json = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Score stored windows again with the references now in force, and list those that could not be scored."""
    from drift.pipeline import baselines

    context = open_context(monitor, folder, database)
    done = baselines.rescore(context, spans.between(context.monitor.window.calendar, start, end), now=now())
    kept = {context.label(window): why for window, why in done.kept.items()}
    if as_json:
        print_json({"monitor": context.name, "rescored": [report.label for report in done.reports], "kept": kept})
        return
    say(f"{context.name}: {len(done.reports)} windows scored again, {len(kept)} left as they were")
    for label, why in kept.items():
        say(f"  {label}: {why}")
