"""Recall: a pair of columns looked at after its window was judged, from stored counts alone."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from drift.errors import NotCompared
from drift.pipeline import run as runs
from drift.pipeline.recall import recall_pair
from drift.store.store import Store
from tests.support.flights import FIRST, clock, days, monitor_text, open_context, rows, write_parquet

if TYPE_CHECKING:
    from pathlib import Path

    from drift.pipeline.context import Context

LAST, SPOILED = 17, 16


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A carrier that goes with a flag, until the flag is dealt out anew; a code that no two rows share; a delay."""
    folder = tmp_path_factory.mktemp("recall")
    frame = rows(LAST + 1, 300)
    rng = np.random.default_rng(5)
    frame["late"] = (frame["carrier"] == "AA") ^ (rng.random(len(frame)) < 0.05)
    frame["code"] = [f"{i:06}" for i in range(len(frame))]
    spoiled = frame["day"] == FIRST + pd.Timedelta(days=SPOILED)
    frame.loc[spoiled, "late"] = rng.permutation(frame.loc[spoiled, "late"])
    frame.loc[frame["day"] == FIRST + pd.Timedelta(days=LAST), "delay"] += 30
    write_parquet(frame, folder / "flights")
    source = f'{{files: "{folder}/flights/date=*/*.parquet", time_column: day}}'
    made = open_context(f"sqlite:///{folder / 'drift.db'}", "", monitor_text(source))
    runs.backfill(made, days(made, 0, LAST), clock=clock)
    return made


def test_a_pair_says_later_what_the_run_said(context: Context) -> None:
    """Its figures are those of the run, in either order of its columns, and so are what strayed and why."""
    (window,), calendar = days(context, SPOILED, SPOILED), context.monitor.window.calendar
    found = recall_pair(context.store, "flights", window.start, ("late", "carrier"))
    one = found.compared
    assert one.kl_total == pytest.approx(one.kl + one.kl_margins, abs=1e-9)
    assert one.kl_corrected == pytest.approx(found.measured.kl_corrected, rel=1e-5)
    assert one.mixed == pytest.approx(found.measured.mixed, rel=1e-5)
    assert one.before > 0.3 > one.after
    assert (found.windows, found.windows_then, one.current.sum(), one.reference.sum()) == (7, 7, 300, 2100)
    assert found.finding is not None
    assert {found.finding.column, *found.finding.others} == {"late", "carrier"}
    assert found.state(calendar).startswith("no longer as it was since 2024-01-17")
    assert any(line.startswith("late ") and "would be usual" in line for line in found.words())
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["strays"] is True
    turned = recall_pair(context.store, "flights", window.start, ("carrier", "late")).compared
    assert turned.current.tolist() == one.current.T.tolist()
    past = context.store.pair_history("flights", "carrier", "late", until=window.end, limit=4)
    assert [each.strays for each in past] == [False, False, False, True]
    assert past[-1] == found.measured
    assert context.store.pair_history("flights", "carrier", "nope") == []


@pytest.mark.parametrize(
    ("day", "columns", "said"),
    [
        (SPOILED - 1, ("carrier", "late"), "as usual: "),
        (8, ("carrier", "late"), "not judged: only 5 windows before this one were compared"),
        (LAST, ("delay", "late"), "not judged: delay drifts by itself"),
    ],
)
def test_what_was_not_judged_is_not_as_usual(context: Context, day: int, columns: tuple[str, str], said: str) -> None:
    """A short history and a column that drifts by itself are said; else it is as usual."""
    (window,) = days(context, day, day)
    found = recall_pair(context.store, "flights", window.start, columns)
    assert found.state(context.monitor.window.calendar).startswith(said)


@pytest.mark.parametrize(
    ("day", "columns", "said"),
    [
        (SPOILED, ("late", "late"), "'late' is one: name another"),
        (SPOILED, ("late", "nope"), "no column 'nope' in 2024-01-17; it has pairs of: carrier, late, delay"),
        (SPOILED, ("code", "late"), "no pairs of 'code' in 2024-01-17: labels that hardly recur"),
        (1, ("carrier", "late"), "compared no pairs of columns in 2024-01-02: fewer than 3 windows"),
        (
            60,
            ("carrier", "late"),
            "starts at 2024-03-01T05:00:00Z: drift run flights --date",
        ),
    ],
)
def test_what_cannot_be_compared_says_why(context: Context, day: int, columns: tuple[str, str], said: str) -> None:
    """One column, unknown ones, those without pairs, windows that were not compared or never run."""
    (window,) = days(context, day, day)
    with pytest.raises(NotCompared, match=r".") as raised:
        recall_pair(context.store, "flights", window.start, columns)
    assert said in str(raised.value)


def test_counts_that_are_gone_are_said(context: Context, tmp_path: Path) -> None:
    """A reference that was pruned in part is compared as far as it is there; where nothing is left it is said."""
    with sqlite3.connect(str(context.store.engine.url.database)) as stored, sqlite3.connect(tmp_path / "copy") as copy:
        stored.backup(copy)
    second, window = (days(context, day, day)[0] for day in (SPOILED - 6, SPOILED))
    with Store.open(f"sqlite:///{tmp_path / 'copy'}") as store:
        store.prune(second.start)
        found = recall_pair(store, "flights", window.start, ("carrier", "late"))
        assert (found.windows, found.windows_then) == (6, 7)
        assert any("6 of 7 windows are left" in line for line in found.words())
        assert recall_pair(context.store, "flights", window.start, ("carrier", "late")).windows == 7
        store.prune(window.start)
        with pytest.raises(NotCompared, match="pairs of its reference that 2024-01-17 was compared by are no"):
            recall_pair(store, "flights", window.start, ("carrier", "late"))
