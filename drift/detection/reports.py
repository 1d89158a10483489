"""Reports: every verdict of one window (or of one comparison), in a form to print, store, send and attach."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from drift.detection.descriptive import unit
from drift.detection.evidence import Evidence, explain
from drift.detection.rollups import roll_up
from drift.detection.scores import SEVERITY_RANK, STATUS_ORDER, Gap, ReportStatus, Severity, Verdict
from drift.errors import MissingExtra, UnknownFeature
from drift.text.formatting import iso, many, nats, thousands, thresholds, when
from drift.text.markdown import markdown
from drift.text.statuses import STATUSES, status_of
from drift.text.visible import visible
from drift.windows import load_timezone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from drift.detection.findings import Finding, FindingKind
    from drift.detection.page.document import Head
    from drift.detection.relationships import Broken, Measured
    from drift.detection.rollups import Rollup
    from drift.windows import Window

SCHEMA_VERSION = 1
MOST_SUMMARISED = 20
"""Features, segments, findings and left-out columns of each that a summary names before it counts the rest."""

Gate = Literal["accepted", "warned", "rejected", "not_validated", "unreadable"]
"""What validation decided of a window; an ``unreadable`` one of a reference is tried again."""


_SCHEMA_GAPS: dict[FindingKind, Gap | None] = {
    "missing_column": Gap.MISSING_COLUMNS,
    "retyped_column": Gap.CHANGED_TYPES,
    "new_column": None,
}


@dataclass(frozen=True)
class Report:
    """Every verdict of one window against its reference.

    Parameters
    ----------
    monitor
        Name of the monitor; for `drift.compare`, of the comparison.
    window
        The current window; None for a comparison of two tables.
    reference
        The reference in words, such as ``trailing 28d: 2013-01-11 … 2013-02-07 (28 of 28 windows)``.
    verdicts
        One a feature, in the order of the table.
    n_reference, n_current
        Rows.
    gate
        What the Great Expectations gate decided on the current window.
    findings
        Schema changes and other news beside the scores.
    evidence
        Histograms behind the verdicts, by feature.
    label
        The window, as its readers name it.
    segment
        Name of the segment it is about; empty for the whole window.
    segments
        Of a whole window: the report of each of its segments, by name.
    left_out
        Columns of a comparison that were not scored, and what they look like: ``identifier``, ``free text`` or
        ``timestamp``.
    current
        Of a comparison: its current table, as a path, where it is one.
    n_pairs
        Of a whole window: pairs of columns that were compared.
    unjudged_pairs
        Of a whole window: which of them were not judged, and why; empty where all were.
    measured
        At what they were measured, which later windows are compared with; not read back with a report.
    relationships
        The columns that no longer go with others as they did; each has a finding, too.
    """

    monitor: str
    window: Window | None
    reference: str
    verdicts: Sequence[Verdict]
    n_reference: int
    n_current: int
    gate: Gate = "not_validated"
    findings: Sequence[Finding] = ()
    evidence: Mapping[str, Evidence] = field(default_factory=dict, repr=False)
    label: str = ""
    segment: str = ""
    segments: Mapping[str, Report] = field(default_factory=dict, repr=False)
    left_out: Mapping[str, str] = field(default_factory=dict)
    current: str = ""
    n_pairs: int = 0
    unjudged_pairs: str = ""
    measured: Measured | None = field(default=None, repr=False)
    relationships: Sequence[Broken] = ()

    def rollup(self) -> Rollup:
        """Return all verdicts in one, overall and by role, with the rule that made it."""
        found = roll_up(self.verdicts)
        if self.gate == "rejected":
            return replace(found, status="rejected", rule="rejected: by its expectations, so no feature was judged")
        if self._compared and found.status in {"ok", "not_comparable"}:
            n = many(len(self._compared), "column")
            rule = f"warning: relationships of {n} changed; {found.reason}"
            return replace(found, status="warning", rule=rule)
        return found

    @property
    def status(self) -> ReportStatus:
        """The worst status among the verdicts (`Rollup.status`), or ``rejected`` by its expectations.

        Of a comparison, relationships that changed make a ``warning`` of what is less.
        """
        return self.rollup().status

    @property
    def _compared(self) -> Sequence[Broken]:
        # Of a window the alerts say whether what changed lasts.
        return () if self.window else self.relationships

    @property
    def severity(self) -> Severity:
        """The worst severity among the statuses, and of the relationships of a comparison."""
        found: list[Severity] = [v.status for v in self.verdicts if v.status in {"warning", "critical"}]
        found += [each.severity for each in self._compared]
        return max(found, key=lambda s: SEVERITY_RANK[s], default="none")

    @property
    def drifting(self) -> list[Verdict]:
        """The verdicts that ask for attention, worst first."""
        return sorted((v for v in self.verdicts if v.drifting), key=_worst_first)

    @property
    def share_drifting(self) -> float:
        """Share of the judged features that drift."""
        return self.rollup().share

    @property
    def total_kl(self) -> float:
        """Sum of the features' KL, in nats: the joint divergence if the features were independent."""
        return self.rollup().total_kl

    def __getitem__(self, feature: str) -> FeatureReport:
        """Return one feature; of a name that is not there, a `KeyError` with the nearest."""
        for verdict in self.verdicts:
            if verdict.feature == feature:
                known = {each.name: getattr(verdict, each.name) for each in fields(verdict)}
                return FeatureReport(**known, evidence=self.evidence.get(feature))
        raise UnknownFeature(feature, [verdict.feature for verdict in self.verdicts])

    def gaps(self) -> dict[Gap, list[str]]:
        """Say what was not judged, and why: the whole, or some of the features.

        A label that has not arrived is not a gap, and neither is a column that the reference has not.
        """
        found: dict[Gap, list[str]] = {}
        if self.status in {"rejected", "not_judged"}:
            unread = any(finding.kind in {"no_reference", "not_judged"} for finding in self.findings)
            empty = not unread and not (self.n_current and self.n_reference)
            whole = Gap.REJECTED if self.status == "rejected" else Gap.EMPTY if empty else Gap.NOT_JUDGED
            found[whole] = [f"{whole.replace('-', ' ')}: {self.rollup().reason}"]
        schema = {each.column: each for each in self.findings if each.kind in _SCHEMA_GAPS}
        for finding in schema.values():
            if gap := _SCHEMA_GAPS[finding.kind]:
                found.setdefault(gap, []).append(str(finding))
        for v in self.verdicts:
            if v.status in {"not_comparable", "error"} and v.feature not in schema:
                found.setdefault(Gap.NOT_COMPARABLE, []).append(f"column {v.feature}: {v.reason}")
        return found

    def explain(self, feature: str, *, most: int = 3) -> list[str]:
        """Say in words which cells of `feature` moved."""
        return explain(self[feature], self.evidence.get(feature), most=most)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON, in the documented schema `SCHEMA_VERSION` (docs/reference/report.md)."""
        overall = self.rollup()
        return {
            "schema": "drift.report",
            "schema_version": SCHEMA_VERSION,
            "monitor": self.monitor,
            "window": None if self.window is None else {"start": iso(self.window.start), "end": iso(self.window.end)},
            "reference": self.reference,
            "direction": "current||reference",
            "unit": "nats",
            "n_reference": self.n_reference,
            "n_current": self.n_current,
            "gate": self.gate,
            "status": overall.status,
            "share_drifting": overall.share,
            "total_kl": overall.total_kl,
            "overall": overall.to_dict(),
            "findings": [finding.to_dict() for finding in self.findings],
            "left_out": dict(self.left_out),
            "n_pairs": self.n_pairs,
            "unjudged_pairs": self.unjudged_pairs,
            "relationships": [each.to_dict() for each in self.relationships],
            "features": _entries(self),
            "segments": {
                name: {
                    "n_reference": one.n_reference,
                    "n_current": one.n_current,
                    "status": one.status,
                    "features": _entries(one),
                }
                for name, one in self.segments.items()
            },
        }

    def to_json(self, *, indent: int | None = None) -> str:
        """Return `to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a feature, without the contributions; `MissingExtra` where pandas is not installed."""
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise MissingExtra("pandas", extra="pandas") from error

        rows = []
        for verdict in self.verdicts:
            entry = _entry(verdict, self.evidence.get(verdict.feature))
            low_high = entry.pop("interval", {"low": None, "high": None})
            threshold = entry.pop("threshold")
            for name in ("contributions", "due_to"):
                entry.pop(name, None)
            seen = entry.pop("summary", {})
            sides = {
                f"{name}_{side}": seen[side][name]
                for side in ("reference", "current")
                for name in ("missing", "mean", "median")
                if side in seen
            }
            entry["explanation"] = "; ".join(entry.get("explanation", []))
            rows.append(
                {"feature": verdict.feature, **entry, "ci_low": low_high["low"], "ci_high": low_high["high"]}
                | {**threshold, **sides}
            )
        return pd.DataFrame(rows)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return heading and rows of the table that the terminal, the notebook and the digest show, worst first."""
        heading = ["feature", "kind", "KL (nats)", "corrected (95 %)", "threshold", "n", "severity", "status", "why"]
        rows = []
        for v in sorted(self.verdicts, key=_worst_first):
            s = v.score
            limits = thresholds(v.warning, v.critical, v.scale)
            if s is None:
                rows.append([v.feature, "-", "-", "-", limits, "-", v.severity, v.status, v.reason])
                continue
            corrected = f"{max(s.kl_corrected, 0):.4f} ({s.ci_low:.4f} … {s.ci_high:.4f})"
            rows.append(
                [
                    v.feature,
                    s.kind,
                    f"{s.kl:.4f}",
                    corrected,
                    limits,
                    f"{s.n_current:,}",
                    v.severity,
                    v.status,
                    v.reason,
                ]
            )
        return heading, rows

    def __str__(self) -> str:
        heading, rows = self.table()
        rows = [[*map(visible, row)] for row in rows]
        widths = [max(len(row[i]) for row in [heading, *rows]) for i in range(len(heading))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [heading, *rows]
        ]
        around = [visible(line) for line in (self.title(), self.rollup().line(), *self.notes())]
        return "\n".join([around[0], *(line.rstrip() for line in lines), *around[1:]])

    def title(self) -> str:
        """Return the one line that names what was compared, and how."""
        when = f" {self.label or self.window}" if self.window else ""
        return (
            f"{self.monitor}{when}: {self.status}; D(current‖reference) in nats, "
            f"{self.n_current:,} rows, compared with {self.n_reference:,} ({self.reference})"
        )

    def notes(self) -> list[str]:
        """Return the findings, and which columns were left out, in words."""
        columns = ", ".join(f"{column} ({sort})" for column, sort in self.left_out.items())
        return [
            *map(str, self.findings),
            *([f"left out: {columns}; include them by name to score them"] if columns else []),
        ]

    def to_markdown(self, *, timezone: str = "UTC") -> str:
        """Return a summary as Markdown, as GitHub and GitLab show it: for a pull request's comment, or a job's page.

        A sentence, what was compared, a table of the features (worst first), the rule, what drifts in segments,
        findings, and the columns that were left out; of each no more than twenty, and the number of the others. It is
        shorter than the 65,536 characters that a comment may have. What comes from the data is text in it, never
        markup.

        Parameters
        ----------
        timezone
            In which the times of its window are shown.

        Raises
        ------
        WindowError
            If there is no such time zone.
        """
        head, (mark, word) = self._head(timezone), STATUSES[self.status]
        told = "; ".join(f"{name}: {value}" for name, value in head.facts)
        segments = [f"segment {name}: {one.rollup().line()}" for name, one in self.segments.items() if one.drifting]
        left_out = [f"left out: {column} ({sort})" for column, sort in self.left_out.items()]
        parts = (
            f"### {mark} {markdown(head.title)}: {word}",
            markdown(head.sentence, limit=1000),
            markdown(f"KL is D(current‖reference), in nats. {told}", limit=1000),
            *self._markdown_table(),
            markdown(head.rule, limit=1000),
            "\n".join(line for notes in (segments, [*map(str, self.findings)], left_out) for line in _listed(notes)),
        )
        return "\n\n".join(part for part in parts if part) + "\n"

    def _markdown_table(self) -> list[str]:
        heading, rows = self.table()
        names = ("feature", "KL (nats)", "corrected (95 %)", "threshold")
        lines = [_row(["status", *names, "why"]), _row(["---"] * (len(names) + 2))]
        for v, row in zip(sorted(self.verdicts, key=_worst_first)[:MOST_SUMMARISED], rows, strict=False):
            why = "; ".join(explain(v, self.evidence.get(v.feature), most=1)) if v.drifting else ""
            cells = [*(row[heading.index(name)] for name in names), why or v.reason]
            lines.append(_row([" ".join(STATUSES[status_of(v.status, v.severity)]), *map(markdown, cells)]))
        more = len(rows) - MOST_SUMMARISED
        return [*(["\n".join(lines)] if rows else []), *([f"… and {many(more, 'more feature')}"] if more > 0 else [])]

    def to_html(self, *, timezone: str = "UTC") -> str:
        """Return the report as one HTML page that needs nothing else: to attach, to archive, to print.

        Of up to sixty features, the worst first, it has histograms drawn to scale, statistics of both sides, and every
        cell; all features stand in its table.

        Parameters
        ----------
        timezone
            In which the times of its window are shown.

        Raises
        ------
        WindowError
            If there is no such time zone.
        """
        from drift.detection.page.document import page

        return page(self._head(timezone), self._features())

    def _repr_html_(self) -> str:
        from drift.detection.page.document import fragment

        return fragment(self._head("UTC"), self._features())

    def _features(self) -> list[tuple[Verdict, Evidence | None]]:
        return [(verdict, self.evidence.get(verdict.feature)) for verdict in self.verdicts]

    def _head(self, timezone: str) -> Head:
        from drift.detection.page.document import Head

        overall, zone = self.rollup(), load_timezone(timezone)
        span = self.window and f"{when(self.window.start, zone)} … {when(self.window.end, zone)}"
        facts = {
            "Reference": f"{self.reference.removeprefix('reference ')} · {many(self.n_reference, 'row')}",
            "Current": f"{self.current or self.label or 'table'} · {many(self.n_current, 'row')}",
            f"Window ({timezone})": span,
            "Segment": self.segment,
            "Validation": STATUSES[self.gate][1] if self.window else None,
            "Sum of KL": f"{nats(self.total_kl)} nats",
            "Pairs of columns": self._pairs(),
        }
        title = f"{self.monitor} {self.label}".strip()
        told = [(name, value) for name, value in facts.items() if value]
        return Head(title, self.status, self._sentence(overall), overall.line(), told, self.notes(), self.relationships)

    def _pairs(self) -> str:
        """Say how many pairs of columns were compared, and why they were not judged."""
        why = f"not judged: {self.unjudged_pairs}" if self.unjudged_pairs else ""
        return " · ".join(filter(None, [thousands(self.n_pairs) if self.n_pairs else "", why]))

    def _sentence(self, overall: Rollup) -> str:
        """Return the report in a sentence, by the names of what drifts."""
        worst = [visible(verdict.feature) for verdict in self.drifting]
        if not overall.n_judged:
            return "No feature could be judged."
        unjudged = overall.n_features - overall.n_judged
        rest = f" {many(unjudged, 'feature')} could not be judged." if unjudged else ""
        if self.relationships:
            columns = ", ".join(visible(each.column) for each in self.relationships[:5])
            rest += f" How {columns}{' …' * (len(self.relationships) > 5)} goes with other columns changed."
        if not worst:
            return f"None of {many(overall.n_judged, 'feature')} drifted.{rest}"
        more = f" and {len(worst) - 5} more" if len(worst) > 5 else ""
        named = f"{', '.join(worst[:5])}{more}"
        return f"{len(worst)} of {many(overall.n_judged, 'feature')} drifted: {named}.{rest}"


@dataclass(frozen=True, slots=True, eq=False)
class FeatureReport(Verdict):
    """A verdict with the evidence behind it: one feature of a report, which a notebook shows as a picture.

    Parameters
    ----------
    evidence
        Both histograms; None where they are not known.
    """

    evidence: Evidence | None = field(default=None, repr=False)

    def _repr_html_(self) -> str:
        from drift.detection.page.document import feature_fragment

        return feature_fragment(self, self.evidence)


def _entries(report: Report) -> dict[str, dict[str, Any]]:
    return {v.feature: _entry(v, report.evidence.get(v.feature)) for v in report.verdicts}


def _entry(verdict: Verdict, evidence: Evidence | None) -> dict[str, Any]:
    score, found = verdict.score, verdict.explanation
    entry: dict[str, Any] = {
        "status": verdict.status,
        "severity": verdict.severity,
        "reason": verdict.reason,
        "role": verdict.role,
        "weight": verdict.weight,
        "threshold": {"warning": verdict.warning, "critical": verdict.critical, "scale": verdict.scale},
    }
    if score is None:
        return entry
    entry |= {
        "kind": score.kind,
        "size": verdict.size,
        "kl": score.kl,
        "kl_reverse": score.kl_reverse,
        "psi": score.psi,
        "js": score.js,
        "js_distance": score.js_distance,
        "kl_corrected": score.kl_corrected,
        "interval": {"level": 0.95, "low": score.ci_low, "high": score.ci_high},
        "p": score.p,
        "q": score.q,
        "z": score.z,
        "z_lasting": score.z_lasting,
        "noise": score.noise,
        "kl_fixed": found.kl_fixed,
        "wasserstein": found.wasserstein,
        "cell": found.cell and asdict(found.cell),
        "onset": found.onset and found.onset.to_dict(),
        "where": found.where and found.where.to_dict(),
        "reference": found.reference,
        "n_reference": score.n_reference,
        "n_current": score.n_current,
        "smoothing": score.smoothing,
        "binning": score.fingerprint,
        "explanation": explain(verdict, evidence),
    }
    if evidence is not None:
        binning = evidence.current.binning
        before, after = evidence.descriptions
        entry["summary"] = {
            "unit": unit(binning),
            "reference": before.to_dict(binning),
            "current": after.to_dict(binning),
        }
        entry["due_to"] = evidence.due_to(score.contributions)
        entry["contributions"] = [
            {"cell": cell, "reference": n_before, "current": n_after, "contribution": float(part)}
            for (cell, n_before, n_after, _, _), part in zip(evidence.cells(), score.contributions, strict=True)
        ]
    return entry


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _listed(notes: Sequence[str]) -> list[str]:
    more = len(notes) - MOST_SUMMARISED
    lines = [*map(markdown, notes[:MOST_SUMMARISED]), *([f"… and {more} more"] if more > 0 else [])]
    return [f"- note: {line}" for line in lines]


def _worst_first(verdict: Verdict) -> tuple[int, float]:
    return STATUS_ORDER[verdict.status], -(verdict.score.kl if verdict.score else 0.0)
