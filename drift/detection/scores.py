"""Scores and verdicts: what is known of one feature in one window, and what is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

from drift.config.detection import Effect

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from drift.config.features import FeatureKind, Role
    from drift.detection.localise import Where
    from drift.detection.onset import Onset
    from drift.detection.size import Size
    from drift.statistics.divergence import Smoothing

Status = Literal["ok", "warning", "critical", "insufficient_data", "not_comparable", "error"]
Severity = Literal["none", "warning", "critical"]
ReportStatus = Literal["critical", "error", "warning", "not_comparable", "ok", "not_judged", "rejected"]
"""What the verdicts of a window come to: the worst of them, or why there is no such answer."""


class Gap(StrEnum):
    """What keeps a report, or one of its features, from an answer."""

    REJECTED = "rejected"
    EMPTY = "empty"
    NOT_JUDGED = "not-judged"
    MISSING_COLUMNS = "missing-columns"
    CHANGED_TYPES = "changed-types"
    NOT_COMPARABLE = "not-comparable"


SEVERITY_RANK: dict[str, int] = {"none": 0, "warning": 1, "critical": 2}
STATUS_ORDER: dict[Status, int] = {
    "critical": 0, "error": 1, "warning": 2, "not_comparable": 3, "insufficient_data": 4, "ok": 5,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Score:
    r"""The divergence of one feature, with everything needed to judge it. All divergences in nats.

    Parameters
    ----------
    feature
    kind
    kl
        :math:`D(\text{current}\|\text{reference})` of the smoothed shares, ≥ 0: the number that is shown.
    kl_reverse
        :math:`D(\text{reference}\|\text{current})`, of the same smoothed shares.
    psi
        Population stability index, which is Jeffreys' divergence: ``kl + kl_reverse``.
    js
        Jensen-Shannon divergence at equal weights, at most ln 2; its square root is the distance.
    kl_corrected
        Bias-corrected estimate of the same divergence, which is compared with the thresholds. May be slightly negative.
    ci_low, ci_high
        95 % confidence interval of the divergence, ``0 ≤ ci_low ≤ ci_high``.
    p
        Calibrated p-value of "nothing changed but sampling".
    q
        The smallest false-discovery rate at which this feature would be called, over the features judged with it.
    z
        How far beyond its own history, in robust standard deviations; None where the history is too short.
    z_lasting
        The same of what the last windows reach together, as many of them as persistence asks for.
    noise
        What `kl` averages when nothing changed, for these sample sizes.
    cells
        Occupied cells: those that hold rows on either side.
    n_reference, n_current
        Rows, missing ones included.
    smoothing
    fingerprint
        Of the binning.
    contributions : float64, shape (n_cells,)
        What each cell adds to `kl`; they sum to it exactly.
    """

    feature: str
    kind: FeatureKind
    kl: float
    kl_reverse: float
    psi: float
    js: float
    kl_corrected: float
    ci_low: float
    ci_high: float
    p: float
    q: float
    z: float | None
    z_lasting: float | None
    noise: float
    cells: int
    n_reference: int
    n_current: int
    smoothing: Smoothing
    fingerprint: str
    contributions: NDArray[np.float64]

    @property
    def js_distance(self) -> float:
        """Jensen-Shannon distance, the square root of the divergence in nats."""
        return float(self.js**0.5)


@dataclass(frozen=True, slots=True)
class CellShift:
    """The cell of a feature whose share lies farthest beyond its own history.

    Parameters
    ----------
    cell
        As its binning names it.
    usual
        Median share of the windows before.
    share
        Of this window.
    kl
        What the cell moved by itself, compared with all others together: D(share‖usual) in nats.
    z
        How far it is beyond, in robust standard deviations; the direction is that of the share.
    lasting
        The same of what the last windows reach together, as many of them as persistence asks for.
    """

    cell: str
    usual: float
    share: float
    kl: float
    z: float
    lasting: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What explains a score.

    Parameters
    ----------
    reference
        Which reference the feature was compared with, in words; empty where the report's own says it.
    kl_fixed
        The bias-corrected divergence from the fixed baseline's own windows, ≥ 0, to which no later window adapts;
        None where they are not stored.
    wasserstein
        Wasserstein-1 distance in the feature's own unit (seconds and days for times and dates); None where the feature
        has no numbers.
    cell
        The cell that strayed farthest from its own history; None where there is none, or nothing is remarkable.
    size
        How large the difference is in the measure chosen for the feature; None where that is the divergence in nats.
    onset
        Since when it has differed, or, of a feature that does not differ, that only the window before did; None where
        neither is so, or too little is known of what is ordinary.
    where
        The slice of the rows that carries the drift; None where it does not drift, or no slice explains it.
    """

    reference: str = ""
    kl_fixed: float | None = None
    wasserstein: float | None = None
    cell: CellShift | None = None
    size: Size | None = None
    onset: Onset | None = None
    where: Where | None = None


UNEXPLAINED = Explanation()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is made of one feature in one window.

    Parameters
    ----------
    feature
    status
        What is reported: ``ok``, ``warning``, ``critical``, or why there is no such answer.
    severity
        What this window alone says, before persistence: significant and large enough. ``none`` where there is no score.
    reason
        Why, in words; never empty.
    warning, critical
        The thresholds in force, on the `scale` of the feature's effect.
    score
        None where the status is ``insufficient_data`` (no rows to compare), ``not_comparable`` or ``error``.
    role
        What the feature is to the model: ``input``, ``prediction`` or ``label``.
    weight
        Its importance beside the other features', ≥ 0; only the ratio matters.
    explanation
        What explains the score.
    scale
        Measure and unit of the effect: ``kl`` in nats, ``mean %``, ``wasserstein sd``, ...
    size
        How large the difference is on that scale; None where there is no score.
    """

    feature: str
    status: Status
    severity: Severity
    reason: str
    warning: float
    critical: float
    score: Score | None = None
    role: Role = "input"
    weight: float = 1.0
    explanation: Explanation = UNEXPLAINED
    scale: str = "kl"
    size: float | None = None

    @property
    def in_nats(self) -> Effect:
        """The thresholds of divergences: those in force, or the usual ones where these are of another measure."""
        return Effect(warning=self.warning, critical=self.critical) if self.scale == "kl" else Effect()

    @property
    def drifting(self) -> bool:
        """Whether the status asks for attention."""
        return self.status in {"warning", "critical"}

    @property
    def strays(self) -> bool:
        """Whether it drifts, or would if this lasted: then its relationships are not judged."""
        return self.drifting or self.severity != "none"

    @property
    def judged(self) -> bool:
        """Whether the status is an answer: ``ok``, ``warning`` or ``critical``."""
        return self.drifting or self.status == "ok"


class Past(NamedTuple):
    """What is remembered of one earlier window of a feature; a tuple, as a run reads thousands of them.

    The severity is what that window alone said; size and scale are as in `Verdict`, the rest as in `Score` and
    `Explanation`.
    """

    window_start: datetime
    kl: float
    kl_corrected: float
    n_reference: int
    n_current: int
    cells: int
    severity: Severity
    kl_fixed: float | None = None
    scale: str = "kl"
    size: float | None = None
