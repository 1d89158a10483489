"""Other references on the fly, events on the time axis, exports, and the report as one page."""

from __future__ import annotations

import csv
import html
import io
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from drift import dashboard
from drift.alerts.marks import new_mark
from drift.dashboard import other_references
from drift.dashboard.api.exports import cell
from drift.dashboard.formatting import local_time_of
from drift.dashboard.pages.overview import ended_on, late_windows
from drift.detection.scoring import measure
from drift.store.reads import windows as window_reads
from drift.store.store import Store
from drift.windows import Calendar
from tests.support.dashboard_samples import AFTER, HOSTILE, MONITOR, NOW, NUMBERS, ODD, day, fill, report, save, url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A filled results database; the tests only read it."""
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('views') / 'drift.db'}", create=True) as opened:
        fill(opened)
        yield opened


@pytest.fixture(scope="module")
def client(store: Store) -> TestClient:
    """A reader."""
    return TestClient(dashboard.create_app(store))


# -- any other reference ----------------------------------------------------------------------------------------------


def test_another_reference_is_scored_from_stored_counts(client: TestClient, store: Store) -> None:
    """What the API says of the window before is what `measure` says of its stored counts."""
    path = "/api/v1/compare"
    asked = {"monitor": MONITOR, "feature": "origin", "window": "2013-02-06", "against": "trailing:3"}
    found = client.get(path, params=asked).json()
    assert (found["windows"], found["windows_asked"], found["reference"]) == (3, 3, "the 3 windows before")
    windows = [day(i) for i in (2, 3, 4, 5)]
    profiles = [p for p, _ in store.load_profiles(MONITOR, windows, {"origin": NUMBERS})]
    *before, now = [profile.histograms["origin"] for profile in profiles]
    score = measure({"origin": (before[0] + before[1] + before[2], now)})["origin"]
    assert found["kl"] == pytest.approx(score.kl)
    assert found["n_reference"] == 3 * AFTER.sum()
    assert sum(row["contribution"] for row in found["cells"]) == pytest.approx(found["kl"])
    page = html.unescape(client.get(url("feature", **asked)).text)
    assert "Compared with the 3 windows before: 3 of 3 windows stored" in re.sub("</?strong>", "", page)


def test_a_reference_that_is_not_stored_is_said_so(client: TestClient) -> None:
    """Where none of its windows is stored there is no score, and words for it; the report's own stays."""
    asked = {"monitor": MONITOR, "feature": "origin", "window": "2013-02-06", "against": "2012-01-01..2012-01-05"}
    found = client.get("/api/v1/compare", params=asked).json()
    assert (found["kl"], found["windows"], found["windows_asked"], found["cells"]) == (None, 0, 5, [])
    assert "none of these windows is stored" in found["explanation"][0]
    assert "none of these windows is stored" in client.get(url("feature", **asked)).text


@pytest.mark.parametrize(
    "text", ["baseline", "yesterday", "trailing:0", "trailing:9999", "2013-02-02..2013-02-01", "1000-01-01..2013-01-01",
             "weekday:-1", "trailing:２", "2013-02-30..2013-03-01", "\u202e"]
)  # fmt: skip
def test_what_is_no_reference_is_refused(client: TestClient, text: str) -> None:
    """Nonsense, too much, or a baseline that there is none of: 422, and what to write."""
    asked = {"monitor": MONITOR, "feature": "origin", "window": "2013-02-06", "against": text}
    for path in ("/api/v1/compare", "/feature"):
        answer = client.get(path, params=asked)
        assert (answer.status_code, "against: " in answer.text) == (422, True)


def test_choices_follow_the_windows() -> None:
    """Every choice that a page offers can be read, for windows of any length."""
    for every in ("15m", "1h", "1d", "7d"):
        calendar = Calendar(every, "America/New_York")
        current = calendar.containing(NOW)
        row = {"fitted_from": current.start - timedelta(days=30), "fitted_to": current.start, "version": 1}
        for text, words in other_references.choices(calendar, baseline=True):
            found = other_references.parse(text, calendar, current, row)
            assert found is not None
            assert current not in found.windows
            assert 1 <= len(found.windows) <= other_references.MOST or text == "baseline"
            assert words


# -- events and delays ------------------------------------------------------------------------------------------------


