"""What knocks at the dashboard's doors: other sites' forms, hostile parameters, broken HTTP, silent connections."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import uvicorn
from fastapi import Response
from fastapi.testclient import TestClient

from drift import dashboard
from drift.dashboard import server
from drift.store.store import Store
from tests.support.dashboard_samples import MONITOR, TOKEN, fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

TIMES = (
    "9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "9999-12-30T23:00:00", "0001-01-01",
    "0001-01-01T00:00:00+14:00", "9999-12", "9999-Q4", "10000-01-01", "2013-02-08T05:00:00+23:59",
    "2013-02-08T05:00:00-23:59:59.999999", "2013-02-08T05:00[Europe/Paris]", "2013-W06", "2013-02-08 05:30 Mars/Base",
)  # fmt: skip
TEXTS = (
    "", "🎉👩‍🚀", "\0", "x" * 50_000, "%00", "../../etc/passwd", "1e400", "9" * 5000, "-1", "'; DROP TABLE score;--",
    "\u202e\x1b[31m", "[" * 500, "*" * 3000, "previous:999999999999", "trailing:" + "9" * 80, "٣",
    "9999-12-31..9999-12-31", "0001-01-01..9999-12-31",
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A filled results database; the tests only read it."""
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('doors') / 'drift.db'}", create=True) as opened:
        fill(opened)
        yield opened


@pytest.fixture(scope="module")
def app(store: Store) -> FastAPI:
    """With a login, so that every route is there."""
    return dashboard.create_app(store, token=TOKEN)


def client(app: FastAPI) -> TestClient:
    """A program with the token; an exception is an answer of 500, as it is to a browser."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    return TestClient(app, raise_server_exceptions=False, headers=headers, follow_redirects=False)


def routes(app: FastAPI) -> list[tuple[str, str, list[str]]]:
    """Every route: method, path and parameters."""
    found = []
    for route in app.routes:
        dependant = route.dependant  # type: ignore[attr-defined]
        given = [each.alias for one in (dependant, *dependant.dependencies) for each in one.query_params]
        path = route.path.replace("{table}", "scores").replace("{name}", "drift.css")  # type: ignore[attr-defined]
        found += [(method, path, given) for method in route.methods]  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("headers", [
    {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://["}, {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "http://testserver"}, {"origin": "http://testserver.evil.example"},
])  # fmt: skip
def test_another_site_neither_signs_in_nor_out(app: FastAPI, headers: dict[str, str]) -> None:
    """With the right token as well: nobody is signed in as somebody else."""
    for path in ("/login", "/logout"):
        answer = client(app).post(path, data={"token": TOKEN}, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
        ours = client(app).post(path, data={"token": TOKEN}, headers={"origin": "http://testserver"})
        assert (ours.status_code, "set-cookie" in ours.headers) == (303, True)


def test_no_parameter_breaks_a_route(store: Store, app: FastAPI) -> None:
    """Neither one it knows, nor one it does not: it answers, or says what it did not understand."""
    ours = {"monitor": MONITOR, "name": MONITOR, "feature": "dep_delay", "window": "2013-02-06"}
    times = {"window", "until", "since", "for"}
    for method, path, names in routes(app):
        known = {name: value for name, value in ours.items() if name in names}
        # One of its own, to which no wrong token has come yet.
        one = client(dashboard.create_app(store, token=TOKEN))
        for name in (*names, "nonsense"):
            for value in TIMES if name in times else TEXTS:
                answer = one.request(method, path, params={**known, name: value})
                assert answer.status_code < 500, (method, path, name, value[:60], answer.text[:300])


def test_no_form_breaks_a_route(store: Store, app: FastAPI) -> None:
    """More than fifty fields, what is no form, times at the end of the calendar."""
    times = [{"for": "1d", "until": when, "monitor": MONITOR, "features": "x", "reason": "x"} for when in TIMES]
    # Of a monitor there is none of, so that nothing is written.
    bodies = [{**one, "monitor": "nope"} for one in times] + [{name: "x" * 100 for name in TEXTS if len(name) < 600}]
    for path in [path for method, path, _ in routes(app) if method == "POST"]:
        one = client(dashboard.create_app(store, token=TOKEN))
        many = one.post(path, content="&".join(f"a{i}=1" for i in range(51)))
        assert many.status_code == (303 if path == "/logout" else 413)
        for body in (*bodies, b"\xff\xfe\0=&&&%ZZ=%", b"a" * 9000):
            sent = {"content": body} if isinstance(body, bytes) else {"data": body}
            assert one.post(path, **sent).status_code < 500, (path, body)


@pytest.mark.parametrize("host", ["[", "a b", "testserver, evil", "\xff", "x" * 5000, "a:b:c", "[::1", ""])
def test_no_host_breaks_a_route(app: FastAPI, host: str) -> None:
    """Whatever a program names as the server."""
    for method, path, _ in routes(app):
        plain = TestClient(app, raise_server_exceptions=False)
        answer = plain.request(method, path, headers={"host": host.encode("latin-1")})
        assert answer.status_code < 500, (method, path, answer.text[:300])


# -- a real server ----------------------------------------------------------------------------------------------------


@contextmanager
def serving(app: FastAPI) -> Iterator[tuple[tuple[str, int], uvicorn.Server]]:
    """Serve on a free port."""
    with server.listen("127.0.0.1", 0) as listening:
        running = uvicorn.Server(server.configuration(app, proxied=False))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname(), running
        running.should_exit = True
        thread.join()


@pytest.fixture
def address(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Where the dashboard listens, with little patience."""
    for name in ("REQUEST_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(server, name, 1)
    with serving(app) as (where, _):
        yield where


def answered(address: tuple[str, int], *parts: bytes) -> bytes:
    """Send parts, a moment between them, and return all that comes until the server closes the connection."""
    got = b""
    with socket.create_connection(address, timeout=15) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.1)
        try:
            while some := connection.recv(65536):
                got += some
        except ConnectionResetError:
            pass
    return got


