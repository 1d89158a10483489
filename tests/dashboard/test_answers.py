"""Answering alerts in the dashboard: who may, who did, and that nobody else's page can do it for them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from fastapi import Depends, Request
from fastapi.testclient import TestClient

from drift import dashboard
from drift.alerts.lifecycle import advance
from drift.alerts.messages import Notification
from drift.dashboard.access import from_here
from drift.errors import DriftError
from drift.store import schema
from drift.store.store import Store
from tests.support.alert_samples import say
from tests.support.dashboard_samples import HOSTILE, MONITOR, NOW, TOKEN, fill, url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READER = "a token for readers"
OURS = {"origin": "http://testserver"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A filled results database, one for each test."""
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as opened:
        fill(opened)
        yield opened


@pytest.fixture
def client(store: Store) -> TestClient:
    """A person on this machine."""
    return TestClient(dashboard.create_app(store), follow_redirects=False, headers=OURS)


def live(store: Store) -> Any:
    """The alert that waits for somebody."""
    return next(alert for alert in store.alerts(MONITOR) if alert.live)


def timeline(store: Store, alert_id: str) -> list[tuple[str, str, str]]:
    """What was done by whom, and why."""
    return [(event.transition, event.actor, event.reason) for event in store.alert_events(alert_id)]


def test_an_alert_is_acknowledged_snoozed_and_resolved(client: TestClient, store: Store) -> None:
    """Each answer stands in the timeline with who and why, and leads back to the alert."""
    alert = live(store)
    for action, more in (
        ("snooze", {"for": "3d"}),
        ("unsnooze", {}),
        ("snooze", {"until": (datetime.now(UTC) + timedelta(days=9)).date().isoformat()}),
        ("resolve", {}),
    ):
        fields = {"id": alert.id, "action": action, "by": "ada", "comment": f"{action} {HOSTILE}", **more}
        answer = client.post("/alert", data=fields)
        assert (answer.status_code, answer.headers["location"]) == (303, f"./alert?id={alert.id}")
        assert "<script>alert" not in client.get(url("alert", id=alert.id)).text
    assert [line[:2] for line in timeline(store, alert.id)[-4:]] == [
        ("snoozed", "ada"), ("unsnoozed", "ada"), ("snoozed", "ada"), ("resolved", "ada"),
    ]  # fmt: skip
    assert "resolve <script>" in timeline(store, alert.id)[-1][2]
    again = client.post("/alert", data={"id": alert.id, "action": "resolve"})
    assert again.status_code == 409
    assert "already resolved" in again.text


def test_an_incident_is_answered_for_all_its_alerts(client: TestClient, store: Store) -> None:
    """Each alert's own timeline says who did what; what is over is over, and nothing is left to do."""
    done = advance([], [say(40, "critical", f"drift:{name}") for name in "ab"], monitor="b", now=NOW)
    store.save_alerts(done.alerts, done.events)
    name = done.alerts[0].incident
    for action, more in (("acknowledge", {}), ("snooze", {"for": "3d"}), ("unsnooze", {}), ("resolve", {})):
        answer = client.post("/incident", data={"id": name, "action": action, "by": "ada", **more})
        assert (answer.status_code, answer.headers["location"]) == (303, f"./incident?id={name}")
    expected = [(what, "ada") for what in ("acknowledged", "snoozed", "unsnoozed", "resolved")]
    assert all([line[:2] for line in timeline(store, alert.id)[1:]] == expected for alert in done.alerts)
    for fields, status in (({"id": name, "action": "resolve"}, 409), ({"id": name}, 422), ({"id": "x"}, 404)):
        assert client.post("/incident", data=fields).status_code == status


