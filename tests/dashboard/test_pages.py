"""The dashboard: pages and API on a filled and on an empty database, and everything that must not get through."""

from __future__ import annotations

import html
import json
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import HTTPException, Request
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Mount

from drift import dashboard
from drift.alerts.actions import act
from drift.alerts.lifecycle import advance
from drift.alerts.marks import new_mark
from drift.alerts.signals import signals_of
from drift.cli.alerts import alerts_list
from drift.config.detection import Detection
from drift.dashboard import access, server
from drift.dashboard.access import COOKIE
from drift.dashboard.parameters import ALL
from drift.errors import DriftError, StoreError
from drift.store.reads import alerts as alert_reads
from drift.store.store import Store
from drift.windows import Calendar
from tests.support.alert_samples import say, since
from tests.support.dashboard_samples import HOSTILE, MONITOR, NOW, NUMBERS, ODD, TOKEN, day, fill, report, save, url

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A filled results database; the tests only read it."""
    path = tmp_path_factory.mktemp("dashboard") / "drift.db"
    with Store.open(f"sqlite:///{path}", create=True) as opened:
        fill(opened)
        yield opened


@pytest.mark.postgres
def test_both_databases_give_the_same_pages(client: TestClient, postgres_url: str) -> None:
    """On PostgreSQL every page and resource reads as on SQLite, and a name it cannot hold is no failure."""
    with Store.open(postgres_url, create=True) as other:
        fill(other)
        there = TestClient(dashboard.create_app(other))
        for page in [*PAGES, *(f"/api/v1/{path.lstrip('/')}" for path in API)]:
            answer = there.get(page)
            assert (answer.status_code, answer.text) == (200, client.get(page).text), page
        assert there.get(url("monitor", name="a\0b")).status_code == 422
        assert there.get(url("runs", monitor=MONITOR, window="9999-12-30T00:00:00Z")).status_code == 200


@pytest.fixture(scope="module")
def client(store: Store) -> TestClient:
    """A reader whom nobody asks for a token."""
    return TestClient(dashboard.create_app(store), raise_server_exceptions=True)


PAGES = [
    "/",
    "/alerts",
    "/alerts?state=all",
    "/runs",
    "/docs",
    "/notifications",
    "/notifications?state=all",
    url("monitor", name=MONITOR),
    url("monitor", name=MONITOR, order="name", windows=3),
    url("monitor", name=MONITOR, order="recent", q="ORI"),
    url("monitor", name=MONITOR, q="no such feature"),
    url("monitor", name=MONITOR, having="critical"),
    url("monitor", name=MONITOR, page=99),
    url("monitor", name=MONITOR, until="1999-01-01"),
    url("monitor", name=ODD),
    url("feature", monitor=MONITOR, feature="dep_delay"),
    url("feature", monitor=MONITOR, feature="dep_delay", window="2013-02-03"),
    url("feature", monitor=MONITOR, feature="dep_delay", window="2031-02-03"),
    url("feature", monitor=MONITOR, feature="dep_delay", scale="log"),
    url("feature", monitor=MONITOR, feature=HOSTILE),
    url("feature", monitor=MONITOR, feature=HOSTILE, window="2013-02-06", against="previous:1"),
    url("feature", monitor=MONITOR, feature="dep_delay", window="2013-02-06", against="weekday:8"),
    url("runs", monitor=MONITOR, window="2013-02-07"),
    url("runs", monitor=MONITOR, window="2031-02-07"),
    url("runs", monitor=ODD),
]

API = [
    "monitors",
    url("scores", monitor=MONITOR),
    url("scores", monitor=MONITOR, feature=HOSTILE, windows=400),
    url("report", monitor=MONITOR),
    url("report", monitor=MONITOR, window="2013-02-06"),
    url("runs", monitor=MONITOR),
    url("validations", monitor=MONITOR, window="2013-02-07"),
    url("alerts", state="all"),
    url("incidents", state="all"),
    url("features", monitor=MONITOR, having="drifting"),
    url("compare", monitor=MONITOR, feature=HOSTILE, window="2013-02-06"),
]


def links(text: str) -> set[str]:
    """Every address a page leads to."""
    return {html.unescape(found) for found in re.findall(r'(?:href|src)="([^"]*)"', text)}


# -- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_every_page_answers_with_guards_and_without_a_name_as_markup(client: TestClient, page: str) -> None:
    """Whatever a feature, a category, an error or a person is called, the page shows it as text."""
    answer = client.get(page)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<b>monitor</b>" not in answer.text
    assert "<i>today</i>" not in answer.text
    assert not set(re.sub(r'value="[^"]*"', "", answer.text)) & {"\x1b", "\u202e"}
    assert "javascript:alert" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert not re.search(r"<script(?! src=)|\son\w+=|\sstyle=|https?://(?!airflow\.example|www\.w3)", answer.text)


def test_every_link_leads_somewhere(client: TestClient) -> None:
    """From the first page on, each relative link (hostile names and all) is a page or an answer of the API."""
    todo, seen = ["./"], set()
    while todo:
        link = todo.pop()
        if link in seen or link.startswith(("#", "https://")):
            continue
        seen.add(link)
        assert link.startswith("./"), link
        answer = client.get(link.removeprefix("."))
        assert answer.status_code == 200, link
        if answer.headers["content-type"].startswith("text/html") and len(seen) < 400:
            todo += links(answer.text)
    assert len(seen) > 60


def test_the_overview_says_how_each_monitor_stands(client: TestClient) -> None:
    """A failed run comes first, with the alerts that are open and the last thirty windows."""
    text = client.get("/").text
    assert text.index(">flights<") < text.index("odd/&lt;b&gt;monitor")
    assert "run failed" in text
    assert "1 rejected by its expectations" in text
    assert "critical" in text
    assert text.count("<rect") == 9
    assert re.search(r'<a href="\./incident\?id=\w+">Incident\s+since 2013-02-02[^<]*: dep_delay', text)


def test_the_worst_monitor_stands_first(tmp_path: Path) -> None:
    """The order is that of the statuses shown: what is late is not ok, and no ok stands above what is not."""
    today = datetime.now(UTC)
    calendar = Calendar("1d")
    yesterday, long_ago = calendar.last_complete(today), calendar.starting(today.date() - timedelta(days=9))
    made = {
        "a late": ("ok", long_ago),
        "b": ("ok", yesterday),
        "c": ("warning", yesterday),
        "d": ("critical", yesterday),
        "e over": ("ok", long_ago),
    }
    ends = {"e over": str(today.date() - timedelta(days=5))}
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as store:
        for name, (status, window) in made.items():
            store.save_monitor(
                name, "c0ffee", {"window": {"every": "1d"}, "description": f"about {name}", "end": ends.get(name)}, NOW
            )
            found = report(name, window, {"x": status})
            save(store, found)
            changes = advance([], signals_of(found), monitor=name, now=today)
            store.save_alerts(changes.alerts, changes.events)
        client = TestClient(dashboard.create_app(store))

        def rows(**parameters: str) -> list[tuple[str, str]]:
            text = client.get("/", params=parameters).text.partition("<tbody>")[2]
            badges = re.findall(r'<tr>\s*<td><span class="badge s-(\w+)', text)
            return list(zip(re.findall(r'<th scope="row"><a [^>]*><bdi[^>]*>([^<]*)', text), badges, strict=True))

        assert rows() == [("d", "critical"), ("a late", "late"), ("c", "warning"), ("b", "ok"), ("e over", "ok")]
        assert rows(q="ABOUT A") == [("a late", "late")]
        assert rows(status="ok") == [("b", "ok"), ("e over", "ok")]
        assert f"schedule ended {ends['e over']}" in client.get("/").text
        text = " ".join(re.sub(r"<[^>]*>", " ", client.get("/", params={"q": "none such"}).text).split())
        assert "5 monitors 1 ◆ critical 1 » late 1 ▲ warning 2 · ok" in text
        assert "No monitor matches “none such”" in text
        assert "x: KL 1.3" in client.get("/").text


def test_alerts_stand_the_worst_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Critical before warning, open before acknowledged, new before old, and what is over last; in the shell, too."""
    url = f"sqlite:///{tmp_path / 'drift.db'}"
    with Store.open(url, create=True) as store:
        store.save_monitor(MONITOR, "c0ffee", {}, NOW)
        seen = {"old": "critical", "new": "critical", "mild": "warning", "known": "critical", "over": "critical"}
        alerts = []
        for number, (feature, status) in enumerate(seen.items()):
            changes = advance([], signals_of(report(MONITOR, day(number), {feature: status})), monitor=MONITOR, now=NOW)
            alerts += [alert for alert in changes.alerts if alert.feature == feature]
        by_feature = {alert.feature: alert for alert in alerts}
        for feature, action in (("known", "acknowledge"), ("over", "resolve")):
            by_feature[feature] = act(by_feature[feature], action, by="ada", now=NOW)[0]  # type: ignore[arg-type]
        store.save_alerts(list(by_feature.values()), [])
        found, _ = alert_reads.page(store, monitor=MONITOR, states=ALL, limit=9)
        assert [alert.feature for alert in found] == ["new", "old", "known", "mild", "over"]
        assert alert_reads.worst(store)[MONITOR].feature == "new"
    alerts_list(None, everything=True, as_json=True, database=url)
    assert [alert["feature"] for alert in json.loads(capsys.readouterr().out)] == [
        "new",
        "old",
        "known",
        "mild",
        "over",
    ]