def test_marks_a_new_baseline_and_a_new_configuration_stand_on_the_time_axis(tmp_path: Path) -> None:
    """A mark at its time, the others at the first window that ran with them, in the heatmap and in the chart."""
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as store:
        store.save_monitor(MONITOR, "c0ffee", {"window": {"every": "1d", "timezone": "America/New_York"}}, NOW)
        span: dict[str, Any] = {"fitted_from": day(0).start, "types": {"x": "double"}, "n_rows": 9}
        for number in range(4):
            at = NOW + timedelta(hours=number)
            made = replace(report(MONITOR, day(number), {"x": "ok"}), findings=[])
            save(store, made)
            store.save_run_started(MONITOR, day(number), "c0ffee" if number < 3 else "beef", at)
            store.save_run_finished(MONITOR, day(number), "ok", at)
            if number in {0, 1}:
                who: dict[str, Any] = {"now": at + timedelta(minutes=1), "by": HOSTILE, "reason": f"why {HOSTILE}"}
                end = day(2 + number).start
                store.save_baseline(MONITOR, {"x": NUMBERS}, **span, fitted_to=end, **who, new=True)
        noon = day(1).start + timedelta(hours=12)
        store.save_marks([new_mark(f"release {HOSTILE}", at=noon, by="ada", now=NOW, monitor=MONITOR)])
        found = store.circumstances(MONITOR, day(0).start, day(3).end)
        happened = [("mark", noon), ("baseline", day(2).start), ("config", day(3).start)]
        assert [(event.kind, event.at) for event in found] == happened
        assert "2013-02-01 … 02-03, by " in found[1].text
        client = TestClient(dashboard.create_app(store))
        page = client.get(url("monitor", name=MONITOR)).text
        assert all(glyph in page for glyph in "★⚑⚙")
        assert "2013-02-02 12:00 EST" in page
        assert "<script>alert" not in page
        page = client.get(url("feature", monitor=MONITOR, feature="x")).text
        assert [len(re.findall(f">{glyph}</text>", page)) for glyph in "★⚑⚙"] == [1, 1, 1]
        assert page.count("★ release &lt;script&gt;") == 1
        asked = {"monitor": MONITOR, "feature": "x", "window": "2013-02-04", "against": "baseline"}
        compared = client.get("/api/v1/compare", params=asked).json()
        assert (compared["reference"], compared["windows"]) == ("the baseline of 2013-02-01 … 02-03 (version 2)", 3)


def test_late_is_more_than_one_window_behind() -> None:
    """One window that has not run yet is no delay."""
    local = local_time_of({"window": {"every": "1d", "timezone": "America/New_York"}})
    last = window_reads.WindowState(MONITOR, day(0).start, day(0).end, "ok")
    assert [late_windows(local, last, day(n).start) for n in (1, 2, 3, 9)] == [0, 0, 2, 8]
    assert late_windows(local, None, NOW) == 0


def test_a_schedule_is_over_after_its_last_day() -> None:
    """Not on it, nor while its window is the newest that can be run."""
    config = {"window": {"every": "1d", "timezone": "America/New_York"}, "end": "2013-02-03"}
    local = local_time_of(config)
    assert [ended_on(config, local, day(n).start) for n in (2, 3, 4, 9)] == ["", "", "2013-02-03", "2013-02-03"]
    assert ended_on({**config, "end": None}, local, day(9).start) == ""


def test_having_keeps_the_features_that_were_so(client: TestClient) -> None:
    """The filter looks at every window shown, in pages and API alike."""

    def found(having: str) -> list[str]:
        answer = client.get("/api/v1/features", params={"monitor": MONITOR, "having": having})
        names: list[str] = answer.json()["features"]
        return names

    assert found("critical") == ["dep_delay"]
    assert found("unscored") == ["dep_delay"]
    assert set(found("any")) == {"dep_delay", HOSTILE, "origin"}
    assert "origin" not in client.get(url("monitor", name=MONITOR, having="critical")).text.partition('id="heatmap"')[2]


# -- exports ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["scores", "runs", "alerts", "validations"])
def test_a_table_comes_as_csv_and_parquet(client: TestClient, table: str) -> None:
    """Both hold the same rows; no text in the CSV can be taken for a formula."""
    import pyarrow.parquet as pq

    path = f"/api/v1/export/{table}"
    answer = client.get(path)
    assert answer.headers["content-disposition"] == f'attachment; filename="drift-{table}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    packed = pq.read_table(io.BytesIO(client.get(path, params={"format": "parquet"}).content))
    assert packed.num_rows == len(rows) > 0
    assert packed.column_names == list(rows[0])
    assert not [value for row in rows for value in row.values() if re.match(r"[=@\t\r+]", value)]


def test_an_export_is_bounded_by_monitor_and_windows(client: TestClient) -> None:
    """`since` counts, `until` is left out; an empty file still has its columns."""

    def rows(**parameters: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(client.get("/api/v1/export/scores", params=parameters).text)))

    assert {row["monitor"] for row in rows(monitor=ODD)} <= {ODD, f"'{ODD}"}
    some = rows(monitor=MONITOR, since="2013-02-02", until="2013-02-04")
    assert {row["window_start"] for row in some} == {"2013-02-02T05:00:00Z", "2013-02-03T05:00:00Z"}
    assert rows(monitor=MONITOR, since="2031-01-01") == []
    empty = client.get("/api/v1/export/scores", params={"since": "2031-01-01", "format": "parquet"})
    assert empty.content[:4] == b"PAR1"
    assert client.get("/api/v1/export/secrets").status_code == 422
    assert client.get("/api/v1/export/runs", params={"monitor": "nope"}).status_code == 404


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\0=1", "＝1"])
def test_no_text_is_a_formula(text: str) -> None:
    """Whatever a spreadsheet could compute begins with an apostrophe; numbers stay numbers."""
    assert str(cell(text)).startswith("'")
    assert cell(-1.5) == -1.5
