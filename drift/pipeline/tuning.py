"""Tuning: settings for a wished number of pages a month, and what they would have caught and missed.

One replay scores the windows; after that every candidate is only a matter of judging those scores again, which takes a
fraction of a second for a year, and comes close to a replay. Candidates differ in effect floors, in how far beyond its
own history a feature must be, and in persistence. Of those that keep the events a person marked, and page no more often
than wished, the one that finds most planted faults is proposed, once a replay in full has shown it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from drift.alerts import lifecycle
from drift.alerts.signals import signals_of
from drift.config.detection import Detection, Effect, EffectOverride, Persistence
from drift.config.overrides import changes, snippet
from drift.detection.verdicts import judge_again
from drift.errors import DriftError
from drift.pipeline.fault_injection import Recall, plant, plant_again, recall, remembered
from drift.pipeline.notify import closing_of
from drift.pipeline.replay import Call, Replay, call_to_dict, calls_of, lead_of, replay
from drift.store.memory import Memory
from drift.text.formatting import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np

    from drift.alerts.alerts import Alert
    from drift.config.monitor import Monitor
    from drift.detection.reports import Report
    from drift.detection.scores import Past
    from drift.pipeline.context import Context
    from drift.pipeline.fault_injection import Planted
    from drift.store.base import State
    from drift.windows import Window

    Attempt = Callable[[Detection], "Trial"]

SCHEMA_VERSION = 1

FLOORS = (0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
"""Effect floors that are tried for a warning, in nats: from what is worth a notice to what nobody overlooks."""

BEYOND = (3.0, 4.0, 5.0, 6.0, 8.0)
"""Robust standard deviations beyond its own history that are tried."""

PERSISTENCES = ((1, 1), (3, 2), (3, 3), (5, 3))
"""Persistence that is tried: windows looked at, and how many of these must have drifted."""

MARGIN = 0.01
"""Recall that much lower is no reason to change another setting: the faults were planted at random."""

FULL = 4
"""This many proposals at most are replayed in full until one pages no more often than wished."""

WAIT = 3
"""Windows in which a page still tells of a marked event: its own, and those that persistence may wait for."""

MUTED = 0.2
"""No feature's own floor is raised beyond this: nobody should mute one without knowing."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What some settings come to: their pages for drift, how many a month, the faults found, the marked events lost."""

    detection: Detection
    calls: Sequence[Call]
    a_month: float
    recalls: Mapping[str, Recall]
    lost: Sequence[Window] = ()

    @property
    def recall(self) -> float:
        """Mean share of the planted faults found, at once and in time alike, every fault weighing the same."""
        shares = [(r.at_once + r.in_time) / (2 * r.planted) for r in self.recalls.values() if r.planted]
        return sum(shares) / len(shares) if shares else 0.0

    @property
    def name(self) -> str:
        """The settings in a few words."""
        d = self.detection
        own = f", {len(d.features)} own" if d.features else ""
        return (
            f"floors {d.effect.warning:g} / {d.effect.critical:g}{own}, z {d.z:g}, "
            f"{d.persistence.at_least} of {d.persistence.of}"
        )


@dataclass(frozen=True)
class Proposal:
    """What `tune` found for a wished number of pages a month.

    Parameters
    ----------
    before, after
        Full replays under the settings in force and the proposed ones.
    current, proposed
        What these come to.
    front
        The trade-off: what nothing else that was tried beats both in pages and in faults found, fewest pages first.
    keep
        The events that a person marked, as their windows.
    """

    wished: float
    before: Replay
    after: Replay
    current: Trial
    proposed: Trial
    front: Sequence[Trial]
    keep: Sequence[Window] = ()

    @property
    def monitor(self) -> Monitor:
        """The monitor with the proposed settings."""
        return self.after.monitor

    @property
    def reached(self) -> bool:
        """Whether the wish was met."""
        return self.proposed.a_month <= self.wished

    @property
    def dropped(self) -> list[Call]:
        """Pages that the proposed settings would no longer have sent."""
        return _only(self.before.calls, self.after.calls)

    @property
    def added(self) -> list[Call]:
        """Pages that only the proposed settings would have sent."""
        return _only(self.after.calls, self.before.calls)

    @property
    def yaml(self) -> str:
        """What to paste into the monitor's file; empty where nothing is to be changed."""
        return snippet(self.before.monitor, self.monitor)

    def to_dict(self) -> dict[str, Any]:
        """The proposal as plain JSON (docs/how-to/replay.md)."""
        return {
            "schema": "drift.tuning",
            "schema_version": SCHEMA_VERSION,
            "monitor": self.before.monitor.name,
            "windows": len(self.before.windows),
            "months": self.before.months,
            "wished_pages_a_month": self.wished,
            "reached": self.reached,
            "keep": [{"window": iso(event.start), "kept": event not in self.proposed.lost} for event in self.keep],
            "settings": changes(self.before.monitor, self.monitor),
            "yaml": self.yaml,
            "in_force": _trial_to_dict(self.current),
            "proposed": _trial_to_dict(self.proposed),
            "trade_off": [_trial_to_dict(trial) for trial in self.front],
            "dropped": [call_to_dict(call) for call in self.dropped],
            "added": [call_to_dict(call) for call in self.added],
        }


