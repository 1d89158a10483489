"""What the JSON API answers, field by field: these are the schemas of its OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class MonitorOut(BaseModel):
    """A monitor and how its newest window stands."""

    monitor: str
    description: str
    timezone: str
    window: datetime | None = Field(description="Start of the newest window.")
    status: str
    n_judged: int | None
    n_drifting: int | None
    open_alerts: dict[str, int] = Field(description="Open and acknowledged alerts, by severity.")
    config_hash: str


class ScoreOut(BaseModel):
    """The verdict on one feature in one window. Divergences in nats; null where there is no score."""

    feature: str
    window_start: datetime
    window_end: datetime
    status: str
    severity: str
    reason: str
    warning: float
    critical: float
    scale: str = Field(description="What is compared with the thresholds: a measure and its unit.")
    size: float | None = Field(description="How large the difference is on that scale.")
    kind: str | None
    kl: float | None
    kl_reverse: float | None
    psi: float | None
    js: float | None
    kl_corrected: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    q: float | None
    z: float | None
    noise: float | None
    n_reference: int | None
    n_current: int | None
    null_rate_reference: float | None
    null_rate_current: float | None
    smoothing: str | None
    fingerprint: str | None = Field(description="Of the binning.")
    kl_fixed: float | None = Field(description="Bias-corrected divergence from the fixed baseline, which never adapts.")
    wasserstein: float | None = Field(description="Distance in the feature's own unit.")
    reference: str | None = Field(description="Which reference this score was compared with.")
    role: str
    weight: float


class Scores(BaseModel):
    """Scores, oldest window first; ask for `until` = `earlier` to read those before; null where there are none."""

    monitor: str
    direction: Literal["current||reference"] = "current||reference"
    unit: Literal["nats"] = "nats"
    scores: list[ScoreOut]
    earlier: datetime | None


class RunOut(BaseModel):
    """A window of a monitor: its run and the head of its report."""

    window_start: datetime
    window_end: datetime
    status: str
    gate: str | None
    reference: str | None
    n_reference: int | None
    n_current: int | None
    n_judged: int | None
    n_drifting: int | None
    total_kl: float | None
    findings: list[str]
    config_hash: str | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    url: str | None = Field(description="Where the run's log is.")


class Runs(BaseModel):
    """Runs, newest window first."""

    monitor: str
    runs: list[RunOut]
    earlier: datetime | None


class ValidationOut(BaseModel):
    """What one expectation observed in one window."""

    key: str
    expectation: str
    column_name: str | None
    severity: str
    success: bool
    error: bool
    observed: str | None
    message: str


class OnsetOut(BaseModel):
    """When a change began: the most likely window, and the ends of the set that holds the true one."""

    most_likely: datetime
    earliest: datetime
    latest: datetime
    confidence: float
    kind: str


class SliceOut(BaseModel):
    """Rows of one cell of a column, or all but these."""

    column: str
    cell: str
    name: str = Field(description="The rows in words.")
    before: float = Field(description="Its share of the rows of the reference.")
    now: float = Field(description="Its share of the rows of the window.")
    left: float = Field(description="How much of the feature's divergence is left without it, as a share.")
    moved: bool = Field(description="Whether its share of the rows alone explains the drift.")
    sql: str | None = Field(description="The condition that holds for its rows, where SQL can say it.")
    outside: bool = Field(description="Whether it is all rows but those of the cell.")
    alike: bool = Field(default=False, description="Whether the feature drifts alike in every cell of the column.")


class WhereOut(BaseModel):
    """In which rows a feature drifts: a slice and those that hold nearly the same rows, or alike in all of a column."""

    slices: list[SliceOut]


class AlertOut(BaseModel):
    """An alert."""

    id: str
    monitor: str
    key: str
    kind: str
    feature: str | None
    segment: str
    state: str
    severity: str
    worst: str
    reason: str
    opened_window: datetime
    last_window: datetime
    opened_at: datetime
    last_seen_at: datetime
    windows: int
    quiet: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    snoozed_by: str | None
    snoozed_until: datetime | None
    resolved_at: datetime | None
    resolved_window: datetime | None
    resolved_by: str | None
    notified: str = Field(description="The severity that people were last notified of.")
    notified_at: datetime | None
    suppressed_by: str = Field(description="Why people were not notified of the present state; empty where they were.")
    onset: OnsetOut | None = Field(description="Since when, where that is known.")
    incident: str = Field(description="The alerts that began together have the same.")
    where: WhereOut | None = Field(description="In which rows, where one slice explains it.")


class Alerts(BaseModel):
    """One page of alerts, the newest opening first."""

    total: int
    alerts: list[AlertOut]


class EventOut(BaseModel):
    """One line of an alert's timeline."""

    seq: int
    at: datetime
    window_start: datetime | None
    transition: str
    reason: str
    actor: str
    suppressed_by: str


