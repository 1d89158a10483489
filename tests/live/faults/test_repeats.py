"""A backfill that died is begun anew: windows are judged again while a later one is half done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from drift.store.store import Store
from tests.live.faults import work

if TYPE_CHECKING:
    from pathlib import Path


class Died(BaseException):
    """What no code of ours catches."""


@pytest.mark.parametrize("method", ["save_report", "save_alerts", "save_run_finished"])
def test_a_window_that_is_half_done_does_not_reach_into_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Its report was stored, its alerts were not: its line in their diary is left to its own run."""
    source = work.write_source(tmp_path / "source.db")
    calm, died = (work.Setting(f"sqlite:///{tmp_path / name}.db", source) for name in ("calm", "died"))
    for setting in (calm, died):
        work.upgrade(setting)
    work.backfill(calm)
    original = getattr(Store, method)
    calls = {"save_report": 3, "save_alerts": 2, "save_run_finished": 3}

    def last(*given: Any, **named: Any) -> Any:
        calls[method] -= 1
        if not calls[method] and method != "save_report":
            raise Died
        done = original(*given, **named)
        if not calls[method]:
            raise Died
        return done

    with monkeypatch.context() as patched:
        patched.setattr(Store, method, last)
        with pytest.raises(Died):
            work.backfill(died)
    work.backfill(replace(died, now=work.RETRIED))
    assert work.differences(work.contents(calm.results), work.contents(died.results)) == []
