"""Late labels: a column of labels of which not one has come yet is neither news nor a reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from drift.text.formatting import thousands

if TYPE_CHECKING:
    from drift.config.features import Features
    from drift.profiles.histograms import Profile


def arrived(profile: Profile, watched: Features) -> Profile:
    """Return a profile without the labels of which not one has arrived: they are neither news nor a reference."""
    if "label" not in watched.roles.values():
        return profile
    absent = {
        feature
        for feature, histogram in profile.histograms.items()
        if watched.role_for(feature) == "label" and histogram.n == histogram.n_missing
    }
    return replace(
        profile,
        histograms={f: histogram for f, histogram in profile.histograms.items() if f not in absent},
        summaries={f: summary for f, summary in profile.summaries.items() if f not in absent},
    )


def waited_for(feature: str, reference: Profile, current: Profile, watched: Features) -> str:
    """Say on which side a label has not arrived, as all is missing or its column is; empty where it has, or is none."""
    if watched.role_for(feature) != "label":
        return ""
    if feature not in current.schema and feature in reference.schema:
        return "labels have not arrived (the column is missing)"
    if _left_out(current, feature):
        return f"labels have not arrived (0 of {thousands(current.n_rows)})"
    return "labels have not arrived in the reference" if _left_out(reference, feature) else ""


def _left_out(profile: Profile, feature: str) -> bool:
    return feature in profile.schema and feature not in profile.histograms and feature not in profile.problems
