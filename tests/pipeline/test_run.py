"""The stages of a run, in order, on real databases."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from drift.cli.demo import resource
from drift.errors import InternalError, SourceError, StoreError
from drift.pipeline import evaluate, fit, notify, profile
from drift.pipeline import run as runs
from drift.pipeline.recall import recall
from drift.profiles import counting
from tests.pipeline.test_compare import kl
from tests.support.flights import FIRST, SQL, clock, days, monitor_text, open_context, rows, write_parquet, write_sql

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from drift.detection.reports import Report
    from drift.errors import DriftError
    from drift.pipeline.context import Context
    from drift.windows import Window

LAST = 13
"""The day, counted from 0, that the tests put something into."""


def shifted(frame: pd.DataFrame, by: float = 8.0) -> pd.DataFrame:
    """Move the delays of the last day."""
    frame = frame.copy()
    frame.loc[frame["day"] == FIRST + timedelta(days=LAST), "delay"] += by
    return frame


def dump(context: Context) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of the results database, but for the times of the runs."""
    found = {}
    metadata = sa.MetaData()
    metadata.reflect(context.store.engine)
    with context.store.engine.connect() as connection:
        for table in metadata.sorted_tables:
            columns = [c for c in table.c if c.name not in {"started_at", "finished_at"}]
            found[table.name] = sorted((tuple(row) for row in connection.execute(sa.select(*columns))), key=repr)
    return found


@pytest.fixture
def warehouse(tmp_path: Path) -> str:
    """A warehouse of 14 days, the last one shifted."""
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(shifted(rows(LAST + 1)), url)
    return url


@pytest.fixture
def context(tmp_path: Path, warehouse: str) -> Context:
    """The monitor on it."""
    return open_context(f"sqlite:///{tmp_path / 'drift.db'}", warehouse)


def backfill(
    context: Context, first: int = 0, last: int = LAST, *, force: bool = False, page: bool = False
) -> list[Report]:
    """Run those days."""
    return runs.backfill(context, days(context, first, last), clock=clock, force=force, page=page)


def test_a_shift_is_found_on_its_day_and_alerted(context: Context) -> None:
    """Quiet days are quiet; the shifted one is critical, for the shifted feature alone, and an alert opens."""
    reports = backfill(context, page=True)
    assert [r.status for r in reports[3:-1]] == ["ok"] * (LAST - 3)
    assert [v.feature for v in reports[-1].drifting] == ["delay"]
    assert reports[-1]["delay"].status == "critical"
    assert [(a.key, a.state) for a in context.store.alerts("flights")] == [("drift:delay", "open")]
    assert context.store.outbox_counts()["pending"] == 1


def test_the_first_windows_have_no_reference(context: Context) -> None:
    """A window without enough references is insufficient data, in words, and not a number."""
    report = backfill(context)[0]
    assert {v.status for v in report.verdicts} == {"insufficient_data"}
    assert "the reference has 0 of 7 windows" in str(report.findings[0])


def test_every_row_is_counted(context: Context) -> None:
    """The counts of every feature and window sum to the rows of the window."""
    backfill(context)
    binnings = context.store.active_baseline("flights")
    profiles = context.store.load_profiles("flights", days(context, 0, LAST), binnings)
    assert len(profiles) == LAST + 1
    assert {h.n for profile, _ in profiles for h in profile.histograms.values()} == {400}


def test_running_again_changes_nothing(context: Context) -> None:
    """A repeated run leaves every row as it was."""
    backfill(context, page=True)
    before = dump(context)
    for window in days(context, LAST - 2, LAST):
        runs.run_window(context, window, clock=clock)
    backfill(context, page=True, force=True)
    assert dump(context) == before


