"""What the terminal shows: tables with a word for every colour."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from drift.detection.scores import STATUS_ORDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from drift.detection.reports import Report
    from drift.pipeline.context import Context
    from drift.pipeline.replay import Replay
    from drift.pipeline.tuning import Proposal

COLOURS = {
    "critical": "bold red",
    "warning": "yellow",
    "ok": "green",
    "error": "magenta",
    "rejected": "magenta",
    "open": "red",
    "acknowledged": "yellow",
    "resolved": "green",
}
SPARKS = "▁▂▃▄▅▆▇█"
MOST_SEGMENTS = 20


def console() -> Console:
    """Return a console on standard output; where nobody watches it is 160 columns wide."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=160, soft_wrap=False)


def status(word: str) -> Text:
    """Return a status in its colour."""
    return Text(word, style=COLOURS.get(word, ""))


def check_line(state: str, name: str, message: str, fix: str = "") -> None:
    """Print what a look at an installation found, and beneath it what to do."""
    out = console()
    colour = {"ok": "green", "warn": "yellow", "fail": "bold red"}[state]
    out.print(Text.assemble((f"{state:<5}", colour), (f"{name}: ", "bold"), message), soft_wrap=True)
    if fix:
        out.print(Text(f"      {fix}"), soft_wrap=True)


def report_table(report: Report) -> None:
    """Print a report: its title, a row a feature (worst first), what moved, findings."""
    out = console()
    out.print(Text(report.title(), style="bold"))
    if report.verdicts:
        heading, rows = report.table()
        table = Table(box=None, pad_edge=False, header_style="bold")
        right = {"KL (nats)", "n"}
        for name in heading:
            table.add_column(name, justify="right" if name in right else "left", overflow="fold", no_wrap=name != "why")
        for row in rows:
            table.add_row(*(status(cell) if i in {6, 7} else escape(cell) for i, cell in enumerate(row)))
        out.print(table)
    out.print(Text(report.rollup().line()))
    for verdict in report.drifting:
        for line in report.explain(verdict.feature):
            out.print(Text(f"  {verdict.feature}: {line}"))
    for finding in report.findings:
        out.print(Text(f"note: {finding}"))
    if report.segments:
        segment_table(report)


def segment_table(report: Report) -> None:
    """Print what drifts in segments, the worst first, and how many of them do not."""
    out = console()
    drifting = [(one, verdict) for one in report.segments.values() for verdict in one.drifting]
    quiet = sum(not one.drifting for one in report.segments.values())
    out.print(Text(f"{quiet} of {len(report.segments)} segments are quiet"))
    if not drifting:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("segment", "feature", "KL (nats)", "n", "status", "why"):
        table.add_column(name, justify="right" if name in {"KL (nats)", "n"} else "left", overflow="fold")
    drifting.sort(key=lambda each: (STATUS_ORDER[each[1].status], -(each[1].score.kl if each[1].score else 0.0)))
    for one, verdict in drifting[:MOST_SEGMENTS]:
        figure = f"{verdict.score.kl:.4f}" if verdict.score else "-"
        cells = escape(one.segment), escape(verdict.feature), figure, f"{one.n_current:,}"
        table.add_row(*cells, status(verdict.status), escape(verdict.reason))
    out.print(table)
    if (more := len(drifting) - MOST_SEGMENTS) > 0:
        out.print(Text(f"… and {more} more: drift explain {report.monitor} FEATURE --segment NAME"))


