"""What the terminal shows: tables with a word for every colour."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from drift.monitoring import Watch
    from drift.reports import Report

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


def console() -> Console:
    """Return a console on standard output; where nobody watches it is 160 columns wide."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=160, soft_wrap=False)


def status(word: str) -> Text:
    """Return a status in its colour."""
    return Text(word, style=COLOURS.get(word, ""))


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
    for verdict in report.drifting:
        for line in report.explain(verdict.feature):
            out.print(Text(f"  {verdict.feature}: {line}"))
    for finding in report.findings:
        out.print(Text(f"note: {finding}"))


def history_table(watch: Watch, rows: Sequence[Mapping[str, Any]], feature: str | None) -> None:
    """Print stored scores: one line a window for one feature, one line a feature with a sparkline for all."""
    from drift.windows import Window

    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    if feature is not None:
        for name in ("window", "KL (nats)", "95 % interval", "n", "status", "why"):
            table.add_column(name, justify="right" if name in {"KL (nats)", "n"} else "left")
        for row in rows:
            label = watch.label(Window(row["window_start"], row["window_end"]))
            if row["kl"] is None:
                table.add_row(label, "-", "-", "-", status(row["status"]), escape(row["reason"]))
                continue
            interval = f"{row['ci_low']:.4f} … {row['ci_high']:.4f}"
            table.add_row(
                label,
                f"{row['kl']:.4f}",
                interval,
                f"{row['n_current']:,}",
                status(row["status"]),
                escape(row["reason"]),
            )
        out.print(Text(f"{watch.name} {feature}: D(current‖reference) in nats", style="bold"))
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
            when = watch.label(Window(worst["window_start"], worst["window_end"]))
            spark = sparkline([row["kl"] for row in mine], top=max(worst["kl"], mine[-1]["critical"]))
            last = f"{scored[-1]['kl']:.4f}"
            table.add_row(escape(name), spark, last, f"{worst['kl']:.4f}", when, status(mine[-1]["status"]))
        out.print(Text(f"{watch.name}: D(current‖reference) in nats, newest window right", style="bold"))
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
    before, after = evidence.reference_summary, evidence.current_summary
    if before and after and before.n and after.n:
        out.print(
            f"  mean {before.mean:.4g} → {after.mean:.4g}; range {before.low:.4g} … {before.high:.4g} → "
            f"{after.low:.4g} … {after.high:.4g}",
            highlight=False,
        )
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


def baseline_table(watch: Watch, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print binnings, a line a feature and version."""
    from drift.binning import binning_from_dict

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("feature", "version", "cells", "fitted on", "rows", "by", "at", "why"):
        table.add_column(name, justify="right" if name in {"version", "cells", "rows"} else "left")
    zone = watch.monitor.window.calendar.zone
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


def alerts_table(alerts: Sequence[Any]) -> None:
    """Print alerts, a line each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "monitor", "what", "state", "severity", "since", "last seen", "why"):
        table.add_column(name, overflow="fold")
    for alert in alerts:
        table.add_row(
            alert.id[:8],
            escape(alert.monitor),
            escape(alert.key),
            status(alert.state),
            status(alert.severity),
            f"{alert.opened_window:%Y-%m-%d %H:%MZ}",
            f"{alert.last_window:%Y-%m-%d %H:%MZ}",
            escape(alert.reason),
        )
    console().print(table)


def alert_diary(alert: Any, events: Sequence[Any]) -> None:
    """Print one alert and everything that happened to it."""
    out = console()
    out.print(Text.assemble(f"{alert.monitor} {alert.key}: ", status(alert.state), ", ", status(alert.severity)))
    for event in events:
        when = f"{event.window_start:%Y-%m-%d %H:%MZ}" if event.window_start else f"{event.at:%Y-%m-%d %H:%MZ}"
        out.print(Text(f"  {when}  {event.transition}: {event.reason} ({event.actor})"))


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
