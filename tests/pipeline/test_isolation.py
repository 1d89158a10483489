"""One column's exception is that column's error, wherever it comes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drift
from drift.config.monitor import Monitor
from drift.detection import assess, findings, reference, scoring
from drift.detection.effect_size import sized
from drift.errors import BinningError, SourceError, SourceUnreachable, StoreError
from drift.pipeline import run
from drift.pipeline.context import Context
from drift.pipeline.isolation import isolated
from drift.profiles import segments
from drift.profiles.kinds import to_codes
from drift.store.store import Store
from tests.support.flights import SQL, clock, days, monitor_text, open_context, rows, write_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from drift.detection.reports import Report
    from drift.windows import Window

NAMES = [f"f{i}" for i in range(9)]


@given(st.sets(st.sampled_from(NAMES)))
def test_exactly_those_are_left_out_that_fail(bad: set[str]) -> None:
    """However many, each with its own reason, and the rest is done together at last."""

    def attempt(failed: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        kept = [name for name in NAMES if name not in failed]
        for name in kept:
            if name in bad:
                raise KeyError(name)
        return kept, dict(failed)

    kept, failed = isolated(attempt, NAMES)
    assert kept == [name for name in NAMES if name not in bad]
    assert failed.keys() == bad
    assert all(why.startswith("unexpected KeyError") and why.endswith(f": '{name}'") for name, why in failed.items())


@pytest.mark.parametrize("error", [SourceUnreachable("gone"), StoreError("gone"), KeyError("all"), KeyError("pair")])
def test_where_no_feature_is_to_blame_it_fails_as_it_did(error: Exception) -> None:
    """An outage, the results database, what fails without any feature, and what fails only with two of them."""
    asked: list[int] = []

    def attempt(failed: Mapping[str, str]) -> None:
        asked.append(len(failed))
        if error.args != ("pair",) or not failed.keys() & {"f0", "f8"}:
            raise error

    with pytest.raises(type(error)) as raised:
        isolated(attempt, NAMES)
    assert raised.value is error
    assert len(asked) == {"gone": 1, "all": 2, "pair": 4}[error.args[0]]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (BinningError("type changed"), "type changed"),
        (SourceError("refused"), "cannot be read: refused"),
        (OverflowError("x\ny"), r"unexpected OverflowError at drift\S+: x y"),
    ],
)
def test_the_reason_is_of_one_line(error: Exception, why: str) -> None:
    """What does not compare, what the source says, and what nobody expected."""

    def attempt(failed: Mapping[str, str]) -> dict[str, str]:
        if "f3" not in failed:
            raise error
        return dict(failed)

    assert re.fullmatch(why, isolated(attempt, ["f3"])["f3"])


def breaking(original: Callable[..., Any], feature: str, level: str) -> Callable[..., Any]:
    """Return the function, which fails on the feature: on its name, its score, its counts."""

    def mine(given: Any) -> bool:
        name = given if isinstance(given, str) else getattr(given, "feature", "")
        levels = getattr(getattr(given, "binning", None), "levels", ())
        return name == feature or level in levels or feature in getattr(given, "histograms", ())

    def broken(*given: Any, **named: Any) -> Any:
        if any(map(mine, given)):
            raise ZeroDivisionError(feature)
        return original(*given, **named)

    return broken


@pytest.mark.parametrize(
    ("module", "stage"),
    [
        (reference, "refined_pairs"),
        (scoring, "newest_label"),
        (assess, "refined"),
        (assess, "sized"),
        (assess, "_cell"),
        (findings, "_still"),
    ],
)
def test_a_feature_that_cannot_be_scored_or_explained_has_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, stage: str
) -> None:
    """The others have the verdicts that they would have, in the whole and in segments."""
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(rows(8), url)
    context = open_context(f"sqlite:///{tmp_path / 'drift.db'}", url, monitor_text(SQL, segments="[late]"))
    *before, last = days(context, 0, 7)
    run.backfill(context, before, clock=clock)
    monkeypatch.setattr(module, stage, breaking(getattr(module, stage), "carrier", "B6"))
    report = run.run_window(context, last, clock=clock).report
    stored = context.store.load_report(context.name, last.start)
    assert stored is not None
    for each in (report, stored, *report.segments.values()):
        assert {v.feature: v.status for v in each.verdicts}["carrier"] == "error"
        assert each["carrier"].reason.startswith("unexpected ZeroDivisionError at drift")
        assert all(v.score for v in each.verdicts if v.feature != "carrier")
    assert report.status == "error"


def test_a_feature_that_fails_in_window_after_window_is_an_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after two, after three; once, however long it goes on; the next window in which it is judged ends it."""
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(rows(12), url)
    text = monitor_text(SQL, alerts="{routes: [{to: ops}]}")
    context = open_context(f"sqlite:///{tmp_path / 'drift.db'}", url, text)
    live = days(context, 0, 11)

    def alerts(windows: Sequence[Window]) -> list[tuple[str, str, str]]:
        run.backfill(context, windows, clock=clock, page=True)
        return [(a.key, a.kind, a.state) for a in context.store.alerts(context.name)]

    assert alerts(live[:6]) == []
    with monkeypatch.context() as broken:
        broken.setattr(assess, "sized", breaking(sized, "carrier", "B6"))
        assert alerts(live[6:8]) == []
        assert alerts(live[8:11]) == [("not_judged:carrier", "not_judged", "open")]
    (alert,) = context.store.alerts(context.name)
    assert (alert.feature, alert.severity, alert.opened_window) == ("carrier", "warning", live[8].start)
    assert alert.reason.startswith("column carrier: not judged in 3 windows in a row: unexpected ZeroDivisionError")
    assert context.store.outbox_counts()["pending"] == 1
    assert alerts(live[11:]) == [("not_judged:carrier", "not_judged", "resolved")]