def test_windows_say_of_which_year_they_are(client: TestClient) -> None:
    """Above the days of the heatmap stands their month, with its year."""
    text = client.get(url("monitor", name=MONITOR)).text
    assert re.findall(r'scope="colgroup" colspan="(\d+)"[^>]*title="([^"]*)"><span>([^<]*)', text) == [
        ("8", "February 2013", "February 2013")
    ]


def test_a_status_is_never_told_by_colour_alone(client: TestClient) -> None:
    """In the heatmap each status has a glyph of its own, what is quiet none, and each cell says what it stands for."""
    text = client.get(url("monitor", name=MONITOR)).text
    body = text.partition('id="heatmap"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    glyphs = dict(re.findall(r'<td class="s-(\w+)[^"]*"><a [^>]*>(\S*)</a>', body))
    assert glyphs.keys() == {
        "ok", "insufficient_data", "not_comparable", "error", "warning", "critical", "rejected", "failed",
    }  # fmt: skip
    assert len(set(glyphs.values())) == len(glyphs)
    assert glyphs["ok"] == ""
    said = "dep_delay, 2013-02-06: critical; KL 1.3000 nats, D(current‖reference), 95 % 0.6500 … 2.6000; "
    said += "thresholds 0.01 / 0.1; n 100 against 1,000"
    assert f'aria-label="{said}"' in html.unescape(body)


