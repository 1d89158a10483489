"""Charts as Plotly figures in plain JSON, their colours named after the style sheet's variables."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from drift.dashboard.formatting import clipped, link, shown
from drift.dashboard.time_marks import MARKS
from drift.text.formatting import iso, nats, percent, thousands, thresholds
from drift.text.statuses import STATUSES, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from drift.dashboard.formatting import LocalTime
    from drift.dashboard.time_marks import TimeMark
    from drift.detection.evidence import Evidence
    from drift.detection.scores import Score
    from drift.store.reads.windows import WindowState

    Figure = dict[str, Any]

_SYMBOLS = {
    "critical": "diamond",
    "warning": "triangle-up",
    "pending": "triangle-up-open",
    "ok": "circle",
    "insufficient_data": "circle-open",
    "not_comparable": "square-x-open",
    "error": "x",
    "rejected": "circle-x-open",
    "failed": "x-thin-open",
    "running": "hourglass-open",
    "absent": "line-ew-open",
}
_GRID = {"gridcolor": "var(--line)", "zeroline": False, "exponentformat": "none"}
_GRID |= {"linecolor": "var(--line)", "fixedrange": False}


def words(text: object) -> str:
    """Return a text for Plotly, which takes some markup in its labels: none of it can come from a name.

    Examples
    --------
    >>> words('<a href="x">&')
    '&lt;a href="x"&gt;&amp;'
    """
    return escape(shown(text), quote=False)


def gap_of(state: WindowState) -> str:
    """Return why a window holds no score of a feature that others hold."""
    return state.status if state.status in {"rejected", "failed", "running"} else "absent"


def history(
    rows: Sequence[Mapping[str, Any]],
    states: Iterable[WindowState],
    local: LocalTime,
    notes: Iterable[TimeMark] = (),
    *,
    chosen: datetime | None = None,
    log: bool = False,
) -> Figure:
    """Return a feature's KL over time with its interval and thresholds, its null rate and its rows.

    The rows are stored scores of one feature, oldest first; windows without a score are marked below, new baselines,
    new configurations and the chosen window by upright lines.
    """
    scored = {row["window_start"] for row in rows}
    gaps = [state for state in states if state.start not in scored]
    # A line breaks where a window has no score, also where it was rejected and no feature has a row.
    unscored: list[Mapping[str, Any]] = [{"window_start": gap.start, "kl": None} for gap in gaps]
    line = sorted([*rows, *unscored], key=lambda row: row["window_start"])
    floor = 1e-5 if log else 0.0

    x = [local.wall_clock(row["window_start"]) for row in line]

    def curve(name: str, of: str, color: str, **style: Any) -> dict[str, Any]:
        return _line(name, x, [None if row.get(of) is None else max(row[of], floor) for row in line], color, **style)

    data: list[dict[str, Any]] = [
        _band(line, local, floor),
        curve("KL, smoothed", "kl", "muted", width=1, dash="dot"),
        curve("KL from the fixed baseline", "kl_fixed", "fixed", dash="dashdot"),
        curve("KL, bias-corrected", "kl_corrected", "current"),
    ]
    at = [local.wall_clock(row["window_start"]) for row in rows]
    # A threshold in another measure than that of the chart has no height.
    in_nats = [row["scale"] == "kl" for row in rows]
    data += [
        _line(
            f"{name} threshold",
            at,
            [row[name] if kl else None for row, kl in zip(rows, in_nats, strict=True)],
            name,
            dash="dash",
            shape="hvh",
        )
        for name in ("warning", "critical")
        if any(in_nats) or not rows
    ]
    data += _points(rows, gaps, local, floor)
    data += _quality(line, local)
    low = "log" if log else "linear"
    layout: dict[str, Any] = _layout(480) | {
        "xaxis": _axis(f"start of the window, {words(local.zone)}", type="date", anchor="y3"),
        "yaxis": _axis("D(current‖reference), nats", domain=[0.44, 1], type=low, rangemode="tozero")
        | ({"dtick": 1, "tickformat": "~g"} if log else {}),
        "yaxis2": _axis("null rate", domain=[0.22, 0.37], nticks=4, tickformat=".0%", rangemode="tozero"),
        "yaxis3": _axis("rows", domain=[0, 0.15], nticks=4, rangemode="tozero"),
        "hovermode": "closest",
    }
    lines = [] if chosen is None else [_upright(local.wall_clock(chosen), {"color": "var(--text)", "width": 1})]
    marked = [note for note in notes if note.kind in {"baseline", "config"}]
    dotted = {"color": "var(--muted)", "width": 1, "dash": "dot"}
    layout["shapes"] = lines + [_upright(local.wall_clock(note.start), dotted) for note in marked]
    layout["annotations"] = [
        {"x": local.wall_clock(note.start), "text": MARKS[note.kind][0], "hovertext": words(note.words)}
        | {"y": 1, "xref": "x", "yref": "paper", "yanchor": "bottom", "showarrow": False}
        for note in marked
    ]
    return {"data": data, "layout": layout}


def _line(name: str, x: Sequence[str | None], y: Sequence[float | None], color: str, **style: Any) -> dict[str, Any]:
    """Return a trace without marks: nothing of it answers a pointer."""
    line = {"color": f"var(--{color})", "width": 1.5} | style
    return {"name": name, "x": x, "y": y, "mode": "lines", "line": line, "hoverinfo": "skip"}


def _upright(at: str, style: dict[str, Any]) -> dict[str, Any]:
    ends = {"x0": at, "x1": at, "y0": 0, "y1": 1}
    return {"type": "line", "xref": "x", "yref": "paper", **ends, "line": style, "layer": "below"}


def _band(rows: Sequence[Mapping[str, Any]], local: LocalTime, floor: float) -> dict[str, Any]:
    """Draw the interval as closed shapes, a new one after every window without a score."""
    xs: list[str | None] = []
    ys: list[float | None] = []
    stretch: list[Mapping[str, Any]] = []
    for row in [*rows, None]:
        if row is not None and row["kl"] is not None:
            stretch.append(row)
        elif stretch:
            at = [local.wall_clock(r["window_start"]) for r in stretch]
            xs += [*at, *at[::-1], None]
            ys += (
                [max(r["ci_high"], floor) for r in stretch] + [max(r["ci_low"], floor) for r in stretch[::-1]] + [None]
            )
            stretch = []
    return _line("95 % interval", xs, ys, "band", width=1) | {"fill": "toself", "fillcolor": "var(--band)"}


def _points(
    rows: Sequence[Mapping[str, Any]], gaps: Iterable[WindowState], local: LocalTime, floor: float
) -> list[dict[str, Any]]:
    """Return a trace of marks for each status; windows without a score stand on the axis."""
    marks: dict[str, list[tuple[str, float, str, str]]] = {}
    for row in rows:
        label = local.label(row["window_start"], row["window_end"])
        status = status_of(row["status"], row["severity"])
        lines = [f"{label}: {STATUSES[status][1]}", clipped(row["reason"], 90)]
        height = floor
        if row["kl"] is not None:
            height = max(row["kl_corrected"], floor)
            lines[1:1] = [
                f"KL {nats(row['kl'])} nats, corrected {nats(row['kl_corrected'])}",
                f"95 % {nats(row['ci_low'])} … {nats(row['ci_high'])}",
                f"thresholds {thresholds(row['warning'], row['critical'], row['scale'])}",
                f"n {thousands(row['n_current'])} against {thousands(row['n_reference'])}",
                *([f"from the baseline {nats(row['kl_fixed'])}"] if row.get("kl_fixed") is not None else []),
            ]
        where = link(
            "feature",
            monitor=row["monitor"],
            feature=row["feature"],
            window=iso(row["window_start"]),
            segment=row.get("segment") or None,
        )
        text = "<br>".join(map(words, lines))
        marks.setdefault(status, []).append((local.wall_clock(row["window_start"]), height, text, f"{where}#window"))
    for gap in gaps:
        status = gap_of(gap)
        text = f"{local.label(gap.start, gap.end)}: {STATUSES[status][1]}"
        where = link("runs", monitor=gap.monitor, window=iso(gap.start))
        marks.setdefault(status, []).append((local.wall_clock(gap.start), floor, words(text), f"{where}#window"))
    return [
        {
            "name": STATUSES[status][1],
            "x": [mark[0] for mark in marks[status]],
            "y": [mark[1] for mark in marks[status]],
            "text": [mark[2] for mark in marks[status]],
            "customdata": [mark[3] for mark in marks[status]],
            "mode": "markers",
            "marker": {
                "symbol": _SYMBOLS.get(status, "circle-open"),
                "size": (7 if len(rows) <= 120 else 4) if status == "ok" else 11,
                "color": f"var(--{status.replace('_', '-')})",
                "line": {"width": 1.5, "color": f"var(--{status.replace('_', '-')})"},
            },
            "cliponaxis": False,
            "hovertemplate": "%{text}<extra></extra>",
        }
        for status in STATUSES
        if status in marks
    ]


def _quality(line: Sequence[Mapping[str, Any]], local: LocalTime) -> list[dict[str, Any]]:
    """Return the null rate, of the reference too, and the rows of each window with a score."""
    x = [local.wall_clock(row["window_start"]) for row in line]
    scored = [row if row["kl"] is not None else {} for row in line]
    labels = [words(local.label(row["window_start"], row["window_end"])) if row else "" for row in scored]
    hover = "%{text}<extra></extra>"
    return [
        _line("null rate, reference", x, [row.get("null_rate_reference") for row in scored], "reference", dash="dot")
        | {"yaxis": "y2"},
        {
            "name": "null rate",
            "x": x,
            "y": [row.get("null_rate_current") for row in scored],
            "text": [
                f"{label}<br>{percent(row.get('null_rate_current'))} missing, "
                f"{percent(row.get('null_rate_reference'))} in the reference"
                for label, row in zip(labels, scored, strict=True)
            ],
            "yaxis": "y2",
            "mode": "lines+markers",
            "marker": {"size": 4, "color": "var(--current)"},
            "line": {"color": "var(--current)", "width": 1.5},
            "hovertemplate": hover,
        },
        {
            "name": "rows",
            "type": "bar",
            "x": x,
            "y": [row.get("n_current") for row in scored],
            "text": [
                f"{label}<br>{thousands(row.get('n_current'))} rows" for label, row in zip(labels, scored, strict=True)
            ],
            "textposition": "none",
            "yaxis": "y3",
            "marker": {"color": "var(--reference)"},
            "hovertemplate": hover,
        },
    ]


def histogram(evidence: Evidence, score: Score | None) -> Figure:
    """Return the shares of every cell, reference beside current, and below what each cell adds to the KL."""
    cells: list[Any] = list(evidence.cells())
    kept = [i for i, (_, before, after, _, _) in enumerate(cells) if before or after] or list(range(len(cells)))
    names = [words(cells[i][0]) for i in kept]
    x = list(range(len(kept)))

    def bars(name: str, rows: int, share: int) -> dict[str, Any]:
        return {
            "name": name,
            "type": "bar",
            "x": x,
            "y": [cells[i][share] for i in kept],
            "text": [
                f"{cell}<br>{name}: {percent(cells[i][share])}, {thousands(int(cells[i][rows]))} rows"
                for cell, i in zip(names, kept, strict=True)
            ],
            "textposition": "none",
            "marker": {"color": f"var(--{name})"},
            "hovertemplate": "%{text}<extra></extra>",
        }

    data = [bars("reference", 1, 3), bars("current", 2, 4)]
    if score is not None:
        parts = [float(score.contributions[i]) for i in kept]
        rose = [cells[i][4] > cells[i][3] for i in kept]
        data.append(
            {
                "name": "contribution",
                "type": "bar",
                "x": x,
                "y": parts,
                "yaxis": "y2",
                "text": [
                    f"{cell} {'rose' if up else 'fell'}<br>{nats(part)} of {nats(score.kl)} nats"
                    for cell, part, up in zip(names, parts, rose, strict=True)
                ],
                "textposition": "none",
                "marker": {"color": ["var(--rose)" if up else "var(--fell)" for up in rose]},
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    ticks = {"tickmode": "array", "tickvals": x, "ticktext": [words(clipped(shown(cells[i][0]), 18)) for i in kept]}
    layout = _layout(440) | {
        "xaxis": _GRID | ticks | {"anchor": "y2" if score else "y", "tickangle": -45 if len(kept) > 6 else 0},
        "yaxis": _axis("share of rows", domain=[0.42, 1] if score else [0, 1], tickformat=".0%"),
        "barmode": "group",
        "bargap": 0.25,
    }
    if score is not None:
        layout["yaxis2"] = _axis("adds, nats", domain=[0, 0.34], rangemode="tozero")
    return {"data": data, "layout": layout}


def _axis(title: str, **more: Any) -> dict[str, Any]:
    return _GRID | {"title": {"text": title}} | more


def _layout(height: int) -> dict[str, Any]:
    return {
        "height": height,
        "showlegend": False,
        "margin": {"l": 70, "r": 15, "t": 22, "b": 60},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--text)", "family": "system-ui, sans-serif", "size": 12},
        "hoverlabel": {
            "bgcolor": "var(--card)",
            "bordercolor": "var(--line)",
            "font": {"color": "var(--text)"},
            "align": "left",
        },
        "dragmode": "zoom",
    }
