"""Marks over HTTP: who may make them, and that they are listed, exported and drawn as text, whatever they say."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from drift import dashboard
from drift.store.store import Store
from tests.support.dashboard_samples import HOSTILE, MONITOR, TOKEN, fill, url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARKS = "/api/v1/marks"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A filled results database, one for each test."""
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as opened:
        fill(opened)
        yield opened


def client(store: Store, **options: Any) -> TestClient:
    """Somebody at the dashboard."""
    return TestClient(dashboard.create_app(store, **options))


def test_a_mark_is_made_once_and_read_back(store: Store) -> None:
    """Of a monitor at its local time, or of all; by the API and as a table."""
    here, given = client(store), {"text": HOSTILE, "at": "2013-02-03T12:00", "monitor": MONITOR, "by": "ada"}
    made = [here.post(MARKS, data=given) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json() == made[1].json()
    mark = made[0].json()
    assert (mark["at"], mark["monitor"], mark["created_by"]) == ("2013-02-03T17:00:00Z", MONITOR, "ada")
    assert here.post(MARKS, data={"text": "everywhere", "at": "2013-02-04T00:00Z"}).json()["monitor"] is None
    assert [one["text"] for one in here.get(MARKS, params={"monitor": MONITOR}).json()] == [mark["text"], "everywhere"]
    assert [one["text"] for one in here.get(MARKS, params={"since": "2013-02-04"}).json()] == ["everywhere"]
    exported = here.get("/api/v1/export/marks", params={"monitor": MONITOR}).text
    assert len(exported.splitlines()) == 3


def test_an_alert_lists_what_else_happened_when_it_may_have_begun(store: Store) -> None:
    """Marks among it, as text: those of its time, and of its monitor."""
    here = client(store)
    alert = next(one for one in store.alerts(MONITOR) if one.key == "drift:dep_delay")
    for text, at in ((HOSTILE, "2013-02-03T12:00"), ("long before", "2013-01-03T12:00")):
        assert here.post(MARKS, data={"text": text, "at": at, "monitor": MONITOR}).status_code == 201
    page = here.get("/alert", params={"id": alert.id}).text
    others = page[page.index("What else happened") :]
    assert "2013-02-03 12:00 EST" in others
    assert "★</span> marked" in others
    assert "long before" not in page
    assert "<script>" not in page
    happened = here.get("/api/v1/alert", params={"id": alert.id}).json()["happened"]
    assert [(one["at"], one["kind"]) for one in happened] == [("2013-02-03T17:00:00Z", "mark")]


def test_who_may_not_answer_may_not_mark(store: Store) -> None:
    """Nor may a page of another site, in the name of somebody who may."""
    given = {"text": "release"}
    assert client(store, read_only=True).post(MARKS, data=given).status_code == 403
    assert client(store, token=TOKEN).post(MARKS, data=given).status_code == 401
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert client(store, token=TOKEN).post(MARKS, data=given, headers=bearer).status_code == 201
    assert client(store, token="x", read_token=TOKEN).post(MARKS, data=given, headers=bearer).status_code == 403
    assert client(store).post(MARKS, data=given, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert [one.created_by for one in store.marks()] == ["somebody at the dashboard"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": " "}, "needs a text"),
        ({"text": "x", "monitor": "nope"}, "no monitor 'nope' has run"),
        ({"text": "x", "at": "soon"}, "is not a date"),
        ({"text": "x", "at": "2013-02-03"}, "add its offset"),
        ({"text": "x" * 501}, "500 at most"),
    ],
)
def test_what_cannot_be_marked_is_refused_in_words(store: Store, given: dict[str, str], said: str) -> None:
    """With 422."""
    answer = client(store).post(MARKS, data=given)
    assert (answer.status_code, said in answer.json()["detail"]) == (422, True)


def test_a_mark_is_made_by_a_form(store: Store) -> None:
    """On the page of a monitor and of an incident, by those who may; it leads back, and is not shown to readers."""
    here, readers = client(store), client(store, read_only=True)
    alert = store.alerts(MONITOR)[0]
    for page in (url("monitor", name=MONITOR), url("incident", id=alert.incident)):
        text = here.get(page).text
        (form,) = re.findall(r'<form method="post" action="\./marks".*?</form>', text, re.DOTALL)
        given = dict(re.findall(r'name="(\w+)"[^>]*? value="([^"]*)"', form)) | {"text": f"release of {page}"}
        given = {name: html.unescape(value) for name, value in given.items()}
        answer = here.post("/marks", data=given, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, f"./{given['next']}")
        assert given["next"].startswith(page[1:])
        assert 'action="./marks"' not in readers.get(page).text
        assert readers.post("/marks", data=given).status_code == 403
        assert here.post("/marks", data=given, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert sorted(one.at == alert.onset.most_likely for one in store.marks(MONITOR) if alert.onset) == [False, True]
    for given, said in (
        ({"monitor": MONITOR, "text": " "}, "needs a text"),
        ({"monitor": "nope", "text": "x"}, "nope"),
    ):
        refused = here.post("/marks", data=given)
        assert (refused.status_code, said in refused.text) == (409, True)