def test_an_alert_has_one_form_and_a_name_is_asked_for_once(client: TestClient, store: Store) -> None:
    """The form has one button; whoever answered once is known to the next form, in whatever letters."""
    alert, who = live(store), "Ada Lovelace, 愛; <b>"
    page = url("alert", id=alert.id)
    text = client.get(page).text
    assert text.count('<form method="post" action="./alert"') == text.count("<form") == text.count("<button") == 1
    fields = {"id": alert.id, "action": "silence", "features": "dep_delay", "for": "1d", "by": who}
    assert client.post("/alert", data=fields).status_code == 409
    assert client.post("/alert", data={**fields, "comment": "snow"}).headers["location"] == f"./alert?id={alert.id}"
    silence = store.silences()[0]
    assert (silence.features, silence.reason, silence.created_by) == ("dep_delay", "snow", who)
    assert 'name="by" value="Ada Lovelace, 愛; &lt;b&gt;"' in client.get(page).text
    client.post("/alert", data={"id": alert.id, "action": "resolve"})
    assert timeline(store, alert.id)[-1][:2] == ("resolved", who)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"action": "resolve"}, 404),
        ({"id": "nope", "action": "resolve"}, 404),
        ({"action": "reopen", "id": ""}, 422),
        ({"action": "snooze", "id": ""}, 422),
        ({"action": "snooze", "id": "", "for": "0d"}, 422),
        ({"action": "snooze", "id": "", "until": "9999-12-31"}, 422),
        ({"action": "snooze", "id": "", "until": "2013-02-08"}, 409),
        ({"action": "resolve", "id": "", "events": "1"}, 409),
    ],
)
def test_what_cannot_be_done_is_said(client: TestClient, store: Store, fields: dict[str, str], status: int) -> None:
    """A wrong answer changes nothing and says why; also where somebody else was faster."""
    alert = live(store)
    given = {**fields, "id": fields["id"] or alert.id} if "id" in fields else fields
    assert client.post("/alert", data=given).status_code == status
    assert live(store) == alert


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://testserver.evil.example"},
    ],
)
def test_another_sites_page_cannot_answer(client: TestClient, store: Store, headers: dict[str, str]) -> None:
    """What a browser sends for another site's page is refused, wherever it goes."""
    alert = live(store)
    for page, fields in (
        ("/alert", {"id": alert.id, "action": "resolve"}),
        ("/silences", {"monitor": MONITOR, "features": "*", "for": "1d", "reason": "x"}),
        ("/notifications", {"all": "yes"}),
    ):
        assert client.post(page, data=fields, headers=headers).status_code == 403
    assert live(store) == alert
    assert store.silences() == []


def test_a_program_needs_no_origin() -> None:
    """Only browsers say where a request comes from; behind a proxy the page's own host may stand in another header."""

    def asked(**headers: str) -> Request:
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return Request({"type": "http", "headers": raw})

    assert from_here(asked(host="drift:8090"))
    assert from_here(asked(host="drift:8090", origin="https://Drift:8090"))
    assert from_here(asked(host="drift:8090", x_forwarded_host="drift.example", origin="https://drift.example"))
    assert not from_here(asked(host="drift:8090", origin="https://drift.example"))


def test_features_are_silenced_for_a_reason(client: TestClient, store: Store) -> None:
    """A silence names its features, its end, who and why; whoever ends it stands beside it."""
    fields = {"monitor": MONITOR, "features": "*_delay", "for": "4h", "by": "ada", "reason": HOSTILE, "next": "alerts"}
    assert client.post("/silences", data={**fields, "reason": ""}).status_code == 409
    assert client.post("/silences", data={**fields, "monitor": "nope"}).status_code == 404
    assert client.post("/silences", data=fields).headers["location"] == "./alerts"
    assert client.post("/silences", data={**fields, "next": "//evil.example"}).headers["location"] == "./alerts"
    first = store.silences()[-1]
    assert (first.features, first.created_by) == ("*_delay", "ada")
    page = client.get("/alerts").text
    assert "*_delay" in page
    assert "<script>alert" not in page
    assert client.post("/silences", data={"action": "unsilence", "id": first.id, "by": "bob"}).status_code == 303
    assert client.post("/silences", data={"action": "unsilence", "id": first.id}).status_code == 409
    assert {silence.ended_by for silence in store.silences()} == {"bob", None}


def test_what_was_given_up_is_tried_again(client: TestClient, store: Store) -> None:
    """The page shows what could not be delivered and why; after that the next sender takes it as new."""
    owed = [
        Notification(id=f"n{i}", monitor=MONITOR, window_start=NOW, route="ops", title=f"{i} {HOSTILE}", body="",
                     payload={}, created_at=NOW)
        for i in range(3)
    ]  # fmt: skip
    store.save_alerts([], [], owed)
    for row in store.due_notifications(NOW):
        store.mark_failed(row.id, f"refused {HOSTILE}", None)
    page = client.get("/notifications").text
    assert page.count("✕ given up") == 3
    assert "<script>alert" not in page
    assert "3 notifications could not be delivered" in client.get("/").text
    assert client.post("/notifications", data={"id": "n1"}).status_code == 303
    assert store.outbox_counts()["pending"] == 1
    assert client.post("/notifications", data={}).status_code == 422
    assert client.post("/notifications", data={"all": "yes"}).status_code == 303
    assert client.post("/notifications", data={"all": "yes"}).status_code == 409
    assert len(store.due_notifications(datetime.now(UTC) + timedelta(seconds=1))) == 3


# -- who --------------------------------------------------------------------------------------------------------------