def history_table(context: Context, rows: Sequence[Mapping[str, Any]], feature: str | None) -> None:
    """Print stored scores: one line a window for one feature, one line a feature with a sparkline for all."""
    from drift.windows import Window

    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    if feature is not None:
        for name in ("window", "KL (nats)", "corrected (95 %)", "n", "status", "why"):
            table.add_column(name, justify="right" if name in {"KL (nats)", "n"} else "left")
        for row in rows:
            label = context.label(Window(row["window_start"], row["window_end"]))
            if row["kl"] is None:
                table.add_row(label, "-", "-", "-", status(row["status"]), escape(row["reason"]))
                continue
            interval = f"{max(row['kl_corrected'], 0):.4f} ({row['ci_low']:.4f} … {row['ci_high']:.4f})"
            table.add_row(
                label,
                f"{row['kl']:.4f}",
                interval,
                f"{row['n_current']:,}",
                status(row["status"]),
                escape(row["reason"]),
            )
        out.print(Text(f"{context.name} {feature}: D(current‖reference) in nats", style="bold"))
    else:
        by_feature: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            by_feature.setdefault(row["feature"], []).append(row)
        for name in ("feature", "KL by window", "last", "worst", "on", "status"):
            table.add_column(name, justify="right" if name in {"last", "worst"} else "left")
        for name, mine in by_feature.items():
            scored = [row for row in mine if row["kl"] is not None]
            if not scored:
                table.add_row(escape(name), "", "-", "-", "-", status(mine[-1]["status"]))
                continue
            worst = max(scored, key=lambda row: row["kl"])
            when = context.label(Window(worst["window_start"], worst["window_end"]))
            spark = sparkline([row["kl"] for row in mine], top=max(worst["kl"], mine[-1]["critical"]))
            last = f"{scored[-1]['kl']:.4f}"
            table.add_row(escape(name), spark, last, f"{worst['kl']:.4f}", when, status(mine[-1]["status"]))
        out.print(Text(f"{context.name}: D(current‖reference) in nats, newest window right", style="bold"))
    out.print(table)


def sparkline(values: Sequence[float | None], *, top: float) -> str:
    """Draw numbers as a row of blocks, a dot where there is none.

    Examples
    --------
    >>> sparkline([0.0, None, 0.5, 1.0], top=1.0)
    '▁·▅█'
    """
    last = len(SPARKS) - 1
    return "".join("·" if value is None else SPARKS[min(last, round(last * max(value, 0) / top))] for value in values)


def explanation(report: Report, feature: str) -> None:
    """Print what each cell of a feature adds to its KL, in words and as a table."""
    out = console()
    verdict = report[feature]
    out.print(Text(report.title(), style="bold"))
    out.print(Text.assemble(f"{feature}: ", status(verdict.status), f", {verdict.reason}"))
    evidence, score = report.evidence.get(feature), verdict.score
    if evidence is None or score is None:
        return
    low, high = score.ci_low, score.ci_high
    out.print(
        f"D(current‖reference) {score.kl:.4f} nats (95 % {low:.4f} … {high:.4f}); reverse {score.kl_reverse:.4f}; "
        f"PSI {score.psi:.4f}; Jensen-Shannon divergence {score.js:.4f}, distance {score.js_distance:.4f}",
        highlight=False,
    )
    for line in report.explain(feature):
        out.print(Text(f"  {line}"))
    sides = Table(box=None, pad_edge=False, header_style="bold")
    named = {"reference": evidence.pictures[0], "current": evidence.pictures[1]}
    columns = {side: seen.words(evidence.current.binning) for side, seen in named.items()}
    for name in ("", *columns["reference"]):
        sides.add_column(name, justify="right" if name else "left")
    for side, words in columns.items():
        sides.add_row(side, *words.values())
    out.print(sides)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("cell", "reference", "current", "share before", "share now", "nats", ""):
        table.add_column(name, justify="left" if name in {"cell", ""} else "right")
    widest = max(float(score.contributions.max()), 1e-12)
    for (cell, n_before, n_after, share_before, share_after), part in zip(
        evidence.cells(), score.contributions.tolist(), strict=True
    ):
        if n_before or n_after:
            bar = "█" * round(24 * part / widest)
            table.add_row(
                escape(cell),
                f"{n_before:,}",
                f"{n_after:,}",
                f"{share_before:.2%}",
                f"{share_after:.2%}",
                f"{part:.4f}",
                bar,
            )
    out.print(table)


