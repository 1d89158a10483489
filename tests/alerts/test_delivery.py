"""Delivery to real receivers on the loopback: accepted, refused, hanging, back again; nothing lost, no secret told."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.alerts.channels import resolve_route, send_to
from drift.alerts.delivery import Breaker, Delivered, Retry, Waiting, deliver
from drift.alerts.messages import Notification
from drift.alerts.sender import MOST_READ
from drift.errors import MissingExtra, NotifyError
from drift.store.outbox import LEASE
from tests.support.notification_samples import NOW, PAYLOAD, SECRET, Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path


class Outbox:
    """An outbox in memory that behaves as the store's: due at a time, each attempt counted, sent or dead for good."""

    def __init__(self, *rows: Row) -> None:
        self.rows = {row.id: row for row in rows}
        self.due_at = {row.id: NOW for row in rows}
        self.sent: dict[str, datetime] = {}
        self.errors: dict[str, str] = {}
        self.dead: set[str] = set()
        self.failures = 0
        self.tried_at: datetime | None = None

    def waiting_routes(self, now: datetime) -> list[Waiting]:
        """Name the routes on which something is due."""
        routes = Counter(self.rows[i].route for i in self._due(now))
        return [Waiting(route, n, self.failures, self.tried_at) for route, n in routes.items()]

    def _due(self, now: datetime) -> list[str]:
        return [i for i, at in self.due_at.items() if at <= now and i not in self.dead | self.sent.keys()]

    def due_notifications(self, now: datetime, limit: int = 50, *, route: str | None = None) -> list[Row]:
        """Take what is due, for the ten minutes of a lease."""
        taken = [i for i in self._due(now) if route in {None, self.rows[i].route}][:limit]
        for i in taken:
            self.rows[i] = replace(self.rows[i], attempts=self.rows[i].attempts + 1)
            self.due_at[i] = now + LEASE
        return [self.rows[i] for i in taken]

    def mark_sent(self, notification_id: str, now: datetime) -> None:
        """Record a delivery."""
        self.sent[notification_id] = now

    def mark_failed(self, notification_id: str, error: str, next_attempt_at: datetime | None) -> None:
        """Record a failure."""
        self.errors[notification_id] = error
        if next_attempt_at is None:
            self.dead.add(notification_id)
        else:
            self.due_at[notification_id] = next_attempt_at


class Hook(ThreadingHTTPServer):
    """A webhook that honours the idempotency key, and does as told: a status, ``hang``, ``drip`` or ``flood``."""

    daemon_threads = True
    # A client that gave up leaves a broken pipe behind, which is no news.
    handle_error = staticmethod(lambda *_: None)  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.mood: int | str = 200
        self.calls = 0
        self.told = 0
        self.taken: dict[str, dict[str, Any]] = {}
        self.over = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"json://user:{SECRET}@127.0.0.1:{self.server_port}/{SECRET}/?-token={SECRET}"


class Answer(BaseHTTPRequestHandler):
    """One request to the hook."""

    server: Hook

    def do_POST(self) -> None:
        """Take a message, refuse it, or never answer."""
        self.server.calls += 1
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        match self.server.mood:
            case "hang":
                self.server.over.wait(30)
            case "drip":
                while not self.server.over.wait(0.1):
                    self.wfile.write(b"H")
            case "drip body" | "flood":
                self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
                while not self.server.over.wait(0.1 if self.server.mood == "drip body" else 0):
                    self.server.told += self.wfile.write(b"x" * (1 if self.server.mood == "drip body" else 1 << 20))
            case int(status):
                if status < 300:
                    self.server.taken.setdefault(self.headers["Idempotency-Key"], content)
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

    def do_GET(self) -> None:
        """Say yes to whoever was redirected here."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A webhook on the loopback."""
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def run(outbox: Outbox, url: str, *, now: datetime = NOW, **options: Any) -> Delivered:
    """Deliver what is due to one URL."""
    return deliver(outbox, now, lambda _: url, timeout=0.5, **options)


# -- a webhook --------------------------------------------------------------------------------------------------------


