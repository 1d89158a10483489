"""Sources that hang, stop half-way or change under the monitor: the run says so, and the retry ends as it should."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from drift.config.monitor import parse_monitor
from drift.errors import SourceError, SourceUnreachable
from drift.pipeline import run
from drift.pipeline.context import Context
from drift.store.store import Store
from tests.live.faults import work

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> tuple[work.Setting, work.Setting]:
    """A run that meets a bad source, and one that does not; both have seen the first week."""
    source = work.write_source(tmp_path / "source.db")
    both = tuple(work.Setting(f"sqlite:///{tmp_path / name}.db", source) for name in ("bad", "calm"))
    for setting in both:
        work.upgrade(setting)
        work.first(setting)
    return both[0], both[1]


def same(one: work.Setting, other: work.Setting) -> list[str]:
    """Where two results differ."""
    return work.differences(work.contents(other.results), work.contents(one.results))


def test_a_hanging_query_ends_at_its_statement_time_out(
    settings: tuple[work.Setting, work.Setting], postgres_url: str
) -> None:
    """The connection's URL says how long a statement may take; the run fails, and the retry completes."""
    bad, calm = settings
    engine = sa.create_engine(postgres_url)
    work.rows().to_sql("quick", engine, index=False, dtype={"day": sa.Date()})
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE VIEW flights AS SELECT q.* FROM quick q, pg_sleep(60)")
    hangs = sa.make_url(postgres_url).update_query_dict({"options": "-c statement_timeout=300"})
    with pytest.raises(SourceUnreachable, match="statement timeout"):
        work.incident(replace(bad, source=hangs.render_as_string(hide_password=False)))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE OR REPLACE VIEW flights AS SELECT * FROM quick")
    engine.dispose()
    for setting, source in ((bad, postgres_url), (calm, calm.source)):
        work.incident(replace(setting, source=source, now=work.RETRIED))
    found, expected = work.contents(bad.results), work.contents(calm.results)
    # The alert of the failed run stays on record, resolved; a profile tells types as its own database has them.
    for name in ("report", "score", "histogram", "run"):
        assert work.differences({name: expected[name]}, {name: found[name]}) == []


def parquet_monitor(folder: Path) -> str:
    """The monitor on files."""
    return work.MONITOR.replace(
        "{connection: warehouse, table: flights, time_column: day}",
        f'{{files: "{folder}/date=*/*.parquet", time_column: day}}',
    )


def write_days(folder: Path) -> None:
    """Write a file a day."""
    for when, part in work.rows().groupby("day"):
        path = folder / f"date={when}" / "part-0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pandas(part, preserve_index=False), path)


def run_days(results: str, text: str, days: list[int]) -> None:
    """Run days of a monitor."""
    context = Context.of(parse_monitor(text), Store.open(results, create=True), lambda name: name)
    with context.store:
        for number in days:
            run.run_window(context, work.day(context, number), clock=lambda: work.NOW)


@pytest.mark.parametrize("kept", [0.0, 0.002, 0.5, 0.999])
def test_a_truncated_file_fails_the_run_and_the_whole_one_completes_it(tmp_path: Path, kept: float) -> None:
    """A writer was caught half-way: nothing is counted from half a file."""
    folder = tmp_path / "flights"
    write_days(folder)
    text = parquet_monitor(folder)
    bad, calm = (f"sqlite:///{tmp_path / name}.db" for name in ("bad", "calm"))
    for results in (bad, calm):
        run_days(results, text, [7])
    (victim,) = (folder / "date=2024-01-09").glob("*")
    whole = victim.read_bytes()
    victim.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(SourceError, match="date=2024-01-09"):
        run_days(bad, text, [8])
    victim.write_bytes(whole)
    for results in (bad, calm):
        run_days(results, text, [8])
    found, expected = work.contents(bad), work.contents(calm)
    for name in ("profile", "histogram", "report", "score", "run", "gate", "baseline"):
        assert work.differences({name: expected[name]}, {name: found[name]}) == []


def test_rows_that_came_late_are_counted_when_the_window_is_read_again(
    settings: tuple[work.Setting, work.Setting],
) -> None:
    """Half the rows are there at the first run; `force` reads the window again, and it is as if all had been.

    The alert of the missing half, of which people were notified, stays on record, resolved.
    """
    bad, calm = settings
    engine = sa.create_engine(bad.source)
    late = "day = '2024-01-09' AND rowid % 2 = 0"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE late AS SELECT * FROM flights WHERE {late}")
        connection.exec_driver_sql(f"DELETE FROM flights WHERE {late}")
    _run(bad, 8)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO flights SELECT * FROM late")
    engine.dispose()
    _run(bad, 8, force=True)
    _run(calm, 8)
    found, expected = work.contents(bad.results), work.contents(calm.results)
    for name in expected.keys() - {"alert", "alert_event", "notification"}:
        assert work.differences({name: expected[name]}, {name: found[name]}) == []
    with bad.context().store as store:
        assert [(alert.key, alert.state) for alert in store.alerts("flights")] == [("volume:fewer", "resolved")]


def _run(setting: work.Setting, number: int, *, force: bool = False) -> None:
    context = setting.context()
    with context.store:
        run.run_window(context, work.day(context, number), clock=setting.clock, force=force)


@pytest.mark.parametrize("change", ["dropped", "added", "retyped"])
def test_a_schema_that_changes_and_changes_back_is_told_of_its_window_alone(tmp_path: Path, change: str) -> None:
    """A column that comes, goes or changes its type is a finding; what comes after is as before."""
    folder = tmp_path / "flights"
    write_days(folder)
    text = parquet_monitor(folder)
    results = f"sqlite:///{tmp_path / 'results.db'}"
    (victim,) = (folder / "date=2024-01-09").glob("*")
    whole = victim.read_bytes()
    frame = pd.read_parquet(victim).drop(columns=["date"], errors="ignore")
    changed = {
        "dropped": frame.drop(columns=["late"]),
        "added": frame.assign(gate=1.5),
        "retyped": frame.assign(delay=frame["delay"].astype(str)),
    }[change]
    run_days(results, text, [7])
    pq.write_table(pa.Table.from_pandas(changed, preserve_index=False), victim)
    run_days(results, text, [8])
    with Store.open(results) as store:
        told = str(store.reports("flights", 1)[0]["findings"])
        assert {"dropped": "late", "added": "gate", "retyped": "delay: type changed"}[change] in told
    victim.write_bytes(whole)
    run_days(results, text, [9])
    with Store.open(results) as store:
        (report,) = store.load_reports("flights", since=store.reports("flights", 1)[0]["window_start"])
        assert {v.feature for v in report.verdicts if v.score} >= {"carrier", "delay", "late"}