HEAD = b"Host: localhost\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"


@pytest.mark.parametrize("parts", [
    (), (b"GET / HT",), (b"GET / HTTP/1.1\r\nHost: x\r\nX-A", b": b\r\n", b"X-C: d\r\n"),
    (b"POST /silences HTTP/1.1\r\n" + HEAD + b"Content-Length: 100\r\n\r\n", b"a=", b"b"),
    (b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na=", b"b"),
])  # fmt: skip
def test_what_never_becomes_a_request_is_dropped(address: tuple[str, int], parts: tuple[bytes, ...]) -> None:
    """Nothing at all, half a head, half a body: without an answer, or with one that refuses."""
    got = answered(address, *parts)
    assert not got or int(got.split()[1]) in range(400, 500), got


def test_an_answered_connection_is_kept_for_a_while_only(address: tuple[str, int]) -> None:
    """Two requests go over one connection, the second in pieces; then it is closed."""
    ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    began = time.monotonic()
    assert answered(address, ask, ask[:10], ask[10:]).count(b"HTTP/1.1 200 OK") == 2
    assert time.monotonic() - began >= server.IDLE_SECONDS
    assert answered(address, ask, ask[:10]).count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone can tell")
def test_a_reader_that_takes_nothing_is_dropped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer does not wait for it for ever."""
    monkeypatch.setattr(server, "ANSWER_SECONDS", 1)
    large = dashboard.create_app(store)
    large.add_api_route("/large", lambda: Response(b"x" * 30_000_000))
    with serving(large) as (address, running), socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(address)
        reader.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        began = time.monotonic()
        seen = False
        while time.monotonic() < began + 30 and not (seen and not running.server_state.connections):
            seen = seen or bool(running.server_state.connections)
            time.sleep(0.05)
        assert seen
        assert not running.server_state.connections


@pytest.mark.parametrize("head", [
    b"Host: a\r\nHost: b", b"Host: a\r\nHost: a", b"X: y", b"Host: a\r\nContent-Length: " + b"9" * 5000,
    b"Host: a\r\nContent-Length: 1\r\nContent-Length: 2", b"Host: a\r\nX\0: y", b"Host: a\r\nX: " + b"y" * 200_000,
])  # fmt: skip
def test_what_http_forbids_is_refused(address: tuple[str, int], head: bytes) -> None:
    """A second Host header among it."""
    assert answered(address, b"GET /healthz HTTP/1.1\r\n" + head + b"\r\n\r\n").split()[1] in {b"400", b"431"}