class MarkOut(BaseModel):
    """A moment that somebody marked."""

    id: str
    at: datetime
    monitor: str | None = Field(description="None: every monitor.")
    text: str
    created_at: datetime
    created_by: str


class HappenedOut(BaseModel):
    """Something that happened to a monitor beside its scores."""

    at: datetime
    kind: str
    text: str
    link: str | None = Field(description="Where to read on, such as the log of a run that failed.")


class IncidentOut(BaseModel):
    """Alerts of one monitor that began together."""

    id: str = Field(description="By which people know it: that of the alert that began it.")
    monitor: str
    state: str = Field(description="Open while any of its alerts is, then acknowledged, and resolved when all are.")
    severity: str
    words: str = Field(description="Since when and what, in a line.")
    onset: OnsetOut = Field(description="What the sets of all its alerts share; if nothing, what any holds.")
    opened_window: datetime
    alerts: list[AlertOut] = Field(description="By evidence.")


class IncidentAround(IncidentOut):
    """An incident, and what else happened then."""

    events: list[HappenedOut]
    elsewhere: list[str] = Field(description="Incidents of monitors with the same source in the same time, in words.")


class Incidents(BaseModel):
    """One page of incidents."""

    total: int
    incidents: list[IncidentOut]


class AlertWithTimeline(AlertOut):
    """An alert, everything that happened to it, and what else happened when it may have begun."""

    timeline: list[EventOut]
    happened: list[HappenedOut]


class Features(BaseModel):
    """One page of a monitor's features, in the order asked for."""

    monitor: str
    total: int
    features: list[str]


class CellOut(BaseModel):
    """A cell of a binning: rows, shares and what it adds to the KL."""

    cell: str
    reference: int
    current: int
    reference_share: float
    current_share: float
    contribution: float | None = Field(description="Nats; the contributions add up to `kl`.")


class ComparisonOut(BaseModel):
    """One window of a feature compared with other windows than in its report, from stored counts."""

    monitor: str
    feature: str
    window_start: datetime
    direction: Literal["current||reference"] = "current||reference"
    unit: Literal["nats"] = "nats"
    against: str
    reference: str = Field(description="The same in words.")
    windows: int = Field(description="How many windows of the reference are stored and passed the gate.")
    windows_asked: int
    kl: float | None
    kl_corrected: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    psi: float | None
    js: float | None
    n_reference: int | None
    n_current: int | None
    warning: float = Field(description="The thresholds that were in force for the window.")
    critical: float
    scale: str = Field(description="The measure and unit of the thresholds.")
    explanation: list[str]
    cells: list[CellOut]


class PairMeasuredOut(BaseModel):
    """What a pair of columns was measured at when a window was judged."""

    window_start: datetime
    kl_corrected: float = Field(description="Bias-corrected divergence apart from both histograms, nats.")
    mixed: float | None = Field(description="Share of rows paired as if at random; null where too few rows say so.")
    z: float | None = Field(description="Robust standard deviations beyond its own history; null where that is short.")
    strays: bool = Field(description="Whether it no longer goes together as it did.")


class PairOfMany(PairMeasuredOut):
    """One of the pairs of a window."""

    columns: tuple[str, str]


class Pairs(BaseModel):
    """One page of the pairs of a window: those that stray first, then the most unusual."""

    monitor: str
    window_start: datetime
    total: int
    unjudged: str = Field(description="Which were not judged, and why; empty where all were.")
    pairs: list[PairOfMany]


class MovedOut(BaseModel):
    """Two cells that go together in another share of the rows than is usual."""

    cells: tuple[str, str]
    share: float
    usual: float = Field(description="Had both columns changed alone.")
    before: float = Field(description="In the reference.")
    contribution: float = Field(description="Nats; those of all cells add up to `kl`.")


class PairOut(BaseModel):
    """Two columns of a window compared with its reference, from stored counts. Divergences in nats.

    `kl_total` is `kl`, of the pairing alone, and `kl_margins`, of both histograms. Tables have a row for each cell of
    the first column, and a column for each of the second.
    """

    monitor: str
    window_start: datetime
    columns: tuple[str, str]
    state: str = Field(description="As usual or not, or why it was not judged, in words.")
    words: list[str]
    not_judged: str
    z: float | None
    strays: bool
    windows: int = Field(description="Of the reference, still stored.")
    windows_then: int = Field(description="Of the reference, when the window was judged.")
    kl: float
    kl_corrected: float
    ci_low: float
    ci_high: float
    p: float
    mixed: float | None
    kl_total: float
    kl_margins: float
    before: float = Field(description="Mutual information in the reference.")
    after: float = Field(description="Mutual information in the window.")
    cells: tuple[list[str], list[str]]
    reference: list[list[int]]
    current: list[list[int]]
    usual: list[list[float]] = Field(description="Today's shares, had both columns changed alone.")
    contributions: list[list[float]]
    moved: list[MovedOut]
    history: list[PairMeasuredOut] = Field(description="Up to this window, oldest first.")


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str