def test_a_webhook_gets_text_payload_and_key(hook: Hook) -> None:
    """Title, text and urgency for anyone, the payload for programs, and the id as the idempotency key."""
    outbox = Outbox(Row())
    assert run(outbox, hook.url) == Delivered(sent=1)
    content = hook.taken["n1"]
    assert (content["title"], content["message"], content["type"]) == (Row().title, Row().body, "failure")
    assert content["drift"] == PAYLOAD
    assert outbox.sent == {"n1": NOW}


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        (500, "json: the receiver answered 500"),
        (403, "json: the receiver answered 403"),
        (302, "json: the receiver answered 302"),
        ("hang", "no answer within 0.5 s"),
        ("drip", "no answer within 0.5 s"),
        ("drip body", "no answer within 0.5 s"),
    ],
)
def test_what_is_not_taken_is_tried_again(hook: Hook, mood: int | str, words: str) -> None:
    """A refusal, a redirect, silence and endless slowness are failures, told in words without the URL's secrets."""
    hook.mood = mood
    outbox = Outbox(Row())
    assert run(outbox, hook.url) == Delivered(postponed=1)
    assert words in outbox.errors["n1"]
    assert SECRET not in outbox.errors["n1"]
    assert outbox.due_at["n1"] > NOW
    assert not outbox.sent


def test_a_body_without_end_is_cut_off(hook: Hook) -> None:
    """Who took the message has taken it, whatever comes after: a mebibyte of it is read, and what the buffers hold."""
    hook.mood = "flood"
    assert run(Outbox(Row()), hook.url) == Delivered(sent=1)
    assert hook.told < MOST_READ + (64 << 20)


@pytest.mark.parametrize("mood", ["hang", "drip", "drip body", "flood"])
def test_a_process_ends_with_its_messages(hook: Hook, mood: str) -> None:
    """Neither a thread nor a process stays behind, and the route's time is all that a receiver gets."""
    hook.mood = mood
    code = f"""
import sys, threading, time
from drift.alerts.channels import send_to
from drift.errors import NotifyError
from tests.support.notification_samples import Row
try:
    send_to({hook.url!r}, Row(), 0.5)
except NotifyError as error:
    print(error, file=sys.stderr)
assert threading.active_count() == 1
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert ("no answer within 0.5 s" in done.stderr) == (mood != "flood")


def test_nobody_listening() -> None:
    """A closed port is a failure like any other."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    outbox = Outbox(Row())
    run(outbox, f"json://127.0.0.1:{port}/{SECRET}")
    assert outbox.errors["n1"].startswith("json: no connection")


def test_nothing_is_lost_while_a_receiver_is_away(hook: Hook) -> None:
    """Down, then hanging, then back: every notification arrives, once for a receiver that honours the key."""
    outbox = Outbox(*(Row(id=f"n{i}") for i in range(3)))
    now = NOW
    for mood in (500, "hang", 503, 200, 200):
        hook.mood = mood
        run(outbox, hook.url, now=now)
        now += timedelta(hours=1)
    assert outbox.sent.keys() == {"n0", "n1", "n2"} == hook.taken.keys()
    # Three, one that hung, three, three that arrived.
    assert hook.calls == 10
    assert not outbox.dead


@pytest.mark.parametrize("mood", ["hang", "drip", "drip body"])
def test_a_slow_receiver_holds_a_run_for_one_time_out(hook: Hook, mood: str) -> None:
    """The other messages are not begun, and keep their attempts."""
    hook.mood = mood
    outbox = Outbox(*(Row(id=f"n{i}") for i in range(4)))
    assert run(outbox, hook.url) == Delivered(postponed=1)
    assert hook.calls == 1
    assert [row.attempts for row in outbox.rows.values()] == [1, 0, 0, 0]


def test_a_death_after_sending_repeats_with_the_same_key(hook: Hook) -> None:
    """If the process dies before it writes "sent", the message goes out again and the receiver knows it."""

    class Dies(Outbox):
        def mark_sent(self, notification_id: str, now: datetime) -> None:
            if self.rows[notification_id].attempts == 1:
                raise KeyboardInterrupt
            super().mark_sent(notification_id, now)

    outbox = Dies(Row())
    with pytest.raises(KeyboardInterrupt):
        run(outbox, hook.url)
    assert run(outbox, hook.url, now=NOW + LEASE) == Delivered(sent=1)
    assert (hook.calls, len(hook.taken)) == (2, 1)


