"""What a monitor is: one YAML file, checked as a whole before anything runs.

Every default stands here, every key is documented in ``docs/reference/monitors.md``, and every mistake in a file
is reported at once, with its line and what to do. Where keys are patterns (``*_delay``), the most specific one that
matches a feature wins: its exact name first, then the pattern with the most fixed characters.
"""

from __future__ import annotations

import hashlib
import os
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from drift.config import schedule as cron_schedule
from drift.config import yaml_document
from drift.config.alerts import Alerts
from drift.config.detection import Detection
from drift.config.expectations import Expectation, canonical
from drift.config.features import Features
from drift.config.problems import shorten
from drift.config.reference import Reference, WindowSpec, default_reference, with_min_windows
from drift.config.source import PARTS, Source
from drift.config.validation import Model, Refusal, Text, check, in_doubt, refuse, refuse_value
from drift.errors import ConfigError

if TYPE_CHECKING:
    from drift.config.yaml_document import Document
    from drift.windows import Window


def _check_segment(value: Any) -> Any:
    columns = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) and name for name in columns) or not 1 <= len(columns) <= _MOST_COLUMNS:
        fix = f"write a column, or a list of up to {_MOST_COLUMNS} columns"
        refuse_value(f"should name columns, not {shorten(value)}", fix)
    if len(set(columns)) < len(columns):
        refuse_value(f"{shorten(value)} names a column twice", "name each column once")
    return columns[0] if len(columns) == 1 else columns


def _columns(segment: str | list[str]) -> tuple[str, ...]:
    return (segment,) if isinstance(segment, str) else tuple(segment)


_MOST_COLUMNS = 4
"""Columns whose combinations make segments."""