def test_whoever_signed_in_is_who_answers(store: Store) -> None:
    """The name of the login goes into the timeline, whatever the form says, and no token into the cookie."""
    client = TestClient(dashboard.create_app(store, token=TOKEN), follow_redirects=False, headers=OURS)
    alert = live(store)
    fields = {"id": alert.id, "action": "resolve", "by": "mallory"}
    assert client.post("/alert", data=fields).status_code == 401
    client.post("/login", data={"token": TOKEN, "name": " ada\nlovelace "})
    assert "ada lovelace" in client.get("/").text
    assert "Your name" not in client.get(url("alert", id=alert.id)).text
    assert client.post("/alert", data=fields).status_code == 303
    assert timeline(store, alert.id)[-1][1] == "ada lovelace"


def test_a_readers_token_only_reads(store: Store) -> None:
    """With it every page and resource opens, without the forms, and no answer is taken, by cookie or bearer."""
    client = TestClient(dashboard.create_app(store, token=TOKEN, read_token=READER), headers=OURS)
    alert = live(store)
    fields = {"id": alert.id, "action": "resolve"}
    bearer = {"authorization": f"Bearer {READER}"}
    assert client.get("/api/v1/monitors", headers=bearer).status_code == 200
    assert client.post("/alert", data=fields, headers=bearer).status_code == 403
    client.post("/login", data={"token": READER, "name": "eve"})
    page = client.get(url("alert", id=alert.id)).text
    assert not re.search(r'<form method="post" action="[^"]*(alert|silences)"', page)
    assert client.post("/alert", data=fields).status_code == 403
    assert live(store) == alert
    full = {"authorization": f"Bearer {TOKEN}"}
    assert client.post("/alert", data=fields, headers=full, follow_redirects=False).status_code == 303


def test_a_proxy_names_the_reader(store: Store) -> None:
    """From the proxy's own address its header is the reader's name; from anywhere else it says nothing."""
    proxy = dashboard.Proxy("X-Forwarded-User", ("10.0.0.0/8",))
    app = dashboard.create_app(store, proxy=proxy)
    ada = {**OURS, "x-forwarded-user": "ada"}
    through = TestClient(app, client=("10.1.2.3", 1), headers=ada, follow_redirects=False)
    alert = live(store)
    assert through.post("/alert", data={"id": alert.id, "action": "resolve", "by": "eve"}).status_code == 303
    assert timeline(store, alert.id)[-1][1] == "ada"
    assert TestClient(app, client=("192.0.2.1", 1), headers=ada).get("/").status_code == 401
    assert TestClient(app, client=("10.1.2.3", 1)).get("/").status_code == 401
    with pytest.raises(DriftError, match="not an address"):
        dashboard.Proxy("X-Forwarded-User", ("proxy.example",))


def test_the_application_around_it_says_who_and_who_may(store: Store) -> None:
    """Its user's name goes into the timeline, and it may keep some of them to reading."""

    class User:
        def __init__(self, name: str) -> None:
            self.name = name

        def get_name(self) -> str:
            return self.name

    def user(request: Request) -> User:
        return User(request.headers["x-user"])

    def nested(found: User = Depends(user)) -> User:  # noqa: B008 - how FastAPI takes it
        return found

    app = dashboard.create_app(store, auth=nested, read_only=lambda who: who.name != "ada")
    client = TestClient(app, headers=OURS, follow_redirects=False)
    alert = live(store)
    fields = {"id": alert.id, "action": "resolve"}
    assert client.post("/alert", data=fields, headers={"x-user": "eve"}).status_code == 403
    assert client.post("/alert", data=fields, headers={"x-user": "ada"}).status_code == 303
    assert timeline(store, alert.id)[-1][1] == "ada"


def test_nobody_answers_where_it_is_read_only(store: Store) -> None:
    """`--read-only` takes the forms away, and the answers with them."""
    client = TestClient(dashboard.create_app(store, read_only=True), headers=OURS)
    alert = live(store)
    assert '<form method="post"' not in client.get(url("alert", id=alert.id)).text
    assert client.post("/alert", data={"id": alert.id, "action": "resolve"}).status_code == 403


def test_nothing_else_was_changed(client: TestClient, store: Store) -> None:
    """Answers change alerts, silences and the outbox: every other table stays as it was."""
    mine = {"alert", "alert_event", "silence", "notification"}

    def everything() -> dict[str, int]:
        with store.engine.connect() as connection:
            return {
                name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for name, table in schema.metadata.tables.items()
                if name not in mine
            }

    before = everything()
    client.post("/alert", data={"id": live(store).id, "action": "resolve"})
    client.post("/silences", data={"monitor": MONITOR, "features": "*", "for": "1d", "reason": "x"})
    assert everything() == before
