"""Roll-ups: the share, the weight and the rule behind one word for a whole window."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.features import Role
from drift.detection.rollups import ROLES, roll_up
from drift.detection.scores import STATUS_ORDER, Status, Verdict
from tests.detection.test_reports import verdict

VERDICTS = st.lists(
    st.builds(
        lambda name, status, kl, role, weight: replace(
            verdict(name, status, None if status in {"error", "not_comparable"} else [kl]), role=role, weight=weight
        ),
        st.text("abc", min_size=1, max_size=3),
        st.sampled_from(get_args(Status)),
        st.floats(0, 5),
        st.sampled_from(get_args(Role)),
        st.sampled_from([0.0, 0.1, 1.0, 7.5]),
    ),
    max_size=8,
)


def weighed(name: str, status: Status, weight: float, kl: float = 0.5, role: Role = "input") -> Verdict:
    """A verdict on a scored feature of some importance."""
    return replace(verdict(name, status, [kl]), weight=weight, role=role)


@given(VERDICTS)
def test_a_roll_up_is_finite_and_consistent(verdicts: list[Verdict]) -> None:
    """Shares lie between 0 and 1, sums over the roles are the whole, and JSON takes it."""
    found = roll_up(verdicts)
    roles = found.by_role.values()
    assert 0 <= found.share <= 1
    assert 0 <= found.weighted_share <= 1
    assert found.n_features == len(verdicts) == sum(role.n_features for role in roles)
    assert found.n_drifting == sum(role.n_drifting for role in roles)
    assert found.total_kl == pytest.approx(sum(role.total_kl for role in roles))
    assert found.rule.startswith(f"{found.status}: ")
    json.dumps(found.to_dict(), allow_nan=False)


@given(VERDICTS)
def test_the_status_is_the_worst(verdicts: list[Verdict]) -> None:
    """The worst of the features' statuses, but that data which is not there yet hides nothing; or there is none."""
    known: list[Status] = [v.status for v in verdicts if v.status != "insufficient_data"]
    judged = any(v.judged for v in verdicts)
    worst = sorted(known, key=STATUS_ORDER.__getitem__)[:1]
    assert [roll_up(verdicts).status] == (worst if judged else ["not_judged"])


@given(VERDICTS, st.sampled_from([0.25, 4.0]))
def test_only_the_ratio_of_weights_matters(verdicts: list[Verdict], factor: float) -> None:
    """Importances need not sum to one."""
    scaled = roll_up([replace(v, weight=factor * v.weight) for v in verdicts])
    found = roll_up(verdicts)
    assert (scaled.weighted_share, scaled.mean_kl) == pytest.approx((found.weighted_share, found.mean_kl))


def test_weights_count() -> None:
    """The weighted share is the share of the weight, the weighted mean KL leans to what is important."""
    found = roll_up([weighed("a", "warning", 3, 0.4), weighed("b", "ok", 1, 0.0)])
    assert (found.share, found.weighted_share) == (0.5, 0.75)
    assert (found.total_kl, found.mean_kl) == pytest.approx((0.4, 0.3))


def test_features_of_no_weight_have_no_share() -> None:
    """All weights zero: 0, never NaN."""
    found = roll_up([weighed("a", "critical", 0)])
    assert (found.weighted_share, found.mean_kl, found.status) == (0.0, 0.0, "critical")


@pytest.mark.parametrize(
    ("verdicts", "rule"),
    [
        ([], "not_judged: there is no feature to judge"),
        ([verdict("a", "ok", [0.1]), verdict("b", "ok", [0.1])], "ok: none of 2 features drifted"),
        ([verdict("a", "critical", [0.1])], "critical: a (input) is critical"),
        (
            [weighed("dep_delay", "critical", 0.4), weighed("b", "ok", 0.6)],
            "critical: dep_delay (input, weight 0.4) is critical; 1 of 2 features drifted (40 % of the weight)",
        ),
        (
            [weighed(name, "warning" if name in "abc" else "ok", 1, 0.5 if name == "b" else 0.1) for name in "abcdefg"],
            "warning: b (input) and 2 more are at warning; 3 of 7 features drifted (43 %)",
        ),
        ([verdict("a", "not_comparable"), verdict("b", "ok", [0.1])], "not_comparable: a (input): because"),
        ([verdict("a", "insufficient_data")], "not_judged: a (input): because"),
        ([verdict("a", "error"), verdict("b", "not_comparable")], "not_judged: a (input) and 1 more: because"),
    ],
)
def test_the_rule_in_words(verdicts: list[Verdict], rule: str) -> None:
    """The status, who made it so, and how much of the features that is."""
    assert roll_up(verdicts).rule == rule


def test_roles_are_rolled_up_apart() -> None:
    """Each role that a feature has gets its own verdict; a late label does not hide that the inputs are well."""
    late = replace(verdict("paid", "insufficient_data"), role="label")
    found = roll_up([verdict("a", "ok", [0.1]), weighed("p", "warning", 1, role="prediction"), late])
    assert {role: of.status for role, of in found.by_role.items()} == {
        "input": "ok",
        "prediction": "warning",
        "label": "not_judged",
    }
    assert found.line() == (
        "warning: p (prediction) is at warning; 1 of 2 features drifted (50 %)"
        " · input ok, 0 of 1 · prediction warning, 1 of 1 · label not_judged, 0 of 0"
    )


def test_roles_are_all_there_are() -> None:
    """In the order in which they are shown."""
    assert get_args(Role) == ROLES