def _read_day(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            refuse_value(f"{shorten(value)} is not a date", "write 2013-01-01")
    return value


class Monitor(Model):
    """A data-drift monitor: what is watched, what it is compared with, how closely, and who is notified."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$", description="Name of the monitor, and of its DAG in Airflow."
    )
    description: str = Field("", max_length=10_000, description="What the data are, for those who get the alerts.")
    source: Source = Field(description="Where the rows are.")
    window: WindowSpec = Field(description="How time is cut.")
    reference: Reference = Field(
        default_factory=lambda data: default_reference(data["window"]) if "window" in data else Reference(previous=1),
        description="What a window is compared with; by default the 28 days before it (7 for windows below a day).",
    )
    features: Features = Field(default_factory=Features, description="Which columns are watched, and as what.")
    segments: list[Annotated[Text | list[Text], BeforeValidator(_check_segment)]] = Field(
        [],
        max_length=10,
        description="Columns whose values cut every window into segments that are counted, scored and alerted like the "
        "whole; a list of columns cuts by their combinations.",
        examples=[["origin", ["country", "device"]]],
    )
    max_segments: int = Field(
        20,
        ge=1,
        le=500,
        description="Segments of each kind that are watched by themselves: those with the most rows; the rest is "
        "`(other)`.",
    )
    explain_by: list[Text] | None = Field(
        None,
        max_length=24,
        description="Columns that may explain what others do; by default those of `segments` and the features of at "
        "most 24 labels, 12 at most. `[]` counts no pairs of columns.",
        examples=[["origin", "carrier"]],
    )
    expectations: list[Expectation] = Field([], description="What every window must satisfy before it is compared.")
    detection: Detection = Field(default_factory=Detection, description="When a difference is drift.")
    alerts: Alerts = Field(default_factory=Alerts, description="Who is notified.")
    schedule: Text | None = Field(
        None,
        description="Five cron fields or @hourly, @daily, @weekly, @monthly; by default whenever a window ends.",
        examples=["@daily", "30 6 * * *"],
    )

    start: Annotated[date, BeforeValidator(_read_day)] | None = Field(
        None, description="First local day that is monitored on schedule.", examples=["2013-01-01"]
    )
    end: Annotated[date, BeforeValidator(_read_day)] | None = Field(
        None, description="Last local day that is monitored on schedule; none by default."
    )

    @field_validator("window")
    @classmethod
    def _check_window(cls, value: WindowSpec, info: ValidationInfo) -> WindowSpec:
        source, span = info.data.get("source"), value.calendar.span if not in_doubt(info, ("window",)) else None
        if source and source.time and span:
            whole = {"mo": 1 if span.amount % 12 == 0 else 2, "d": 3, "m": 4}[span.unit]
            if len(source.time.columns) < whole:
                fix = f"write longer windows, or add the {PARTS[whole - 1]} to source.time"
                refuse((("every",), f"{value.every} is finer than source.time tells", fix))
            if span.unit == "m" and span.amount % 60:
                refuse((("every",), f"{value.every} is finer than the hours of source.time", "write 1h or more"))
        return value

    @field_validator("reference")
    @classmethod
    def _check_reference(cls, value: Reference, info: ValidationInfo) -> Reference:
        window: WindowSpec | None = info.data.get("window")
        if not window or in_doubt(info, ("window",)):
            return value
        calendar = window.calendar
        refuse(*value.refusals(calendar))
        return with_min_windows(value, calendar)

    @field_validator("features")
    @classmethod
    def _check_features(cls, value: Features, info: ValidationInfo) -> Features:
        times = info.data["source"].time_columns if "source" in info.data else ()
        found: list[Refusal] = [
            ((section, *path), what, fix)
            for section in ("kinds", "bins", "roles", "weights")
            for path, what, fix in value.unwatched(getattr(value, section), times)
        ]
        found += [
            (("include", i), "is the time column, which is not a feature", "remove it here")
            for i, name in enumerate(value.include)
            if name in times
        ]
        refuse(*found)
        return value

    @field_validator("segments")
    @classmethod
    def _check_segments(cls, value: list[str | list[str]], info: ValidationInfo) -> list[str | list[str]]:
        source, features = info.data.get("source"), info.data.get("features")
        cuts = list(map(_columns, value))
        found: list[Refusal] = []
        for i, columns in enumerate(cuts):
            if sorted(columns) in map(sorted, cuts[:i]):
                found.append(((i,), "repeats earlier columns", "remove one of the two"))
            for name in columns:
                if source and name in source.time_columns:
                    found.append(((i,), "is the time column, which windows are cut by", "remove it here"))
                if features and features.hashes(name):
                    what = f"{shorten(name)} is among features.hashed, and segments are stored by name"
                    found.append(((i,), what, "segment by another column, or do not hash this one"))
        refuse(*found)
        return value

    @field_validator("explain_by")
    @classmethod
    def _check_explain_by(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        times = info.data["source"].time_columns if "source" in info.data else ()
        cut = {name for each in info.data.get("segments", ()) for name in _columns(each)}
        found: list[Refusal] = []
        for i, name in enumerate(value or ()):
            if name in (value or ())[:i]:
                found.append(((i,), f"names {shorten(name)} again", "remove one of the two"))
            elif "features" in info.data and name not in cut:
                wrong = info.data["features"].unwatched([name], times)
                found += [((i,), f"{shorten(name)} {what}", fix) for _, what, fix in wrong]
        refuse(*found)
        return value

    @field_validator("expectations")
    @classmethod
    def _check_expectations(cls, value: list[Expectation]) -> list[Expectation]:
        keys = [expectation.key for expectation in value]
        repeated = [i for i, key in enumerate(keys) if keys.index(key) < i]
        refuse(*(((i,), "repeats an earlier expectation", "remove one of the two") for i in repeated))
        return value

    @field_validator("detection")
    @classmethod
    def _check_detection(cls, value: Detection, info: ValidationInfo) -> Detection:
        if "features" in info.data:
            times = info.data["source"].time_columns if "source" in info.data else ()
            found = info.data["features"].unwatched(value.features, times)
            refuse(*((("features", *path), what, fix) for path, what, fix in found))
        return value

    @field_validator("schedule")
    @classmethod
    def _check_schedule(cls, value: str | None) -> str | None:
        if value and (wrong := cron_schedule.wrong_with(value)):
            fix = f'write "30 6 * * *" (minute, hour, day, month, weekday) or {", ".join(cron_schedule.PRESETS)}'
            refuse_value(wrong, fix)
        return value

    @field_validator("end")
    @classmethod
    def _check_end(cls, value: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("start")
        if value and start and value < start:
            refuse_value(f"{value} is before start {start}", "write the last day that is monitored")
        return value

    def watches(self, window: Window) -> bool:
        """Whether a window lies between `start` and `end`, as far as these are given."""
        calendar = self.window.calendar
        if self.start and window.start < calendar.midnight(self.start):
            return False
        return not self.end or window.start < calendar.midnight(self.end + timedelta(days=1))

    @property
    def segment_columns(self) -> list[tuple[str, ...]]:
        """The columns whose values, or combinations of values, are segments."""
        return list(map(_columns, self.segments))

    @property
    def patterns(self) -> list[tuple[str, str]]:
        """Every name or pattern of a column to watch that is written here, beside its key (`features.unmatched`)."""
        detection = [("detection.features", pattern) for pattern in self.detection.features]
        segments = [("segments", column) for columns in self.segment_columns for column in columns]
        explaining = [("explain_by", column) for column in self.explain_by or ()]
        return [*self.features.patterns, *segments, *explaining, *detection]

    @property
    def cron(self) -> str:
        """The schedule, in the time zone of the window; where none is set, one that fires whenever a window ends."""
        return self.schedule or cron_schedule.for_windows(self.window.calendar.span)

    @property
    def reference_min_windows(self) -> int:
        """Fewer windows with rows than this are not a reference."""
        return self.reference.min_windows or 1

    @property
    def canonical(self) -> str:
        """The monitor as one line of JSON, with every default and sorted keys; `parse_monitor` reads it back."""
        return canonical(self.model_dump(mode="json"))

    @property
    def config_hash(self) -> str:
        """The first 16 hex digits of the SHA-256 of `canonical`: equal wherever the same monitor is written."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()[:16]


def parse_monitor(text: str, origin: str = "<string>") -> Monitor:
    r"""Read a monitor from YAML (or JSON) text, which messages call `origin`.

    Every problem at once, in the order of the file, is one `ConfigError`.

    Examples
    --------
    >>> monitor = parse_monitor("name: n\nwindow: {every: 1h}\nsource: {files: a.csv, time_column: t}")
    >>> monitor.reference.trailing, monitor.reference.min_windows, monitor.cron
    ('7d', 42, '@hourly')
    >>> parse_monitor("window: {every: 1y}", "n.yaml")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    drift.errors.ConfigError: n.yaml:1: name: is missing; fix: add name: flights
    n.yaml:1: ...
    """
    return _valid(yaml_document.read(text), origin)


def load_monitor(path: str | Path) -> Monitor:
    """Read a monitor from a YAML file.

    Raises
    ------
    ConfigError
        Every problem at once, in the order of the file; also if the file cannot be read.
    """
    return _valid(_read(Path(path)), str(path))


def _valid(document: Document, origin: str) -> Monitor:
    monitor, problems = check(Monitor, document, os.environ)
    if monitor is None or problems:
        raise ConfigError([problem.at(origin) for problem in problems])
    return monitor


def monitor_files(folder: str | Path) -> list[Path]:
    """Return every ``*.yaml`` and ``*.yml`` of a folder, in the order of their names; hidden files are left out."""
    try:
        return sorted(
            path
            for path in Path(folder).iterdir()
            if path.suffix in {".yaml", ".yml"} and not path.name.startswith(".") and not path.is_dir()
        )
    except OSError as error:
        why = error.strerror or "unreadable"
        raise ConfigError(
            [f"{folder}:1: (file): cannot be read: {why}; fix: name the folder of the monitors"]
        ) from None


def load_monitors(folder: str | Path) -> list[Monitor]:
    """Read every monitor file of a folder (`monitor_files`).

    Every problem of every file at once is one `ConfigError`, also where two monitors have one name.
    """
    monitors: list[Monitor] = []
    lines: list[str] = []
    named: dict[str, Path] = {}
    for path in monitor_files(folder):
        document = _read(path)
        monitor, problems = check(Monitor, document, os.environ)
        name = (document.data or {}).get("name")
        if isinstance(name, str) and named.setdefault(name, path) != path:
            what = f"{name} is the name of the monitor in {named[name].name} too"
            problems = sorted([*problems, document.problem(("name",), what, "give each monitor a name of its own")])
        lines += [problem.at(str(path)) for problem in problems]
        if monitor:
            monitors.append(monitor)
    if lines:
        raise ConfigError(lines)
    return monitors


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a monitor file, for editors that complete and check YAML."""
    schema = Monitor.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Drift monitor"}


def _read(path: Path) -> Document:
    try:
        if path.is_fifo():
            # Opening it would wait for whoever writes.
            return yaml_document.failed(1, "is a pipe, not a file", "name a file")
        with path.open("rb") as file:
            text = yaml_document.decode(file.read(yaml_document.MAX_BYTES + 1))
    except OSError as error:
        return yaml_document.failed(
            1, f"cannot be read: {error.strerror or error}", "check the path and its permissions"
        )
    return yaml_document.read(text) if isinstance(text, str) else text