def _only(these: Iterable[Call], those: Iterable[Call]) -> list[Call]:
    known = {(call.window, call.key) for call in those}
    return [call for call in these if (call.window, call.key) not in known]


def _trial_to_dict(trial: Trial) -> dict[str, Any]:
    return {
        "settings": trial.name,
        "detection": trial.detection.model_dump(mode="json", exclude_defaults=True),
        "pages_a_month": trial.a_month,
        "lost": [iso(event.start) for event in trial.lost],
        "recall": {
            fault: {"planted": r.planted, "at_once": r.at_once, "in_time": r.in_time}
            for fault, r in trial.recalls.items()
        },
    }


# -- judging again ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scored:
    """A replay to be judged again: its reports without evidence, and what each feature remembers of each window."""

    replay: Replay
    past: Sequence[Mapping[str, Past]]
    planted: Sequence[Planted]
    reports: Sequence[Report]
    keep: Sequence[Window] = ()

    @classmethod
    def of(
        cls,
        replay: Replay,
        past: Sequence[Mapping[str, Past]],
        planted: Sequence[Planted],
        keep: Sequence[Window] = (),
    ) -> Scored:
        """Take what a replay and its memory know, and the events to be kept."""
        return cls(replay, past, planted, [replace(report, evidence={}) for report in replay.reports], keep)


def rejudge(scored: Scored, detection: Detection) -> tuple[list[Report], list[dict[str, Past]]]:
    """Judge the scores of a replay under other settings, persistence counting what these say of earlier windows.

    The settings may differ in `z`, `cell_z`, `persistence` and floors. Under those in force this is what a replay
    finds. Under others it comes close, because scores depend on the settings they were found under:

    - what drifted is left out of a feature's past (`drift.detection.history.own_past`) and, by the floors, of its
      reference (`drift.detection.reference.compose`);
    - which features a seasonal companion excuses goes by the floors;
    - what lasts goes by the persistence (`drift.detection.verdicts.judge`).

    Returns the reports, without evidence, and what each feature remembers of each window.
    """
    scored_under = scored.replay.monitor.detection.persistence.stretch
    reports: list[Report] = []
    past: list[dict[str, Past]] = []
    for report, known in zip(scored.reports, scored.past, strict=True):
        having = [verdict for verdict in report.verdicts if verdict.score is not None]
        history = {verdict.feature: remembered(past, verdict.feature, detection) for verdict in having}
        judged = judge_again(having, detection, history, scored_under=scored_under)
        # Where there was nothing to score there is nothing to judge.
        again = {verdict.feature: verdict for verdict in judged}
        verdicts = [again.get(verdict.feature, verdict) for verdict in report.verdicts]
        reports.append(replace(report, verdicts=verdicts))
        past.append({feature: one._replace(severity=again[feature].severity) for feature, one in known.items()})
    return reports, past


def calls(monitor: Monitor, reports: Sequence[Report], lead: int) -> list[Call]:
    """Return the pages of reports, oldest window first; those of the first `lead` are left out."""
    calendar, closing, policy = monitor.window.calendar, closing_of(monitor), monitor.alerts.policy
    known: dict[str, Alert] = {}
    found: list[Call] = []
    for i, report in enumerate(reports):
        if report.window is None:
            continue
        seen = signals_of(report, closing=closing)
        done = lifecycle.advance(known.values(), seen, monitor=monitor.name, now=report.window.end, policy=policy)
        known |= {alert.id: alert for alert in done.alerts}
        if i >= lead:
            found += calls_of(done.notices, calendar, report.window)
    return found


def try_out(scored: Scored, detection: Detection) -> Trial:
    """Say what some settings come to, on the windows as they were and on the planted faults."""
    replay = scored.replay
    reports, past = rejudge(scored, detection)
    monitor = replay.monitor.model_copy(update={"detection": detection})
    about_data = [call for call in calls(monitor, reports, replay.lead) if call.about_data]
    return Trial(
        detection,
        about_data,
        replay.a_month(len(about_data)),
        recall(scored.planted, past, detection),
        lost(replay, about_data, scored.keep),
    )


