"""Answers on the loopback for any service over HTTPS: a proxy whose certificate the processes under test trust."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest


@dataclass(frozen=True, slots=True)
class Request:
    """One request that arrived, its body read as JSON."""

    host: str
    method: str
    path: str
    headers: dict[str, str]
    body: Any


Answer = tuple[int, str]


class Proxy(socketserver.ThreadingTCPServer):
    """Takes each CONNECT for the server that it asks for."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, answer: Callable[[Request], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.context, self.answer, self.taken = context, answer, list[Request]()


class Connection(socketserver.StreamRequestHandler):
    """One connection: CONNECT, TLS, one request."""

    server: Proxy

    def handle(self) -> None:
        """Read the request, keep it, answer."""
        host = self.rfile.readline().split()[1].decode().partition(":")[0]
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with self.server.context.wrap_socket(self.connection, server_side=True) as secure:
            file = secure.makefile("rb")
            method, path, _ = file.readline().decode().split()
            lines = iter(lambda: file.readline().decode().strip(), "")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = json.loads(file.read(int(headers.get("content-length", 0))) or b"null")
            request = Request(host, method, path, headers, body)
            self.server.taken.append(request)
            status, text = self.server.answer(request)
            head = f"HTTP/1.1 {status} said\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
            secure.sendall(f"{head}{text}".encode())


def _certificate(folder: Path, hosts: list[str]) -> Path:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "certificate.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return file


@contextmanager
def answering(
    folder: Path, environment: pytest.MonkeyPatch, hosts: list[str], answer: Callable[[Request], Answer]
) -> Iterator[list[Request]]:
    """Answer in place of some hosts, for the processes that are started meanwhile; yields what arrives."""
    file = _certificate(folder, hosts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with Proxy(context, answer) as server:
        for name in ("https_proxy", "HTTPS_PROXY"):
            environment.setenv(name, f"http://127.0.0.1:{server.server_address[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            environment.delenv(name, raising=False)
        environment.setenv("REQUESTS_CA_BUNDLE", str(file))
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server.taken
        server.shutdown()
        thread.join()
