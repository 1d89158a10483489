"""What the terminal shows: tables with a word for every colour."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from drift.alerts.circumstances import KINDS
from drift.detection.evidence import explain
from drift.detection.scores import STATUS_ORDER
from drift.text.formatting import at_random, day, nats, percent, thousands, when
from drift.text.visible import visible
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from drift.alerts.alerts import Alert, AlertEvent
    from drift.alerts.circumstances import Event
    from drift.alerts.silences import Silence
    from drift.detection.localise import Where
    from drift.detection.pair import PairMeasured
    from drift.detection.relationships import Broken
    from drift.detection.reports import Report
    from drift.pipeline.context import Context
    from drift.pipeline.fault_injection import Recall
    from drift.pipeline.recall import RecalledPair
    from drift.pipeline.replay import Replay
    from drift.pipeline.tuning import Proposal
    from drift.windows import Calendar

COLOURS = {
    "critical": "bold red",
    "warning": "yellow",
    "ok": "green",
    "error": "magenta",
    "rejected": "magenta",
    "not_judged": "magenta",
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
    return Text(visible(word), style=COLOURS.get(word, ""))


def print_line(*parts: str | Text, style: str = "") -> None:
    """Print one line: text of any origin is neither markup nor obeyed, and only the terminal wraps it."""
    shown = (part if isinstance(part, Text) else visible(part) for part in parts)
    console().print(Text.assemble(*shown, style=style), soft_wrap=True)


def check_line(state: str, name: str, message: str, fix: str = "") -> None:
    """Print one check of an installation, and below it what to do."""
    colour = {"ok": "green", "warn": "yellow", "fail": "bold red"}[state]
    print_line(Text(f"{state:<5}", colour), Text(f"{visible(name)}: ", "bold"), message)
    if fix:
        print_line(f"      {fix}")


def print_table(
    heading: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    right: Collection[str] = (),
    no_wrap: Collection[str] = (),
) -> None:
    """Print a table without lines; text of any origin is neither markup nor obeyed.

    Some columns are set to the right. The first and some others are kept in one line: what is wrapped there could pass
    for a row.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(heading):
        justify: Literal["right", "left"] = "right" if name in right else "left"
        whole = not i or name in no_wrap
        table.add_column(name, justify=justify, overflow="ellipsis" if whole else "fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(visible(cell)) for cell in row))
    console().print(table)


def report_table(report: Report) -> None:
    """Print a report: its title, a row for each feature (worst first), what moved, findings."""
    print_line(report.title(), style="bold")
    if report.verdicts:
        heading, rows = report.table()
        styled = [[status(cell) if i in {6, 7} else cell for i, cell in enumerate(row)] for row in rows]
        print_table(heading, styled, right={"KL (nats)", "n"}, no_wrap={*heading} - {"why"})
    print_line(report.rollup().line())
    for verdict in report.drifting:
        for line in explain(verdict, report.evidence.get(verdict.feature)):
            print_line(f"  {verdict.feature}: {line}")
    for note in report.notes():
        print_line(f"note: {note}")
    for broken in report.relationships if report.window else ():
        print_line(f"  {pair_command(report, broken)}")
    if report.unjudged_pairs:
        print_line(f"pairs of columns not judged: {report.unjudged_pairs}")
    if report.segments:
        segment_table(report)


def pair_command(report: Report, broken: Broken) -> str:
    """Return the command that shows the clearest pair of a column that no longer goes with others."""
    return shlex.join(["drift", "explain", report.monitor, "--pair", *broken.pairs[0].columns, "--date", report.label])


def segment_table(report: Report) -> None:
    """Print what drifts in segments, the worst first, and how many of them do not."""
    drifting = [(one, verdict) for one in report.segments.values() for verdict in one.drifting]
    statuses = [one.status for one in report.segments.values()]
    quiet, unjudged = (statuses.count(word) for word in ("ok", "not_judged"))
    others = f", {unjudged} not judged" if unjudged else ""
    print_line(f"{quiet} of {len(statuses)} segments are quiet{others}")
    if not drifting:
        return
    drifting.sort(key=lambda each: (STATUS_ORDER[each[1].status], -(each[1].score.kl if each[1].score else 0.0)))
    rows = [
        (
            one.segment,
            v.feature,
            f"{v.score.kl:.4f}" if v.score else "-",
            thousands(one.n_current),
            status(v.status),
            v.reason,
        )
        for one, v in drifting[:MOST_SEGMENTS]
    ]
    print_table(("segment", "feature", "KL (nats)", "n", "status", "why"), rows, right={"KL (nats)", "n"})
    if (more := len(drifting) - MOST_SEGMENTS) > 0:
        print_line(f"… and {more} more: drift explain {report.monitor} FEATURE --segment NAME")


def history_table(context: Context, rows: Sequence[Mapping[str, Any]], feature: str | None) -> None:
    """Print stored scores: one line a window for one feature, one line a feature with a sparkline for all."""
    whose = f"{context.name}{f' {feature}' if feature else ''}: D(current‖reference) in nats"
    print_line(whose if feature else f"{whose}, newest window right", style="bold")
    if feature:
        heading = ("window", "KL (nats)", "corrected (95 %)", "n", "status", "why")
        print_table(heading, [_window_row(context, row) for row in rows], right={"KL (nats)", "n"})
        return
    by_feature: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_feature.setdefault(row["feature"], []).append(row)
    lines = [_feature_row(context, name, mine) for name, mine in by_feature.items()]
    print_table(("feature", "KL by window", "last", "worst", "on", "status"), lines, right={"last", "worst"})


def _label(context: Context, row: Mapping[str, Any]) -> str:
    return context.label(Window(row["window_start"], row["window_end"]))


def _window_row(context: Context, row: Mapping[str, Any]) -> Sequence[str | Text]:
    figures = ("-", "-", "-")
    if row["kl"] is not None:
        interval = f"{max(row['kl_corrected'], 0):.4f} ({row['ci_low']:.4f} … {row['ci_high']:.4f})"
        figures = (f"{row['kl']:.4f}", interval, thousands(row["n_current"]))
    return _label(context, row), *figures, status(row["status"]), row["reason"]


def _feature_row(context: Context, name: str, rows: Sequence[Mapping[str, Any]]) -> Sequence[str | Text]:
    now = status(rows[-1]["status"])
    scored = [row for row in rows if row["kl"] is not None]
    if not scored:
        return name, "", "-", "-", "-", now
    worst = max(scored, key=lambda row: row["kl"])
    spark = sparkline([row["kl"] for row in rows], top=max(worst["kl"], rows[-1]["critical"]))
    return name, spark, f"{scored[-1]['kl']:.4f}", f"{worst['kl']:.4f}", _label(context, worst), now


def sparkline(values: Sequence[float | None], *, top: float) -> str:
    """Draw numbers as a row of blocks, a dot where there is none.

    Examples
    --------
    >>> sparkline([0.0, None, 0.5, 1.0], top=1.0)
    '▁·▅█'
    """
    last = len(SPARKS) - 1
    return "".join("·" if value is None else SPARKS[min(last, round(last * max(value, 0) / top))] for value in values)


def explanation(report: Report, feature: str, calendar: Calendar) -> None:
    """Print what each cell of a feature adds to its KL, in words and as a table."""
    verdict = report[feature]
    print_line(report.title(), style="bold")
    print_line(f"{feature}: ", status(verdict.status), f", {verdict.reason}")
    evidence, score = report.evidence.get(feature), verdict.score
    if evidence is None or score is None:
        return
    low, high = score.ci_low, score.ci_high
    print_line(
        f"D(current‖reference) {score.kl:.4f} nats (95 % {low:.4f} … {high:.4f}); reverse {score.kl_reverse:.4f}; "
        f"PSI {score.psi:.4f}; Jensen-Shannon divergence {score.js:.4f}, distance {score.js_distance:.4f}"
    )
    onset = verdict.explanation.onset
    for line in (*report.explain(feature), *([onset.words(calendar)] if onset and verdict.drifting else ())):
        print_line(f"  {line}")
    if found := verdict.explanation.where:
        slices_table(found)
    named = {"reference": evidence.descriptions[0], "current": evidence.descriptions[1]}
    sides = {side: seen.words(evidence.current.binning) for side, seen in named.items()}
    figures = [*sides["reference"]]
    print_table(["", *figures], [[side, *words.values()] for side, words in sides.items()], right=figures)
    widest = max(float(score.contributions.max()), 1e-12)
    rows = [
        (
            cell,
            thousands(before),
            thousands(now),
            percent(was, 2),
            percent(share, 2),
            f"{part:.4f}",
            "█" * round(24 * part / widest),
        )
        for (cell, before, now, was, share), part in zip(evidence.cells(), score.contributions.tolist(), strict=True)
        if before or now
    ]
    heading = ("cell", "reference", "current", "share before", "share now", "nats", "")
    print_table(heading, rows, right=heading[1:-1])


def pair_explanation(context: Context, found: RecalledPair, past: Sequence[PairMeasured]) -> None:
    """Print how two columns go together in a window: in words, the cells that moved, and the windows before."""
    one, calendar = found.compared, context.monitor.window.calendar
    a, b = one.columns
    print_line(f"{context.name} {found.label}: {a} × {b}; D(current‖reference) in nats", style="bold")
    print_line(found.state(calendar))
    for line in found.words():
        print_line(f"  {line}")
    moved = one.moved()
    widest = max([each.contribution for each in moved], default=0.0)
    rows = [
        (
            *each.cells,
            percent(each.share, 2),
            percent(each.usual, 2),
            percent(each.before, 2),
            nats(each.contribution),
            "█" * round(24 * each.contribution / widest),
        )
        for each in moved
    ]
    heading = (a, b, "share now", "usual", "share before", "nats", "")
    if rows:
        print_table(heading, rows, right=heading[2:-1], no_wrap={b})
        print_line("usual (q*): the share before, had both columns changed alone")
    lines = [
        (
            calendar.label(calendar.containing(each.window_start)),
            nats(each.kl_corrected),
            at_random(each.mixed),
            "–" if each.z is None else f"{each.z:z.1f}",
            status("strays") if each.strays else "",
        )
        for each in past
    ]
    figures = ("nats", "rows at random", "sd beyond usual")
    print_table(("window", *figures, ""), lines, right=figures)


def baseline_table(context: Context, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print binnings, a line a feature and version."""
    from drift.profiles.binning import binning_from_dict

    zone = context.monitor.window.calendar.zone
    lines = [
        (
            row["feature"],
            str(row["version"]),
            str(binning_from_dict(row["spec"]).n_cells),
            f"{day(row['fitted_from'], zone)} … {day(row['fitted_to'], zone)}",
            thousands(row["n_rows"]),
            row["created_by"],
            when(row["created_at"], zone),
            row["reason"],
        )
        for row in rows
    ]
    heading = ("feature", "version", "cells", "fitted on", "rows", "by", "at", "why")
    print_table(heading, lines, right={"version", "cells", "rows"})


def alerts_table(alerts: Iterable[Alert], now: datetime) -> None:
    """Print alerts, a line each, those of one incident together."""
    together: dict[str, list[Alert]] = {}
    for alert in alerts:
        together.setdefault(alert.incident, []).append(alert)
    rows = [
        (
            alert.id[:8],
            alert.incident[:8] if len(mine) > 1 else "",
            alert.monitor,
            alert.key,
            status(alert.state) + Text(" (snoozed)" if alert.snoozed(now) else ""),
            status(alert.severity),
            when(alert.opened_window),
            when(alert.last_window),
            alert.reason,
        )
        for mine in together.values()
        for alert in mine
    ]
    print_table(("id", "incident", "monitor", "what", "state", "severity", "since", "last seen", "why"), rows)


def slices_table(where: Where) -> None:
    """Print the slices of the rows in which a feature drifts, a line each; none where all are alike."""
    if where.alike:
        return
    rows = [(each.name, percent(each.before), percent(each.now), percent(each.left)) for each in where.slices]
    heading = ("slice", "rows before", "rows now", "divergence left without it")
    print_table(heading, rows, right=heading[1:])
    for each in where.slices:
        if each.sql:
            print_line(f"WHERE {each.sql}")


def alert_timeline(
    alert: Alert,
    events: Iterable[AlertEvent],
    since: str,
    incident: str,
    happened: Iterable[Event],
    opening: Report | None,
) -> None:
    """Print one alert, since when and where, its incident, what else happened then, and what happened to it.

    `opening` is the report of the window that opened it.
    """
    begun = f", {since}" if since else ""
    print_line(f"{alert.monitor} {alert.key}: ", status(alert.state), ", ", status(alert.severity), begun)
    print_line(f"  incident {alert.known_as}, {incident}")
    if alert.where:
        print_line(f"  {alert.where.words()}")
        slices_table(alert.where)
    if opening and alert.kind == "relationship":
        for broken in opening.relationships:
            if broken.column == alert.feature:
                print_line(f"  {pair_command(opening, broken)}")
    for other in happened:
        print_line(f"  also {when(other.at)}  {KINDS[other.kind]}: {other.text}")
    for event in events:
        at = when(event.window_start or event.at)
        quietly = f" · not notified: {event.suppressed_by}" if event.suppressed_by else ""
        print_line(f"  {at}  {event.transition}: {event.reason} ({event.actor}){quietly}")


def silences_table(silences: Iterable[Silence], now: datetime) -> None:
    """Print silences, a line each."""

    def ended(one: Silence) -> str:
        if one.ended_at:
            return f"{when(one.ended_at)} by {one.ended_by}: {one.ended_reason}"
        return "" if one.active(now) else "on its own"

    rows = [
        (one.id, one.monitor, one.features, when(one.until), one.created_by, one.reason, ended(one)) for one in silences
    ]
    print_table(("id", "monitor", "features", "until", "by", "why", "ended"), rows)


def notifications_table(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print notifications that are pending or were given up, a line each."""
    lines = [
        (
            row["id"][:8],
            row["monitor"],
            row["route"],
            row["title"],
            {"dead": "given up"}.get(row["state"], row["state"]),
            str(row["attempts"]),
            when(row["created_at"]),
            row["last_error"] or "",
        )
        for row in rows
    ]
    print_table(("id", "monitor", "route", "what", "state", "tried", "created", "why"), lines)


def replay_tables(sides: Mapping[str, Replay]) -> None:
    """Print what people would have been notified of: counts by key, then every page, settings side by side."""
    print_line(_replayed(sides["in force"]), style="bold")
    counts: list[Sequence[str | Text]] = [
        ["all", *(str(len(side.calls)) for side in sides.values())],
        ["a month", *(f"{side.a_month(len(side.calls)):.1f}" for side in sides.values())],
    ]
    for severity in ("critical", "warning"):
        paged = (sum(call.severity == severity for call in side.calls) for side in sides.values())
        counts.append([status(severity), *map(str, paged)])
    keys = dict.fromkeys(key for side in sides.values() for key in side.by_key)
    counts += [[key, *(str(side.by_key.get(key, 0)) for side in sides.values())] for key in keys]
    print_table(["pages", *sides], counts, right=sides)
    calls = {(call.window, call.key): call for side in reversed([*sides.values()]) for call in side.calls}
    pages: list[Sequence[str | Text]] = []
    for place in sorted(calls):
        same = [next((c for c in side.calls if (c.window, c.key) == place), None) for side in sides.values()]
        words = [status(each.severity) if each else "-" for each in same]
        call = calls[place]
        pages.append([call.label, call.key, *words, call.incident[:8], call.words])
    if calls:
        print_line()
        print_table(["window", "what", *sides, "incident", "why"], pages, no_wrap={"window", "what", *sides})


def _replayed(replay: Replay) -> str:
    windows, calendar = replay.windows, replay.monitor.window.calendar
    first, last = calendar.label(windows[0]), calendar.label(windows[-1])
    return f"{replay.monitor.name}: {len(windows)} windows, {first} … {last}, replayed from stored counts"


def proposal_tables(proposal: Proposal) -> None:
    """Print proposed settings: what they would have caught and missed, the trade-off, and what to paste."""
    from drift.pipeline.fault_injection import WINDOWS

    span = proposal.monitor.window.calendar.span
    faults = list(proposal.current.recalls)
    print_line(_replayed(proposal.before), style="bold")
    rows = {"in force": proposal.current} if proposal.yaml else {}
    rows |= {"proposed" if proposal.yaml else "in force, kept": proposal.proposed}
    others = [trial for trial in proposal.front if trial.detection not in [row.detection for row in rows.values()]]
    lines = [
        [name, trial.name, f"{trial.a_month:.1f}", *(_recall(trial.recalls[fault]) for fault in faults)]
        for name, trial in [*rows.items(), *(("tried", trial) for trial in others)]
    ]
    figures = ["pages a month", *faults]
    print_table(["", "settings", *figures], lines, right=figures, no_wrap={"", "settings"})
    planted = ", ".join(f"{recall.planted} × {fault}" for fault, recall in proposal.current.recalls.items())
    if planted:
        every, lasted = f"{span.amount}{span.unit}", f"{span.amount * WINDOWS}{span.unit}"
        print_line(f"planted faults found within {every} / {lasted}; planted where it was quiet: {planted}")
    other = {call.key: None for call in proposal.after.calls if not call.about_data}
    if other:
        count = sum(not call.about_data for call in proposal.after.calls)
        print_line(f"{count} more pages report {', '.join(other)}, which no threshold changes")
    for what, calls in (("no longer paged", proposal.dropped), ("newly paged", proposal.added)):
        for call in calls:
            print_line(f"{what}: {call.label} {call.key} ", status(call.severity), f", {call.words}")
    calendar = proposal.monitor.window.calendar
    for event in proposal.keep:
        lost = event in proposal.proposed.lost
        print_line(f"{'not paged by any settings tried' if lost else 'kept'}: {calendar.label(event)}")
    if not proposal.reached:
        those = " that keep these events" if proposal.keep else ""
        print_line(
            f"none of the settings tried{those} pages only {proposal.wished:g} times a month; these are the quietest"
        )
    print_line()
    for each in (proposal.yaml.rstrip() or "nothing to change").split("\n"):
        print_line(each)


def _recall(recall: Recall) -> str:
    return f"{percent(recall.at_once / recall.planted)} / {percent(recall.in_time / recall.planted)}"


@contextmanager
def progress(total: int, what: str, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Show a progress bar on standard error; yields a function that takes the name of each finished step."""
    if quiet or not total:
        yield lambda _step: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[step]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(visible(what), total=total, step="")

        def advance(step: str) -> None:
            bar.update(task, advance=1, step=visible(step))

        yield advance
