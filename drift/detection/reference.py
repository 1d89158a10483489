"""References composed from stored windows: which counts a window is compared with, feature by feature.

Pure functions over profiles: a monitor evaluates with them what it has just counted, a replay what was counted once.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from drift.config.reference import MIN_SEASON
from drift.detection.scoring import corrected
from drift.profiles.histograms import Histogram, Profile, Summary
from drift.profiles.refinement import refined_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from drift.config.detection import Detection

EMPTY = Profile(None, 0, {})
"""The profile of no window: the zero of ``+``."""


def merge(profiles: Sequence[Profile], *, left_out: Collection[tuple[str, datetime]] = (), least: int = 1) -> Profile:
    """Add windows up to one reference, without the counts of features `left_out`, each with the start of a window.

    Where fewer windows than `least` would be left of a feature, none of it is left out: what has lasted that long is
    the new normal, and a reference without rows would only hide it.
    """
    return _without(_total(profiles), profiles, left_out, least)


def _total(profiles: Sequence[Profile]) -> Profile:
    # A segment has a reference of its own.
    return Profile.total([replace(each, segments={}) if each.segments else each for each in profiles])


def _without(
    total: Profile, profiles: Sequence[Profile], left_out: Collection[tuple[str, datetime]], least: int
) -> Profile:
    """Return the sum of some windows without the counts of features left out; see `merge`."""
    histograms, summaries = dict(total.histograms), dict(total.summaries)
    for feature in {feature for feature, _ in left_out} & histograms.keys():
        having = [p for p in profiles if feature in p.histograms]
        kept = [p for p in having if p.window is None or (feature, p.window.start) not in left_out]
        if len(kept) < least or len(kept) == len(having):
            continue
        histograms[feature] = Histogram.total([p.histograms[feature] for p in kept])
        if feature in summaries:
            summaries[feature] = Summary.total([p.summaries[feature] for p in kept if feature in p.summaries])
    return replace(total, histograms=histograms, summaries=summaries)


def least_drifted(
    references: Mapping[str, Profile], current: Profile, *, floor: Callable[[str], float]
) -> tuple[Profile, dict[str, str]]:
    """Compare each feature with the main reference; where that calls it large, another one may excuse it.

    Real days are not draws from one urn: a Sunday differs from the four weeks before it, and is like every Sunday. What
    is news differs from both. Where the main reference finds nothing the others are not asked, so that the history of a
    quiet feature is of one kind.

    The first reference is the main one: its rows, schema and problems are those of the result, and it wins where two
    are equal. A feature is large from `floor` on, a bias-corrected divergence in nats. The names returned say which
    reference each feature is compared with, where there is more than one.
    """
    main, *others = references
    chosen = references[main]
    histograms, summaries = dict(chosen.histograms), dict(chosen.summaries)
    least = _distances(chosen, current)
    names = {f: main for f in least if any(f in references[other].histograms for other in others)}
    large = {feature for feature, nats in least.items() if nats >= floor(feature)}
    for other in others:
        candidate = references[other]
        for feature, nats in _distances(candidate, current, large).items():
            if nats < least[feature]:
                least[feature], names[feature] = nats, other
                histograms[feature] = candidate.histograms[feature]
                if feature in candidate.summaries:
                    summaries[feature] = candidate.summaries[feature]
    return replace(chosen, histograms=histograms, summaries=summaries), names


def _distances(reference: Profile, current: Profile, features: Collection[str] | None = None) -> dict[str, float]:
    return corrected(refined_pairs(reference, current, features))


def compose(
    windows: Mapping[str, Sequence[Profile]],
    current: Profile,
    detection: Detection,
    *,
    left_out: Collection[tuple[str, datetime]] = (),
    drifted: Collection[tuple[str, datetime]] = (),
    least: int = 1,
) -> tuple[Profile, dict[str, str]]:
    """Return what `current` is compared with: the main reference, and for some features a companion that excuses them.

    The first of the references is the main one; of each those stored windows are given that may be used, with rows.
    A companion excuses what reaches the warning threshold; with fewer rows than `min_rows` it says nothing. Where the
    main reference has fewer windows than `least` there is none, and the result is empty. `left_out` is that of `merge`,
    and the result that of `least_drifted`.

    Windows that `drifted` are in the main reference, so that it follows what lasts. Of the features that have some a
    companion goes without them: when an incident is over, the data are as before it, and that is no drift.
    """
    main, *companions = windows
    if len(windows[main]) < least:
        return EMPTY, {}
    total = _total(windows[main])
    references = {main: _without(total, windows[main], left_out, least)}
    for name in companions:
        if len(windows[name]) >= MIN_SEASON:
            companion = merge(windows[name], left_out=left_out, least=MIN_SEASON)
            if companion.n_rows >= detection.min_rows:
                references[name] = companion
    without = {feature for feature, _ in drifted} & references[main].histograms.keys()
    if without:
        quiet = _without(total, windows[main], {*left_out, *drifted}, least)
        histograms = {feature: quiet.histograms[feature] for feature in without}
        references[f"{main} without what drifted"] = replace(quiet, histograms=histograms)
    return least_drifted(references, current, floor=lambda feature: detection.effect_for(feature).in_nats.warning)


def from_baseline(windows: Sequence[Profile], current: Profile, segment: str = "") -> dict[str, float]:
    """Return how far each feature of a window is from the windows its bins were fitted on: nats, never negative.

    A trailing reference adapts to whatever lasts; this one does not move until another baseline is promoted. Where a
    segment is named, `current` is that of the window.
    """
    baseline = _sum(tuple(windows))
    mine = baseline.segments.get(segment) if segment else baseline
    return {feature: max(nats, 0.0) for feature, nats in _distances(mine, current).items()} if mine else {}


@lru_cache(maxsize=4)  # the windows of a baseline are the same from run to run
def _sum(windows: tuple[Profile, ...]) -> Profile:
    return Profile.total(windows)
