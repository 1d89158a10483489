"""Waiting for late data in Airflow's triggerer, which takes no worker's place."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from drift.airflow.runs import clock, due, from_keys, open_context, watched_windows
from drift.errors import DriftError
from drift.pipeline import freshness
from drift.text import logs
from drift.text.formatting import when
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from drift.config.monitor import Monitor
    from drift.pipeline.freshness import Wait

log = logs.logger(__name__)


class WaitForData(BaseOperator):
    """Succeeds once the data of the run's windows are there; gives up with ``no data by …``."""

    def __init__(self, *, monitor: Monitor, wait: Wait, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.monitor, self.wait = monitor, wait

    def execute(self, context: Any) -> None:
        """Look; wait in the triggerer where something is missing."""
        windows = watched_windows(self.monitor, context)
        deadline = self.wait.deadline(due(context))
        lacking = look(self.monitor, windows, self.wait)
        if lacking and clock() < deadline and self.wait.deferrable:
            log.info("waiting until %s: %s", when(deadline), "; ".join(lacking.values()))
            self.defer(
                trigger=DataTrigger(
                    monitor=self.monitor.canonical,
                    windows=[window.key for window in windows],
                    wait=self.wait.to_dict(),
                    deadline=deadline.isoformat(),
                ),
                method_name="resume",
            )
        while lacking and clock() < deadline:
            log.info("waiting until %s: %s", when(deadline), "; ".join(lacking.values()))
            time.sleep(pause(self.wait, deadline))
            lacking = look(self.monitor, windows, self.wait)
        self._end(lacking, deadline)

    def resume(self, _context: Any, event: Mapping[str, Any]) -> None:
        """Go on with what the trigger saw last."""
        lacking = {Window.from_key(key): why for key, why in event["lacking"].items()}
        self._end(lacking, datetime.fromisoformat(event["deadline"]))

    def _end(self, lacking: dict[Window, str], deadline: datetime) -> None:
        if not lacking:
            log.info("%s: the data are there", self.monitor.name)
            return
        error = freshness.give_up(open_context(self.monitor), lacking, deadline, now=clock())
        raise (AirflowSkipException if self.wait.on_timeout == "skip" else AirflowFailException)(error)


class DataTrigger(BaseTrigger):
    """Looks for the data of some windows, again and again, until they are there or the time is up.

    Its event is the deadline and what is lacking still, by the window's key: nothing where all has come. Its arguments
    are texts: the monitor's `canonical` one, which holds no secret, the windows' keys, `Wait.to_dict`, and the deadline
    in ISO 8601.
    """

    def __init__(self, monitor: str, windows: list[str], wait: dict[str, Any], deadline: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.monitor, self.windows, self.wait, self.deadline = monitor, windows, wait, deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer makes it anew from."""
        said = {"monitor": self.monitor, "windows": self.windows, "wait": self.wait, "deadline": self.deadline}
        return f"{type(self).__module__}.{type(self).__qualname__}", said

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, sleep, look again."""
        from drift.config.monitor import parse_monitor

        spec, wait = parse_monitor(self.monitor), freshness.Wait.from_dict(self.wait)
        deadline, windows = datetime.fromisoformat(self.deadline), from_keys(self.windows)
        while True:
            # In a thread: reading blocks, and the triggerer has others to look after.
            lacking = await asyncio.to_thread(look, spec, windows, wait)
            if not lacking or clock() >= deadline:
                break
            log.info("%s: %s", spec.name, "; ".join(lacking.values()))
            await asyncio.sleep(pause(wait, deadline))
        said = {"deadline": self.deadline, "lacking": {window.key: why for window, why in lacking.items()}}
        yield TriggerEvent(said)  # type: ignore[no-untyped-call]


def look(monitor: Monitor, windows: Sequence[Window], wait: Wait) -> dict[Window, str]:
    """Return what is missing; where the results database does not answer, everything is."""
    try:
        return freshness.missing(open_context(monitor), windows, wait)
    except DriftError as error:
        log.warning("%s: %s", monitor.name, error)
        return dict.fromkeys(windows, str(error))


def pause(wait: Wait, deadline: datetime) -> float:
    """Return how long to sleep: until the next look, or the last one at the deadline."""
    return max(0.1, min(wait.seconds, (deadline - clock()).total_seconds()))