def test_the_heatmap_is_ordered_as_asked(client: TestClient) -> None:
    """Worst first by default, or by name; filtered without regard to case."""

    def rows(**parameters: object) -> list[str]:
        text = client.get(url("monitor", name=MONITOR, **parameters)).text
        return re.findall(r'<tr><th scope="row"><a [^>]*title="([^"]*)"', text)

    assert rows()[0] == "dep_delay"
    assert rows(order="name")[1:] == ["dep_delay", "origin"]
    assert rows(q="ORI") == ["origin"]


def test_many_features_come_in_pages(tmp_path: Path) -> None:
    """A thousand features are no thousand rows: the next page follows where this one ends."""
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as many:
        many.save_monitor(MONITOR, "c0ffee", {}, NOW)
        save(many, report(MONITOR, day(0), {f"f{i:03d}": "ok" for i in range(120)}))
        client = TestClient(dashboard.create_app(many))
        found = [
            re.findall(r">(f\d{3})</bdi>", client.get(url("monitor", name=MONITOR, page=n)).text) for n in (1, 2, 3)
        ]
        assert [len(names) for names in found] == [50, 50, 20]
        assert len({name for names in found for name in names}) == 120
        assert any("page=2" in link for link in links(client.get(url("monitor", name=MONITOR)).text))


def test_a_report_written_anew_changes_the_order(tmp_path: Path) -> None:
    """The order of features is remembered, but only as long as the windows it is of are what they were."""
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as changing:
        changing.save_monitor(MONITOR, "c0ffee", {}, NOW)
        client = TestClient(dashboard.create_app(changing))

        def order() -> list[str]:
            return re.findall(r">(f\d)</bdi>", client.get(url("monitor", name=MONITOR)).text)

        for statuses in (("ok", "ok"), ("ok", "critical"), ("critical", "warning"), ("ok", "warning")):
            save(changing, report(MONITOR, day(0), dict(zip(("f1", "f2"), statuses, strict=True))))
            found = order()
            assert found == order()
            assert found[0] == ("f1" if statuses in {("ok", "ok"), ("critical", "warning")} else "f2")


