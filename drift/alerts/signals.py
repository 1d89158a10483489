"""Signals: what one window shows about each thing that an alert may be about.

There is a signal for every feature, the gate, the number of rows, each changed column, the table as a whole, whether
anything was judged, and the run itself. `drift.alerts.lifecycle` makes alerts of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from drift.detection.evidence import explain
from drift.detection.onset import together as all_of
from drift.text.formatting import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drift.config.alerts import AlertKind
    from drift.detection.findings import FindingKind
    from drift.detection.localise import Where
    from drift.detection.onset import Onset
    from drift.detection.reports import Report
    from drift.detection.scores import Severity, Status, Verdict
    from drift.windows import Window

TABLE_SHARE = 0.2
"""Above this share of drifting features there is one alert for the table (STATISTICS: more than 20 % at once)."""
TABLE_FEATURES = 5
"""Fewer drifting features than this have an alert each."""

TABLE = "table"
"""The key of the signal of the table as a whole."""

_KIND_OF: dict[FindingKind, AlertKind] = {"not_judged": "not_judged"}
"""Of findings of a column that open an alert; all others but relationships are of its schema."""

Cause = Literal["", "missing"]
SignalState = Literal["firing", "pending", "lingering", "quiet", "no_data"]


@dataclass(frozen=True, slots=True)
class Signal:
    """What one window shows about one key.

    `key` is such as ``drift:dep_delay``, ``drift:dep_delay@origin=JFK``, ``table``, ``gate``, ``rows``,
    ``volume:fewer``, ``volume:more``, ``schema:carrier``, ``relationship:carrier``, ``not_judged``,
    ``not_judged:carrier``, ``run``; `feature` is the feature or column, None where the whole window is meant;
    `segment` is empty for the whole window. `severity` is that of this window alone, before persistence; `status`
    includes it: ``warning`` and ``critical`` open an alert.

    `reason` is never empty. `summary` is what moved, in words: ``missing rose from 0.9 % to 51 %: 0.93 of 1.28 nats``.
    `standing` is what stays, though the window is quiet: ``the reference has adapted: still 0.83 nats from the baseline
    of 2013-01-01 … 01-28``. `lingering` is why the window, which would open no alert, is not quiet either; empty where
    it is. `inhibited_by` is the key of the signal that fires in the same window and says this one too: an alert that it
    opens is part of that one's. Empty where there is none. `onset` is since when and `where` in which rows,
    where that is known. `cause` is ``missing`` where missing values make up at least half of the divergence.
    """

    window: Window
    key: str
    kind: AlertKind
    feature: str | None
    severity: Severity
    status: Status
    reason: str
    summary: str = ""
    standing: str = ""
    lingering: str = ""
    segment: str = ""
    inhibited_by: str = ""
    onset: Onset | None = None
    where: Where | None = None
    cause: Cause = ""

    @property
    def state(self) -> SignalState:
        """What it does to an alert.

        ``firing`` opens one or keeps it open; ``pending`` (this window drifts, but not yet often enough) and
        ``lingering`` (it does not drift, and is not back to normal) keep it from closing; ``quiet`` brings its
        closing nearer; ``no_data`` (no answer: too few rows, nothing to compare, an error) does nothing at all.
        """
        if self.status in {"warning", "critical"}:
            return "firing"
        if self.status != "ok":
            return "no_data"
        if self.severity != "none":
            return "pending"
        return "lingering" if self.lingering else "quiet"

    @property
    def words(self) -> str:
        """Reason, summary, what lingers and what stays, in one line."""
        return "; ".join(filter(None, (self.reason, self.summary, self.lingering, self.standing)))


@dataclass(frozen=True, slots=True)
class Closing:
    """When a feature counts as back to normal: hysteresis, so that what hovers about a threshold is one alert.

    `below` is a share, in (0, 1], of what opens an alert: of the warning floor, and of the `z` robust standard
    deviations beyond its own history at which a window is unusual. A difference that is not significant at the
    false-discovery rate `fdr` does not count.
    """

    below: float
    fdr: float
    z: float

    def lingers(self, verdict: Verdict) -> str:
        """Say why a verdict that opens nothing is not quiet; empty where it is."""
        score = verdict.score
        if score is None or verdict.status != "ok" or verdict.severity != "none" or score.q > self.fdr:
            return ""
        if (verdict.size or 0.0) < self.below * verdict.warning:
            return ""
        if score.z is not None and score.z < self.below * self.z:
            return ""
        return f"not below {self.below:g} times what opens an alert"


def signals_of(
    report: Report,
    *,
    failures: Sequence[str] = (),
    adapted: Mapping[str, str] | None = None,
    closing: Closing | None = None,
) -> list[Signal]:
    """Turn a report into a signal for each key; a comparison of two tables (no window) gives none.

    One signal a feature (``drift:<feature>``), one for the gate, one for whether there are rows (``rows``), two for
    their number (``volume:fewer``, ``volume:more``), one for the schema, one for how columns go together, one more for
    each column that changed, that cannot be judged, or whose relationships are not as they were, and one for the
    ``table``: it fires, and inhibits those of its features, where at least five features and more than 20 % of the
    judged ones drift. The same again for each segment (``drift:<feature>@<segment>``), which the whole window inhibits.

    `failures` are the messages of the expectations that failed. `adapted` says, by key, what stays though the window is
    quiet, where only the reference has moved. Without `closing` whatever does not drift is back to normal.
    """
    window = report.window
    if window is None:
        return []

    at_once = partial(_at_once, window)
    found = [at_once("gate", "data_quality", None, *_gate(report, failures))]
    if report.gate == "rejected":
        return found
    found += [*_rows(report, window), *_judged(report, window)]
    if report.n_reference and report.n_current:
        found.append(at_once("schema", "schema", None, "none", "compared"))
    if report.n_pairs:
        found += _relationships(report, window)
    for finding in report.findings:
        if finding.column is not None and finding.severity != "none" and finding.kind != "relationship":
            kind = _KIND_OF.get(finding.kind, "schema")
            found.append(at_once(f"{kind}:{finding.column}", kind, finding.column, finding.severity, finding.message))
    whole = _drift(report, window, closing)
    found += whole
    firing = {one.feature: one.key for one in whole if one.state == "firing"}
    for segment in report.segments.values():
        mine = _drift(segment, window, closing)
        found += [replace(one, inhibited_by=_by(firing, one.feature) or one.inhibited_by) for one in mine]
    return [replace(one, standing=adapted[one.key]) if adapted and one.key in adapted else one for one in found]


def _by(firing: Mapping[str | None, str], feature: str | None) -> str:
    """Return the key of the signal that inhibits those of a feature in segments: the table's, or the feature's own."""
    return firing.get(None) or firing.get(feature, "")


def _drift(report: Report, window: Window, closing: Closing | None) -> list[Signal]:
    """Say what drifts, feature by feature and all of them in one."""
    at = f"@{report.segment}" if report.segment else ""
    judged = sum(v.judged for v in report.verdicts)
    drifting = report.drifting
    together = len(drifting) >= TABLE_FEATURES and len(drifting) > TABLE_SHARE * judged
    found = []
    if judged:
        names = ", ".join(v.feature for v in drifting[:3]) + (", …" if len(drifting) > 3 else "")
        share = f"{len(drifting)} of {judged} judged features drifted"
        many = f"{share} ({percent(len(drifting) / judged)}): {names}"
        said: tuple[Severity, str] = (report.severity, many) if together else ("none", share)
        table = _at_once(window, f"{TABLE}{at}", "table", None, *said)
        found.append(replace(table, segment=report.segment, onset=_together(report, together=together)))
    found.extend(
        Signal(
            window,
            f"drift:{v.feature}{at}",
            "drift",
            v.feature,
            v.severity,
            v.status,
            v.reason or v.status,
            "; ".join(explain(v, report.evidence.get(v.feature))) if v.drifting else "",
            lingering=closing.lingers(v) if closing else "",
            segment=report.segment,
            inhibited_by=f"{TABLE}{at}" if together else "",
            onset=v.explanation.onset,
            where=v.explanation.where,
            cause=_cause(v),
        )
        for v in report.verdicts
    )
    return found


def _together(report: Report, *, together: bool) -> Onset | None:
    """Return since when the table drifts, or the window in which alone it did where no feature drifts any longer."""
    dated = [(verdict.drifting, one) for verdict in report.verdicts if (one := verdict.explanation.onset)]
    if together:
        return all_of([one for drifting, one in dated if drifting])
    over = len(dated) >= TABLE_FEATURES and not report.drifting
    return all_of([one for _, one in dated]) if over else None


def _cause(verdict: Verdict) -> Cause:
    score = verdict.score
    return "missing" if verdict.drifting and score and score.contributions[-1] >= score.kl / 2 else ""


def _at_once(window: Window, key: str, kind: AlertKind, feature: str | None, severity: Severity, reason: str) -> Signal:
    """Return a signal that does not wait for persistence: what is bad fires at once."""
    return Signal(window, key, kind, feature, severity, "ok" if severity == "none" else severity, reason)


def _rows(report: Report, window: Window) -> list[Signal]:
    """Say whether there are rows, and how many; a window without any says nothing of their number."""
    said = {finding.kind: finding for finding in report.findings}
    if "no_rows" in said:
        none = _at_once(window, "rows", "missing_data", None, "critical", said["no_rows"].message)
        return [replace(none, onset=said["no_rows"].onset)]
    if not report.n_current:
        return []
    found = [_at_once(window, "rows", "missing_data", None, "none", "rows arrived")]
    stays = "; ".join(finding.message for finding in report.findings if finding.kind == "adapted")
    kinds: dict[str, FindingKind] = {"volume:fewer": "fewer_rows", "volume:more": "more_rows"}
    for key, kind in kinds.items():
        one = said.get(kind)
        signal = _at_once(
            window, key, "data_quality", None, *((one.severity, one.message) if one else ("none", "usual"))
        )
        lingering = one.message if one and one.severity == "none" else ""
        found.append(replace(signal, standing=stays, lingering=lingering, onset=one.onset if one else None))
    return found


def _relationships(report: Report, window: Window) -> list[Signal]:
    """Say which columns no longer go with others, and which of these have an answer of another kind."""

    def said(column: str, severity: Severity, reason: str, **more: Any) -> Signal:
        one = _at_once(window, f"relationship:{column}", "relationship", column, severity, reason)
        return replace(one, **more)

    found = [_at_once(window, "relationship", "relationship", None, "none", "compared")]
    broken = [(one, one.column) for one in report.findings if one.kind == "relationship" and one.column is not None]
    # Who of two columns is named may change from window to window: the other is not quiet.
    for finding, column in broken:
        apart = f"it no longer goes with {column} as it did"
        found += [said(other, "none", apart, lingering=apart) for other in finding.others]
    # Of a column that drifts by itself nothing is known.
    drifting = [verdict.feature for verdict in report.verdicts if verdict.strays]
    found += [said(column, "none", "it drifts by itself", status="not_comparable") for column in drifting]
    # What strays, though not for long enough, opens no alert and ends none.
    return found + [
        said(column, one.severity, one.message, onset=one.onset, lingering=one.message * (one.severity == "none"))
        for one, column in broken
    ]


def _judged(report: Report, window: Window) -> list[Signal]:
    """Say whether anything was judged: not for one window, only where it lasts."""
    at_once = partial(_at_once, window, "not_judged", "not_judged", None)
    if report.status != "not_judged":
        return [at_once("none", "features were judged")]
    lasting = next((finding.message for finding in report.findings if finding.kind == "not_judged"), "")
    return [at_once("warning", lasting)] if lasting else []


def _gate(report: Report, failures: Sequence[str]) -> tuple[Severity, str]:
    why = f": {'; '.join(failures)}" if failures else ""
    if report.gate == "rejected":
        return "critical", f"rejected by its expectations{why}"
    if report.gate == "warned":
        return "warning", f"an expectation failed{why}"
    return "none", "accepted" if report.gate == "accepted" else "not validated"


def run_signal(window: Window, error: str | None) -> Signal:
    """Return the signal of a run: it failed with an error, or it succeeded."""
    if error is None:
        return _at_once(window, "run", "run", None, "none", "the run succeeded")
    return _at_once(window, "run", "run", None, "critical", f"run failed: {error}")
