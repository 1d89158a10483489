"""The first page: every monitor, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from drift.alerts.alerts import Alert
from drift.alerts.incidents import Incident
from drift.alerts.rendering import named
from drift.dashboard.formatting import LocalTime, local_time_of
from drift.dashboard.parameters import Maybe, Name, Opened
from drift.dashboard.rendering import render
from drift.errors import ConfigError
from drift.store.reads import alerts as alert_reads
from drift.store.reads import windows

router = APIRouter(include_in_schema=False)

WINDOWS = 30
MOST_INCIDENTS = 200
"""Open incidents that are read, the newest, whatever their monitor."""

_WORST_FIRST = (
    *("failed", "critical", "error", "late", "rejected", "warning", "not_comparable"),
    *("not_judged", "insufficient_data", "running", "absent", "never", "ok"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One monitor on the overview."""

    name: str
    description: str
    local: LocalTime
    states: Sequence[windows.WindowState]
    alerts: Mapping[str, int]
    worst: Alert | None
    incidents: Sequence[Incident]
    late: int
    ended: str

    @property
    def last(self) -> windows.WindowState | None:
        """The newest window, where there is one."""
        return self.states[-1] if self.states else None

    @property
    def status(self) -> str:
        """How the newest window ended, or ``late`` where that is worse: an old *ok* says nothing of today."""
        ended = self.last.status if self.last else "never"
        return min(ended, "late", key=_rank) if self.late else ended

    @property
    def why(self) -> str:
        """What is wrong, in a sentence: the error of the run, or else the worst alert; empty where nothing is."""
        if self.last and self.last.status == "failed":
            return str(self.last.run.get("error") or "")
        if self.worst is None:
            return ""
        of = self.worst
        return f"{named(of.kind, of.key, of.feature, of.segment)}: {of.reason}"

    @property
    def urgency(self) -> tuple[int, int, int, str]:
        """Where it stands: by the status that is shown, then by what is open, then by name."""
        return _rank(self.status), -self.alerts.get("critical", 0), -self.alerts.get("warning", 0), self.name


def _rank(status: str) -> int:
    return _WORST_FIRST.index(status) if status in _WORST_FIRST else 0


@router.get("/")
def overview(request: Request, store: Opened, q: Name = "", status: Maybe = None) -> Response:
    """Every monitor: how it stands, why, what is open, and its last thirty windows."""
    now = datetime.now(UTC)
    found = windows.newest_windows(store, windows=WINDOWS, until=now)
    open_alerts, worst = alert_reads.counts(store), alert_reads.worst(store)
    incidents: dict[str, list[Incident]] = {}
    for incident in alert_reads.incidents(store, monitor=None, live=True, limit=MOST_INCIDENTS)[0]:
        incidents.setdefault(incident.monitor, []).append(incident)
    lines = []
    for version in store.monitors():
        name, local = version["monitor"], local_time_of(version["config"])
        states = found.get(name, [])
        description = str(version["config"].get("description") or "")
        ended = ended_on(version["config"], local, now)
        late = 0 if ended else late_windows(local, states[-1] if states else None, now)
        alerts = open_alerts.get(name, {}), worst.get(name), incidents.get(name, [])
        lines.append(Line(name, description, local, states, *alerts, late, ended))
    lines.sort(key=lambda line: line.urgency)
    waiting, problems = configured(request.app.state.monitors)
    ran = {line.name for line in lines}
    return render(
        request,
        "overview.html",
        lines=[
            line
            for line in lines
            if (not status or line.status == status) and q.casefold() in f"{line.name} {line.description}".casefold()
        ],
        totals=Counter(line.status for line in lines),
        open_alerts=sum((Counter(line.alerts) for line in lines), Counter()),
        order=_WORST_FIRST,
        windows=WINDOWS,
        q=q,
        chosen=status or "",
        missing=[name for name in waiting if name not in ran],
        problems=problems,
        undelivered=store.outbox_counts()["dead"],
    )


def ended_on(config: Mapping[str, Any], local: LocalTime, now: datetime) -> str:
    """Return the last day of a schedule that is over, after which nothing is late; empty where it goes on."""
    end = str(config.get("end") or "")
    last = local.instant(end)
    over = last is not None and local.calendar.last_complete(now).start > local.calendar.containing(last).start
    return end if over else ""


def late_windows(local: LocalTime, last: windows.WindowState | None, now: datetime) -> int:
    """Return how many whole windows have passed since the newest run; one is not late."""
    if last is None:
        return 0
    calendar = local.calendar
    due = calendar.last_complete(now)
    missing = round((due.start - calendar.containing(last.start).start) / calendar.span.nominal)
    return missing if missing > 1 else 0


def configured(folder: Path | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the monitors in a folder, and the problems of its files."""
    if folder is None or not folder.is_dir():
        return (), ()
    files = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"} and path.is_file())
    return _read_monitors(folder, tuple((path.name, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=1)
def _read_monitors(folder: Path, _as_of: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from drift.config.monitor import load_monitors

    try:
        return tuple(monitor.name for monitor in load_monitors(folder)), ()
    except ConfigError as error:
        return (), tuple(error.problems)