def lost(replay: Replay, about_data: Sequence[Call], keep: Sequence[Window]) -> list[Window]:
    """Return the events of which no page tells: none in their window, nor in the two after it, as persistence waits."""
    windows = replay.windows
    paged = {call.window for call in about_data}
    found = []
    for event in keep:
        at = windows.index(event)
        if not paged & {window.start for window in windows[at : at + WAIT]}:
            found.append(event)
    return found


# -- the search -------------------------------------------------------------------------------------------------------


def with_floor(detection: Detection, warning: float, feature: str | None = None) -> Detection:
    """Return the detection with another effect floor for a warning, of all features or of one.

    The threshold for critical is raised along, never lowered: how bad is bad stays a person's word.

    Examples
    --------
    >>> with_floor(Detection(), 0.03).effect == Effect(warning=0.03, critical=0.3)
    True
    >>> with_floor(Detection(), 0.005).effect == Effect(warning=0.005, critical=0.1)
    True
    >>> with_floor(Detection(), 0.02, "dep_delay").effect_for("dep_delay") == Effect(warning=0.02, critical=0.2)
    True
    """
    effect = detection.effect if feature is None else detection.effect_for(feature)
    critical = max(effect.critical, round(warning * effect.critical / effect.warning, 6))
    changed = {**effect.model_dump(), "warning": warning, "critical": critical}
    if feature is None:
        return detection.model_copy(update={"effect": Effect(**changed)})
    own = {**detection.features, feature: EffectOverride(**changed)}
    return detection.model_copy(update={"features": own})


def tune(
    context: Context[State],
    windows: Sequence[Window],
    *,
    lead: int = 0,
    wished: float,
    rng: np.random.Generator,
    times: int = 40,
    keep: Sequence[Window] = (),
) -> Proposal:
    """Propose settings for a wished number of pages a month about drift, from stored counts alone; nothing is written.

    `lead_needed` says how many windows should lead; where there are none before, those that have no history to be
    compared with lead instead. The best that the search finds is replayed in full; if that is louder than the search
    took it for, the next that is quieter, up to `FULL` of them, and at last whatever is quietest in full, the settings
    in force among these. Each fault is planted `times`, where and in which rows `rng` draws. The events whose
    windows are to be kept must still be paged, whatever the wish.
    """
    memory = Memory(context.store)
    before = replay(context.monitor, memory, windows, lead=lead).settled()
    if unknown := [context.label(event) for event in keep if event not in before.windows]:
        first, last = context.label(before.windows[0]), context.label(before.windows[-1])
        raise DriftError(
            f"{context.monitor.name}: cannot keep {', '.join(unknown)}: the windows replayed are {first} to {last}; "
            "choose others by --from and --to"
        )
    planted = plant(before, memory, rng=rng, times=times)
    current, ranked, front = search(Scored.of(before, memory.past, planted, keep), wished=wished)
    ranked = [trial for trial in ranked if len(trial.lost) <= len(ranked[0].lost)]
    done: list[tuple[Replay, Trial]] = []
    while ranked and len(done) < FULL:
        detection = ranked[0].detection
        if detection == before.monitor.detection:
            done.append((before, current))
        else:
            monitor, again = context.monitor.model_copy(update={"detection": detection}), memory.afresh()
            after = replay(monitor, again, windows, lead=before.lead)
            found = recall(plant_again(planted, after, again), again.past, detection)
            done.append((after, _trial(after, found, keep)))
        tried, full = ranked[0], done[-1][1]
        if full.a_month <= wished and len(full.lost) <= len(tried.lost):
            break
        ranked = ranked[1:]
        if full.a_month > wished:
            fewer = [trial for trial in ranked if trial.a_month < tried.a_month]
            if not fewer and full.a_month > tried.a_month:
                # Louder in full than the search took it for: what is stricter may be quieter in full.
                fewer = [trial for trial in ranked if not _as_loose(trial.detection, tried.detection)]
            ranked = fewer
    # What is in force was replayed in full, too: where nothing else meets the wish, nothing louder takes its place.
    done.append((before, current))
    after, proposed = min(done, key=lambda one: (len(one[1].lost), max(one[1].a_month, wished)))
    return Proposal(wished, before, after, current, proposed, front, keep)


def _trial(found: Replay, recalls: Mapping[str, Recall], keep: Sequence[Window]) -> Trial:
    about_data = [call for call in found.calls if call.about_data]
    return Trial(
        found.monitor.detection, about_data, found.a_month(len(about_data)), recalls, lost(found, about_data, keep)
    )


def lead_needed(monitor: Monitor) -> int:
    """Return how many windows before the first one count for it, whatever is proposed."""
    return max(lead_of(monitor), monitor.detection.history + max(of for of, _ in PERSISTENCES) - 1)


