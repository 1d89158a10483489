"""SIGKILL at every stage boundary, inside each transaction and at random; the retry ends as if nothing had happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.faults.work import SCENES

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[3]


def played(
    database_url: str, scenes: Sequence[str], most: int, seeds: int, *, gated: bool, aimed: bool = False
) -> list[dict[str, Any]]:
    """Kill processes in scenes, at so many points and for so many seeds, and return what was told of each."""
    asked = {
        "base": database_url if database_url.startswith("postgresql") else None,
        "scenes": list(scenes),
        "most": most,
        "seeds": list(range(seeds)),
        "gated": gated,
        "aimed": aimed,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.live.faults.killer", json.dumps(asked)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["scene"] for each in told] == list(scenes)
    return told


def tell(told: dict[str, Any], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Say how much was done to a scene."""
    figures = f"{told['points']} points; {told['tried']} trials, {told['killed']} kills, {told['rows']:,} rows compared"
    with capsys.disabled():
        print(f"\n{what}: {figures}, {len(told['wrong'])} trials wrong")  # noqa: T201


def test_a_killed_run_is_mended_by_its_retry() -> None:
    """A few points of the scene that writes most: an incident, alerts and messages included."""
    (told,) = played("sqlite", ["incident"], 8, 2, gated=False)
    assert told["wrong"] == []
    assert told["killed"] >= 8


@pytest.mark.faults
@pytest.mark.parametrize("scene", ["first", "recovery", "recovery again"])
def test_a_scene_killed_between_its_transactions_is_mended_by_its_retry(
    database_url: str, scene: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bins are fitted and their windows not counted, a gate has decided, a report is stored without its alerts."""
    (told,) = played(database_url, [scene], 400, 0, gated=True, aimed=True)
    tell(told, f"{database_url.partition(':')[0]} {scene}, aimed", capsys)
    assert told["wrong"] == []
    assert told["killed"] == told["points"] >= 20


@pytest.mark.faults
@pytest.mark.parametrize("scene", SCENES)
def test_any_scene_killed_anywhere_is_mended_by_its_retry(
    database_url: str, scene: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Up to 60 points of each scene and 20 seeds of one to three kills at random, with the gate."""
    (told,) = played(database_url, [scene], 60, 20, gated=True)
    tell(told, f"{database_url.partition(':')[0]} {scene}", capsys)
    assert told["wrong"] == []
