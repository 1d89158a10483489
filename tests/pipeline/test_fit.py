"""Bins that are fitted once, on what most of a reference is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from drift.pipeline import fit, run
from drift.profiles import pair_choice
from tests.support.flights import clock, days, monitor_text, open_context, rows, write_parquet, write_sql

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from drift.detection.reports import Report
    from drift.pipeline.context import Context


def backfill(context: Context, first: int, last: int) -> list[Report]:
    """Run those days."""
    return run.backfill(context, days(context, first, last), clock=clock)


def test_a_type_that_changes_within_the_first_reference(tmp_path: Path) -> None:
    """The feature has no bins and says why; the others have theirs."""
    frame = rows(6)
    odd = frame.assign(delay=frame["delay"].map("{:.1f} min".format))
    for i in range(6):
        write_parquet((odd if i == 0 else frame)[400 * i : 400 * (i + 1)], tmp_path / "lake")
    files = f"{{files: '{tmp_path}/lake/**/*.parquet', time_column: date}}"
    report = backfill(open_context(f"sqlite:///{tmp_path / 'd.db'}", "", monitor_text(files)), first=4, last=5)[-1]
    assert report["delay"].score is not None
    assert (report["delay"].status, report["delay"].score.kind, report["carrier"].status) == ("ok", "numeric", "ok")


def test_a_feature_whose_files_never_agree_says_so(tmp_path: Path) -> None:
    """Where no day has one type there are no bins; the others have theirs."""
    frame = rows(6)
    odd = frame.assign(delay=frame["delay"].map("{:.1f} min".format))
    for i, (day, part) in enumerate(frame.groupby("day")):
        folder = tmp_path / "lake" / f"date={day}"
        folder.mkdir(parents=True)
        for name, each in (("a", part[: 100 + i]), ("b", odd.loc[part.index][100 + i :])):
            pq.write_table(pa.Table.from_pandas(each, preserve_index=False), folder / f"{name}.parquet")
    files = f"{{files: '{tmp_path}/lake/**/*.parquet', time_column: date}}"
    report = backfill(open_context(f"sqlite:///{tmp_path / 'd.db'}", "", monitor_text(files)), first=4, last=5)[-1]
    assert (report["delay"].status, report["carrier"].status) == ("not_comparable", "ok")
    assert report["delay"].reason.startswith("its files differ in type, ")


def test_of_very_many_columns_those_that_go_with_another_most_have_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chosen with the bins, and the same for every window; what explains, or cuts segments, is always among them."""
    monkeypatch.setattr(pair_choice, "MOST_COLUMNS", 4)
    monkeypatch.setattr(pair_choice, "LOOKED_AT", 500)
    frame, rng = rows(6), np.random.default_rng(3)
    for name in ("a", "b", "c", "d"):
        frame[name] = rng.normal(size=len(frame))
    frame["e"] = frame["c"] + rng.normal(size=len(frame))
    for i in range(6):
        write_parquet(frame[400 * i : 400 * (i + 1)], tmp_path / "lake")
    files = f"{{files: '{tmp_path}/lake/**/*.parquet', time_column: date}}"
    text = monitor_text(files, segments="[late]")
    context = open_context(f"sqlite:///{tmp_path / 'd.db'}", "", text)
    report = backfill(context, 4, 5)[-1]
    binnings = context.store.active_baseline("flights")
    assert pair_choice.left_out(binnings) == ["a", "b", "d", "day", "delay"]
    pairs = context.store.load_pairs("flights", days(context, 0, 5), binnings, context.segmentations())
    assert {name for each in pairs.values() for name in each.columns} == {"carrier", "late", "c", "e"}
    assert (report.n_pairs, len(pairs)) == (6, 6)
    named = open_context(f"sqlite:///{tmp_path / 'e.db'}", "", f"{text}\nexplain_by: [a, delay]")
    backfill(named, 4, 5)
    assert pair_choice.left_out(named.store.active_baseline("flights")) == ["b", "carrier", "d", "day", "e"]


def test_a_new_baseline_is_a_new_version(tmp_path: Path) -> None:
    """Fitting again is an act, and the old version stays on record."""
    write_sql(rows(6), f"sqlite:///{tmp_path / 'warehouse.db'}")
    context = open_context(f"sqlite:///{tmp_path / 'd.db'}", f"sqlite:///{tmp_path / 'warehouse.db'}")
    backfill(context, 4, 5)
    fit.fit_bins(context, days(context, 2, 5), now=clock(), by="ada", reason="a new model", new=True)
    versions = {(row["feature"], row["version"]) for row in context.store.baseline_rows("flights")}
    assert {("delay", 1), ("delay", 2)} <= versions