def search(scored: Scored, *, wished: float) -> tuple[Trial, list[Trial], list[Trial]]:
    """Search for the settings that page at most that often a month, and find most.

    For every persistence and every `z` the lowest floor that pages no more often than wished is found by bisection;
    and once, the floors of the loudest features are raised one by one instead. Where events are to be kept, the highest
    floor that pages of all of them is looked for too, and what loses fewest goes first. Of what then meets the wish,
    and finds within `MARGIN` of the most, the settings that change least are proposed; where nothing meets it, the
    quietest.

    Returns
    -------
    current : Trial
    ranked : list of Trial
        What was tried, the best proposal first.
    front : list of Trial
        Of everything tried what nothing else beats both in pages and in faults found, the fewest pages first.
    """
    if not (0 <= wished < math.inf):
        raise DriftError(f"{wished:g} pages a month cannot be: wish for 0 or more")
    base = scored.replay.monitor.detection
    tried: dict[str, Trial] = {}

    def attempt(detection: Detection) -> Trial:
        key = detection.model_dump_json()
        if key not in tried:
            tried[key] = try_out(scored, detection)
        return tried[key]

    current = attempt(base)
    persistences = [Persistence(of=of, at_least=at_least) for of, at_least in PERSISTENCES]
    for persistence in dict.fromkeys([base.persistence, *persistences]):
        for z in dict.fromkeys([base.z, *BEYOND]):
            settings = base.model_copy(update={"persistence": persistence, "z": z})
            _bisect(attempt, settings, lambda trial: trial.a_month <= wished)
            if scored.keep:
                _bisect(attempt, settings, lambda trial: bool(trial.lost))
    _quieten(attempt, base, wished)
    trials = list(tried.values())
    fewest = min(len(trial.lost) for trial in trials)
    fit = [trial.recall for trial in trials if trial.a_month <= wished and len(trial.lost) == fewest]
    enough = max(fit, default=0.0) - MARGIN

    def rank(trial: Trial) -> tuple[float, ...]:
        if trial.a_month > wished:
            return len(trial.lost), 2, trial.a_month, -trial.recall
        if trial.recall < enough:
            return len(trial.lost), 1, -trial.recall, trial.a_month
        return len(trial.lost), 0, _distance(base, trial.detection), -trial.recall, trial.a_month

    return current, sorted(trials, key=rank), _front(trials)


def _bisect(attempt: Attempt, detection: Detection, high_enough: Callable[[Trial], bool]) -> None:
    """Try the lowest floor that is high enough, the highest that is not, and what it takes to find them."""
    floors = _floors(detection.effect)
    low, high = 0, len(floors)
    while low < high:
        middle = (low + high) // 2
        if high_enough(attempt(with_floor(detection, floors[middle]))):
            high = middle
        else:
            low = middle + 1


def _floors(effect: Effect) -> list[float]:
    """Return the floors that are tried, and the one in force; in another measure than KL as multiples of that."""
    each = FLOORS if effect.measure == "kl" else [floor * effect.warning / Effect().warning for floor in FLOORS]
    return sorted({*each, effect.warning})


def _quieten(attempt: Attempt, detection: Detection, wished: float) -> None:
    """Raise the floor of whichever feature is loudest, step by step, until the wish is met or `MUTED` reached."""
    while True:
        trial = attempt(detection)
        loud = [call.feature for call in trial.calls if call.feature]
        effects = {feature: detection.effect_for(feature) for feature in loud}
        higher = {f: min((x for x in _floors(e) if x > e.warning), default=math.inf) for f, e in effects.items()}
        # How much of its own unit matters to a person is not for a search to say.
        left = [feature for feature in loud if effects[feature].measure == "kl" and higher[feature] <= MUTED]
        if trial.a_month <= wished or not left:
            return
        feature = max(dict.fromkeys(left), key=left.count)
        detection = with_floor(detection, higher[feature], feature)


def _front(trials: Iterable[Trial]) -> list[Trial]:
    front: list[Trial] = []
    for trial in sorted(trials, key=lambda trial: (trial.a_month, -trial.recall)):
        if not front or trial.recall > front[-1].recall:
            front.append(trial)
    return front


def _as_loose(one: Detection, other: Detection) -> bool:
    """Return whether nothing in `one` is stricter than in `other`, so that it pages at least as often."""
    features = one.features.keys() | other.features.keys()
    return (
        one.persistence == other.persistence
        and one.z <= other.z
        and one.effect.warning <= other.effect.warning
        and all(one.effect_for(each).warning <= other.effect_for(each).warning for each in features)
    )


def _distance(base: Detection, other: Detection) -> int:
    """Return how many settings differ: of two that find the same the one that changes less is better."""
    return (
        (base.effect != other.effect)
        + (base.z != other.z)
        + (base.persistence != other.persistence)
        + (base.features != other.features)
    )
