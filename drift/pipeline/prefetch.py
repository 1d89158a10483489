"""Reading ahead: the next windows are read in processes of their own while the first ones are judged.

What is made of the counts (verdicts, alerts) depends on the windows before, and stays in order.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from drift.pipeline.context import SourceReader
from drift.pipeline.profile import count_window, examine
from drift.text import logs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Executor, Future

    from drift.config.monitor import Monitor
    from drift.detection.reports import Gate
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile
    from drift.profiles.segments import Segmentation
    from drift.sources.validation_results import Outcome
    from drift.windows import Window

log = logs.logger(__name__)

AHEAD = 4
"""How many windows each process may be ahead of the one that is judged."""


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
    source: SourceReader,
    tasks: Sequence[Task],
    binnings: Mapping[str, Binning],
    segmentations: Sequence[Segmentation] = (),
    *,
    jobs: int,
) -> Iterator[Ahead | None]:
    """Read windows in processes of their own, a few of them ahead of the one that is judged here.

    The tasks stand in the order in which they will be asked for. This process is one of the `jobs`: where there is
    nothing to read, or only this one to do it, none is started.
    """
    if jobs < 2 or not tasks or not binnings:
        yield None
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Not forked: this process may hold connections and threads. Each reader is given all it needs.
    given = source.monitor, source.url, dict(binnings), list(segmentations)
    pool = ProcessPoolExecutor(min(jobs - 1, len(tasks)), multiprocessing.get_context("spawn"), _Reader.begin, given)
    try:
        yield Ahead(source.monitor.name, deque(tasks), pool, AHEAD * jobs, pool.submit(_Reader.ready))
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(slots=True)
class Ahead:
    """Windows that other processes read: some waiting to be given to them, at most `most` given at once.

    `started` is done when one of the processes is up.
    """

    name: str
    waiting: deque[Task]
    pool: Executor
    most: int
    started: Future[None]
    begun: dict[Window, Future[Read | None]] = field(default_factory=dict)

    def take(self, window: Window) -> Read | None:
        """Return what was read of a window, or None where whoever asks had better read it: nobody has begun to.

        So it is until the processes are up, and when this one has caught up with them; where a window cannot be read,
        for the reason to be found out; and where a process has died.
        """
        from concurrent.futures.process import BrokenProcessPool

        if not self.started.done():
            self._leave(window)
            return None
        try:
            while self.waiting and len(self.begun) < self.most:
                task = self.waiting.popleft()
                self.begun[task.window] = self.pool.submit(_Reader.work, task)
            found = self.begun.pop(window, None)
            # It is not cancelled: a pool that breaks stumbles over what is, and leaves its other processes running.
            return found.result() if found and (found.running() or found.done()) else None
        except BrokenProcessPool:
            log.warning("%s: a reading process died; the windows are read one after the other from here on", self.name)
            self.waiting.clear()
            self.begun.clear()
            return None

    def _leave(self, window: Window) -> None:
        if self.waiting and self.waiting[0].window == window:
            self.waiting.popleft()


class _Reader:
    """What a process that reads keeps from window to window: what it was given, and the files it has listed."""

    source: ClassVar[SourceReader]
    binnings: ClassVar[Mapping[str, Binning]]
    by: ClassVar[Sequence[Segmentation]]

    @classmethod
    def begin(
        cls, monitor: Monitor, url: str | None, binnings: Mapping[str, Binning], by: Sequence[Segmentation]
    ) -> None:
        """Begin, in a process that knows no store."""
        cls.source = SourceReader(monitor, lambda _name: url or "")
        cls.binnings, cls.by = binnings, by

    @classmethod
    def ready(cls) -> None:
        """Say that the process is up."""

    @classmethod
    def work(cls, task: Task) -> Read | None:
        """Read one window."""
        try:
            snapshot = cls.source.snapshot(task.window)
            gate, outcomes = (task.gate, None) if task.gate else examine(cls.source, snapshot)
            rejected = gate == "rejected"
            profile = None if rejected else count_window(cls.source, task.window, cls.binnings, snapshot, cls.by)
        except Exception:
            log.debug("%s is left to whoever judges it", task.window, exc_info=True)
            return None
        return Read(gate, outcomes, profile)
