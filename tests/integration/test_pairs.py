"""Pairs of columns, from files to the results database and back: what no histogram shows is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from drift.pipeline import run as runs
from drift.profiles.pairs import Pairs
from tests.support.flights import FIRST, clock, days, monitor_text, open_context, rows, write_parquet
from tests.support.store_samples import dump

if TYPE_CHECKING:
    from pathlib import Path

    from drift.pipeline.context import Context


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """Files of ten days whose carriers leave late; on the eighth the lateness is dealt out anew, on the ninth text."""
    monkeypatch.chdir(tmp_path)
    frame = rows(10, 300)
    frame["late"] = (frame["carrier"] == "AA") ^ (np.random.default_rng(5).random(len(frame)) < 0.05)
    frame["gate"] = np.where(frame["carrier"] == "DL", "D", "A")
    eighth = frame["day"] == FIRST + pd.Timedelta(days=7)
    frame.loc[eighth, "late"] = np.random.default_rng(6).permutation(frame.loc[eighth, "late"])
    write_parquet(frame, tmp_path / "flights")
    ninth = next((tmp_path / "flights").glob("date=2024-01-09/*"))
    pa.parquet.write_table(pa.parquet.read_table(ninth).set_column(1, "delay", pa.array(["late"] * 300)), ninth)
    source = '{files: "flights/date=*/*.parquet", time_column: day}'
    text = monitor_text(source, segments="[gate]", features="{exclude: [gate]}")
    return open_context(f"sqlite:///{tmp_path / 'drift.db'}", "", text)


def test_what_no_histogram_shows_is_in_the_pairs(context: Context) -> None:
    """A column dealt out anew within its day has the same counts and other pairs; one that became text has none."""
    runs.backfill(context, days(context, 0, 9), clock=clock, jobs=2)
    before = dump(context.store)["pair_counts"]
    binnings, by = context.store.active_baseline("flights"), context.segmentations()
    found = context.store.load_pairs("flights", days(context, 0, 9), binnings, by)
    assert list(found) == days(context, 0, 9)
    assert {name: list(pairs.columns) for name, pairs in zip("0123456789", found.values(), strict=True)} == {
        str(i): ["gate", "carrier", "late"] + ["delay"] * (i != 8) for i in range(10)
    }
    week, eighth = Pairs.total(list(found.values())[:7]), list(found.values())[7]
    assert week.n_rows == 7 * 300
    ours = list(week.columns["carrier"].names).index("AA")
    late = [pairs.table("carrier", "late")[ours] / pairs.margin("carrier")[ours] for pairs in (week, eighth)]
    assert late[0][1] > 0.9
    assert late[1][1] < 0.7
    report = context.store.load_report("flights", days(context, 7, 7)[0].start)
    assert report is not None
    assert {v.feature: v.severity for v in report.verdicts} == {"delay": "none", "carrier": "none", "late": "none"}
    # Read again, one process after the other, they are the same.
    runs.backfill(context, days(context, 7, 9), clock=clock, force=True)
    assert dump(context.store)["pair_counts"] == before
