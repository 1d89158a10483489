"""Circumstances: what else happened to a monitor, as dated events on the time axis of its windows.

What happened to a window stands at its start, however late it ran; what lasts stands where it began. A new baseline,
like a new configuration, stands at the first window that ran with it, and a mark where somebody put it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from drift.config.reference import describe_span
from drift.text.formatting import many

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from drift.alerts.alerts import Alert
    from drift.alerts.marks import Mark
    from drift.detection.findings import Finding
    from drift.windows import Calendar

EventKind = Literal[
    "mark", "upstream", "failed", "rejected", "expectation", "schema", "rows", "baseline", "config", "finding"
]

KINDS: dict[EventKind, str] = {
    "mark": "marked",
    "upstream": "upstream changed",
    "failed": "run failed",
    "rejected": "rejected",
    "expectation": "expectation failed",
    "schema": "column changed",
    "rows": "number of rows",
    "baseline": "new baseline",
    "config": "configuration changed",
    "finding": "finding",
}
"""What each kind of event is called, in the order in which events of one instant are listed."""

_KIND_OF: dict[str, EventKind] = {
    **dict.fromkeys(("missing_column", "new_column", "retyped_column", "recast_column"), "schema"),
    **dict.fromkeys(("fewer_rows", "more_rows", "no_rows"), "rows"),
}
_NO_NEWS = frozenset({"no_reference", "not_judged"})
"""Findings that say how much could be judged, and not what happened."""

_MOST = 4
"""Expectations, and keys of a configuration, that are named."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: when, of which kind, in words of any origin, and where to read on."""

    at: datetime
    kind: EventKind
    text: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """What is stored of a window that has passed: how its run ended, what its gate decided, what was found.

    `failures` are the messages of the expectations that failed, by their keys; `findings` None where there is no
    report. `upstream` are the updates of assets that triggered the run, none where nothing is known.
    """

    start: datetime
    started_at: datetime | None = None
    config_hash: str | None = None
    error: str | None = None
    url: str | None = None
    gate: str = ""
    failures: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Finding] | None = None
    upstream: Sequence[Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """A version of a monitor's baseline, of however many features."""

    version: int
    at: datetime
    by: str
    reason: str
    start: datetime
    end: datetime
    features: int


def circumstances(
    windows: Iterable[Passed],
    *,
    calendar: Calendar,
    marks: Iterable[Mark] = (),
    baselines: Sequence[Fit] = (),
    configs: Mapping[str, Mapping[str, Any]] | None = None,
    ran: datetime | None = None,
) -> list[Event]:
    """Return what happened in some consecutive windows of a monitor, oldest first.

    Parameters
    ----------
    windows
        Oldest first. Of the first one everything counts as known before.
    calendar
        The monitor's.
    marks, baselines, configs
        Marks of the monitor and of all; versions of its baseline; its configurations, by their hashes.
    ran
        When the newest run of the windows before these was started.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from drift.windows import Calendar
    >>> days = [datetime(2013, 2, each, tzinfo=UTC) for each in (7, 8, 9)]
    >>> passed = [Passed(day, error=why) for day, why in zip(days, (None, "no such file", "no such file"), strict=True)]
    >>> [(event.at.day, event.kind, event.text) for event in circumstances(passed, calendar=Calendar("1d"))]
    [(8, 'failed', 'no such file')]
    """
    found = [Event(mark.at, "mark", mark.text) for mark in marks]
    before: Passed | None = None
    config: str | None = None
    for now in windows:
        if before is not None:
            found += _began(before, now)
        if ran and now.started_at:
            fresh = [fit for fit in baselines if ran < fit.at <= now.started_at]
            found += [Event(now.start, "baseline", _fitted(fit, calendar)) for fit in fresh]
        if config and now.config_hash and config != now.config_hash:
            found.append(Event(now.start, "config", _changed(config, now.config_hash, configs or {})))
        ran = max(filter(None, (ran, now.started_at)), default=None)
        config = now.config_hash or config
        before = _known(before, now)
    order = list(KINDS)
    return sorted(found, key=lambda event: (event.at, order.index(event.kind), event.text))


def unsaid(events: Iterable[Event], reasons: Collection[str]) -> list[Event]:
    """Return the events that alerts do not say themselves, in one of the reasons they have or had.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> at = datetime(2013, 2, 8, tzinfo=UTC)
    >>> events = [Event(at, "finding", "x no longer goes with y"), Event(at, "mark", "x")]
    >>> [event.kind for event in unsaid(events, ["x no longer goes with y; 2 of the last 3 windows"])]
    ['mark']
    """
    return [each for each in events if each.kind == "mark" or not any(each.text in reason for reason in reasons)]


def around(alert: Alert, calendar: Calendar) -> tuple[datetime, datetime]:
    """Return the time in which what an alert is about may have begun, and the window before: from when to when.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from drift.alerts.alerts import fold
    >>> from drift.alerts.signals import run_signal
    >>> from drift.config.alerts import Policy
    >>> from drift.windows import Calendar
    >>> calendar = Calendar("1d")
    >>> failed = run_signal(calendar.starting(datetime(2013, 2, 8)), "no such file")
    >>> (alert,) = fold([failed], [], None, "flights", Policy())
    >>> [f"{end:%m-%d}" for end in around(alert, calendar)]
    ['02-07', '02-09']
    """
    onset = alert.onset
    first = min(onset.earliest, alert.opened_window) if onset else alert.opened_window
    last = calendar.containing(max(onset.latest, alert.opened_window) if onset else alert.opened_window)
    return next(iter(calendar.before(calendar.containing(first), 1)), last).start, last.end


def _known(before: Passed | None, now: Passed) -> Passed:
    """Return what the next window is compared with: one without a report, or a gate, says nothing of what it lacks."""
    if before is None:
        return now
    last = now if now.gate else before
    findings = before.findings if now.findings is None else now.findings
    updates = now.upstream or before.upstream
    return replace(now, gate=last.gate, failures=last.failures, findings=findings, upstream=updates)


def _began(before: Passed, now: Passed) -> Iterator[Event]:
    if now.error and now.error != before.error:
        yield Event(now.start, "failed", now.error, now.url)
    if before.upstream and now.upstream and _updated(before.upstream) != _updated(now.upstream):
        yield Event(now.start, "upstream", "; ".join(map(_by, now.upstream[:_MOST])))
    new = [message for key, message in now.failures.items() if key not in before.failures]
    if now.gate == "rejected" and before.gate != "rejected":
        said = [*now.failures.values()]
        more = [f"and {len(said) - _MOST} more"] * (len(said) > _MOST)
        why = f": {'; '.join([*said[:_MOST], *more])}" if said else ""
        yield Event(now.start, "rejected", f"rejected by its expectations{why}", now.url)
    else:
        yield from (Event(now.start, "expectation", message) for message in new)
    old = {(finding.kind, finding.column) for finding in before.findings or ()}
    for finding in now.findings or ():
        if (finding.kind, finding.column) not in old and finding.kind not in _NO_NEWS:
            yield Event(now.start, _KIND_OF.get(finding.kind, "finding"), finding.message)


def _updated(updates: Sequence[Mapping[str, str]]) -> list[tuple[str, str, str]]:
    """Return how often each asset was updated by each DAG's runs of one kind: a backfill or a hand is not the clock."""
    return sorted((each["asset"], each["dag"], each["run"].partition("__")[0]) for each in updates)


def _by(update: Mapping[str, str]) -> str:
    who = f"{update['dag']}, run {update['run']}" if update["dag"] else "no DAG"
    return f"{update['asset']} was updated by {who}"


def _fitted(fit: Fit, calendar: Calendar) -> str:
    span = describe_span(calendar, fit.start, fit.end)
    return f"baseline version {fit.version} of {many(fit.features, 'feature')}: {span}, by {fit.by}: {fit.reason}"


def _changed(before: str, after: str, configs: Mapping[str, Mapping[str, Any]]) -> str:
    keys = [".".join(path) for path in _differing(configs.get(before, {}), configs.get(after, {}))]
    more = f" and {len(keys) - _MOST} more" if len(keys) > _MOST else ""
    what = f": {', '.join(keys[:_MOST])}{more}" if keys else ""
    return f"the monitor's configuration changed{what}"


def _differing(before: Any, after: Any) -> Iterator[tuple[str, ...]]:
    """Yield the paths of the keys that differ."""
    if before == after:
        return
    if not (isinstance(before, dict) and isinstance(after, dict)):
        yield ()
        return
    for key in dict.fromkeys((*before, *after)):
        for path in _differing(before.get(key), after.get(key)):
            yield (str(key), *path)
