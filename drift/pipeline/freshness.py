"""Arrival: whether the rows of a window have come, and how long to wait for them.

A run that begins before its data have come finds an empty window. With a `Wait` it looks again, and in the end says
`no data by …`, which is a status of the run, an alert, and no result for whatever follows (`drift.pipeline.gate`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from drift.errors import ConfigError, SourceError
from drift.text.formatting import thousands, when
from drift.windows import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.pipeline.context import Context
    from drift.store.base import State
    from drift.windows import Window

NO_DATA = "no_data"
"""The status of a run whose data did not come in time."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a run waits for its data, and what it takes for their arrival.

    Parameters
    ----------
    timeout
        How long from when the run was due: a span such as ``3h``, or a timedelta. A run that is due long ago (a
        backfill, a task cleared a week later) looks once and waits no more.
    every
        How long between two looks.
    rows
        This many rows have to be there.
    file
        A file or folder that has to be there besides: a marker, a partition. ``%Y-%m-%d`` and the other codes of
        `strftime` stand for the local start of the window: ``s3://lake/flights/date=%Y-%m-%d/_SUCCESS``.
    on_timeout
        ``fail`` the run, so that somebody is notified, or ``skip`` it; the run says `no data by …` either way.
    deferrable
        Wait in Airflow's triggerer, which takes no worker's place; False waits in the task.

    Raises
    ------
    ConfigError
        If a number or a span makes no sense.

    Examples
    --------
    >>> Wait("3h", every="10m").seconds
    600.0
    """

    timeout: str | timedelta = "3h"
    every: str | timedelta = "5m"
    rows: int = 1
    file: str | None = None
    on_timeout: Literal["fail", "skip"] = "fail"
    deferrable: bool = True

    def __post_init__(self) -> None:
        for name in ("timeout", "every"):
            value = getattr(self, name)
            object.__setattr__(self, name, value if isinstance(value, timedelta) else Span.parse(value).nominal)
        wrong = []
        if self.seconds <= 0:
            wrong.append("wait: every: looks without a pause; fix: write a span such as 5m")
        if self.rows < 0 or (self.rows == 0 and self.file is None):
            wrong.append(f"wait: rows: {self.rows} waits for nothing; fix: write 1, or name a file")
        if self.on_timeout not in {"fail", "skip"}:
            wrong.append(f"wait: on_timeout: {self.on_timeout!r} is neither fail nor skip")
        if wrong:
            raise ConfigError(wrong)

    @property
    def seconds(self) -> float:
        """Seconds between two looks."""
        assert isinstance(self.every, timedelta)  # noqa: S101 - made so above; mypy cannot know
        return self.every.total_seconds()

    def deadline(self, due: datetime) -> datetime:
        """Return until when a run that is due then waits."""
        assert isinstance(self.timeout, timedelta)  # noqa: S101 - as above
        return due + self.timeout

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, which `from_dict` reads back: what a trigger carries."""
        return {"every": self.seconds, "rows": self.rows, "file": self.file}

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> Wait:
        """Read back what `to_dict` wrote: all that looking needs."""
        return replace(cls(every=timedelta(seconds=said["every"])), rows=said["rows"], file=said["file"])


def missing(context: Context[State], windows: Sequence[Window], wait: Wait) -> dict[Window, str]:
    """Return the windows whose data have not come, each with what is missing, in words.

    What was counted before is there, whatever has become of its rows since. A source that does not answer, or has no
    table or file yet, has nothing yet.
    """
    counted = context.store.heads(context.name, windows)
    found = {}
    for window in windows:
        if window.start in counted:
            continue
        try:
            why = _missing(context, window, wait)
        except SourceError as error:
            why = str(error)
        if why:
            found[window] = why
    return found


def _missing(context: Context[State], window: Window, wait: Wait) -> str:
    if wait.file is not None:
        path = window.start.astimezone(context.monitor.window.calendar.zone).strftime(wait.file)
        if not _exists(path):
            return f"{path} is not there"
    rows = context.source.snapshot(window).count_rows() if wait.rows else 0
    if rows >= wait.rows:
        return ""
    return f"{rows or 'no'} rows of {thousands(wait.rows)}" if wait.rows > 1 else "no rows"


def _exists(path: str) -> bool:
    import pyarrow.fs as pafs

    from drift.config.roots import monitors_root
    from drift.sources import time_limit
    from drift.sources.file_listing import locate

    place, within = locate(path, monitors_root())
    with place.reading(path, "be looked for"):
        found = time_limit.in_time(place.filesystem.get_file_info, place.inside(within))
        return bool(found.type != pafs.FileType.NotFound)


def no_data(context: Context[State], lacking: dict[Window, str], deadline: datetime) -> str:
    """Say what did not come in time: the error that the run is stored with."""
    until = deadline.astimezone(context.monitor.window.calendar.zone)
    what = "; ".join(f"{context.label(window)}: {why}" for window, why in lacking.items())
    return f"no data by {when(until)}: {what}"


def give_up(context: Context[State], lacking: dict[Window, str], deadline: datetime, *, now: datetime) -> str:
    """Record that the data did not come in time, and return the error in words."""
    error, monitor = no_data(context, lacking, deadline), context.monitor
    context.store.save_monitor(monitor.name, monitor.config_hash, monitor.model_dump(mode="json", by_alias=True), now)
    for window in lacking:
        context.store.save_run_finished(context.name, window, NO_DATA, now, error=error)
    return error
