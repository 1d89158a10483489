"""Delivery under fire: receivers that refuse, hang, fail half-way and come back, senders that are killed at random."""

from __future__ import annotations

import json
import os
import random
import socketserver
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from drift.store.store import Store
from tests.conftest import postgres_database

if TYPE_CHECKING:
    from collections.abc import Iterator

MOODS = ("take", "take", "refuse", "hang", "break before", "break after")
"""`break before` leaves in the middle of a message, `break after` takes it and leaves without a word."""

ROOT = Path(__file__).parents[2]


class Receiver(socketserver.ThreadingTCPServer):
    """A receiver on the loopback whose mood changes; it keeps what it took, with its idempotency key, repeats too."""

    allow_reuse_address = True
    daemon_threads = True
    # A sender that was killed leaves a broken pipe behind, which is no news.
    handle_error = staticmethod(lambda *_: None)  # type: ignore[assignment]

    def __init__(self, handler: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.calm = True
        self.rng, self.left, self.turn = random.Random(7), list[str](), threading.Lock()  # noqa: S311 - it is a test
        self.over = threading.Event()
        self.moods: Counter[str] = Counter()
        self.taken: list[tuple[str, str]] = []

    def feel(self) -> str:
        """Return the mood for one connection: all of them in turn, in an order of chance, until it may be calm."""
        with self.turn:
            self.left = self.left or self.rng.sample(MOODS, len(MOODS))
            # A slow machine's senders may all be killed before one of them gets here.
            mood = "take" if self.calm and self.moods.keys() >= set(MOODS) else self.left.pop()
            self.moods[mood] += 1
            return mood

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class Hook(BaseHTTPRequestHandler):
    """One request to a webhook."""

    server: Receiver

    def do_POST(self) -> None:
        """Do as the mood is."""
        mood = self.server.feel()
        if mood == "break before":
            self.rfile.read(10)
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if mood == "hang":
            self.server.over.wait(5)
            return
        if mood in {"take", "break after"}:
            self.server.taken.append((self.headers["Idempotency-Key"], json.loads(body)["drift"]["monitor"]))
        if mood != "break after":
            self.send_response(200 if mood == "take" else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Postman(socketserver.StreamRequestHandler):
    """One connection to a mail server: enough of SMTP (RFC 5321) to take a letter."""

    server: Receiver
    answers: ClassVar[dict[bytes, bytes]] = {b"EHLO": b"250 hello", b"DATA": b"354 go on", b"QUIT": b"221 bye"}

    def handle(self) -> None:
        """Do as the mood is."""
        mood = self.server.feel()
        if mood == "hang":
            self.server.over.wait(5)
            return
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            refused = mood == "refuse" and verb == b"RCPT"
            self.wfile.write((b"451 later" if refused else self.answers.get(verb, b"250 ok")) + b"\r\n")
            if verb == b"QUIT" or (verb == b"DATA" and not self._take(mood)):
                return

    def _take(self, mood: str) -> bool:
        if mood == "break before":
            self.rfile.read(100)
            return False
        lines = list(iter(self.rfile.readline, b".\r\n"))
        if b"" in lines[-1:]:
            return False
        letter = message_from_bytes(b"".join(lines), policy=policy.default)
        self.server.taken.append((letter["Idempotency-Key"], letter["Subject"].partition(":")[0]))
        if mood == "break after":
            return False
        self.wfile.write(b"250 taken\r\n")
        return True


@contextmanager
def listening(handler: type[socketserver.BaseRequestHandler]) -> Iterator[Receiver]:
    """Run a receiver for a while."""
    with Receiver(handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


KILLS = 12
ROUTES = ("hook", "mail")


@pytest.fixture(
    scope="module",
    params=[pytest.param("sqlite", marks=pytest.mark.slow), pytest.param("postgresql", marks=pytest.mark.postgres)],
)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the outbox is."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('delivery') / 'drift.db'}"
        return
    with postgres_database(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture(scope="module")
def fought(database: str) -> Iterator[dict[str, Any]]:
    """A message for each of three routes, one of them to nobody, before each of the senders that are killed."""
    Store.open(database, create=True).close()
    with listening(Hook) as hook, listening(Postman) as mail, Receiver(Hook) as gone:
        dead = gone.port
        gone.server_close()
        urls = {
            "hook": f"json://127.0.0.1:{hook.port}/",
            "mail": f"mailto://127.0.0.1:{mail.port}?from=drift@example.com&to=ada@example.com",
            "gone": f"json://127.0.0.1:{dead}/",
        }
        asked = {"database": database, "urls": urls, "routes": ROUTES, "seed": 5, "kills": KILLS,
                 "patience": 120}  # fmt: skip
        hook.calm = mail.calm = False
        command = [sys.executable, "-m", "tests.support.delivery_sender", json.dumps(asked)]
        env = os.environ | {"PYTHONWARNINGS": "ignore"}
        sender = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert sender.stdout
        said = sender.stdout.readline()
        hook.calm = mail.calm = True
        out, err = sender.communicate("\n", timeout=200)
        assert (said, sender.returncode) == ("KILLED\n", 0), err[-3000:]
        result = json.loads(out)
        result |= {"hook": hook.taken, "mail": mail.taken, "moods": hook.moods + mail.moods, "log": err}
        received = {route: f"{len(dict(result[route]))} + {len(result[route]) - KILLS} repeats" for route in ROUTES}
        where = database.partition(":")[0]
        sys.stderr.write(f"\n{where}: {KILLS} kills; {received}; met {dict(result['moods'])}; {result['counts']}; ")
        sys.stderr.write(f"given up and tried again: {result['revived']}\n")
        yield result


@pytest.mark.parametrize("route", ROUTES)
def test_every_message_arrives(fought: dict[str, Any], route: str) -> None:
    """At least once, each under the key it was written with."""
    owed = fought["ids"][route]
    assert len(owed) == len(set(owed)) == KILLS
    assert {key for key, _ in fought[route]} == set(owed)


@pytest.mark.parametrize("route", ROUTES)
def test_a_repeat_carries_the_same_key(fought: dict[str, Any], route: str) -> None:
    """Whoever keeps the first of each key has each message once: no content under two keys, no key with two."""
    once = dict(fought[route])
    assert set(fought[route]) == set(once.items())
    assert sorted(once.values()) == sorted(f"m{i}-{route}" for i in range(KILLS))


def test_it_was_a_fight(fought: dict[str, Any]) -> None:
    """The receivers refused, hung and broke off; and a sender died, or a receiver fell silent, after a delivery."""
    assert set(MOODS) <= set(fought["moods"])
    assert len(fought["hook"]) + len(fought["mail"]) > 2 * KILLS


def test_a_dead_route_held_up_no_other(fought: dict[str, Any]) -> None:
    """Its messages wait or were given up; all others are sent."""
    counts = fought["counts"]
    assert counts["sent"] == 2 * KILLS
    assert counts["pending"] + counts["dead"] == KILLS
