"""Roll-ups: the verdicts of one window in one, overall and by the features' role, and the rule that made it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from drift.detection.scores import STATUS_ORDER
from drift.text.formatting import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drift.config.features import Role
    from drift.detection.scores import Status, Verdict

ROLES: tuple[Role, ...] = ("input", "prediction", "label")


@dataclass(frozen=True, slots=True)
class Rollup:
    """What the verdicts come to together.

    Parameters
    ----------
    status
        The worst of them. ``insufficient_data`` only where there is nothing else: a label that has not arrived does
        not hide what is known of the others.
    rule
        Why it is that, in words, the status first.
    n_features, n_scored, n_drifting
        Features watched, with a score, with status warning or critical.
    share
        Of the scored features, those that drift.
    weighted_share
        The same, each feature counting with its weight.
    total_kl
        Sum of the features' KL, in nats: the joint divergence if the features were independent.
    mean_kl
        Mean of the features' KL, each counting with its weight, in nats.
    by_role
        The same for each role that a feature has; empty within a role.
    """

    status: Status
    rule: str
    n_features: int
    n_scored: int
    n_drifting: int
    share: float
    weighted_share: float
    total_kl: float
    mean_kl: float
    by_role: Mapping[Role, Rollup] = field(default_factory=dict)

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
            f"{role} {of.status}, {of.n_drifting} of {of.n_scored}"
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
    'insufficient_data: paid (label): labels have not arrived'
    """
    roles = {role: [v for v in verdicts if v.role == role] for role in ROLES}
    return _of(verdicts, {role: _of(mine, {}) for role, mine in roles.items() if mine})


def _of(verdicts: Sequence[Verdict], by_role: Mapping[Role, Rollup]) -> Rollup:
    scored = [(v, v.score) for v in verdicts if v.score is not None]
    drifting = [v for v in verdicts if v.drifting]
    weight = sum(v.weight for v, _ in scored)
    share = len(drifting) / len(scored) if scored else 0.0
    weighted_share = min(sum(v.weight for v in drifting) / weight, 1.0) if weight else 0.0
    status = _status(verdicts)
    return Rollup(
        status,
        f"{status}: {_why(verdicts, status, len(scored), share, weighted_share)}",
        len(verdicts),
        len(scored),
        len(drifting),
        share,
        weighted_share,
        sum(score.kl for _, score in scored),
        sum(v.weight * score.kl for v, score in scored) / weight if weight else 0.0,
        by_role,
    )


def _status(verdicts: Sequence[Verdict]) -> Status:
    found: set[Status] = {v.status for v in verdicts}
    return min(found - {"insufficient_data"} or found, key=lambda s: STATUS_ORDER[s], default="ok")


def _why(verdicts: Sequence[Verdict], status: Status, n_scored: int, share: float, weighted_share: float) -> str:
    if not verdicts:
        return "no feature was judged"
    weighted = len({v.weight for v in verdicts}) > 1
    if status == "ok":
        return f"none of {n_scored} features drifts"
    # The weightiest first, then the largest.
    made_it = sorted(
        (v for v in verdicts if v.status == status), key=lambda v: (-v.weight, -(v.score.kl if v.score else 0.0))
    )
    first, others = made_it[0], len(made_it) - 1
    name = f"{first.feature} ({first.role}, weight {first.weight:g})" if weighted else f"{first.feature} ({first.role})"
    more = f" and {others} more" if others else ""
    if not first.drifting:
        return f"{name}{more}: {first.reason}"
    verb, adjective = "are" if others else "is", "critical" if status == "critical" else "at warning"
    if n_scored <= 1:
        return f"{name}{more} {verb} {adjective}"
    drifting = sum(v.drifting for v in verdicts)
    part = f"{percent(weighted_share)} of the weight" if weighted else percent(share)
    features = "features drifts" if drifting == 1 else "features drift"
    return f"{name}{more} {verb} {adjective}; {drifting} of {n_scored} {features} ({part})"