def baseline_table(context: Context, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print binnings, a line a feature and version."""
    from drift.profiles.binning import binning_from_dict

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("feature", "version", "cells", "fitted on", "rows", "by", "at", "why"):
        table.add_column(name, justify="right" if name in {"version", "cells", "rows"} else "left")
    zone = context.monitor.window.calendar.zone
    for row in rows:
        span = f"{row['fitted_from'].astimezone(zone):%Y-%m-%d} … {row['fitted_to'].astimezone(zone):%Y-%m-%d}"
        table.add_row(
            escape(row["feature"]),
            str(row["version"]),
            str(binning_from_dict(row["spec"]).n_cells),
            span,
            f"{row['n_rows']:,}",
            escape(row["created_by"]),
            f"{row['created_at'].astimezone(zone):%Y-%m-%d %H:%M}",
            escape(row["reason"]),
        )
    console().print(table)


def alerts_table(alerts: Sequence[Any], now: datetime) -> None:
    """Print alerts, a line each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "monitor", "what", "state", "severity", "since", "last seen", "why"):
        table.add_column(name, overflow="fold")
    for alert in alerts:
        table.add_row(
            alert.id[:8],
            escape(alert.monitor),
            escape(alert.key),
            status(alert.state) + Text(" (snoozed)" if alert.snoozed(now) else ""),
            status(alert.severity),
            f"{alert.opened_window:%Y-%m-%d %H:%MZ}",
            f"{alert.last_window:%Y-%m-%d %H:%MZ}",
            escape(alert.reason),
        )
    console().print(table)


def alert_timeline(alert: Any, events: Sequence[Any]) -> None:
    """Print one alert and everything that happened to it."""
    out = console()
    out.print(Text.assemble(f"{alert.monitor} {alert.key}: ", status(alert.state), ", ", status(alert.severity)))
    for event in events:
        when = f"{event.window_start:%Y-%m-%d %H:%MZ}" if event.window_start else f"{event.at:%Y-%m-%d %H:%MZ}"
        suppressed_by = f" · not notified: {event.suppressed_by}" if event.suppressed_by else ""
        out.print(Text(f"  {when}  {event.transition}: {event.reason} ({event.actor}){suppressed_by}"))


