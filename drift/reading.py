"""Reading: one window of a source, gated and counted, and nothing stored.

A window's counts depend on its rows and on the frozen bins alone, so windows may be read in any order and by any
process. What is made of them (verdicts, alerts) depends on the windows before, and stays in order: `read_ahead` reads
the next windows in processes of their own while the first ones are judged.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from drift import segments, validation
from drift.counting import count
from drift.errors import DriftError
from drift.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from drift.binning import Binning
    from drift.config import Monitor
    from drift.histograms import Profile
    from drift.outcomes import Outcome
    from drift.reports import Gate
    from drift.segments import Segmentation
    from drift.snapshots import Snapshot
    from drift.store import Store
    from drift.windows import Window

log = logging.getLogger(__name__)

AHEAD = 4
"""How many windows each process may be ahead of the one that is judged."""


def examine(watch: Watch, snapshot: Snapshot) -> tuple[Gate, list[Outcome]]:
    """Pass one window through the Great Expectations gate: what it decides, and what each expectation observed."""
    expectations = watch.monitor.expectations
    if not expectations:
        return "not_validated", []
    frame = snapshot.to_pandas(validation.columns_needed(expectations, list(snapshot.schema)))
    outcomes = validation.validate(frame, expectations)
    return validation.decide(outcomes), outcomes


def count_window(
    watch: Watch,
    window: Window,
    binnings: Mapping[str, Binning],
    snapshot: Snapshot,
    segmentations: Sequence[Segmentation] = (),
) -> Profile:
    """Read one window once, and count it into cells: here, or inside the database that holds it."""
    schema = snapshot.schema
    features = [feature for feature in binnings if feature in schema]
    if segmentations:
        cut_by = [column for by in segmentations for column in by.columns if column in schema]
        batches = snapshot.batches(list(dict.fromkeys([*features, *cut_by])))
        return segments.count(batches, binnings, segmentations, window=window, schema=schema)
    inside = watch.warehouse([window], features, snapshot.count_rows)
    if inside is not None:
        return inside.profile(binnings, window=window)
    return count(snapshot.batches(features), binnings, window=window, schema=schema)


@dataclass(frozen=True, slots=True)
class Task:
    """A window to read, by what the gate decided on it before: None if it has to be asked."""

    window: Window
    gate: Gate | None


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a window: its counts, unless the gate rejected it.

    `outcomes` is None where the gate had decided before.
    """

    gate: Gate
    outcomes: list[Outcome] | None
    profile: Profile | None


@contextmanager
def read_ahead(
    watch: Watch,
    tasks: Sequence[Task],
    binnings: Mapping[str, Binning],
    segmentations: Sequence[Segmentation] = (),
    *,
    jobs: int,
) -> Iterator[Callable[[Window], Read | None]]:
    """Read windows in processes of their own, a few of them ahead.

    Parameters
    ----------
    watch
    tasks
        In the order in which they will be asked for.
    binnings, segmentations
    jobs
        Processes; with one, or nothing to read, none is started.

    Yields
    ------
    callable
        Waits for a window. None where it was not to be read, or could not be: whoever reads it next finds out why.
    """
    if jobs < 2 or not tasks or not binnings:
        yield lambda _window: None
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    source = watch.monitor.source
    url = watch.connect(source.connection) if source.connection else None
    waiting = deque(tasks)
    begun: dict[Window, Future[Read | None]] = {}
    # Not forked: this process may hold connections and threads. Each reader is told all it needs.
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), multiprocessing.get_context("spawn"))

    def begin() -> None:
        while waiting and len(begun) < AHEAD * jobs:
            task = waiting.popleft()
            begun[task.window] = pool.submit(_read, watch.monitor, url, task, dict(binnings), list(segmentations))

    def wait(window: Window) -> Read | None:
        try:
            begin()
            return begun.pop(window).result() if window in begun else None
        except BrokenProcessPool:
            log.warning("%s: a reading process died; the windows are read one after the other from here on", watch.name)
            waiting.clear()
            begun.clear()
            return None

    try:
        yield wait
    finally:
        pool.shutdown(cancel_futures=True)


def _read(
    monitor: Monitor, url: str | None, task: Task, binnings: Mapping[str, Binning], by: Sequence[Segmentation]
) -> Read | None:
    """Read one window, in a process that knows no store."""
    watch = Watch(monitor, cast("Store", None), lambda _name: url or "")
    try:
        snapshot = watch.snapshot(task.window)
        gate, outcomes = (task.gate, None) if task.gate else examine(watch, snapshot)
        profile = None if gate == "rejected" else count_window(watch, task.window, binnings, snapshot, by)
    except DriftError:
        return None
    return Read(gate, outcomes, profile)