def test_after_the_last_attempt_it_is_dead_with_its_error(hook: Hook) -> None:
    """A notification is given up after so many attempts, and says why."""
    hook.mood = 410
    outbox, now = Outbox(Row()), NOW
    results = []
    for _ in range(4):
        results.append(run(outbox, hook.url, now=now, retry=Retry(attempts=3)))
        now += timedelta(hours=2)
    assert results == [Delivered(postponed=1), Delivered(postponed=1), Delivered(dead=1), Delivered()]
    assert outbox.errors == {"n1": "json: the receiver answered 410"}


def test_one_bad_channel_does_not_hold_up_the_others(hook: Hook) -> None:
    """An unknown route, an unreadable URL and a crash of a sender fail alone, and none of them tells the URL."""
    urls = {"good": hook.url, "odd": f"slack://{SECRET}", "none": f"no url {SECRET}"}
    outbox = Outbox(*(Row(id=route, route=route) for route in ["missing", "odd", "none", "crash", "good"]))

    def resolve(route: str) -> str:
        if route == "crash":
            raise RuntimeError(f"cannot reach {SECRET}")
        return urls.get(route) or resolve_route(route, {})

    assert deliver(outbox, NOW, resolve, timeout=0.5) == Delivered(sent=1, postponed=4)
    assert "DRIFT_ROUTE_MISSING" in outbox.errors["missing"]
    assert outbox.errors["odd"].startswith("slack: Apprise cannot read")
    assert outbox.errors["crash"] == "RuntimeError while sending"
    assert SECRET not in "".join(outbox.errors.values())


def test_logs_hold_no_secret_and_no_noise(hook: Hook) -> None:
    """Whoever logs everything reads one line a failure, ours; Apprise's own stay with the logger of its name."""
    # pytest's own fixture listens to loggers that keep to themselves, too.
    records: list[logging.LogRecord] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    listener, root = Listener(), logging.getLogger()
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    try:
        for mood in (500, 200):
            hook.mood = mood
            run(Outbox(Row()), hook.url)
        run(Outbox(Row()), f"slack://{SECRET}")
    finally:
        root.removeHandler(listener)
        root.setLevel(level)
    assert [r.name for r in records] == ["drift.alerts.delivery"] * 2
    assert not [r for r in records if SECRET in r.getMessage()]


def test_the_limit_is_kept(hook: Hook) -> None:
    """Not more than asked for are taken at once."""
    outbox = Outbox(*(Row(id=f"n{i}") for i in range(5)))
    assert run(outbox, hook.url, limit=2) == Delivered(sent=2)
    assert str(Delivered(2, 1, 0)) == "2 sent, 1 to be tried again, 0 given up"


def test_without_apprise_nothing_counts_as_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The missing extra is an error of the installation, not of the notification."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    outbox = Outbox(Row())
    with pytest.raises(MissingExtra, match="notify"):
        run(outbox, "json://127.0.0.1")
    assert not outbox.errors


def test_the_stores_outbox(hook: Hook, tmp_path: Path) -> None:
    """With the real store: refused, then taken, then nothing left to do."""
    from drift.store.store import Store

    message = Notification("n1", "flights", None, "chat", Row().title, Row().body, PAYLOAD, NOW)
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as store:
        store.save_alerts([], [], [message])
        hook.mood = 503
        assert deliver(store, NOW, lambda _: hook.url, timeout=0.5) == Delivered(postponed=1)
        assert deliver(store, NOW, lambda _: hook.url, timeout=0.5) == Delivered()
        hook.mood = 200
        assert deliver(store, NOW + timedelta(minutes=1), lambda _: hook.url, timeout=0.5) == Delivered(sent=1)
        assert deliver(store, NOW + timedelta(days=1), lambda _: hook.url, timeout=0.5) == Delivered()
        assert store.outbox_counts() == {"pending": 0, "sent": 1, "dead": 0}
    assert hook.taken["n1"]["drift"] == PAYLOAD


