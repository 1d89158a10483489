"""Two files, one column of the second shuffled: every histogram is the same, and the report names the column."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import drift
from tests.support.command import runner

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 4000


def flights(rng: np.random.Generator) -> pd.DataFrame:
    """Return rows in which the carrier goes with the gate and the distance, and the delay with nothing."""
    carrier = rng.choice(["AA", "B6", "DL", "UA"], ROWS)
    number = pd.Series(carrier).map({"AA": 0, "B6": 1, "DL": 2, "UA": 3}).to_numpy()
    return pd.DataFrame(
        {
            "carrier": carrier,
            "gate": np.where(rng.random(ROWS) < 0.1, "A", np.array(["B", "C", "D", "E"])[number]),
            "distance": rng.normal(500 + 300 * number, 150, ROWS),
            "delay": rng.exponential(10, ROWS),
        }
    )


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_shuffled_column_is_named_though_no_histogram_changed(tmp_path: Path, kind: str) -> None:
    """In text, JSON, HTML and Markdown, as a warning that CI can fail on; not where nobody asks for it."""
    rng = np.random.default_rng(4)
    before, after = flights(rng), flights(rng)
    shuffled = after.assign(carrier=rng.permutation(after["carrier"]))
    for name, table in {"before": before, "after": after, "shuffled": shuffled}.items():
        path = tmp_path / f"{name}.{kind}"
        table.to_parquet(path) if kind == "parquet" else table.to_csv(path, index=False)
    command, files = runner(tmp_path), (f"before.{kind}", f"shuffled.{kind}")
    pages = ("--html", "report.html", "--markdown", "report.md")
    done = command("compare", *files, "--fail-on", "warning", "--json", *pages)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["status"] == "warning"
    assert {each["status"] for each in report["features"].values()} == {"ok"}
    assert report["n_pairs"] == 6
    (broken,) = report["relationships"]
    assert broken["column"] == "carrier"
    assert sorted(pair["columns"] for pair in broken["pairs"]) == [["carrier", "distance"], ["carrier", "gate"]]
    assert all(pair["before"] > 0.3 and pair["after"] < 0.01 for pair in broken["pairs"])
    assert [each["kind"] for each in report["findings"]] == ["relationship"]
    html, markdown = ((tmp_path / f"report.{end}").read_text() for end in ("html", "md"))
    assert "Relationships that changed" in html
    assert "carrier no longer goes with gate, distance as it did" in markdown
    assert "carrier no longer goes with" in command("compare", *files).stdout
    assert command("compare", *files, "--fail-on", "critical").returncode == 0
    assert command("compare", *files, "--fail-on", "warning", "--no-relationships").returncode == 0
    assert command("compare", files[0], f"after.{kind}", "--fail-on", "warning").returncode == 0


def test_two_samples_of_one_law_have_no_relationship_that_changed() -> None:
    """Over some seeds, and of frames."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        report = drift.compare(flights(rng), flights(rng))
        assert (report.status, report.n_pairs, report.relationships) == ("ok", 6, ())
