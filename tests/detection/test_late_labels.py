"""Late labels: neither news nor a reference until they come."""

from __future__ import annotations

import numpy as np
import pytest

from drift.config.detection import Detection, Persistence
from drift.config.features import Features
from drift.detection.assess import Subject, assess
from drift.detection.late_labels import arrived
from drift.profiles.binning import BOOLEAN
from drift.profiles.histograms import Histogram, Profile

ONE = Detection(persistence=Persistence(of=1, at_least=1))
LABEL = Features(roles={"paid": "label"}, weights={"paid": 2.0})


def labels(present: int, missing: int) -> Profile:
    """A window of one column of labels."""
    histogram = Histogram(BOOLEAN, np.array([present, present, 0, 0, missing]))
    return Profile(None, histogram.n, {"paid": histogram}, {}, {"paid": "bool"})


@pytest.mark.parametrize(
    ("reference", "current", "reason"),
    [
        (labels(450, 100), labels(0, 1000), "labels have not arrived (0 of 1,000)"),
        (labels(0, 1000), labels(450, 100), "labels have not arrived in the reference"),
        (labels(0, 1000), labels(0, 900), "labels have not arrived (0 of 900)"),
    ],
)
def test_late_labels_are_no_drift(reference: Profile, current: Profile, reason: str) -> None:
    """A label that has not arrived lacks data; the same column as an input is compared, if a side has a value."""
    (late,) = assess([Subject(reference, current, ["paid"])], ONE, LABEL)[0].verdicts
    assert (late.status, late.reason, late.role, late.weight) == ("insufficient_data", reason, "label", 2.0)
    (compared,) = assess([Subject(reference, current, ["paid"])], ONE)[0].verdicts
    empty = all(side.histograms["paid"].n_missing == side.n_rows for side in (reference, current))
    assert (compared.score is None, compared.status == "insufficient_data", compared.role) == (empty, empty, "input")
    assert not arrived(labels(0, 9), LABEL).histograms