def test_a_feature_explains_one_window(client: TestClient) -> None:
    """The page of a feature shows the score with its direction, unit and n, the words, and every cell."""
    text = html.unescape(client.get(url("feature", monitor=MONITOR, feature="dep_delay", window="2013-02-06")).text)
    assert "1.3000 nats" in text
    assert "KL, D(current‖reference)" in text
    assert "100 against 1,000" in text
    assert re.search(r"<li>(below 0|\[0, 10\)) rose", text)
    assert [cell for cell in NUMBERS.cells if f'<bdi class="name">{cell}</bdi>' not in text] == []
    assert "America/New_York" in text


def test_a_feature_opens_at_its_newest_score(client: TestClient) -> None:
    """Where no window is named, the newest one with a score is shown."""
    assert 'id="one-window">2013-02-06' in client.get(url("feature", monitor=MONITOR, feature="dep_delay")).text


def test_an_incident_shows_its_alerts_and_what_else_happened(tmp_path: Path) -> None:
    """By the id of any of its alerts: a lane each, a table, marks; no name is markup, and the API says the same."""
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as store:
        fill(store)
        client = TestClient(dashboard.create_app(store))
        said = [say(40, "critical", f"drift:{name}") for name in ("b", HOSTILE)] + [say(42, "warning", "drift:c")]
        done = advance(store.alerts(MONITOR), [since(one, 39, 42) for one in said], monitor=MONITOR, now=NOW)
        store.save_alerts(done.alerts, done.events)
        store.save_marks([new_mark(f"release {HOSTILE}", at=said[0].window.start, by="ada", now=NOW)])
        first, late = (next(a for a in done.alerts if a.key == key) for key in (f"drift:{HOSTILE}", "drift:c"))
        assert late.incident == first.id
        text = client.get(url("incident", id=late.id)).text
        assert text.count('class="onset"') == 3
        assert "<script>alert" not in text
        assert "release &lt;script&gt;" in text
        assert f"incident?id={first.id}" in client.get(url("alert", id=late.id)).text
        found = client.get("/api/v1/incident", params={"id": late.id}).json()
        assert [alert["feature"] for alert in found["alerts"]] == [HOSTILE, "b", "c"]
        assert (found["id"], found["state"], [each["kind"] for each in found["events"]]) == (
            first.id,
            "open",
            ["failed", "mark"],
        )
        listed = client.get("/api/v1/incidents", params={"monitor": MONITOR}).json()
        assert (listed["incidents"][0]["id"], listed["total"]) == (
            first.id,
            len({a.incident for a in store.alerts() if a.live}),
        )


def test_an_alert_comes_with_its_timeline(client: TestClient, store: Store) -> None:
    """Everything that happened to an alert, and who did it; the API tells the same."""
    alert = next(a for a in store.alerts() if a.state == "acknowledged")
    text = client.get(url("alert", id=alert.id)).text
    assert "opened" in text
    assert "acknowledged by" in text
    assert "EST" in text
    found = client.get("/api/v1/alert", params={"id": alert.id}).json()
    assert (found["id"], found["state"], found["key"]) == (alert.id, "acknowledged", alert.key)
    assert [line["transition"] for line in found["timeline"]] == [e.transition for e in store.alert_events(alert.id)]


def test_times_are_the_monitors_own(client: TestClient) -> None:
    """A window is named by its local date, and a time of day says in which zone."""
    text = client.get(url("runs", monitor=MONITOR, window="2013-02-07")).text
    assert "2013-02-07 00:00 EST … 2013-02-08 00:00 EST" in text
    assert "3 rows are null" in text


def test_nothing_secret_is_shown(client: TestClient) -> None:
    """The stored configuration stays where it is."""
    for page in [*PAGES, *(f"/api/v1/{path.lstrip('/')}" for path in API), "/openapi.json", "/healthz"]:
        assert "s3cret" not in client.get(page).text


