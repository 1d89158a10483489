"""Scores and verdicts: values that explain themselves and cannot be changed behind anybody's back."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, fields
from typing import get_args

import numpy as np
import pytest

from drift.detection.scores import SEVERITY_RANK, Score, Severity, Status, Verdict
from drift.detection.scoring import measure
from drift.profiles.binning import CategoricalBinning
from drift.profiles.histograms import Histogram


@pytest.fixture(scope="module")
def score() -> Score:
    """The score of a carrier whose share fell by a half."""
    binning = CategoricalBinning(("UA", "B6"))
    pair = (Histogram(binning, np.array([600, 400, 0, 0, 0])), Histogram(binning, np.array([300, 700, 0, 0, 0])))
    return measure({"carrier": pair})["carrier"]


@pytest.mark.parametrize("value", [Score, Verdict])
def test_every_field_is_documented(value: type) -> None:
    """A score describes itself: every field is named in its docstring."""
    parameters = (inspect.getdoc(value) or "").split("Parameters")[1]
    named = {name.strip() for line in parameters.splitlines() for name in line.split(":")[0].split(",")}
    assert {field.name for field in fields(value)} <= named


def test_the_numbers_belong_together(score: Score) -> None:
    """PSI is the sum of both directions, the distance the root of the divergence, the parts the whole."""
    assert score.psi == score.kl + score.kl_reverse
    assert score.js_distance**2 == pytest.approx(score.js)
    assert float(score.contributions.sum()) == score.kl
    assert score.ci_low <= score.kl_corrected <= score.ci_high
    exact = 0.3 * np.log(0.3 / 0.6) + 0.7 * np.log(0.7 / 0.4)
    assert score.kl == pytest.approx(exact, rel=0.01)


def test_values_are_frozen(score: Score) -> None:
    """Neither a score nor its contributions can be changed."""
    with pytest.raises(FrozenInstanceError):
        score.kl = 0.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        score.contributions[0] = 1.0


@pytest.mark.parametrize("status", get_args(Status))
def test_only_warning_and_critical_ask_for_attention(status: Status) -> None:
    """A feature drifts where a person is told so; a missing answer is no drift."""
    verdict = Verdict("carrier", status, "none", "because", 0.01, 0.1)
    assert verdict.drifting == (status in {"warning", "critical"})
    assert verdict.score is None


def test_severities_have_an_order() -> None:
    """Every severity has a rank, critical the highest."""
    assert sorted(SEVERITY_RANK, key=lambda severity: SEVERITY_RANK[severity]) == list(get_args(Severity))
