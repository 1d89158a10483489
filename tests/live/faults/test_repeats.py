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


def test_the_same_backfill_again_changes_nothing(tmp_path: Path) -> None:
    """With expectations that fail for some days, and whose alert is quiet again: no word, and no line of a timeline."""
    source = work.write_source(tmp_path / "source.db")
    setting = work.Setting(f"sqlite:///{tmp_path / 'results.db'}", source, gated=True)
    work.upgrade(setting)
    work.recovery(setting)
    once = work.contents(setting.results)
    assert any("'gate'" in row and "null" in row for row in once["alert"])
    work.recovery(replace(setting, now=work.RETRIED))
    assert work.differences(once, work.contents(setting.results)) == []


def test_a_death_between_the_bins_and_their_counts_is_mended_by_whatever_runs_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that fitted them is never repeated: the next day is as far from the baseline as if it had ended."""
    source = work.write_source(tmp_path / "source.db")
    calm, died = (work.Setting(f"sqlite:///{tmp_path / name}.db", source) for name in ("calm", "died"))
    for setting in (calm, died):
        work.upgrade(setting)
    work.first(calm)

    def dies(*_: Any, **__: Any) -> Any:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(Store, "save_profile", dies)
        with pytest.raises(Died):
            work.first(died)
    far = []
    for setting in (calm, died):
        work.incident(setting)
        with Store.open(setting.results) as store:
            report = store.load_report("flights", work.day(setting.context(), work.INCIDENT + 1).start)
            assert report
            far.append({v.feature: v.explanation.kl_fixed for v in report.verdicts})
    assert far[0] == far[1]
    assert None not in far[0].values()


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