def test_an_empty_database_says_what_to_do(tmp_path: Path) -> None:
    """Before the first run every page answers, and the first one says how to get something onto it."""
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "new.yaml").write_text(
        "name: new\nwindow: {every: 1d}\nsource: {files: a.csv, time_column: t}\n"
    )
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as empty:
        client = TestClient(dashboard.create_app(empty, monitors=tmp_path / "monitors"))
        text = client.get("/").text
        assert "drift backfill new --all" in text
        assert "drift init" in TestClient(dashboard.create_app(empty)).get("/").text
        answer = client.get(url("monitor", name="new"))
        assert answer.status_code == 200
        assert "<h1>new has never run</h1>" in answer.text
        assert "Trigger its DAG in Airflow" in answer.text
        for page in ("/alerts", "/runs", "/docs", "/api/v1/monitors", "/api/v1/alerts", "/healthz"):
            assert client.get(page).status_code == 200
        (tmp_path / "monitors" / "bad.yaml").write_text("name: bad\n")
        assert "bad.yaml" in client.get("/").text


@pytest.mark.parametrize(
    ("page", "status"),
    [
        ("/nope", 404),
        ("/a/b%2Fc/<script>", 404),
        ("/static/../app.py", 404),
        ("/static/nope.js", 404),
        ("/monitor", 422),
        (url("monitor", name="no such monitor"), 404),
        (url("monitor", name="\0"), 422),
        (url("monitor", name=MONITOR, windows=0), 422),
        (url("monitor", name=MONITOR, windows="x"), 422),
        (url("monitor", name=MONITOR, order="'; drop table score"), 422),
        (url("monitor", name=MONITOR, until="yesterday"), 422),
        (url("monitor", name=MONITOR, until="9999-12-31"), 422),
        (url("feature", monitor=MONITOR, feature="no such feature"), 404),
        (url("feature", monitor=MONITOR, feature="dep_delay", window="0001-01-01T00:00:00+23:00"), 422),
        (url("alert", id="nope"), 404),
        (url("incident", id="nope"), 404),
        (url("runs", monitor="no such monitor"), 404),
    ],
)
def test_what_is_not_there_is_said_in_words(client: TestClient, page: str, status: int) -> None:
    """A wrong address is a page that says so and leads back, never a traceback."""
    answer = client.get(page)
    assert answer.status_code == status
    assert "All monitors" in answer.text
    assert "<script>" not in answer.text
    assert "content-security-policy" in answer.headers


def test_a_lost_page_leads_back_to_the_root(client: TestClient) -> None:
    """However deep the address, the links of its error page reach the dashboard."""
    assert 'href="../../"' in client.get("/a/b/c").text
    assert 'href="../../../"' in client.get("/a/b%2Fc/d/e").text


