"""Channels: what mail and files hold in the end, which routes are known, and that no failure tells a secret."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from contextlib import suppress
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.alerts.channels import resolve_route, route_variable, send_to
from drift.errors import NotifyError, ReceiverLate
from tests.support.notification_samples import PAYLOAD, SECRET, Row

if TYPE_CHECKING:
    from pathlib import Path

# -- mail -------------------------------------------------------------------------------------------------------------


class Mail(socketserver.ThreadingTCPServer):
    """A mail server: enough of SMTP to take a letter, or to refuse the sender."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *, refuse: bool = False, endless: bool = False, drips: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Postman)
        self.refuse = refuse
        self.endless = endless
        self.drips = drips
        self.letters: list[bytes] = []


class Postman(socketserver.StreamRequestHandler):
    """One connection to the mail server."""

    server: Mail
    answers: ClassVar[dict[bytes, bytes]] = {b"EHLO": b"250 hello", b"DATA": b"354 go on", b"QUIT": b"221 bye"}

    def handle(self) -> None:
        """Speak SMTP (RFC 5321) until the client leaves."""
        with suppress(OSError):
            while self.server.endless:
                self.wfile.write(b"220-and so on\r\n" * 5000)
            while self.server.drips:
                self.wfile.write(b"2")
                time.sleep(0.05)
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            refused = self.server.refuse and verb == b"MAIL"
            self.wfile.write((b"550 no" if refused else self.answers.get(verb, b"250 ok")) + b"\r\n")
            if verb == b"DATA":
                self.server.letters.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self.wfile.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                return


def post(timeout: float = 5, **mood: bool) -> list[bytes]:
    """Send one notification by mail, and return the letters that arrived."""
    with Mail(**mood) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        port = server.server_address[1]
        try:
            url = f"mailto://127.0.0.1:{port}?from=drift@example.com&to=ada@example.com&user={SECRET}"
            send_to(url, Row(), timeout)
        finally:
            server.shutdown()
            thread.join()
        return server.letters


def test_mail_is_html_with_text_beside_it() -> None:
    """A letter carries the digest as escaped HTML and as text, under the title."""
    (sent,) = post()
    letter = message_from_bytes(sent, policy=policy.default)
    assert (letter["Subject"], letter["Idempotency-Key"]) == (Row().title, "n1")
    html, text = letter.get_body(("html",)), letter.get_body(("plain",))
    assert html is not None
    assert "<h3>CRITICAL dep&lt;b&gt;</h3>" in html.get_content()
    assert text is not None
    assert "dep<b>" in text.get_content()


def test_refused_mail_is_a_failure() -> None:
    """A mail server that refuses is a failure, whose words hold no secret."""
    with pytest.raises(NotifyError, match=r"^mailto: ") as caught:
        post(refuse=True)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("mood", ["endless", "drips"])
def test_a_mail_server_that_never_ends_its_answer(mood: str) -> None:
    """Its lines, or the bytes of its first one, end with the message's time."""
    with pytest.raises(ReceiverLate, match=r"mailto: no answer within 0\.5 s"):
        post(0.5, **{mood: True})


# -- a file -----------------------------------------------------------------------------------------------------------


def test_a_file_gets_a_line_each(tmp_path: Path) -> None:
    """The file channel appends one line of JSON a message, and makes the folder."""
    file = tmp_path / "new folder" / "alerts.jsonl"
    for due in (Row(id="n1"), Row(id="n2", title="line\nbreak")):
        send_to(file.as_uri(), due, 1)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["title"] for line in lines] == [Row().title, "line\nbreak"]
    assert lines[0] == PAYLOAD | {"title": Row().title, "body": Row().body}


@pytest.mark.parametrize("url", ["file:out/a.jsonl", "file://out/a.jsonl"])
def test_a_relative_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A file may be named from where the command runs."""
    monkeypatch.chdir(tmp_path)
    send_to(url, Row(), 1)
    assert (tmp_path / "out" / "a.jsonl").exists()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder in the file's place is a failure in words."""
    with pytest.raises(NotifyError, match="file: cannot be written: Is a directory"):
        send_to(tmp_path.as_uri(), Row(), 1)


# -- routes ---------------------------------------------------------------------------------------------------------


def test_where_a_route_is_looked_up() -> None:
    """The environment first, then whoever else knows; the message of a failure says what to set."""
    assert resolve_route("ops-chat", {"DRIFT_ROUTE_OPS_CHAT": "a://"}, lambda _: "b://") == "a://"
    assert resolve_route("ops-chat", {}, lambda _: "b://") == "b://"
    with pytest.raises(NotifyError, match="set DRIFT_ROUTE_OPS_CHAT"):
        resolve_route("ops-chat", {})


def test_a_file_route_stays_below_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By no path, no dots and no link does it leave; what links lead to inside is what is written."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "out").symlink_to(tmp_path)
    (tmp_path / "in" / "link.jsonl").symlink_to(tmp_path / "in" / "real.jsonl")
    monkeypatch.chdir(tmp_path / "in")
    monkeypatch.delenv("DRIFT_FILES_ROOT")
    for url in ("file:a.jsonl", f"file://{tmp_path}/in/a.jsonl"):
        assert resolve_route(url, {}) == url
    assert resolve_route("file:link.jsonl", {}) == f"file://{(tmp_path / 'in' / 'real.jsonl').resolve()}"
    for url in (
        "file:///etc/a.jsonl",
        "file:../a.jsonl",
        "file:out/a.jsonl",
        "file:%2e%2e/a.jsonl",
    ):
        with pytest.raises(NotifyError, match="leads out of the working directory"):
            resolve_route(url, {})


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """A route that names a database or a script by mistake does not spoil it."""
    (tmp_path / "a.db").write_bytes(b"SQLite format 3")
    with pytest.raises(NotifyError, match="something else than notifications"):
        send_to(f"file://{tmp_path}/a.db", Row(), 1.0)
    assert (tmp_path / "a.db").read_bytes() == b"SQLite format 3"


@pytest.mark.parametrize("url", ["json://localhost:8080/x", "jsons://127.0.0.1", "json://[::1]:1"])
def test_a_url_without_secret_stands_for_itself(url: str) -> None:
    """What leads nowhere but to this machine needs no name."""
    assert resolve_route(url, {}) == url


@pytest.mark.parametrize("url", [f"slack://{SECRET}", f"json://u:{SECRET}@localhost", f"jsons://example.com/{SECRET}"])
def test_any_other_url_is_refused(url: str) -> None:
    """A URL that may hold a secret does not belong in a monitor, and is not repeated."""
    with pytest.raises(NotifyError) as caught:
        resolve_route(url, {})
    assert SECRET not in str(caught.value)


@given(st.text(max_size=40))
def test_any_name_has_a_variable(name: str) -> None:
    """Whatever a route is called, its variable is one that a shell can set."""
    assert set(route_variable(name)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
