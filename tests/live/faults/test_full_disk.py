"""The disk is full: SQLite may write so many bytes and no more."""

from __future__ import annotations

import os
import resource
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from drift.errors import StoreError
from tests.live.faults import work

if TYPE_CHECKING:
    from collections.abc import Callable


def cramped(job: Callable[[], None], limit: int) -> str:
    """Do something in a fork whose files may not grow beyond some bytes; return what it raised, or nothing."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        said = "?"
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            job()
            said = ""
        except StoreError as error:
            said = str(error)
        except BaseException as error:  # noqa: BLE001 - told to the parent
            said = f"? {error!r}"
        finally:
            os.write(write, said.encode())
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        said = told.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.parametrize("extra", [4096, 24_576, 73_728])
def test_a_full_disk_fails_the_run_in_words_and_the_retry_completes(tmp_path: Path, extra: int) -> None:
    """At the first page of the log, in the middle of a transaction, later: what was committed before is whole."""
    source = work.write_source(tmp_path / "source.db")
    calm, full = (work.Setting(f"sqlite:///{tmp_path / name}.db", source) for name in ("calm", "full"))
    for setting in (calm, full):
        work.upgrade(setting)
        work.first(setting)
    work.incident(calm)
    # The log starts anew, so its own growth is what meets the limit.
    size = Path(str(sa.make_url(full.results).database)).stat().st_size
    assert not Path(f"{sa.make_url(full.results).database}-wal").exists()
    said = cramped(lambda: work.incident(full), extra)
    assert said.startswith("results database sqlite:///"), said
    assert "disk" in said
    assert size
    work.incident(replace(full, now=work.RETRIED))
    assert work.differences(work.contents(calm.results), work.contents(full.results)) == []
