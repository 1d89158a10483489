"""The demo's year as it would have been lived: each day of 2013 is run at six the next morning, and pages who is awake.

    python -m benchmarks.demo_year [FOLDER] > docs/explanation/diary_2013.md

Runs the demo's monitor with the settings it ships with over the whole year, in half a minute, with a clock that follows
the data, so that what is repeated daily is repeated; then prints the timeline of the monitor. Nothing is sent: the
messages stay in the outbox. `docs/reference/alerts.md` holds what it printed.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from drift.alerts.timeline import timeline
from drift.cli import demo
from drift.config.monitor import load_monitor
from drift.pipeline import run
from drift.pipeline.context import Context
from drift.store.store import Store

if TYPE_CHECKING:
    from drift.windows import Window

HEAD = (
    "# The demo's year: a timeline\n\nWhat the demo's monitor, with the settings it ships with, would have sent in "
    "2013, had each day been run at six the next morning, and had nobody ever acted. Printed by "
    "`python -m benchmarks.demo_year` from what the alerts stored, as `drift alerts timeline flights` prints any "
    "monitor's, and not edited. What happened in the world stands beside it in "
    "[alerts](../reference/alerts.md#a-year-with-the-settings-it-ships-with).\n"
)

FIRST, LAST = date(2013, 1, 1), date(2013, 12, 31)
MORNING = timedelta(hours=6)


def live(folder: Path, first: date = FIRST, last: date = LAST) -> str:
    """Run the demo's monitor from day to day, in `folder`, and return its timeline."""
    demo.unpack(folder)
    monitor = load_monitor(demo.resource("dags") / "monitors" / f"{demo.MONITOR}.yaml")
    calendar = monitor.window.calendar
    windows = list(calendar.between(calendar.starting(first).start, calendar.starting(last).end))
    with Store.open(f"sqlite:///{folder / 'drift.db'}", create=True) as store:
        context = Context.of(monitor, store, lambda _: f"sqlite:///{folder / 'warehouse.db'}")
        run.prepare(context, windows, now=windows[0].end + MORNING)
        for window in windows:
            run.run_window(context, window, clock=partial(_morning_after, window))
        found = store.timelines(monitor.name)
    return timeline([alert for alert, _ in found], [event for _, lines in found for event in lines], calendar)


def _morning_after(window: Window) -> datetime:
    return window.end + MORNING


def main() -> None:
    """Live the year and print its timeline."""
    print(HEAD)
    if len(sys.argv) > 1:
        print(live(Path(sys.argv[1])))
    else:
        with tempfile.TemporaryDirectory() as folder:
            print(live(Path(folder)))


if __name__ == "__main__":
    main()