# -- routes apart -----------------------------------------------------------------------------------------------------


def test_a_hanging_channel_holds_up_no_other(hook: Hook) -> None:
    """Each route has a thread: while one hangs, the other's ten messages arrive."""
    hook.mood = "hang"
    outbox = Outbox(Row(id="stuck", route="stuck"), *(Row(id=f"n{i}", route="file") for i in range(10)))
    done: list[str] = []
    arrived = threading.Event()

    def send(url: str, due: Notification, timeout: float) -> None:
        if due.route == "file":
            done.append(due.id)
            arrived.set()
            return
        assert arrived.wait(30)
        send_to(url, due, timeout)

    result = deliver(outbox, NOW, lambda _: hook.url, timeout=0.5, send=send)
    assert result == Delivered(sent=10, postponed=1)
    assert len(done) == 10


def test_a_route_that_fails_in_a_row_is_left_alone(hook: Hook) -> None:
    """After three failures the rest keep their attempts; after the pause one is tried, and if it arrives, all are."""
    hook.mood = 503
    outbox, breaker = Outbox(*(Row(id=f"n{i}") for i in range(6))), Breaker(failures=3)
    assert run(outbox, hook.url, breaker=breaker) == Delivered(postponed=3)
    assert [row.attempts for row in outbox.rows.values()] == [1, 1, 1, 0, 0, 0]
    outbox.failures, outbox.tried_at = 3, NOW
    assert run(outbox, hook.url, breaker=breaker, now=NOW + timedelta(minutes=4)) == Delivered(held=("chat",))
    assert run(outbox, hook.url, breaker=breaker, now=NOW + breaker.pause) == Delivered(postponed=1)
    assert hook.calls == 4
    hook.mood, outbox.tried_at = 200, NOW + breaker.pause
    assert run(outbox, hook.url, breaker=breaker, now=NOW + 4 * breaker.pause) == Delivered(sent=6)
    assert str(Delivered(held=("chat",))).endswith("; out of order for now: chat")


def test_a_message_that_a_receiver_dislikes_stops_no_other() -> None:
    """One failure between successes is no row of failures."""
    outbox = Outbox(*(Row(id=f"n{i}") for i in range(8)))

    def send(_url: str, due: Notification, _timeout: float) -> None:
        if int(due.id[1:]) % 2:
            raise NotifyError("no")

    assert run(outbox, "any://", send=send, breaker=Breaker(failures=2)) == Delivered(sent=4, postponed=4)


def test_a_routes_url_may_ask_for_its_own_time(hook: Hook) -> None:
    """Apprise's `cto` and `rto` stand above ours."""
    hook.mood = "hang"
    outbox = Outbox(Row())
    deliver(outbox, NOW, lambda _: f"json://127.0.0.1:{hook.server_port}/?cto=0.2&rto=0.2", timeout=30)
    assert "no answer within 0.4 s" in outbox.errors["n1"]


# -- retries -----------------------------------------------------------------------------------------------


@given(st.integers(1, 200), st.text(max_size=10))
def test_pauses_grow_to_a_limit(attempt: int, key: str) -> None:
    """The n-th pause is 30 s · 2ⁿ⁻¹ within ±50 %, never above an hour and a half, and the same when asked again."""
    retry = Retry()
    exact = min(30 * 2.0 ** (attempt - 1), 3600)
    pause = retry.pause(attempt, key).total_seconds()
    assert 0.5 * exact <= pause <= 1.5 * exact
    assert retry.pause(attempt, key) == retry.pause(attempt, key)


def test_a_sender_can_be_given() -> None:
    """`send` is a parameter: what it raises as Drift's own error is kept in its words."""

    def send(_url: str, due: Notification, _timeout: float) -> None:
        raise NotifyError(f"no room for {due.id}")

    outbox = Outbox(Row())
    run(outbox, "any://", send=send)
    assert outbox.errors == {"n1": "no room for n1"}
