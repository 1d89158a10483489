"""The report as one page: whole, safe, small, and alike in a notebook."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import drift
from drift.cli.app import command_line
from drift.detection.findings import Finding
from drift.errors import DriftError
from tests.detection.page.test_markup import Read
from tests.support.dashboard_samples import HOSTILE, MONITOR, day, report
from tests.support.hostile_text import HOSTILE as UNSEEN
from tests.support.hostile_text import unseen
from tests.support.laws import examples

if TYPE_CHECKING:
    from pathlib import Path

    from drift.detection.reports import Report


@pytest.fixture(scope="module")
def compared() -> Report:
    """Two tables of numbers, times and labels, one label new."""
    rng = np.random.default_rng(5)

    def table(shift: float, labels: str) -> pd.DataFrame:
        times = pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 10**6, 2000), unit="s")
        price = np.where(rng.random(2000) < 0.1, np.nan, rng.lognormal(shift, 1, 2000))
        return pd.DataFrame({"price": price, "when": times, "city": rng.choice(list(labels), 2000)})

    return drift.compare(table(0, "abc"), table(1, "abcd"), features=drift.Features(include=["price", "when", "city"]))


def test_a_page_needs_nothing(compared: Report) -> None:
    """No address but anchors of its own, no style or script within an element; its policy names both that it has."""
    page = compared.to_html()
    read = Read(page)
    addresses = [v for _, given in read.found for k, v in given.items() if k in {"href", "src", "action", "srcset"}]
    assert addresses
    assert all(each and each.startswith("#") for each in addresses)
    assert not re.search(r"\son\w+=|\sstyle=|url\(|@import", page)
    for element in ("style", "script"):
        (content,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in page
    ids = [given["id"] for _, given in read.found if "id" in given]
    assert len(ids) == len(set(ids))
    assert {each[1:] for each in addresses if each} <= set(ids)


def test_a_page_shows_each_feature_whole(compared: Report) -> None:
    """A sentence, both inputs, pictures, statistics of both sides, findings in words, cells, what is new."""
    page = compared.to_html()
    assert re.search(r"\d of 3 features drifted: ", page)
    assert page.count('class="small"') >= 3
    assert page.count('class="histogram"') == 2
    assert page.count('class="divergence"') == 3
    for words in ("Reference", "Current", "% of rows per day", "75 %", "Wasserstein-1", '<span class="new">new</span>'):
        assert words in page
    assert "(not in the reference)" in page


def test_a_page_says_what_was_not_judged() -> None:
    """Findings stand above the table; a window that was rejected is one, and its times are local."""
    found = report(MONITOR, day(5), {"dep_delay": "ok", HOSTILE: "not_comparable"})
    page = found.to_html(timezone="America/New_York")
    assert "2013-02-06 00:00 EST … 2013-02-07 00:00 EST" in page
    assert "<h2>Notes</h2>" in page
    assert "1 feature could not be judged." in page
    rejected = replace(found, gate="rejected", verdicts=[], evidence={})
    assert "rejected by its expectations" in rejected.to_html()
    assert "No feature could be judged." in rejected._repr_html_()


@examples(40)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True), st.text(), st.text())
def test_no_name_is_obeyed(names: list[str], monitor: str, message: str) -> None:
    """Features, monitor, label and findings of any text: the elements of the page are those of harmless names."""

    def made(kind: Any) -> Report:
        found = report(kind(monitor, "m"), day(5), dict.fromkeys(["x"], "critical"))
        (verdict,) = found.verdicts
        features = [kind(each, f"f{i}") for i, each in enumerate(names)]
        return replace(
            found,
            verdicts=[replace(verdict, feature=each, reason=kind(message, "r")) for each in features],
            evidence=dict.fromkeys(features, found.evidence["x"]),
            findings=[Finding("other", kind(message, "r"))],
            label=kind(message, "l"),
        )

    for write in (drift.Report.to_html, drift.Report._repr_html_):
        hostile, harmless = (Read(write(made(kind))) for kind in (lambda text, _: text, lambda _, plain: plain))
        assert [element for element, _ in hostile.found] == [element for element, _ in harmless.found]
        assert [set(given) - {"title"} for _, given in hostile.found] == [
            set(given) - {"title"} for _, given in harmless.found
        ]


def test_nothing_unseen_is_written() -> None:
    """No control character, turn of direction or blank without width comes through."""
    found = report(MONITOR, day(5), dict.fromkeys([*UNSEEN, HOSTILE], "critical"))
    for text in (found.to_html(), found._repr_html_(), found[HOSTILE]._repr_html_()):
        assert not unseen(text)
        assert "<script>alert" not in text


def test_many_features_are_a_small_page() -> None:
    """Fifty are opened within a megabyte; of a thousand all stand in the table, and the worst sixty open."""
    rng = np.random.default_rng(1)
    labels = [f"label {i}" for i in range(60)]

    def table(shift: float) -> pd.DataFrame:
        numbers = {f"n{i}": rng.lognormal(shift, 1, 1000) for i in range(25)}
        return pd.DataFrame(numbers | {f"c{i}": rng.choice(labels, 1000) for i in range(25)})

    assert len(drift.compare(table(0), table(1)).to_html().encode()) < 1_000_000
    page = report(MONITOR, day(0), {f"f{i:03d}": "ok" for i in range(1000)}).to_html()
    assert (page.count('<td class="distribution">'), page.count("<summary>Histogram")) == (1000, 60)


def test_a_notebook_shows_a_report_and_a_feature(compared: Report) -> None:
    """With colour and pictures, style within it and no script; a feature is opened."""
    whole, one = compared._repr_html_(), compared["price"]._repr_html_()
    for text in (whole, one):
        assert text.startswith('<div class="drift notebook"><style>')
        assert "<script" not in text
        assert "<svg" in text
    assert 'class="histogram"' in one
    assert compared["price"].status == next(v.status for v in compared.verdicts if v.feature == "price")


def test_a_name_that_is_nearly_there_is_suggested(compared: Report) -> None:
    """As a `KeyError` that is one of ours."""
    with pytest.raises(KeyError, match="did you mean 'price'") as caught:
        compared["prise"]
    assert isinstance(caught.value, DriftError)


def test_the_command_line_writes_it(tmp_path: Path, write: Any) -> None:
    """`drift compare --html` writes the page, both files named; a folder that is not there is said in words."""
    rng = np.random.default_rng(5)
    before, after = (write(f"{n}.parquet", x=rng.normal(n, 1, 900), **{HOSTILE: ["=1"] * 900}) for n in (0, 1))
    out = tmp_path / "out.html"
    done = CliRunner().invoke(command_line(), ["compare", str(before), str(after), "--html", str(out)])
    assert done.exit_code == 0, done.output
    page = out.read_text("utf-8")
    assert f"{before} · 900 rows" in page
    assert f"{after} · 900 rows" in page
    lost = CliRunner().invoke(
        command_line(), ["compare", str(before), str(after), "--html", str(tmp_path / "no" / "out.html")]
    )
    assert lost.exit_code != 0