def test_each_stage_twice_changes_nothing(context: Context) -> None:
    """A retried stage ends in the same rows."""
    backfill(context, last=LAST - 1)
    window, now = days(context, LAST, LAST)[0], clock()
    context.store.save_run_started("flights", window, context.monitor.config_hash, now)

    def stage(name: str) -> None:
        match name:
            case "plan":
                runs.plan(context, window, now=now)
            case "validate":
                runs.validate(context, [window], [window], now=now)
            case "baseline":
                fit.ensure_baseline(context, window, now=now)
            case "profile":
                runs.profile_window(context, window, now=now)
            case "evaluate":
                evaluate.evaluate_window(context, window)
            case "notify":
                report = evaluate.evaluate_window(context, window)
                notify.notify_window(context, report, now=now)

    for name in ("plan", "validate", "baseline", "profile", "evaluate", "notify"):
        stage(name)
        once = dump(context)
        stage(name)
        assert dump(context) == once, name


def test_windows_are_read_once(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backfill counts each window once, however many references it is part of."""
    counted: list[str] = []
    real = runs.profile_window

    def spy(context: Context, window: Window, **options: object) -> object:
        counted.append(window.key)
        return real(context, window, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(runs, "profile_window", spy)
    backfill(context)
    backfill(context)
    assert sorted(counted) == sorted({w.key for w in days(context, 0, LAST)})


@pytest.mark.postgres
def test_sources_and_stores_agree(tmp_path: Path, warehouse: str, postgres_url: str) -> None:
    """SQLite, PostgreSQL and Parquet hold the same rows: the same counts and the same scores, in either store."""
    frame = shifted(rows(LAST + 1))
    write_sql(frame, postgres_url)
    write_parquet(frame, tmp_path / "lake")
    files = monitor_text(
        f"{{files: '{tmp_path}/lake/date=*/*.parquet', time_column: day}}", features="{exclude: [date]}"
    )
    watches = [
        open_context(f"sqlite:///{tmp_path / 'a.db'}", warehouse),
        open_context(f"sqlite:///{tmp_path / 'b.db'}", postgres_url),
        open_context(f"sqlite:///{tmp_path / 'c.db'}", "", files),
        open_context(postgres_url, warehouse),
    ]
    found = []
    for each in watches:
        backfill(each)
        binnings = each.store.active_baseline("flights")
        profiles = each.store.load_profiles("flights", days(each, 0, LAST), binnings)
        counts = [(p.window, f, tuple(h.counts)) for p, _ in profiles for f, h in sorted(p.histograms.items())]
        scores = sorted(
            (row["window_start"], row["feature"], row["status"], row["kl"], row["p"], row["ci_high"])
            for row in each.store.scores("flights")
        )
        found.append((counts, scores))
        each.store.close()
    assert found[0][0]
    assert all(other == found[0] for other in found[1:])


def test_nulls_do_not_vanish(tmp_path: Path) -> None:
    """A day on which half of the values are missing, and the rest are as ever, drifts."""
    frame = rows(LAST + 1)
    last = frame["day"] == FIRST + timedelta(days=LAST)
    frame.loc[last & (np.arange(len(frame)) % 2 == 0), "delay"] = None
    url = f"sqlite:///{tmp_path / 'w.db'}"
    write_sql(frame, url)
    report = backfill(open_context(f"sqlite:///{tmp_path / 'd.db'}", url))[-1]
    assert report["delay"].status == "critical"
    assert "missing rose from 0 % to 50 %" in "; ".join(report.explain("delay"))


def test_a_rejected_window_is_recorded_and_never_a_reference(tmp_path: Path) -> None:
    """It gets no score, raises an alert, and the next window's reference is one window shorter."""
    frame = rows(LAST + 1)
    frame = frame[(frame["day"] != FIRST + timedelta(days=10)) | (np.arange(len(frame)) % 4 == 0)]
    url = f"sqlite:///{tmp_path / 'w.db'}"
    write_sql(frame, url)
    text = monitor_text(
        SQL, expectations="[{expect_table_row_count_to_be_between: {min_value: 300}, severity: reject}]"
    )
    context = open_context(f"sqlite:///{tmp_path / 'd.db'}", url, text)
    reports = backfill(context, page=True)
    assert [r.status for r in reports[9:12]] == ["ok", "rejected", "ok"]
    assert reports[10].verdicts == []
    assert "6 of 7 windows" in reports[11].reference
    window = days(context, 10, 10)[0]
    (outcome,) = context.store.validations("flights", window)
    assert not outcome["success"]
    assert "100" in outcome["message"]
    assert [a.key for a in context.store.alerts("flights")] == ["gate"]
    counted = context.store.load_profiles("flights", [window], context.store.active_baseline("flights"))
    assert counted == []


def test_an_empty_window_is_a_status(tmp_path: Path) -> None:
    """A day without rows is insufficient data, said in words, and stops nothing."""
    frame = rows(LAST + 1)
    url = f"sqlite:///{tmp_path / 'w.db'}"
    write_sql(frame[frame["day"] != FIRST + timedelta(days=10)], url)
    reports = backfill(open_context(f"sqlite:///{tmp_path / 'd.db'}", url))
    assert {v.status for v in reports[10].verdicts} == {"insufficient_data"}
    assert "no_rows" in [finding.kind for finding in reports[10].findings]
    assert reports[11].status == "ok"


def test_a_one_row_window_is_a_status(tmp_path: Path) -> None:
    """So is a day with a single row."""
    frame = rows(LAST + 1)
    mask = (frame["day"] != FIRST + timedelta(days=10)) | (~frame["day"].duplicated())
    url = f"sqlite:///{tmp_path / 'w.db'}"
    write_sql(frame[mask], url)
    report = backfill(open_context(f"sqlite:///{tmp_path / 'd.db'}", url))[10]
    assert (report.n_current, {v.status for v in report.verdicts}) == (1, {"insufficient_data"})


def test_columns_that_vanish_appear_or_change_type(tmp_path: Path) -> None:
    """Each is a status of its feature and a finding; the others are scored, and what was stored stays."""
    frame = rows(LAST + 1)
    url = f"sqlite:///{tmp_path / 'w.db'}"
    write_sql(frame, url)
    context = open_context(f"sqlite:///{tmp_path / 'd.db'}", url)
    backfill(context, last=LAST - 1)
    stored = len(context.store.scores("flights"))
    changed = frame.drop(columns="late").assign(delay=frame["delay"].map("{:.1f} min".format), gate=1.5)
    engine = sa.create_engine(url)
    changed.to_sql("flights", engine, index=False, if_exists="replace", dtype={"day": sa.Date()})
    engine.dispose()
    report = backfill(context, first=LAST)[0]
    statuses = {v.feature: v.status for v in report.verdicts}
    assert statuses == {"delay": "not_comparable", "carrier": "ok", "late": "not_comparable", "gate": "not_comparable"}
    findings = " | ".join(map(str, report.findings))
    assert "column late: missing" in findings
    assert "column gate: new" in findings
    assert "column delay: type changed" in findings
    assert len(context.store.scores("flights")) == stored + 4


@pytest.mark.parametrize("layout", ["folders of days", "one folder"])
def test_files_that_change_type(tmp_path: Path, layout: str) -> None:
    """A day of another type, or one of its files alone, is a finding; no other feature and no other day minds."""
    frame, lake = rows(9), tmp_path / "lake"
    lake.mkdir()
    for i, (day, part) in enumerate(frame.groupby("day")):
        odd = part.assign(delay=part["delay"].map("{:.1f} min".format))
        files = {6: [odd], 7: [part[:300], odd[300:]]}.get(i, [part])
        for j, each in enumerate(files):
            path = lake / (f"date={day}" if layout == "folders of days" else "") / f"{i}{j}.parquet"
            path.parent.mkdir(exist_ok=True)
            pq.write_table(pa.Table.from_pandas(each, preserve_index=False), path)
    source = f"{{files: '{lake}', time_column: {'date' if layout == 'folders of days' else 'day'}}}"
    text = monitor_text(source, features="{exclude: [day]}")
    context = open_context(f"sqlite:///{tmp_path / 'd.db'}", "", text)
    reports = backfill(context, first=3, last=8)
    found = [{v.feature: v.status for v in report.verdicts} for report in reports[3:]]
    fine = {"delay": "ok", "carrier": "ok", "late": "ok"}
    assert found == [fine | {"delay": "not_comparable"}, fine | {"delay": "not_comparable"}, fine]
    told = ["string", "double and string (71.parquet)", "double"]
    assert [f.message for report in reports[3:] for f in report.findings] == [
        f"column delay: type changed from {before} to {now}"
        for before, now in zip(["double", *told], told, strict=False)
    ]
    assert [report["delay"].reason for report in reports[3:5]] == [
        f"type changed: numeric in the reference, {now} now" for now in told[:2]
    ]


@pytest.mark.parametrize("harm", ["truncated", "empty", "no Parquet", "damaged pages"])
@pytest.mark.parametrize("broken", [2, 6])
def test_a_broken_file_fails_its_own_window_alone(tmp_path: Path, harm: str, broken: int) -> None:
    """Recorded, with the file's name and what to do; as a reference the window is left out until the file is mended."""
    frame, lake = rows(9), tmp_path / "lake"
    write_parquet(frame, lake)
    path = lake / f"date={FIRST + timedelta(days=broken)}" / "part-0.parquet"
    whole = path.read_bytes()
    column = pq.read_metadata(path).row_group(0).column(1)
    start = column.dictionary_page_offset or column.data_page_offset
    end = start + column.total_compressed_size
    path.write_bytes(
        {
            "truncated": whole[: len(whole) // 2],
            "empty": b"",
            "no Parquet": b"nonsense" * 100,
            "damaged pages": whole[:start] + b"\xff" * (end - start) + whole[end:],
        }[harm]
    )
    text = monitor_text(f"{{files: '{lake}/**/*.parquet', time_column: date}}", features="{exclude: [day]}")
    context = open_context(f"sqlite:///{tmp_path / 'd.db'}", "", text)
    said: dict[Window, object] = {}
    windows = days(context, 0, 8)
    reports = runs.backfill(context, windows, clock=clock, progress=said.__setitem__)
    assert [w for w in windows if w not in {r.window for r in reports}] == [windows[broken]]
    assert {r.status for r in reports[-2:]} == {"ok"}
    error = str(said[windows[broken]])
    assert error.startswith(f"{path} cannot be read")
    assert error.endswith(": write it again, or move it away")
    run = context.store.run_of("flights", windows[broken])
    assert run is not None
    assert (run["status"], run["error"]) == ("error", error)
    path.write_bytes(whole)
    assert runs.run_window(context, windows[broken], clock=clock).report.n_current == 400


def test_folders_that_say_when_are_no_features(tmp_path: Path) -> None:
    """The hour of a folder is where rows lie; that of a country is data. Segments may cut by either, if it is named."""
    frame = rows(6).drop(columns="late")
    for i in range(6):
        for hour, country in ((5, "DE"), (17, "DE"), (17, "FR")):
            part = frame[400 * i : 400 * (i + 1)].drop(columns="day")
            path = tmp_path / "lake" / f"date={FIRST + timedelta(days=i)}" / f"hour={hour}" / f"country={country}"
            path.mkdir(parents=True)
            pq.write_table(pa.Table.from_pandas(part, preserve_index=False), path / "a.parquet")
    text = monitor_text(f"{{files: '{tmp_path}/lake', time_column: date}}", segments="[hour]")
    report = backfill(open_context(f"sqlite:///{tmp_path / 'd.db'}", "", text), first=3, last=5)[-1]
    assert [v.feature for v in report.verdicts] == ["delay", "carrier", "country"]
    assert set(report.segments) == {"hour=17", "hour=5"}
    assert report.findings == []
    named = monitor_text(f"{{files: '{tmp_path}/lake', time_column: date}}", features="{include: ['*', hour]}")
    report = backfill(open_context(f"sqlite:///{tmp_path / 'e.db'}", "", named), first=3, last=5)[-1]
    assert "hour" in [v.feature for v in report.verdicts]


@pytest.mark.parametrize(
    "values",
    [[None], [1.0], [np.inf, -np.inf, 0.5], [f"user-{i}" for i in range(100_000)]],
    ids=["all null", "constant", "infinite", "100,000 categories"],
)
def test_hostile_columns_never_sink_a_run(tmp_path: Path, values: list[object]) -> None:
    """The column gets a status; the feature beside it is scored as ever."""
    frame = rows(10)
    frame["odd"] = pd.Series([values[i % len(values)] for i in range(len(frame))], dtype=object)
    write_parquet(frame, tmp_path / "lake")
    text = monitor_text(f"{{files: '{tmp_path}/lake/**/*.parquet', time_column: day}}", features="{exclude: [date]}")
    report = backfill(open_context(f"sqlite:///{tmp_path / 'd.db'}", "", text), last=9)[-1]
    assert report["delay"].status == "ok"
    # Nothing is `ok` of a column that never held a value.
    assert report["odd"].status in ({"insufficient_data"} if values == [None] else {"ok", "warning", "critical"})
    assert report.to_json()


@pytest.mark.parametrize(
    "name", ["two words", 'quo"te', "br[ack]et", "naïve ünïcode", "x; DROP TABLE flights; --", "%(x)s"]
)
def test_hostile_names_are_only_names(tmp_path: Path, name: str) -> None:
    """A column's name is never SQL, a pattern or a format."""
    url = f"sqlite:///{tmp_path / 'w.db'}"
    write_sql(shifted(rows(LAST + 1)).rename(columns={"delay": name}), url)
    report = backfill(open_context(f"sqlite:///{tmp_path / 'd.db'}", url))[-1]
    assert report[name].status == "critical"


def test_a_missing_table_is_an_error_and_a_recorded_run(tmp_path: Path, warehouse: str) -> None:
    """The message names the table; the run says error, and why."""
    text = monitor_text("{connection: warehouse, table: nope, time_column: day}")
    context = open_context(f"sqlite:///{tmp_path / 'd.db'}", warehouse, text)
    with pytest.raises(SourceError, match="nope"):
        runs.run_window(context, days(context, LAST, LAST)[0], clock=clock)
    (run,) = context.store.runs("flights")
    assert run["status"] == "error"
    assert "nope" in run["error"]


def test_an_unreachable_warehouse_is_a_clear_error(tmp_path: Path) -> None:
    """Without the password, with the host."""
    url = "postgresql+psycopg://drift:hunter2@127.0.0.1:1/warehouse"
    context = open_context(f"sqlite:///{tmp_path / 'd.db'}", url)
    with pytest.raises(SourceError, match=r"127\.0\.0\.1") as caught:
        runs.run_window(context, days(context, LAST, LAST)[0], clock=clock)
    assert "hunter2" not in str(caught.value)


def test_recalling_a_window_that_never_ran_says_what_to_do(context: Context) -> None:
    """The message is a command."""
    with pytest.raises(StoreError, match="drift run flights --date 2024-01-14"):
        recall(context, days(context, LAST, LAST)[0])


def test_a_recalled_report_is_the_stored_one(context: Context) -> None:
    """With the evidence, so that it still explains itself."""
    written = backfill(context)[-1]
    recalled = recall(context, days(context, LAST, LAST)[0])
    assert recalled.explain("delay") == written.explain("delay")
    assert kl(recalled, "delay") == kl(written, "delay")


def test_a_backfill_pages_nobody_unless_asked(context: Context) -> None:
    """Alerts open; the outbox stays empty."""
    backfill(context)
    assert context.store.alerts("flights")
    assert sum(context.store.outbox_counts().values()) == 0


def test_an_alert_resolves_when_the_data_recover(tmp_path: Path) -> None:
    """Once the odd day has left the trailing reference too, two quiet windows close it, with a reason."""
    frame = rows(LAST + 11)
    url = f"sqlite:///{tmp_path / 'w.db'}"
    write_sql(shifted(frame), url)
    context = open_context(f"sqlite:///{tmp_path / 'd.db'}", url)
    backfill(context, last=LAST + 10)
    (alert,) = [a for a in context.store.alerts("flights") if a.key == "drift:delay"]
    assert alert.state == "resolved"
    assert all(event.reason for event in context.store.alert_events(alert.id))


def lived(folder: Path, until: date) -> Context:
    """The demo's monitor over its real year up to a day, from Parquet, without the gate."""
    table = pq.read_table(resource("data") / "flights.parquet")
    pq.write_table(table, folder / "flights.parquet", row_group_size=4096)
    text = (resource("dags") / "monitors" / "flights.yaml").read_text()
    source = f"source:\n  files: '{folder}/flights.parquet'\n  time_column: flight_date\n"
    head, rest = text.split("source:")[0], text[text.index("window:") :]
    before, after = rest.split("expectations:")[0], rest[rest.index("detection:") :]
    context = open_context(f"sqlite:///{folder / 'drift.db'}", "", head + source + before + after)
    calendar = context.monitor.window.calendar
    windows = list(calendar.between(calendar.midnight(date(2013, 1, 1)), calendar.midnight(until)))
    runs.backfill(context, windows, clock=clock)
    return context


@pytest.fixture(scope="module")
def winter(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """The demo's year up to the blizzard."""
    return lived(tmp_path_factory.mktemp("winter"), date(2013, 2, 10))


def test_the_blizzard_is_the_worst_of_the_year_so_far(winter: Context) -> None:
    """2013-02-08 and 02-09 rank first and second by KL of dep_delay up to then, both critical."""
    calendar = winter.monitor.window.calendar
    scored = [row for row in winter.store.scores("flights", feature="dep_delay") if row["kl"] is not None]
    worst = sorted(scored, key=lambda row: -row["kl"])[:2]
    found = [(f"{row['window_start'].astimezone(calendar.zone):%m-%d}", row["status"]) for row in worst]
    assert found == [("02-08", "critical"), ("02-09", "critical")]
    # What the data's README expects of quantile bins with a bin of their own for nulls: 1.284 and 1.187.
    assert [round(row["kl"], 1) for row in worst] == [1.3, 1.2]


@pytest.mark.slow
def test_stable_columns_are_quiet_all_year(tmp_path: Path) -> None:
    """The distance, the carrier and the origin never ask for attention."""
    year = lived(tmp_path, date(2014, 1, 1))
    loud = [
        (row["feature"], row["window_start"], row["reason"])
        for feature in ("distance", "carrier", "origin")
        for row in year.store.scores("flights", feature=feature)
        if row["status"] in {"warning", "critical"}
    ]
    assert loud == []


def test_without_its_nulls_the_blizzard_would_be_lost(winter: Context) -> None:
    """Dropping the missing cell, as peers do, takes 90 % of the day's KL: the blizzard *is* the nulls."""
    from drift.statistics.divergence import kl_divergence, smooth

    report = recall(winter, winter.monitor.window.calendar.starting(date(2013, 2, 8)))
    evidence = report.evidence["dep_delay"]
    dropped = kl_divergence(*smooth(evidence.current.counts[:-1], evidence.reference.counts[:-1]))
    assert kl(report, "dep_delay") > 1.2
    assert dropped < 0.15


# -- what nobody expected ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "stage"),
    [
        (runs, "plan"),
        (profile, "examine"),
        (runs, "ensure_baseline"),
        (profile, "count_window"),
        (evaluate, "evaluate_window"),
        (notify, "notify_window"),
    ],
)
@pytest.mark.parametrize("command", ["run", "backfill"])
def test_what_nobody_expects_in_a_stage_is_a_failed_run_with_an_alert(
    context: Context, monkeypatch: pytest.MonkeyPatch, module: ModuleType, stage: str, command: str
) -> None:
    """Its type is recorded, people are notified, other windows go on, and the next run that succeeds ends it."""
    backfill(context, 0, 9, page=True)
    (bad,) = days(context, 10, 10)
    original = getattr(module, stage)
    begin: dict[str, Callable[[], object]] = {
        "run": lambda: runs.run_window(context, bad, clock=clock),
        "backfill": lambda: backfill(context, 10, 10, page=True),
    }

    def broken(*given: Any, **named: Any) -> Any:
        if bad in given or any(getattr(each, "window", None) == bad for each in given) or stage == "examine":
            raise UnicodeDecodeError("utf-8", b"caf\xe9", 3, 4, "invalid")
        return original(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(module, stage, broken)
        with pytest.raises(InternalError, match=r"unexpected UnicodeDecodeError.*please report it"):
            begin[command]()
    (row,) = [row for row in context.store.runs("flights") if row["window_start"] == bad.start]
    assert (row["status"], "unexpected UnicodeDecodeError" in row["error"]) == ("error", True)
    assert [(a.key, a.state) for a in context.store.alerts("flights")] == [("run", "open")]
    assert context.store.outbox_counts()["pending"] == 1
    backfill(context, 10, 11)
    assert [(a.key, a.state) for a in context.store.alerts("flights")] == [("run", "resolved")]


def test_a_backfill_goes_on_after_a_window_that_broke(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of many; each of the others has its report."""
    backfill(context, 0, 9)
    (bad,) = days(context, 11, 11)
    original = profile.count_window

    def broken(source: Any, window: Window, *given: Any) -> Any:
        if window == bad:
            raise KeyError("x")
        return original(source, window, *given)

    monkeypatch.setattr(profile, "count_window", broken)
    seen: dict[Window, Report | DriftError] = {}
    found = runs.backfill(context, days(context, 10, 12), clock=clock, progress=seen.__setitem__)
    assert len(found) == 2
    assert isinstance(seen[bad], InternalError)


def test_a_failure_that_cannot_be_recorded_is_said_all_the_same(context: Context, tmp_path: Path) -> None:
    """The database vanished: that is what is said, not what came of it."""
    backfill(context, 0, 8)
    (tmp_path / "drift.db").unlink()
    with pytest.raises(StoreError, match="removed or moved"):
        backfill(context, 9, 10)
    assert not (tmp_path / "drift.db").exists()


@pytest.mark.parametrize("kind", ["numbers", "labels"])
def test_a_column_that_breaks_has_an_error_and_the_others_verdicts(
    context: Context, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Only what is counted that way, and it says what nobody expected."""
    backfill(context, 0, 9)
    original = getattr(counting, f"to_{kind}")

    def broken(column: Any) -> Any:
        if column.type == {"numbers": pa.float64()}.get(kind, column.type):
            raise UnicodeDecodeError("utf-8", b"caf\xe9", 3, 4, "invalid")
        return original(column)

    monkeypatch.setattr(counting, f"to_{kind}", broken)
    (report,) = backfill(context, 10, 10)
    broke = {v.feature for v in report.verdicts if v.status == "error"}
    assert broke == ({"delay"} if kind == "numbers" else {"carrier", "late"})
    assert {v.status for v in report.verdicts if v.feature not in broke} == {"ok"}
    assert all("unexpected UnicodeDecodeError" in v.reason for v in report.verdicts if v.feature in broke)
