"""The page of a report, what a notebook shows of it, and one feature opened."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drift.detection.descriptive import show_span
from drift.detection.evidence import explain
from drift.detection.page import charts
from drift.detection.page.markup import Html, join, name, tag
from drift.detection.scores import STATUS_ORDER
from drift.profiles.binning import CategoricalBinning
from drift.text.formatting import many, nats, percent, probability, thousands, thresholds
from drift.text.statuses import STATUSES, status_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.detection.evidence import Evidence
    from drift.detection.localise import Where
    from drift.detection.relationships import Broken, Relationship
    from drift.detection.scores import Score, Verdict
    from drift.profiles.binning import Binning

    Feature = tuple[Verdict, Evidence | None]

OPENED = 60
"""Features that can be opened, the worst first; of a thousand, the others stand in the table alone."""

MOST_CELLS, MOST_IN_NOTEBOOK = 40, 30


@dataclass(frozen=True, slots=True)
class Head:
    """What a page says beside its table: a title, the status, sentences, facts, notes, relationships that changed."""

    title: str
    status: str
    sentence: str
    rule: str
    facts: Sequence[tuple[str, str]]
    notes: Sequence[str]
    relationships: Sequence[Broken] = ()


def page(head: Head, features: Sequence[Feature]) -> str:
    """Return one HTML page that needs nothing else: style and script are within, and its policy allows only these."""
    style, script = _style(), _file("report.js")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}"
    title = tag("title", f"{head.title}: {STATUSES[head.status][1]} · Drift")
    meta = (
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=Html(policy)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
    )
    main = tag(
        "main",
        tag("h1", name(head.title), " ", badge(head.status)),
        _above(head),
        *([_tools(), _table(features, full=True), _legend()] if features else []),
        _relationships(head.relationships),
        id="main",
    )
    body = (tag("a", "Skip to the content", class_="skip", href="#main"), main, _footer(), tag("script", Html(script)))
    within = tag("head", *meta, title, tag("style", Html(style)))
    return f"<!doctype html>\n{tag('html', within, tag('body', *body, class_='drift'), lang='en')}\n"


def fragment(head: Head, features: Sequence[Feature]) -> str:
    """Return the same for a notebook: the worst features, without what can be opened."""
    ranked = sorted(features, key=worst_first)
    rest = len(ranked) - MOST_IN_NOTEBOOK
    more = (
        tag("p", f"and {many(rest, 'more feature')}: to_html() has all of them", class_="muted") if rest > 0 else None
    )
    top = tag("p", tag("strong", name(head.title)), " ", badge(head.status), class_="top")
    table = _table(ranked[:MOST_IN_NOTEBOOK], full=False) if ranked else None
    return _in_notebook(top, _above(head), table, more, _relationships(head.relationships))


def feature_fragment(verdict: Verdict, evidence: Evidence | None) -> str:
    """Return one feature, opened, for a notebook."""
    title = tag("p", tag("strong", name(verdict.feature)), " ", badge(_status(verdict)), class_="top")
    return _in_notebook(title, tag("p", verdict.reason), opened(verdict, evidence))


def _in_notebook(*parts: object) -> str:
    return tag("div", tag("style", Html(_style())), *parts, class_="drift notebook")


def worst_first(feature: Feature) -> tuple[int, float]:
    """Return the place of a feature in a table."""
    verdict, _ = feature
    return STATUS_ORDER[verdict.status], -(verdict.score.kl if verdict.score else 0.0)


def badge(status: str) -> Html:
    """Return a status as a mark with its glyph: none is told by its colour alone."""
    glyph, words = STATUSES[status]
    return tag("span", tag("span", glyph, aria_hidden="true"), " ", words, class_=f"badge s-{status}")


def _status(verdict: Verdict) -> str:
    return status_of(verdict.status, verdict.severity)


# -- above the table --------------------------------------------------------------------------------------------------


def _above(head: Head) -> Html:
    facts = [tag("div", tag("dt", title), tag("dd", value)) for title, value in head.facts]
    notes = tag("ul", [tag("li", note) for note in head.notes])
    return join(
        [
            tag("p", head.sentence, class_="lead"),
            tag("p", head.rule, class_="muted"),
            tag("dl", facts, class_="facts"),
            tag("section", tag("h2", "Notes"), notes, class_="notes") if head.notes else None,
        ]
    )


def _tools() -> Html:
    search = tag("label", "Search ", tag("input", type="search", id="search", placeholder="name, status or reason"))
    return tag("p", search, " ", tag("span", role="status", id="found"), class_="tools", hidden="")


def _legend() -> Html:
    return tag(
        "p",
        "KL is D(current‖reference) in nats, corrected for its bias, with its 95 % interval; the dashed marks are the "
        "warning and the critical threshold. The axis is linear up to 0.01 nats and logarithmic beyond. In the "
        "pictures, grey is the reference and blue the current rows.",
        class_="muted",
    )


def _footer() -> Html:
    return tag("footer", "Made by Drift. The page holds shares and counts, but no rows of the data.")


# -- the table --------------------------------------------------------------------------------------------------------

_COLUMNS = ("Feature", "Status", "Distribution", "KL, nats", "Missing", "Why")


def _table(features: Sequence[Feature], *, full: bool) -> Html:
    ranked = sorted(features, key=worst_first)
    furthest = max([1.0, *(verdict.score.ci_high for verdict, _ in ranked if verdict.score)])
    first = tag("tr", [tag("th", each, scope="col", class_=_class(each)) for each in _COLUMNS])
    bodies = [_rows(i, *feature, furthest, full=full) for i, feature in enumerate(ranked)]
    caption = tag("caption", f"{many(len(ranked), 'feature')}, worst first")
    return tag("div", tag("table", caption, tag("thead", first), bodies, class_="features"), class_="scroll")


def _class(column: str) -> str:
    return column.split(",", maxsplit=1)[0].lower()


def _rows(i: int, verdict: Verdict, evidence: Evidence | None, furthest: float, *, full: bool) -> Html:
    """Return a feature as a row, and a second one that opens; both are sorted and found together."""
    score, anchor, opens = verdict.score, f"f{i}", full and i < OPENED and evidence is not None
    before, after = evidence.descriptions if evidence else (None, None)
    missing = "–" if before is None or after is None else f"{percent(before.missing)} → {percent(after.missing)}"
    label = name(verdict.feature)
    cells = (
        tag("th", tag("a", label, href=f"#{anchor}") if opens else label, _kind(score), scope="row"),
        tag(
            "td",
            badge(_status(verdict)),
            data_v=STATUS_ORDER[verdict.status] - bool(verdict.status == "ok" and verdict.severity != "none"),
        ),
        tag("td", charts.small(evidence) if evidence else "–", class_="distribution"),
        _divergence(verdict, furthest),
        tag("td", missing, class_="missing", data_v=f"{-((after and after.missing) or 0.0):.6g}"),
        tag("td", verdict.reason, class_="why"),
    )
    more = None
    if opens:
        inner = tag("div", opened(verdict, evidence), id=anchor)
        first = "" if i == 0 and verdict.drifting else None
        summary = tag("summary", "Histogram, statistics and cells of ", label)
        more = tag("details", summary, inner, open=first)
    # On a narrow screen the reason stands below its row.
    below = tag("tr", tag("td", tag("p", verdict.reason, class_="reason"), more, colspan=len(_COLUMNS)), class_="more")
    return tag("tbody", tag("tr", *cells), below)


def _kind(score: Score | None) -> Html | None:
    return tag("span", score.kind, class_="kind") if score else None


def _divergence(verdict: Verdict, furthest: float) -> Html:
    score = verdict.score
    if score is None:
        return tag("td", "–", class_="kl", data_v=1)
    kl = max(score.kl_corrected, 0.0)
    bar = charts.divergence(verdict, score, furthest)
    interval = tag("span", f"{nats(score.ci_low)} … {nats(score.ci_high)}", class_="muted")
    return tag(
        "td",
        bar,
        " ",
        tag("span", tag("b", nats(kl)), " ", interval, class_="numbers"),
        class_="kl",
        data_v=f"{-kl:.6g}",
    )


# -- relationships ----------------------------------------------------------------------------------------------------


def _relationships(found: Sequence[Broken]) -> Html | None:
    """Return the pairs of columns that no longer go together as they did, by the column at fault."""
    if not found:
        return None
    rows = [_relationship(each.column, pair) for each in found for pair in each.pairs]
    heads = ("Column", "Pair", "KL apart from both histograms", "95 % interval", "Mutual information", "What moved")
    explained = "In nats. The pairs are compared with those that both columns, had each changed by itself, would give."
    table = _small_table(explained, heads, rows)
    # What scrolls has to be reached by keyboard.
    table = tag("div", table, class_="scroll", tabindex=0, role="group", aria_label="Relationships that changed")
    return tag("section", tag("h2", "Relationships that changed"), table)


def _relationship(column: str, pair: Relationship) -> Html:
    return tag(
        "tr",
        tag("th", name(column), scope="row"),
        tag("td", name(" × ".join(pair.columns))),
        tag("td", nats(pair.kl)),
        tag("td", f"{nats(pair.ci_low)} … {nats(pair.ci_high)}"),
        tag("td", f"{nats(pair.before)} → {nats(pair.after)}"),
        tag("td", "; ".join(pair.what_moved(most=2))),
    )


# -- one feature ------------------------------------------------------------------------------------------------------


def opened(verdict: Verdict, evidence: Evidence | None, *, most: int = MOST_CELLS) -> Html:
    """Return what is known of a feature: in words, both histograms to scale, statistics of both sides, its cells.

    Of more than `most` cells the smallest are one.
    """
    if evidence is None:
        return tag("p", "No counts of this feature are known.", class_="muted")
    words = tag("ul", [tag("li", line) for line in explain(verdict, evidence, most=5)], class_="words")
    found = verdict.explanation.where
    title = f"{verdict.feature}: both distributions"
    drawing = charts.histogram(evidence, title)
    # Of categories, the table is the picture.
    cells = _cells(verdict, evidence, most, opened=drawing is None)
    return join(
        [
            words,
            where(found) if found else None,
            tag(
                "div",
                tag("div", drawing or cells),
                _statistics(evidence),
                _measures(verdict, evidence.current.binning),
                class_="both",
            ),
            cells if drawing else None,
        ]
    )


def where(found: Where) -> Html | None:
    """Return the slices of the rows in which a feature drifts, each with its condition; None if all are alike."""
    if found.alike:
        return None
    rows = [
        tag(
            "tr",
            tag("th", name(each.name), scope="row"),
            tag("td", percent(each.before)),
            tag("td", percent(each.now)),
            tag("td", percent(each.left)),
            tag("td", tag("code", each.sql) if each.sql else "–", class_="sql"),
        )
        for each in found.slices
    ]
    heads = ("Slice", "rows before", "now", "KL left without it", "as SQL")
    return _small_table("Where it drifts: one slice of the rows", heads, rows)


def _statistics(evidence: Evidence) -> Html:
    binning = evidence.current.binning
    before, after = (side.words(binning) for side in evidence.descriptions)
    rows = [tag("tr", tag("th", key, scope="row"), tag("td", before[key]), tag("td", after[key])) for key in before]
    return _small_table("Both sides", ("", "reference", "current"), rows)


def _measures(verdict: Verdict, binning: Binning) -> Html | None:
    score, moved = verdict.score, verdict.explanation.wasserstein
    if score is None:
        return None
    facts = {
        "KL": nats(score.kl),
        "corrected": nats(score.kl_corrected),
        "95 % interval": f"{nats(score.ci_low)} … {nats(score.ci_high)}",
        "thresholds": thresholds(verdict.warning, verdict.critical, verdict.scale),
        "p": probability(score.p),
        "q": probability(score.q),
        "expected by chance": nats(score.noise),
        "reverse KL": nats(score.kl_reverse),
        "PSI": nats(score.psi),
        "Jensen–Shannon": nats(score.js),
        "Wasserstein-1": "–" if moved is None else show_span(moved, binning),
    }
    rows = [tag("tr", tag("th", key, scope="row"), tag("td", value)) for key, value in facts.items()]
    return _small_table("Measures; divergences in nats", (), rows)


def _small_table(caption: str, columns: Sequence[str], rows: Sequence[Html]) -> Html:
    head = (
        tag("thead", tag("tr", [tag("th", each, scope="col") if each else tag("td") for each in columns]))
        if columns
        else None
    )
    return tag("table", tag("caption", caption), head, tag("tbody", *rows), class_="small")


def _cells(verdict: Verdict, evidence: Evidence, shown: int, *, opened: bool) -> Html:
    """Return the cells that hold rows, in order, the share of either side as bars; the smallest of very many in one."""
    parts = verdict.score.contributions.tolist() if verdict.score else None
    cells = evidence.cells()
    held = [i for i, (_, before, after, _, _) in enumerate(cells) if before or after]
    weight = {i: max(cells[i][3], cells[i][4], parts[i] if parts else 0.0) for i in held}
    kept = set(sorted(held, key=lambda i: -weight[i])[:shown])
    most = max((max(cells[i][3:]) for i in held), default=0.0) or 1.0
    rows = [
        _cell_row(_cell_name(evidence, i), cells[i][1:], parts[i] if parts else None, most) for i in held if i in kept
    ]
    others = [i for i in held if i not in kept]
    if others:
        sums = np.array([cells[i][1:] for i in others]).sum(axis=0)
        part = sum(parts[i] for i in others) if parts else None
        rows.append(_cell_row(Html(f"{many(len(others), 'smaller cell')} together"), tuple(sums.tolist()), part, most))
    heads = ("Cell", "Shares", "Reference", "Current", "Adds, nats", "Rows before", "now")
    head = tag("thead", tag("tr", [tag("th", each, scope="col") for each in heads]))
    caption = tag("caption", "Cells in order; what they add sums to the KL")
    table = tag("table", caption, head, tag("tbody", *rows), class_="cells")
    # What scrolls has to be reached by keyboard.
    table = tag("div", table, class_="scroll", tabindex=0, role="group", aria_label="Cells")
    return tag("details", tag("summary", f"All {many(len(held), 'cell')}"), table, open="" if opened else None)


def _cell_name(evidence: Evidence, i: int) -> Html:
    binning = evidence.current.binning
    label = name(binning.cells[i])
    labels = isinstance(binning, CategoricalBinning) and i != binning.missing
    if labels and evidence.current.counts[i] and not evidence.reference.counts[i]:
        return join([label, " ", tag("span", "new", class_="new")])
    return label


def _cell_row(label: Html, sides: Sequence[float], part: float | None, most: float) -> Html:
    rows_before, rows_after, before, after = sides
    return tag(
        "tr",
        tag("th", label, scope="row"),
        tag("td", charts.pair(before, after, most)),
        tag("td", percent(before)),
        tag("td", percent(after)),
        tag("td", nats(part)),
        tag("td", thousands(int(rows_before))),
        tag("td", thousands(int(rows_after))),
    )


# -- files ------------------------------------------------------------------------------------------------------------


def _style() -> str:
    return "".join(map(_file, ("tokens.css", "report.css", "feature.css")))


@cache
def _file(file: str) -> str:
    return (Path(__file__).parent / file).read_text("utf-8")


def _hash(content: str) -> str:
    """Return the name by which a policy allows a script or style: the hash of what stands between the tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
