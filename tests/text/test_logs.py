"""Logs: one object a line, with what the run is about, and never a password."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING

import pytest

from drift.errors import ConfigError
from drift.pipeline import run
from drift.text import logs
from drift.text.secrets import learn
from tests.support.flights import SQL, clock, monitor_text, open_context, rows, write_sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged as JSON; afterwards the logger is as it was."""
    logger, lines = logging.getLogger("drift"), io.StringIO()
    level, propagate = logger.level, logger.propagate
    handler = logs.configure({"DRIFT_LOG": "json:debug"}, lines)
    assert handler is not None
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(level)
    logger.propagate = propagate


def test_each_line_says_which_monitor_window_and_stage(stream: io.StringIO, tmp_path: Path) -> None:
    """So that a search finds all that a run said."""
    warehouse = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(rows(9, 120).assign(note=[{"no": "bins"}.__repr__()] * 9 * 120), warehouse)
    text = monitor_text(
        SQL,
        expectations="[{expect_column_values_to_be_in_set: {column: carrier, value_set: [AA]}, severity: warn}]",
        detection="{min_rows: 100}",
    )
    context = open_context(f"sqlite:///{tmp_path / 'drift.db'}", warehouse, text)
    window = context.monitor.window.calendar.containing(clock().replace(month=1, day=8))
    run.run_window(context, window, clock=clock)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    mine = [line for line in lines if line["logger"].startswith("drift.") and line.get("stage") == "validate"]
    assert mine
    assert {line.get("stage") for line in lines} >= {"validate", "baseline", "profile", "evaluate", "notify"}
    assert {line["monitor"] for line in mine} == {"flights"}
    assert all({"time", "level", "message"} <= line.keys() for line in mine)


def test_fields_are_of_the_stage_and_no_other(stream: io.StringIO) -> None:
    """What is said outside carries nothing, what is said inside everything around it."""
    log = logging.getLogger("drift.test")
    with logs.about(monitor="a", window="w"):
        with logs.about(stage="plan"):
            log.info("inside")
        log.info("between")
    log.info("outside")
    said = [json.loads(line) for line in stream.getvalue().splitlines()]
    fields = [{key: line[key] for key in line.keys() & {"monitor", "window", "stage"}} for line in said]
    assert fields == [{"monitor": "a", "window": "w", "stage": "plan"}, {"monitor": "a", "window": "w"}, {}]


@pytest.mark.parametrize("secret", ["postgresql://db/drift?user=a&password=s3cret", "{'token': 's3cret'}", "s3cret"])
def test_no_line_holds_a_secret(stream: io.StringIO, secret: str) -> None:
    """Neither in the message nor in the traceback, whichever handler writes them."""
    learn("s3cret")
    log = logs.logger("drift.test")
    others = io.StringIO()
    log.addHandler(other := logging.StreamHandler(others))
    try:
        raise RuntimeError(secret)  # noqa: TRY301 - a traceback is what is looked at
    except RuntimeError:
        log.exception("failed with %s", secret)
    finally:
        log.removeHandler(other)
    assert "s3cret" not in stream.getvalue() + others.getvalue()
    (line,) = stream.getvalue().splitlines()
    assert "traceback" in json.loads(line)


@pytest.mark.parametrize("said", ["xml", "json:loud", ":debug"])
def test_a_setting_that_nobody_understands_is_refused(said: str) -> None:
    """With what to write instead."""
    with pytest.raises(ConfigError, match="json or text"):
        logs.configure({"DRIFT_LOG": said})


def test_without_the_setting_nothing_is_changed() -> None:
    """A program around Drift logs as it likes."""
    before = logging.getLogger("drift").handlers[:]
    assert logs.configure({}) is None
    assert logging.getLogger("drift").handlers == before
