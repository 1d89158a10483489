"""Roll-ups: the verdicts of one window in one, overall and by the features' role, and the rule that made it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from drift.detection.scores import STATUS_ORDER
from drift.text.formatting import many, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drift.config.features import Role
    from drift.detection.scores import ReportStatus, Verdict

ROLES: tuple[Role, ...] = ("input", "prediction", "label")


@dataclass(frozen=True, slots=True)
class Rollup:
    """What the verdicts come to together.

    Parameters
    ----------
    status
        The worst of them; ``not_judged`` where none is an answer. ``insufficient_data`` of some features counts for
        nothing beside an answer on others: a label that has not arrived does not hide what is known of them.
    rule
        Why it is that, in words, the status first.
    n_features, n_judged, n_drifting
        Features watched; with status ok, warning or critical; with status warning or critical.
    share
        Of the judged features, those that drift.
    weighted_share
        The same, each feature counting with its weight.
    total_kl
        Sum of the features' KL, in nats: the joint divergence if the features were independent.
    mean_kl
        Mean of the features' KL, each counting with its weight, in nats.
    by_role
        The same for each role that a feature has; empty within a role.
    """

    status: ReportStatus
    rule: str
    n_features: int
    n_judged: int
    n_drifting: int
    share: float
    weighted_share: float
    total_kl: float
    mean_kl: float
    by_role: Mapping[Role, Rollup] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """The rule without its status."""
        return self.rule.removeprefix(f"{self.status}: ")

    def to_dict(self) -> dict[str, Any]:
        """Return the roll-up as plain JSON."""
        fields = asdict(self)
        roles = fields.pop("by_role")
        for of in roles.values():
            del of["by_role"]
        return fields | {"by_role": roles}

    def line(self) -> str:
        """Return the rule, and where there are several roles what each comes to, as one line."""
        roles = [
            f"{role} {of.status}, {of.n_drifting} of {of.n_judged}"
            for role, of in self.by_role.items()
            if len(self.by_role) > 1
        ]
        return " · ".join([self.rule, *roles])


def roll_up(verdicts: Sequence[Verdict]) -> Rollup:
    """Roll verdicts up, overall and by role.

    Examples
    --------
    >>> from drift.detection.scores import Verdict
    >>> late = Verdict("paid", "insufficient_data", "none", "labels have not arrived", 0.01, 0.1, role="label")
    >>> found = roll_up([Verdict("age", "critical", "critical", "large", 0.01, 0.1), late])
    >>> found.rule
    'critical: age (input) is critical'
    >>> found.by_role["label"].rule
    'not_judged: paid (label): labels have not arrived'
    """
    roles = {role: [v for v in verdicts if v.role == role] for role in ROLES}
    return _of(verdicts, {role: _of(mine, {}) for role, mine in roles.items() if mine})


def _of(verdicts: Sequence[Verdict], by_role: Mapping[Role, Rollup]) -> Rollup:
    scored = [(v, v.score) for v in verdicts if v.score is not None]
    judged, drifting = [v for v in verdicts if v.judged], [v for v in verdicts if v.drifting]
    weight, weight_judged = sum(v.weight for v, _ in scored), sum(v.weight for v in judged)
    share = len(drifting) / len(judged) if judged else 0.0
    weighted_share = min(sum(v.weight for v in drifting) / weight_judged, 1.0) if weight_judged else 0.0
    status = _status(verdicts) if judged else "not_judged"
    return Rollup(
        status,
        f"{status}: {_why(verdicts, status, len(judged), share, weighted_share)}",
        len(verdicts),
        len(judged),
        len(drifting),
        share,
        weighted_share,
        sum(score.kl for _, score in scored),
        sum(v.weight * score.kl for v, score in scored) / weight if weight else 0.0,
        by_role,
    )


def _status(verdicts: Iterable[Verdict]) -> ReportStatus:
    return min((v.status for v in verdicts if v.status != "insufficient_data"), key=STATUS_ORDER.__getitem__)


def _why(verdicts: Sequence[Verdict], status: ReportStatus, n_judged: int, share: float, weighted_share: float) -> str:
    if not verdicts:
        return "there is no feature to judge"
    weighted = len({v.weight for v in verdicts}) > 1
    if status == "ok":
        return f"none of {many(n_judged, 'feature')} drifted"
    # The weightiest first, then the largest.
    made_it = sorted(
        (v for v in verdicts if status in {v.status, "not_judged"}),
        key=lambda v: (-v.weight, -(v.score.kl if v.score else 0.0)),
    )
    first, others = made_it[0], len(made_it) - 1
    name = f"{first.feature} ({first.role}, weight {first.weight:g})" if weighted else f"{first.feature} ({first.role})"
    more = f" and {others} more" if others else ""
    if not first.drifting:
        return f"{name}{more}: {first.reason}"
    verb, adjective = "are" if others else "is", "critical" if status == "critical" else "at warning"
    if n_judged <= 1:
        return f"{name}{more} {verb} {adjective}"
    drifting = sum(v.drifting for v in verdicts)
    part = f"{percent(weighted_share)} of the weight" if weighted else percent(share)
    return f"{name}{more} {verb} {adjective}; {drifting} of {n_judged} features drifted ({part})"
