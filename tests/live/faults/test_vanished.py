"""The file of the results database is removed, replaced or moved away in the middle of a backfill."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from drift.errors import StoreError
from tests.live.faults import work
from tests.live.faults.conftest import Until

if TYPE_CHECKING:
    from collections.abc import Callable


def _move(path: Path, to: Path) -> None:
    to.mkdir(exist_ok=True)
    for file in path.parent.glob(f"{path.name}*"):
        shutil.move(file, to / file.name)


def _replace(path: Path, to: Path) -> None:
    _move(path, to)
    shutil.copy(to / path.name, path)


@pytest.mark.faults
@pytest.mark.parametrize("vanish", [_move, _replace])
@pytest.mark.parametrize("point", range(1, 221, 20))
def test_a_database_that_vanishes_in_a_backfill_is_missed_and_the_retry_completes_what_was_kept(
    tmp_path: Path, listening: Callable[[Until], None], point: int, vanish: Callable[[Path, Path], None]
) -> None:
    """The backfill fails in words and makes no file of its own; put back, the database holds what was committed."""
    source = work.write_source(tmp_path / "source.db")
    (tmp_path / "here").mkdir()
    calm, gone = (work.Setting(f"sqlite:///{tmp_path / name}.db", source) for name in ("calm", "here/gone"))
    for setting in (calm, gone):
        work.upgrade(setting)
    work.backfill(calm)
    path, elsewhere = Path(str(sa.make_url(gone.results).database)), tmp_path / "elsewhere"
    there: list[Path] = []

    def away() -> None:
        vanish(path, elsewhere)
        there.extend(path.parent.iterdir())

    listening(Until(gone.results, point, away))
    with pytest.raises(StoreError, match=r"removed or moved|replaced|is not there"):
        work.backfill(gone)
    assert [*path.parent.iterdir()] == there
    for file in path.parent.iterdir():
        file.unlink()
    _move(elsewhere / path.name, path.parent)
    work.backfill(replace(gone, now=work.RETRIED))
    assert work.differences(work.contents(calm.results), work.contents(gone.results)) == []
