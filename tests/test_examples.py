"""The examples run, and show what they say they show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.support.command import runner
from tests.support.shop import write_orders

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(name: str, *arguments: Any) -> Any:
    """Load one example and call its `main`."""
    return run_path(str(ROOT / "examples" / f"{name}.py"))["main"](*arguments)


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_each_example_runs_as_its_docstring_says(path: Path, tmp_path: Path) -> None:
    """Started from any folder, with warnings as errors, it prints its findings and ends well."""
    folder = [str(tmp_path)] if path.stem == "synthetic_data" else []
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path), *folder], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "KL" in done.stdout
    assert f"python examples/{path.name}" in path.read_text()


def test_the_tutorial_shows_what_its_commands_print(tmp_path: Path) -> None:
    """Each command after ``$``, one after the other on a shop's orders, prints what stands below it; … is anything."""
    write_orders(tmp_path / "data" / "orders", days=36, drifted=2)
    drift = runner(tmp_path)
    document = (ROOT / "docs" / "tutorial" / "first_alert.md").read_text()
    blocks = re.findall(r"```console\n\$ drift (.*?)\n(.*?)```", document, re.DOTALL)
    assert len(blocks) == 5
    for command, shown in blocks:
        done = drift(*command.split())
        assert done.returncode == 0, done.stderr
        pattern = ".*?".join(map(re.escape, shown.strip().replace("monitors/", "…monitors/").split("…")))
        assert re.search(pattern, done.stdout, re.DOTALL), f"$ drift {command}\n{done.stdout}"


def test_model_outputs(capsys: pytest.CaptureFixture[str]) -> None:
    """September's outputs drift most, far above the noise; and the model trained by divergence is scikit-learn's."""
    months, training = run("model_outputs")
    by_month = {m.month: m for m in months}
    assert list(by_month) == list(range(4, 13))
    assert sum(m.flights for m in months) == 336_776 - 80_789
    assert max(months, key=lambda m: m.kl_corrected).month == 9
    assert by_month[9].kl_corrected > 0.05 > 4 * by_month[12].kl_corrected
    assert by_month[9].severity != "none"
    assert all(m.kl > 10 * m.noise for m in months)
    # What outputs cannot show: in December they moved least, and were most wrong but for June and July.
    assert min(months, key=lambda m: m.kl_corrected).month == 12
    assert by_month[12].observed_late - by_month[12].predicted_late > 0.05

    assert training.mean_kl == pytest.approx(training.log_loss - training.label_entropy, abs=1e-12)
    assert training.label_entropy > 0.2
    assert np.abs(training.coefficients - training.sklearn_coefficients).max() < 1e-5
    assert training.gradient_error < 1e-6
    assert "D(month‖reference) in nats" in capsys.readouterr().out


def test_synthetic_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The good generator passes, the bad one fails, and shuffling shows only in the relationships."""
    reports = run("synthetic_data", tmp_path)
    kl = {
        name: {verdict.feature: verdict.score.kl_corrected for verdict in report.verdicts}
        for name, report in reports.items()
    }
    columns = ["temp", "dewp", "humid", "wind_speed", "pressure"]
    assert reports["learned"].status == reports["density"].status == "ok"
    assert reports["independent"].status == "critical"
    assert max(kl["density"].values()) < 0.01
    assert max(kl["independent"][name] for name in columns) > 0.1
    assert [reports["shuffled"][name].status for name in columns] == ["ok"] * 5
    assert {name: len(report.relationships) for name, report in reports.items()} == {
        "learned": 0,
        "density": 0,
        "independent": 4,
        "shuffled": 4,
    }
    first = reports["shuffled"].relationships[0]
    assert (reports["shuffled"].status, first.column, first.pairs[0].columns) == ("warning", "dewp", ("temp", "dewp"))
    # All ten pairs are lost, and each is named once.
    lost = [pair for broken in reports["shuffled"].relationships for pair in broken.pairs]
    assert len({pair.columns for pair in lost}) == len(lost) == 10
    assert all(pair.before > 0.015 and pair.after < 0.001 for pair in lost)
    # Shuffling moves values about: feature by feature it scores what the rows scored that it shuffled.
    assert {name: kl["shuffled"][name] for name in columns} == {name: kl["learned"][name] for name in columns}
    real, synthetic = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("real", "synthetic"))
    assert list(real) == list(synthetic) == columns
    assert len(real) == len(synthetic) == 11_691
    assert "drift compare real.parquet synthetic.parquet" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "code"), [("learned", 0), ("independent", 1)])
def test_synthetic_data_on_the_command_line(name: str, code: int, tmp_path: Path) -> None:
    """`drift compare` says the same of the same files, and its exit code too."""
    run("synthetic_data", tmp_path)
    command = [sys.executable, "-m", "drift", "compare", "--fail-on", "critical", "real.parquet", f"{name}.parquet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr


@pytest.fixture(scope="module")
def latent() -> Any:
    """What the third example found."""
    return run("latent_variables")


def test_the_bound_is_the_likelihood(latent: Any) -> None:
    """With the exact posterior the bound is scikit-learn's likelihood; any other q is below by KL(q‖posterior)."""
    bound, _, _ = latent
    assert bound.bound == pytest.approx(bound.log_likelihood, abs=1e-8)
    assert bound.kl_to_prior == pytest.approx(bound.kl_to_prior_by_component, abs=1e-10)
    assert bound.worse_bound < bound.bound - 1
    assert bound.bound - bound.worse_bound == pytest.approx(bound.kl_to_posterior, abs=1e-8)


def test_maximum_entropy_is_minimal_divergence(latent: Any) -> None:
    """The exponential die has the mean asked for, no search beats it, and its KL to the fair die is ln 6 - H."""
    _, die, _ = latent
    assert die.exponential @ np.arange(1, 7) == pytest.approx(4.5, abs=1e-12)
    assert np.abs(die.exponential - die.searched).max() < 1e-6
    assert die.kl_to_fair == pytest.approx(np.log(6) - die.entropy, abs=1e-14)
    ratios = die.exponential[1:] / die.exponential[:-1]
    assert np.ptp(ratios) < 1e-12


def test_cells_and_samples_approach_the_closed_form_from_below(latent: Any) -> None:
    """Refining never lowers the binned divergence, which stays below the closed form and comes within 0.02 % of it."""
    _, _, approach = latent
    seen = list(approach.by_cells.values())
    assert seen == sorted(seen)
    assert 0.9998 * approach.closed_form < seen[-1] < approach.closed_form == 0.125
    means, spreads = zip(*approach.by_rows.values(), strict=True)
    assert list(means) == sorted(means)
    assert list(spreads) == sorted(spreads, reverse=True)
    assert means[-1] == pytest.approx(0.125, abs=0.001)
