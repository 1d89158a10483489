"""A relay between a client and a server, which stops answering when it is told to."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator


class Relay:
    """Carries bytes both ways; by its `mood` what the server says arrives not at all, or a byte now and then."""

    def __init__(self, upstream: tuple[str, int] | str) -> None:
        self.mood: Literal["open", "silent", "drip"] = "open"
        self.over = Event()
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = [self._listener]
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Hang up on everybody."""
        self.over.set()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._ends.append(client)
                if isinstance(self._upstream, str):
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(self._upstream)
                else:
                    server = socket.create_connection(self._upstream)
                self._ends.append(server)
                for carry, source, sink in ((self._ask, client, server), (self._answer, server, client)):
                    Thread(target=carry, args=(source, sink), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                while self.mood != "open" and not self.over.wait(0.05):
                    if self.mood == "drip":
                        client.sendall(data[:1])
                        data = data[1:]
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)


@contextmanager
def relay(upstream: tuple[str, int] | str) -> Iterator[Relay]:
    """Start a relay to a server on a port or a socket's path."""
    started = Relay(upstream)
    try:
        yield started
    finally:
        started.close()