def test_only_alerts_can_be_answered(client: TestClient) -> None:
    """Of everything else nothing can be changed over HTTP, and nothing at all over the API."""
    for page in ("/", "/alerts", "/monitor", "/api/v1/alerts", "/api/v1/monitors", "/api/v1/alert"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert client.request(method, page).status_code == 405


# -- the API ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", API)
def test_the_api_answers_in_json(client: TestClient, path: str) -> None:
    """Each resource answers, with the same guards as the pages."""
    answer = client.get(f"/api/v1/{path.lstrip('/')}")
    assert answer.status_code == 200
    answer.json()
    assert "content-security-policy" in answer.headers


def test_scores_say_what_they_are_and_page_back(client: TestClient) -> None:
    """Direction, unit and n come with the scores; `earlier` leads to those before, until there are none."""
    path = "/api/v1/scores"
    newest = client.get(path, params={"monitor": MONITOR, "feature": "dep_delay", "windows": 4}).json()
    assert (newest["direction"], newest["unit"]) == ("current||reference", "nats")
    assert [score["status"] for score in newest["scores"]] == ["not_comparable", "error", "warning", "critical"]
    assert newest["scores"][-1]["n_current"] == 100
    before = client.get(
        path, params={"monitor": MONITOR, "feature": "dep_delay", "windows": 4, "until": newest["earlier"]}
    ).json()
    assert [score["status"] for score in before["scores"]] == ["ok", "insufficient_data"]
    assert before["earlier"] is None


def test_runs_tell_rejected_from_failed(client: TestClient) -> None:
    """Each window says how it ended, newest first."""
    found = client.get("/api/v1/runs", params={"monitor": MONITOR, "windows": 3}).json()
    assert [run["status"] for run in found["runs"]] == ["failed", "rejected", "critical"]
    assert found["runs"][1]["gate"] == "rejected"


def test_a_report_is_the_documented_one(client: TestClient, store: Store) -> None:
    """The API hands out exactly the report's own JSON."""
    stored = store.load_report(MONITOR, day(5).start)
    assert stored is not None
    assert client.get("/api/v1/report", params={"monitor": MONITOR, "window": "2013-02-06"}).json() == stored.to_dict()


def test_the_api_refuses_in_json(client: TestClient) -> None:
    """What is wrong is in `detail`."""
    for path, status in (
        ("scores", 422),
        ("scores?monitor=nope", 404),
        (f"scores?monitor={MONITOR}&windows=400", 422),
        (f"report?monitor={MONITOR}&window=1999-01-01", 404),
        ("alert?id=nope", 404),
        ("nope", 404),
    ):
        answer = client.get(f"/api/v1/{path}")
        assert (answer.status_code, bool(answer.json()["detail"])) == (status, True)


def test_openapi_describes_every_resource(client: TestClient) -> None:
    """The document names each path of the API, and the page lists the same."""
    document = client.get("/openapi.json").json()
    assert {f"/api/v1/{path.lstrip('/').split('?')[0]}" for path in API} <= document["paths"].keys()
    methods = {tuple(methods) for path, methods in document["paths"].items() if path != "/api/v1/marks"}
    assert (methods, set(document["paths"]["/api/v1/marks"])) == ({("get",)}, {"get", "post"})
    page = client.get("/docs").text
    assert all(path in page for path in document["paths"])


ELSEWHERE = {
    ("GET", "/alert"): "test_an_alert_comes_with_its_timeline",
    ("GET", "/pair"): "test_a_pair_says_what_moved_and_by_how_much",
    ("GET", "/pairs"): "test_the_pairs_of_a_window_stand_the_most_unusual_first",
    ("GET", "/api/v1/pair"): "test_the_api_has_every_pair_of_a_window_and_any_pair_cell_by_cell",
    ("GET", "/api/v1/pairs"): "test_the_api_has_every_pair_of_a_window_and_any_pair_cell_by_cell",
    ("GET", "/incident"): "test_an_incident_shows_its_alerts_and_what_else_happened",
    ("POST", "/incident"): "test_an_incident_is_answered_for_all_its_alerts",
    ("GET", "/api/v1/incident"): "test_an_incident_shows_its_alerts_and_what_else_happened",
    ("POST", "/alert"): "test_an_alert_is_acknowledged_snoozed_and_resolved",
    ("POST", "/silences"): "test_features_are_silenced_for_a_reason",
    ("POST", "/marks"): "test_a_mark_is_made_by_a_form",
    ("POST", "/notifications"): "test_what_was_given_up_is_tried_again",
    ("GET", "/api/v1/alert"): "test_an_alert_comes_with_its_timeline",
    ("GET", "/api/v1/export/{table}"): "test_a_table_comes_as_csv_and_parquet",
    ("GET", "/api/v1/marks"): "test_a_mark_is_made_once_and_read_back",
    ("POST", "/api/v1/marks"): "test_a_mark_is_made_once_and_read_back",
    ("GET", "/openapi.json"): "test_openapi_describes_every_resource",
    ("GET", "/static/{name}"): "test_the_files_are_the_packages_own",
    ("GET", "/metrics"): "test_a_scrape_says_what_the_newest_window_found",
    ("GET", "/healthz"): "test_a_database_that_fails_is_not_a_traceback",
    ("GET", "/login"): "test_the_login_leads_back_and_leaves_a_cookie_without_the_token",
    ("POST", "/login"): "test_the_login_leads_back_and_leaves_a_cookie_without_the_token",
    ("POST", "/logout"): "test_the_login_leads_back_and_leaves_a_cookie_without_the_token",
}
"""Where a route is tested that is in neither `PAGES` nor `API`."""


def test_every_route_has_a_test(store: Store) -> None:
    """Whoever adds a route adds a page to the lists above, or says where it is tested."""
    app = dashboard.create_app(store, token=TOKEN)
    routes = {(method, route.path) for route in app.routes for method in route.methods}  # type: ignore[attr-defined]
    listed = [*PAGES, *(f"/api/v1/{path.lstrip('/')}" for path in API)]
    assert {("GET", page.split("?")[0]) for page in listed} | ELSEWHERE.keys() == routes
    here = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py"))
    assert not [name for name in ELSEWHERE.values() if f"def {name}(" not in here]


# -- charts -----------------------------------------------------------------------------------------------------------


def test_no_name_is_markup_in_a_chart(client: TestClient) -> None:
    """What a pointer finds on a window, and the labels of a histogram's cells, are text."""
    page = client.get(url("feature", monitor=MONITOR, feature=HOSTILE, window="2013-02-06")).text
    assert "<script>" not in page
    assert re.search(r'<th scope="row"><bdi class="name"[^>]*>&lt;script&gt;', page)


def test_a_chart_marks_windows_without_a_score(client: TestClient) -> None:
    """Rejected and failed windows stand on the axis beside those with too few rows, and each opens."""
    page = client.get(url("feature", monitor=MONITOR, feature="dep_delay")).text
    chart = page[page.index('<div class="plot">') : page.index("</figure>")]
    for status in ("critical", "insufficient_data", "rejected", "failed"):
        assert f'class="mark s-{status}"' in chart
    assert chart.count("<title>") == chart.count('<a href="./feature?') == chart.count('tabindex="-1"')
    assert "critical 0.1<" in chart


def test_the_files_are_the_packages_own(client: TestClient) -> None:
    """Style and scripts come from here, compressed, and may be kept for ever under their versioned address."""
    page = client.get(url("feature", monitor=MONITOR, feature="origin")).text
    files = {link for link in links(page) if "static/" in link}
    names = {link.split("/")[-1].split("?")[0] for link in files}
    assert names == {"drift.css", "icon.svg", "feature.css", "theme.js", "tokens.css"}
    for link in files:
        answer = client.get(link.removeprefix("."))
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
    plain = client.get("/static/drift.css", headers={"accept-encoding": "identity"})
    assert (plain.headers["cache-control"], plain.headers.get("content-encoding")) == ("no-cache", None)


# -- who may read -----------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(store: Store) -> TestClient:
    """A reader who has to show the token."""
    return TestClient(dashboard.create_app(store, token=TOKEN), follow_redirects=False)


def test_without_the_token_nothing_is_shown(guarded: TestClient) -> None:
    """Every page and resource asks for the token; only the health check and the style are open."""
    for page in [*PAGES, "/openapi.json"]:
        answer = guarded.get(page)
        assert answer.status_code == 401
        assert MONITOR not in re.sub(r'name="next" value="[^"]*"', "", answer.text)
    for path in API:
        answer = guarded.get(f"/api/v1/{path.lstrip('/')}")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        answer.json()
    assert guarded.get("/healthz").json() == {"status": "ok"}
    assert guarded.get("/static/drift.css").status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer", "", "Bearer \xfc", TOKEN]
)
def test_only_the_token_itself_is_taken(guarded: TestClient, header: str) -> None:
    """Anything near the token is not the token."""
    assert guarded.get("/api/v1/monitors", headers={"authorization": header.encode("latin-1")}).status_code == 401


