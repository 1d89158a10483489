"""Pages of pairs of columns: what moved, in words and tables on one scale, over time, and the ways that lead there."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from drift import dashboard
from drift.pipeline.recall import recall_pair
from drift.store.store import Store
from tests.support.dashboard_pairs import DAYS, PAIRED, fill_pairs
from tests.support.dashboard_samples import HOSTILE, day, url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPOILED = {"monitor": PAIRED, "a": "carrier", "b": "late", "window": "2013-02-18"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The days, stored; the tests only read them."""
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('pairs') / 'drift.db'}", create=True) as opened:
        fill_pairs(opened)
        yield opened


@pytest.fixture(scope="module")
def client(store: Store) -> TestClient:
    """A reader."""
    return TestClient(dashboard.create_app(store))


def shown(client: TestClient, page: str, **parameters: object) -> str:
    """A page; no name in it is markup."""
    answer = client.get(url(page, **parameters))
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert not set(re.sub(r'value="[^"]*"', "", answer.text)) & {"\x1b", "\u202e"}
    return str(answer.text)


def words(markup: str) -> str:
    """What a page says."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def drawn(page: str) -> list[list[tuple[int, bool, str]]]:
    """The cells of both tables: shade, whether outlined, text."""
    cell = re.compile(r'<td class="d(\d)( moved)?"[^>]*>(.*?)</td>')
    tables = re.findall(r"<table>.*?</table>", page, re.DOTALL)
    return [[(int(n), bool(moved), words(text)) for n, moved, text in cell.findall(table)] for table in tables]


def test_a_pair_says_what_moved_and_by_how_much(client: TestClient, store: Store) -> None:
    """In words, as the sum of both parts, and cell by cell; it leads to both features, the alert and the incident."""
    found = recall_pair(store, PAIRED, day(17).start, ("carrier", "late")).compared
    page = shown(client, "pair", **SPOILED)
    first = found.moved()[0]
    said = words(page)
    assert re.search(rf"goes with late \S.* in {100 * first.share:.1f} % of the rows", said)
    assert f"{found.kl_total:.4f} = {found.kl:.4f} + {found.kl_margins:.4f} nats" in said
    assert f"{found.before:.4f} → {found.after:.4f} nats" in said
    assert "carrier × late ◆ critical" in said
    listed = re.findall(r'data-label="nats">([\d.]+)', page)
    assert listed == [f"{each.contribution:.4f}" for each in found.moved()]
    (alert,) = store.alerts(PAIRED)
    for to in (url("alert", id=alert.id), url("incident", id=alert.incident)):
        assert f'href=".{to}"' in page
    assert all(f"./feature?monitor={PAIRED}&amp;feature={name}&amp;" in page for name in ("carrier", "late"))


def test_both_tables_are_on_one_scale(client: TestClient) -> None:
    """A larger share is never lighter, in whichever table; each holds all rows, and the same cells are outlined."""
    usual, today = drawn(shown(client, "pair", **SPOILED))
    assert len(usual) == len(today) == 9
    cells = [(float(text.split()[0]), shade) for shade, _, text in usual + today]
    assert all(one[1] <= other[1] for one in cells for other in cells if one[0] < other[0])
    assert max(shade for _, shade in cells) == 9
    for table in (usual, today):
        assert sum(float(text.split()[0]) for _, _, text in table) == pytest.approx(100, abs=0.5)
    assert [moved for _, moved, _ in usual] == [moved for _, moved, _ in today]
    assert {text.split()[-1] for _, moved, text in today if moved} == {"▲", "▼"}
    assert not any("▲" in text for _, _, text in usual)


def test_an_ordinary_window_outlines_nothing(client: TestClient) -> None:
    """What differs there is chance."""
    page = shown(client, "pair", **SPOILED | {"window": "2013-02-16"})
    assert "They go together as usual." in words(page)
    assert not any(moved for table in drawn(page) for _, moved, _ in table)


def test_the_windows_that_strayed_are_marked_over_time(client: TestClient) -> None:
    """In the chart and in the table of windows; those before there was a history say that they were not judged."""
    page = shown(client, "pair", **SPOILED | {"b": HOSTILE})
    assert page.count('class="mark s-critical"') == 2
    assert page.count('class="mark s-not_judged"') == 7
    assert len(re.findall(r"<title>2013-02-\d\d: ", page)) == DAYS
    assert len(re.findall(r'<th scope="row"><a\s+href="\./pair', page)) == DAYS
    early = words(shown(client, "pair", **SPOILED | {"window": "2013-02-03"}))
    assert "Too few windows before this one were compared to say what is usual." in early


def test_every_page_leads_to_the_pairs_that_strayed(client: TestClient, store: Store) -> None:
    """The monitor's heatmap has a row for each, the alert's page names them, the incident's leads to its column's."""
    (alert,) = store.alerts(PAIRED)
    monitor = shown(client, "monitor", name=PAIRED)
    rows = re.findall(r'<tr><th scope="row"><a href="\./pair\?([^"]*)"', monitor)
    assert len(rows) == 2
    assert all("carrier" in row for row in rows)
    assert monitor.count('<td class="s-critical "><a href="./pair') == 4
    assert "Pairs that strayed" not in shown(client, "monitor", name=PAIRED, until="2013-02-16")
    detail, incident = shown(client, "alert", id=alert.id), shown(client, "incident", id=alert.incident)
    assert len(re.findall(r'class="button" href="\./pair\?', detail)) == 2
    assert f"./pairs?monitor={PAIRED}&amp;column=carrier&amp;" in incident
    assert not [page for page in (detail, incident) if "What else happened" in page]
    for page in (monitor, detail, incident):
        for to in sorted(set(re.findall(r'href="\.(/pairs?\?[^"#]*)', page)))[::8]:
            assert client.get(html.unescape(to)).status_code == 200


def test_the_pairs_of_a_window_stand_the_most_unusual_first(client: TestClient) -> None:
    """All, or those of one column; a form leads to any two."""
    page = shown(client, "pairs", monitor=PAIRED, window="2013-02-18")
    badges = re.findall(r'<tr><td><span class="badge s-(\w+)', page)
    assert badges == ["critical", "critical", "ok"]
    assert page.count('<option value="late"') == 3
    one = shown(client, "pairs", monitor=PAIRED, window="2013-02-18", column="late")
    assert len(re.findall(r'<tr><td><span class="badge', one)) == 2
    first = words(shown(client, "pairs", monitor=PAIRED, window="2013-02-01"))
    assert "No pair was compared: too few windows of the reference have any" in first
    assert "nothing is stored for this window" in words(shown(client, "pairs", monitor=PAIRED, window="2031-02-01"))


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({"b": "gate"}, 404, "has no column 'gate'"),
        ({"b": "carrier"}, 404, "a pair is two columns"),
        ({"monitor": "nope"}, 404, "no monitor with this name"),
        ({"window": "yesterday"}, 422, "not a time"),
        ({"window": "2013-02-01"}, 200, "compared no pairs of columns in 2013-02-01: too few windows"),
        ({"window": "2031-02-01"}, 200, "has no report of the window that starts at 2031-02-01T05:00:00Z"),
    ],
)
def test_what_is_not_there_is_said(client: TestClient, given: dict[str, str], status: int, said: str) -> None:
    """Which column, which window, and why."""
    answer = client.get(url("pair", **SPOILED | given))
    assert (answer.status_code, said in words(answer.text)) == (status, True)


def test_the_api_has_every_pair_of_a_window_and_any_pair_cell_by_cell(client: TestClient, store: Store) -> None:
    """The most unusual first, page by page; one with its tables and its history; in words why there is none."""
    listed = client.get(url("api/v1/pairs", monitor=PAIRED, window="2013-02-18", limit=2)).json()
    assert (listed["total"], listed["unjudged"], len(listed["pairs"])) == (3, "", 2)
    assert all(one["strays"] and one["z"] > 6 and "carrier" in one["columns"] for one in listed["pairs"])
    rest = client.get(url("api/v1/pairs", monitor=PAIRED, window="2013-02-18", offset=2)).json()["pairs"]
    assert [(one["columns"], one["strays"]) for one in rest] == [([HOSTILE, "late"], False)]
    early = client.get(url("api/v1/pairs", monitor=PAIRED, window="2013-02-03")).json()
    assert early["unjudged"].startswith("only 1 windows before this one")
    assert {one["z"] for one in early["pairs"]} == {None}
    one = client.get(url("api/v1/pair", **SPOILED, windows=5)).json()
    found = recall_pair(store, PAIRED, day(17).start, ("carrier", "late"))
    assert one["current"] == found.compared.current.tolist()
    assert one["kl_total"] == pytest.approx(one["kl"] + one["kl_margins"])
    assert one["state"].startswith("no longer as it was since 2013-02-18")
    assert [each["strays"] for each in one["history"]] == [False] * 4 + [True]
    for wrong, said in (({"b": "nope"}, "no column 'nope'"), ({"window": "2013-02-01"}, "compared no pairs")):
        answer = client.get(url("api/v1/pair", **SPOILED | wrong))
        assert answer.status_code == 404
        assert said in answer.json()["detail"]


def test_the_pairs_that_stray_are_exported(client: TestClient) -> None:
    """A row for each pair and window, with the column that is named."""
    rows = client.get(url("api/v1/export/relationships", monitor=PAIRED)).text.splitlines()
    assert len(rows) == 5
    assert rows[0].startswith("monitor,window_start,first_column,second_column,position,named,severity")
    assert all(",carrier," in row for row in rows[1:])


def test_only_pairs_that_stray_have_series_of_their_own(tmp_path: Path) -> None:
    """A scrape counts those that were judged, and names those that stray."""
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as opened:
        fill_pairs(opened, days=19)
        scraped = TestClient(dashboard.create_app(opened)).get("/metrics").text
    assert f'drift_window_pairs{{monitor="{PAIRED}",state="judged"}} 3.0' in scraped
    assert f'drift_window_pairs{{monitor="{PAIRED}",state="strays"}} 2.0' in scraped
    series = [line for line in scraped.splitlines() if line.startswith("drift_pair_kl_nats{")]
    assert len(series) == 2
    assert all('column="carrier"' in line and float(line.rsplit(" ", 1)[1]) > 0.1 for line in series)
