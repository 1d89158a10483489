"""A monitor from Python: run it, backfill it, read its history, mark it; what a notebook or a script calls."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from drift.alerts.channels import resolve_route
from drift.config.connections import resolve_url
from drift.config.monitor import Monitor, load_monitor
from drift.errors import DriftError, UnknownFeature
from drift.pipeline import actions, spans
from drift.pipeline import notify as notifying
from drift.pipeline import run as runs
from drift.pipeline.context import Context
from drift.store import engine
from drift.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from drift.detection.reports import Report
    from drift.windows import Window

DATABASE = "sqlite:///drift.db"
"""The results database, unless ``DRIFT_DATABASE`` or an argument names another."""


def _store(database: str | None) -> Store:
    url = database or os.environ.get("DRIFT_DATABASE") or DATABASE
    return Store.open(url, create=not engine.is_there(engine.normalise(url)))


@contextmanager
def _opened(monitor: Monitor | str | Path, database: str | None) -> Iterator[Context]:
    read = monitor if isinstance(monitor, Monitor) else load_monitor(monitor)
    with _store(database) as store:
        yield Context.of(read, store, lambda name: resolve_url(name, os.environ))


def _route(name: str) -> str:
    return resolve_route(name, os.environ)


def _text(day: str | date | None) -> str | None:
    return day.isoformat() if isinstance(day, date) else day


def _now() -> datetime:
    return datetime.now(UTC)


def run(
    monitor: Monitor | str | Path,
    window: str | date | None = None,
    *,
    database: str | None = None,
    force: bool = False,
    notify: bool = True,
) -> Report:
    """Run a monitor for one window, as ``drift run`` does: validate, count, score, alert, notify.

    Parameters
    ----------
    monitor
        A monitor, or the path of its file.
    window
        A local date or time in the window, such as ``"2024-03-01"``. Default: the last window that is over.
    database
        URL of the results database. Default: ``DRIFT_DATABASE``, else ``drift.db`` here, which is made if it is not
        there.
    force
        Read the window again, even if it is stored.
    notify
        Send what is pending to the monitor's routes (``DRIFT_ROUTE_<NAME>``).

    Raises
    ------
    DriftError
        If the file, the window, the source or the database is not as it should be; a run that fails is recorded, and
        has an alert.

    Examples
    --------
    >>> import drift
    >>> report = drift.run("monitors/orders.yaml", window="2024-03-01")  # doctest: +SKIP
    >>> report.status, report["price"].reason  # doctest: +SKIP
    """
    with _opened(monitor, database) as context:
        chosen = spans.window_of(context.monitor.window.calendar, _text(window), _now())
        try:
            report = runs.run_window(context, chosen, clock=_now, force=force, page=notify).report
        except DriftError:
            if notify:
                with suppress(DriftError):
                    notifying.deliver(context, _now(), _route)
            raise
        if notify:
            notifying.deliver(context, _now(), _route)
        return report


def backfill(
    monitor: Monitor | str | Path,
    start: str | date | None = None,
    end: str | date | None = None,
    *,
    database: str | None = None,
    force: bool = False,
) -> list[Report]:
    """Run a monitor for every window from one local date to another, oldest first; nobody is notified.

    Without dates, all that the data have. Each row is read once. `monitor`, `database` and `force` are those of `run`.

    Raises
    ------
    DriftError
        If anything is not as it should be; if windows failed, after the others were run and stored.

    Examples
    --------
    >>> import drift
    >>> [report.status for report in drift.backfill("monitors/orders.yaml")]  # doctest: +SKIP
    """
    if (start is None) != (end is None):
        raise DriftError("give both start and end, or neither for the whole span of the data")
    failed: dict[str, str] = {}
    with _opened(monitor, database) as context:

        def progress(window: Window, result: Report | DriftError) -> None:
            if isinstance(result, DriftError):
                failed[context.label(window)] = str(result)

        calendar = context.monitor.window.calendar
        first, last = _text(start), _text(end)
        windows = spans.between(calendar, first, last) if first and last else spans.of_data(context, _now())
        reports = runs.backfill(context, windows, clock=_now, force=force, progress=progress)
    if failed:
        label, reason = next(iter(failed.items()))
        raise DriftError(f"{len(failed)} of {len(windows)} windows failed, the others are stored; {label}: {reason}")
    return reports


def history(
    monitor: Monitor | str | Path, feature: str | None = None, *, last: int = 30, database: str | None = None
) -> list[dict[str, Any]]:
    """Return the stored scores of the newest windows, oldest first: a row for each feature and window.

    Parameters
    ----------
    feature
        Only this one.
    last
        Number of windows.

    Raises
    ------
    UnknownFeature
        If the newest window has no such feature; the message suggests the nearest.

    Notes
    -----
    The keys are the columns of the table ``score`` (``pandas.DataFrame(drift.history(…))`` is the table);
    every divergence is D(current‖reference), in nats.

    Examples
    --------
    >>> import drift
    >>> [row["kl"] for row in drift.history("monitors/orders.yaml", "price", last=7)]  # doctest: +SKIP
    """
    with _opened(monitor, database) as context:
        return [dict(row) for row in scores(context, feature, last=last, now=_now())]


def mark(
    text: str,
    at: str | date | None = None,
    *,
    monitors: Sequence[str] = (),
    by: str = "",
    database: str | None = None,
) -> None:
    """Mark a moment, such as a release: charts and alerts show it beside what drifts.

    Parameters
    ----------
    text
        What happened.
    at
        When: an instant, or a local date or time of the monitors. Default: now.
    monitors
        The names of those that it is about. Default: all.
    by
        Who says so.

    Raises
    ------
    DriftError
        If a monitor has never run, or a local time is that of monitors in several time zones.

    Notes
    -----
    The same text, time and monitor are one mark, so that a task may be repeated.

    Examples
    --------
    >>> import drift
    >>> drift.mark("release 214", "2024-03-01T17:30", monitors=["orders"])  # doctest: +SKIP
    """
    with _store(database) as store:
        actions.mark(store, text, at=at, monitors=monitors, by=by, now=_now())


def scores(context: Context, feature: str | None, *, last: int, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Return the stored scores of the newest windows; a feature that the newest has not is an error."""
    rows = context.store.scores(context.name, feature=feature, until=now, windows=last)
    if feature is not None and not rows:
        known = context.store.scores(context.name, until=now, windows=1)
        if known:
            raise UnknownFeature(feature, [row["feature"] for row in known])
    return rows