def test_a_bearer_token_is_taken(guarded: TestClient) -> None:
    """A program sends the token with each request."""
    assert guarded.get("/api/v1/monitors", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_login_leads_back_and_leaves_a_cookie_without_the_token(guarded: TestClient) -> None:
    """A person enters the token once; the cookie is out of reach of scripts and other sites, and can be taken back."""
    wanted = url("feature", monitor=MONITOR, feature=HOSTILE)
    form = guarded.get(wanted).text
    (back,) = re.findall(r'name="next" value="([^"]*)"', form)
    entered = guarded.post("/login", data={"token": TOKEN, "next": html.unescape(back)})
    assert (entered.status_code, entered.headers["location"]) == (303, f".{wanted}")
    cookie = entered.headers["set-cookie"]
    assert COOKIE in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in cookie
    assert guarded.get(wanted).status_code == 200
    assert guarded.post("/logout").status_code == 303
    assert guarded.get(wanted).status_code == 401


def test_a_session_ends(guarded: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cookie says for whom it was signed, until it is too old, and only with the token that signed it."""
    guarded.post("/login", data={"token": TOKEN, "name": "ada"})
    assert "ada" in guarded.get("/").text
    value = guarded.cookies[COOKIE]
    other = TestClient(dashboard.create_app(store, token="another token"), cookies={COOKIE: value})
    assert other.get("/").status_code == 401
    monkeypatch.setattr(access, "SESSION_SECONDS", -1)
    assert guarded.get("/").status_code == 401


@pytest.mark.parametrize(
    "to", ["https://evil.example", "//evil.example", "/\\evil.example", "a\r\nSet-Cookie: x=y", "a/b"]
)
def test_the_login_leads_nowhere_else(guarded: TestClient, to: str) -> None:
    """The form cannot be used to send somebody to another site."""
    assert guarded.post("/login", data={"token": TOKEN, "next": to}).headers["location"] == "./"


def test_a_wrong_token_gets_no_cookie(guarded: TestClient) -> None:
    """The form says that it was wrong; a forged or another token's cookie opens nothing."""
    answer = guarded.post("/login", data={"token": "guess"})
    assert answer.status_code == 401
    assert "not the token" in answer.text
    assert "set-cookie" not in answer.headers
    assert guarded.post("/login", content=b"x" * 9000).status_code == 413
    for value in ("9999999999.", "9999999999.00", "x.y", "", "٣.x"):
        assert guarded.get("/", headers={"cookie": f"{COOKIE}={value}".encode()}).status_code == 401


def test_behind_another_applications_guard(store: Store) -> None:
    """Mounted under a prefix, the host's own dependency decides, and every link stays below the prefix."""

    def only_ada(request: Request) -> None:
        if request.headers.get("x-user") != "ada":
            raise HTTPException(401, "Not authenticated")

    built: list[int] = []

    def build() -> Any:
        built.append(1)
        return dashboard.create_app(lambda: store, auth=only_ada)

    host = Starlette(routes=[Mount("/af/drift", dashboard.deferred(build))])
    client = TestClient(host, headers={"x-user": "ada"})
    assert not built
    text = client.get("/af/drift/").text
    assert built == [1]
    assert all(link.startswith(("./", "#")) for link in links(text))
    assert client.get("/af/drift/static/drift.css").status_code == 200
    assert 'href="../"' in client.get("/af/drift/a/b").text
    stranger = client.get("/af/drift/", headers={"x-user": "eve"})
    assert stranger.status_code == 401
    assert MONITOR not in stranger.text
    assert client.get("/af/drift/login").status_code == 404


# -- serving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "", "  "])
def test_a_network_needs_a_token(store: Store, token: str | None) -> None:
    """Beyond loopback the server does not even start without a token."""
    with pytest.raises(DriftError, match="give --token"):
        dashboard.serve(store, host="0.0.0.0", token=token)  # noqa: S104 - refused


def test_a_taken_port_is_said_in_words(store: Store) -> None:
    """Where another program listens, the message says what to choose."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(DriftError, match="--port"):
        dashboard.serve(store, port=taken.getsockname()[1])
    with pytest.raises(DriftError, match="65535"):
        server.listen("127.0.0.1", 99_999)


def test_a_database_that_fails_is_not_a_traceback() -> None:
    """Pages, API and health check answer 503; the health check keeps to itself why."""

    def broken() -> Store:
        raise StoreError("results database sqlite:///x.db is not created yet: run `drift db upgrade`")

    client = TestClient(dashboard.create_app(broken))
    assert "drift db upgrade" in client.get("/").text
    assert client.get("/").status_code == 503
    assert client.get("/api/v1/monitors").status_code == 503
    health = client.get("/healthz")
    assert health.status_code == 503
    assert "x.db" not in health.text


def run_python(code: str) -> str:
    """Run code in an interpreter of its own."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_it_is_cheap_and_says_what_is_missing() -> None:
    """The package loads no web framework; without one, using it names the extra to install."""
    heavy = ["fastapi", "jinja2", "numpy", "sqlalchemy", "starlette"]
    assert run_python(f"import sys, drift.dashboard; print(sorted(sys.modules.keys() & set({heavy})))") == "[]"
    code = (
        "import sys; sys.modules['fastapi'] = None\n"
        "import drift.dashboard\n"
        "try: drift.dashboard.create_app(lambda: None)\n"
        "except drift.errors.MissingExtra as error: print(error)"
    )
    said = run_python("import drift.errors\n" + code)
    assert said == "fastapi is not installed: pip install 'driftmeter[dashboard]'"


def test_detection_defaults_match_the_pages() -> None:
    """The thresholds that this file's scores carry are the defaults of a monitor."""
    effect = Detection().effect
    assert (effect.warning, effect.critical) == (0.01, 0.1)