def silences_table(silences: Sequence[Any], now: datetime) -> None:
    """Print what is or was muted, a line each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "monitor", "features", "until", "by", "why", "ended"):
        table.add_column(name, overflow="fold")
    for one in silences:
        over = "" if one.active(now) else "by itself"
        ended = f"{one.ended_at:%Y-%m-%d %H:%MZ} by {one.ended_by}: {one.ended_reason}" if one.ended_at else over
        table.add_row(
            one.id,
            escape(one.monitor),
            escape(one.features),
            f"{one.until:%Y-%m-%d %H:%MZ}",
            escape(one.created_by),
            escape(one.reason),
            escape(ended),
        )
    console().print(table)


def notifications_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print messages that wait or were given up, a line each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "monitor", "route", "what", "state", "tried", "created", "why"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(
            row["id"][:8],
            escape(row["monitor"]),
            escape(row["route"]),
            escape(row["title"]),
            {"dead": "given up", "pending": "waits"}.get(row["state"], row["state"]),
            str(row["attempts"]),
            f"{row['created_at']:%Y-%m-%d %H:%MZ}",
            escape(row["last_error"] or ""),
        )
    console().print(table)


def replay_tables(in_force: Replay, asked_for: Replay | None) -> None:
    """Print what settings would have told: counts by key, then every page, two settings side by side."""
    out = console()
    sides = {"in force": in_force} if asked_for is None else {"in force": in_force, "asked for": asked_for}
    out.print(Text(_replayed(in_force), style="bold"))
    counts = Table(box=None, pad_edge=False, header_style="bold")
    counts.add_column("pages")
    for name in sides:
        counts.add_column(name, justify="right")
    counts.add_row("all", *(str(len(side.calls)) for side in sides.values()))
    counts.add_row("a month", *(f"{side.a_month(len(side.calls)):.1f}" for side in sides.values()))
    for severity in ("critical", "warning"):
        told = (sum(call.severity == severity for call in side.calls) for side in sides.values())
        counts.add_row(status(severity), *map(str, told))
    for key in dict.fromkeys(key for side in sides.values() for key in side.by_key):
        counts.add_row(escape(key), *(str(side.by_key.get(key, 0)) for side in sides.values()))
    out.print(counts)
    calls = {(call.window, call.key): call for side in reversed(sides.values()) for call in side.calls}
    pages = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("window", "what", *sides, "why"):
        pages.add_column(name, overflow="fold", no_wrap=name != "why")
    for place in sorted(calls):
        same = [next((c for c in side.calls if (c.window, c.key) == place), None) for side in sides.values()]
        words = (status(call.severity) if call else Text("-") for call in same)
        pages.add_row(calls[place].label, escape(calls[place].key), *words, escape(calls[place].reason))
    if calls:
        out.print()
        out.print(pages)


def _replayed(replay: Replay) -> str:
    windows, calendar = replay.windows, replay.monitor.window.calendar
    first, last = calendar.label(windows[0]), calendar.label(windows[-1])
    return f"{replay.monitor.name}: {len(windows)} windows, {first} … {last}, replayed from stored counts"


def proposal_tables(proposal: Proposal) -> None:
    """Print proposed settings: what they would have caught and missed, the trade-off, and what to paste."""
    from drift.pipeline.fault_injection import WINDOWS

    out = console()
    span = proposal.monitor.window.calendar.span
    faults = list(proposal.current.recalls)
    out.print(Text(_replayed(proposal.before), style="bold"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("settings", no_wrap=True)
    table.add_column("pages a month", justify="right")
    for fault in faults:
        table.add_column(fault, justify="right")
    rows = {"in force": proposal.current} if proposal.yaml else {}
    rows |= {"proposed" if proposal.yaml else "in force, kept": proposal.proposed}
    others = [trial for trial in proposal.front if trial.detection not in [row.detection for row in rows.values()]]
    for name, trial in [*rows.items(), *(("tried", trial) for trial in others)]:
        shares = [
            f"{recall.at_once / recall.planted:.0%} / {recall.in_time / recall.planted:.0%}"
            for recall in (trial.recalls[fault] for fault in faults)
        ]
        table.add_row(name, trial.name, f"{trial.a_month:.1f}", *shares)
    out.print(table)
    planted = ", ".join(f"{recall.planted} × {fault}" for fault, recall in proposal.current.recalls.items())
    if planted:
        every, lasted = f"{span.amount}{span.unit}", f"{span.amount * WINDOWS}{span.unit}"
        out.print(f"planted faults found within {every} / {lasted}; planted where it was quiet: {planted}")
    other = {call.key: None for call in proposal.after.calls if not call.about_data}
    if other:
        count = sum(not call.about_data for call in proposal.after.calls)
        out.print(f"{count} more pages tell of {', '.join(other)}, which no threshold changes", markup=False)
    for what, calls in (("no longer told", proposal.dropped), ("newly told", proposal.added)):
        for call in calls:
            out.print(Text.assemble(f"{what}: {call.label} {call.key} ", status(call.severity), f", {call.reason}"))
    if not proposal.reached:
        out.print(f"no settings that were tried page only {proposal.wished:g} times a month; these are the quietest")
    out.print()
    out.print(proposal.yaml.rstrip() or "nothing to change", markup=False, highlight=False)


@contextmanager
def progress(total: int, what: str, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Show a progress bar on standard error; yields a function that takes the name of each finished step."""
    if quiet or not total:
        yield lambda _step: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[step]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total, step="")

        def advance(step: str) -> None:
            bar.update(task, advance=1, step=step)

        yield advance