def test_a_comparison_is_made_without_what_cannot_be_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a monitor."""
    table = pd.DataFrame({"x": np.arange(2000.0), "carrier": ["UA", "B6"] * 1000})
    monkeypatch.setattr(assess, "sized", breaking(sized, "carrier", "B6"))
    report = drift.compare(table, table)
    assert (report["x"].status, report["carrier"].status) == ("ok", "error")


def test_a_column_that_cannot_be_cut_by_is_an_error_of_its_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole window is judged, and so are the segments by another column; the next window is as before."""
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(rows(9), url)
    context = open_context(f"sqlite:///{tmp_path / 'drift.db'}", url, monitor_text(SQL, segments="[late, carrier]"))
    *before, bad, last = days(context, 0, 8)
    run.backfill(context, before, clock=clock)
    with monkeypatch.context() as patched:
        patched.setattr(
            segments,
            "to_codes",
            lambda column: to_codes(column) if "B6" not in column.unique().to_pylist() else 1 / 0,
        )
        broken = run.run_window(context, bad, clock=clock).report
    found = run.run_window(context, last, clock=clock).report
    stored = context.store.load_report(context.name, bad.start)
    assert stored is not None
    assert all(verdict.score for verdict in broken.verdicts)
    for report in (broken, stored):
        for name, part in report.segments.items():
            for verdict in part.verdicts:
                if name.startswith("carrier"):
                    assert (verdict.status, verdict.score) == ("error", None)
                    assert verdict.reason.endswith("(segments by carrier)")
                else:
                    assert verdict.score
    assert {name.partition("=")[0] for name in broken.segments} == {"late", "carrier"}
    assert all(v.status != "error" for part in found.segments.values() for v in part.verdicts)


def test_a_column_that_a_database_refuses_is_its_own_error(tmp_path: Path) -> None:
    """In the day when it does; the others are judged, and the segments by it are errors too."""
    import duckdb

    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT TIMESTAMP '2024-01-01' + INTERVAL 2 MINUTE * i AS ts,"
            " (i * 7919 % 1000)::DOUBLE AS x, (i * 31 % 7)::VARCHAR AS s,"
            " CASE WHEN i < 720 * 15 THEN (i % 3)::VARCHAR ELSE 'none' END AS y FROM range(720 * 17) r(i)"
        )
        connection.execute("CREATE VIEW v AS SELECT ts, x, s, y::INTEGER AS y, (s || '!')::INTEGER AS never FROM t")
    source = {"connection": "wh", "table": "v", "time_column": "ts", "engine": "warehouse"}
    monitor = Monitor.model_validate(
        {
            "name": "m",
            "source": source,
            "window": {"every": "1d"},
            "reference": {"trailing": "7d"},
            "segments": ["s", "y"],
        }
    )
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as store:
        context = Context.of(monitor, store, lambda _: f"duckdb:///{path}")
        start = datetime(2024, 1, 15, tzinfo=UTC)
        windows = monitor.window.calendar.between(start, start + timedelta(days=2))
        reports: list[Report] = run.backfill(context, list(windows), clock=lambda: datetime(2024, 2, 1, tzinfo=UTC))
    ok, bad = reports[0], reports[-1]
    assert {v.status for v in ok.verdicts if v.feature != "never"} == {"ok"}
    assert (ok["never"].status, "could not be read" in ok["never"].reason) == ("not_comparable", True)
    assert (bad["x"].status, bad["s"].status, bad["y"].status) == ("ok", "ok", "error")
    assert "cannot be read: table v of duckdb" in bad["y"].reason
    assert {bad.segments[name]["x"].status for name in bad.segments if name.startswith("s=")} == {"ok"}
    assert {bad.segments[name]["x"].status for name in bad.segments if name.startswith("y=")} == {"error"}
