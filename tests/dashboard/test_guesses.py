"""Guesses of a token: slowed for each address and for all together, within bounded memory, and logged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from drift import dashboard
from drift.dashboard import guesses
from drift.dashboard.access import COOKIE
from drift.dashboard.guesses import Guesses
from drift.store.store import Store
from tests.support.dashboard_samples import TOKEN, fill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRONG = {"Authorization": "Bearer wrong"}
RIGHT = {"Authorization": f"Bearer {TOKEN}"}


def guessed(of: Guesses, address: str, seconds: int, clock: list[float]) -> int:
    """How many guesses an address gets in a time in which it never stops."""
    count = 0
    for _ in range(seconds):
        while not of.wait(address):
            of.wrong(address)
            count += 1
        clock[0] += 1
    return count


def test_an_address_has_ten_then_one_in_ten_seconds() -> None:
    """Over an hour, and again after a rest; another address is not slowed by it."""
    clock = [0.0]
    of = Guesses(lambda: clock[0])
    assert guessed(of, "192.0.2.7", 3600, clock) == 10 + 359
    assert not of.wait("192.0.2.8")
    clock[0] += 100
    assert guessed(of, "192.0.2.7", 1, clock) == 10


def test_all_addresses_together_are_slowed() -> None:
    """However many there are; one that has signed in before is let in, and a known session always is."""
    clock = [0.0]
    of = Guesses(lambda: clock[0])
    of.right("192.0.2.1", "a session")
    count = 0
    for second in range(600):
        for host in range(20):
            address = f"2001:db8:{second:x}:{host:x}::/64"
            if not of.wait(address):
                of.wrong(address)
                count += 1
        clock[0] += 1
    assert count == 100 + 599
    of.wrong("198.51.100.1")
    assert of.wait("198.51.100.2")
    assert not of.wait("192.0.2.1")
    assert guessed(of, "192.0.2.1", 5, clock) == 10
    assert of.wait("192.0.2.1")
    assert not of.wait("192.0.2.1", "a session")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten; who is let in does not follow from that."""
    monkeypatch.setattr(guesses, "MOST", 50)
    of = Guesses(lambda: 0.0)
    for host in range(500):
        of.wrong(f"192.0.2.{host}")
        of.right(f"198.51.100.{host}")
    assert len(of._each) == len(of._known) == 50
    assert of.wait("203.0.113.1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A filled results database."""
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as opened:
        fill(opened)
        yield opened


def test_a_door_is_shut_after_ten_wrong_tokens(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """For the right one too, by bearer, cookie or form; a session that is open stays so, and every guess is logged."""
    app = dashboard.create_app(store, token=TOKEN)
    open_already, client = TestClient(app), TestClient(app, follow_redirects=False)
    assert open_already.post("/login", data={"token": TOKEN}).status_code == 200
    assert open_already.get("/alerts").status_code == 200
    with caplog.at_level(logging.WARNING):
        told = [
            *(client.get("/api/v1/monitors", headers=WRONG).status_code for _ in range(5)),
            *(client.post("/login", data={"token": "wrong"}).status_code for _ in range(3)),
            *(client.get("/", headers={"cookie": f"{COOKIE}=forged"}).status_code for _ in range(2)),
        ]
    assert told == [401] * 10
    assert len([line for line in caplog.messages if line.startswith("a wrong token from ")]) == 10
    refused = [
        client.get("/api/v1/monitors", headers=RIGHT),
        client.post("/login", data={"token": TOKEN}),
        client.get("/", headers={"cookie": f"{COOKIE}=forged"}),
        open_already.get("/", headers=RIGHT),
    ]
    assert [answer.status_code for answer in refused] == [429] * 4
    assert all(1 <= int(answer.headers["retry-after"]) <= 10 for answer in refused)
    assert open_already.get("/").status_code == 200
    assert client.get("/healthz").status_code == 200


def test_behind_a_proxy_each_reader_counts(store: Store) -> None:
    """By the address that the proxy itself added; what a reader claims before it says nothing."""
    proxy = dashboard.Proxy("X-User", ("127.0.0.1", "10.0.0.0/8"))
    client = TestClient(dashboard.create_app(store, token=TOKEN, proxy=proxy), client=("127.0.0.1", 1))

    def code(forwarded: str, headers: dict[str, str] = WRONG) -> int:
        answer = client.get("/api/v1/monitors", headers={**headers, "X-Forwarded-For": forwarded})
        return int(answer.status_code)

    assert [code(f"203.0.113.{i}, 192.0.2.7, 10.1.1.1") for i in range(12)] == [401] * 10 + [429] * 2
    assert code("192.0.2.8", RIGHT) == 200
    assert code("192.0.2.7", RIGHT) == 429
    assert [code(f"2001:db8::{i:x}") for i in range(12)] == [401] * 10 + [429] * 2
    assert [code("nonsense, <b>") for _ in range(2)] == [401] * 2


def test_a_session_of_an_old_token_costs_one_guess(store: Store) -> None:
    """The browser is told to forget it."""
    client = TestClient(dashboard.create_app(store, token=TOKEN))
    client.cookies.set(COOKIE, "old")
    assert "Max-Age=0" in client.get("/").headers["set-cookie"]
