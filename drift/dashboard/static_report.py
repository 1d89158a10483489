"""A report as one HTML page: style inside, charts as SVG, no script, nothing fetched; opens from a file, prints."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from drift.dashboard.cell_table import cell_rows
from drift.dashboard.formatting import status_of
from drift.dashboard.templating import environment
from drift.detection.scores import STATUS_ORDER
from drift.text.formatting import when
from drift.windows import load_timezone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from drift.detection.reports import Report
    from drift.detection.scores import Verdict

HEIGHT, GAP, WIDEST = 120, 2, 640
SECTIONS = 60
"""Features of which every cell is shown, the worst first: a thousand of them would be a page nobody can open."""


def to_html(report: Report, *, timezone: str = "UTC") -> str:
    """Return the page: `drift.dashboard.to_html`."""
    zone = load_timezone(timezone)
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    ranked = sorted(report.verdicts, key=_worst_first)
    shown = [(f"f{i}", v) for i, v in enumerate(ranked) if v.feature in report.evidence][:SECTIONS]
    anchors = {v.feature: anchor for anchor, v in shown}
    return (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            rollup=report.rollup(),
            window=_window(report, zone),
            timezone=timezone,
            style=Markup(style),  # noqa: S704 - the package's own style sheet
            style_hash=f"sha256-{digest}",
            verdicts=[
                {"verdict": v, "status": status_of(v.status, v.severity), "anchor": anchors.get(v.feature)}
                for v in ranked
            ],
            sections=[_section(report, v, anchor) for anchor, v in shown],
            left_out=sum(v.feature in report.evidence for v in ranked) - len(shown),
        )
    )


def _worst_first(verdict: Verdict) -> tuple[int, float]:
    return STATUS_ORDER[verdict.status], -(verdict.score.kl if verdict.score else 0.0)


def _window(report: Report, zone: ZoneInfo) -> str:
    if report.window is None:
        return ""
    return f"{when(report.window.start, zone)} … {when(report.window.end, zone)}"


def _section(report: Report, verdict: Verdict, anchor: str) -> dict[str, Any]:
    found = cell_rows(report.evidence[verdict.feature], verdict.score)
    widest = max((row["contribution"] or 0.0 for row in found), default=0.0) or 1.0
    return {
        "verdict": verdict,
        "status": status_of(verdict.status, verdict.severity),
        "anchor": anchor,
        "words": report.explain(verdict.feature, most=5),
        "cells": found,
        "widest": widest,
        "bars": bars(found),
    }


def bars(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return where the bars of a histogram stand, reference beside current, and those of the contributions below.

    In pixels: ``width``, ``height``, and ``pairs``: each cell's ``x`` and the heights ``before``, ``after``, ``part``.
    """
    each = max(6.0, min(28.0, WIDEST / max(1, len(found))))
    most = max((max(row["reference_share"], row["current_share"]) for row in found), default=0.0) or 1.0
    largest = max((row["contribution"] or 0.0 for row in found), default=0.0) or 1.0
    return {
        "width": each * len(found) + GAP,
        "bar": (each - GAP) / 2,
        "height": HEIGHT,
        "most": most,
        "pairs": [
            {
                "x": i * each + GAP,
                "before": HEIGHT * row["reference_share"] / most,
                "after": HEIGHT * row["current_share"] / most,
                "part": 40 * max(row["contribution"] or 0.0, 0.0) / largest,
                "rose": row["current_share"] > row["reference_share"],
                "cell": row["cell"],
                "row": row,
            }
            for i, row in enumerate(found)
        ],
    }


@cache
def _style() -> str:
    folder = Path(__file__).parent / "static"
    # As it stands between the tags, so that its hash is that of what the browser reads.
    return "".join((folder / name).read_text("utf-8") for name in ("drift.css", "report.css"))
