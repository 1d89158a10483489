"""Reports print, serialise and explain what was found."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from drift.detection.evidence import Evidence
from drift.detection.findings import Finding
from drift.detection.reports import MOST_SUMMARISED, SCHEMA_VERSION, Report
from drift.detection.scores import Score, Verdict
from drift.errors import MissingExtra
from drift.profiles.binning import Binning, CategoricalBinning, NumericBinning
from drift.profiles.histograms import Histogram
from tests.support.hostile_text import HOSTILE
from tests.support.laws import examples


def score(feature: str, contributions: list[float], kind: str = "categorical") -> Score:
    """A score whose KL is the sum of its contributions."""
    kl = float(np.sum(contributions))
    return Score(
        feature=feature,
        kind=kind,  # type: ignore[arg-type]
        kl=kl,
        kl_reverse=kl,
        psi=2 * kl,
        js=kl / 4,
        kl_corrected=kl,
        ci_low=kl / 2,
        ci_high=kl * 2,
        p=0.5,
        q=0.5,
        z=None,
        z_lasting=None,
        noise=0.001,
        cells=len(contributions),
        n_reference=1000,
        n_current=100,
        smoothing="pooled",
        fingerprint="0" * 16,
        contributions=np.array(contributions),
    )


def verdict(feature: str, status: str = "ok", contributions: list[float] | None = None) -> Verdict:
    """A verdict, with a score where contributions are given."""
    return Verdict(
        feature,
        status,  # type: ignore[arg-type]
        "none",
        "because",
        0.01,
        0.1,
        score(feature, contributions) if contributions else None,
    )


def histogram(binning: Binning, counts: list[int]) -> Histogram:
    """A histogram of plain counts."""
    return Histogram(binning, np.array(counts))


@pytest.fixture
def missing() -> Evidence:
    """Half of the rows of one category went missing."""
    binning = CategoricalBinning(("a",))
    return Evidence(histogram(binning, [990, 0, 0, 10]), histogram(binning, [49, 0, 0, 51]))


def report(*verdicts: Verdict) -> Report:
    """A report of these verdicts."""
    return Report("m", None, "reference table", verdicts, 1000, 100)


def test_status_is_the_worst() -> None:
    """One critical feature makes the report critical; an error is never hidden behind a warning."""
    assert report(verdict("a"), verdict("b", "critical")).status == "critical"
    assert report(verdict("a", "warning"), verdict("b", "error")).status == "error"
    assert report().status == "not_judged"


def test_severity_counts_only_what_a_person_is_told() -> None:
    """Errors and missing data are no severity of drift."""
    assert report(verdict("a", "error"), verdict("b", "warning")).severity == "warning"
    assert report(verdict("a", "insufficient_data")).severity == "none"


def test_share_drifting_is_over_scored_features() -> None:
    """Features without a score do not thin the share out."""
    found = report(verdict("a", "critical", [0.5]), verdict("b", "ok", [0.0]), verdict("c", "insufficient_data"))
    assert found.share_drifting == 0.5


def test_json_is_self_describing_and_finite() -> None:
    """The JSON carries schema version, direction, unit and n, and no NaN or infinity."""
    text = report(verdict("a", "critical", [0.5])).to_json()
    data = json.loads(text)
    assert (data["schema_version"], data["direction"], data["unit"]) == (SCHEMA_VERSION, "current||reference", "nats")
    assert data["features"]["a"]["n_current"] == 100
    assert "NaN" not in text


def test_contributions_in_json_sum_to_kl(missing: Evidence) -> None:
    """Every cell stands in the JSON with what it adds."""
    whole = Report("m", None, "r", [verdict("x", "critical", [0.1, 0.0, 0.0, 1.0])], 1000, 100, evidence={"x": missing})
    entry = whole.to_dict()["features"]["x"]
    assert sum(cell["contribution"] for cell in entry["contributions"]) == pytest.approx(entry["kl"])
    assert [cell["cell"] for cell in entry["contributions"]] == ["a", "other", "unseen", "missing"]


def test_to_pandas_has_a_row_a_feature() -> None:
    """A frame to sort and filter."""
    frame = report(verdict("a", "critical", [0.5]), verdict("b", "insufficient_data")).to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame.set_index("feature").loc["a", "kl"] == 0.5
    assert len(frame) == 2


def test_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pandas is not installed, a report says what to install, and its other forms need none."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    whole = report(verdict("a", "critical", [0.5]))
    with pytest.raises(MissingExtra, match=r"pip install 'driftmeter\[pandas\]'"):
        whole.to_pandas()
    assert json.loads(whole.to_json())["features"].keys() == {"a"}


def test_worst_feature_is_printed_first() -> None:
    """The table is in the order of urgency."""
    text = str(report(verdict("quiet", "ok", [0.001]), verdict("loud", "critical", [0.5])))
    assert text.index("loud") < text.index("quiet")


def test_hostile_names_are_escaped_in_a_notebook() -> None:
    """A feature's name is text, never markup."""
    assert "<script>" not in report(verdict("<script>alert(1)</script>"))._repr_html_()


def test_a_summary_in_markdown_has_a_row_a_feature(missing: Evidence) -> None:
    """A sentence, a table with the worst first and what moved in it, the rule, findings, columns left out."""
    moved = verdict("fee", "critical", [0.1, 0.0, 0.0, 1.0])
    found = replace(
        report(verdict("quiet", "ok", [0.001]), moved, verdict("gone", "not_comparable")),
        evidence={"fee": missing},
        findings=[Finding("missing_column", "column gone: missing", "gone")],
        left_out={"trip": "identifier"},
    )
    table = """
| status | feature | KL (nats) | corrected (95 %) | threshold | why |
| --- | --- | --- | --- | --- | --- |
| ◆ critical | fee | 1.1000 | 1.1000 (0.5500 … 2.2000) | 0.01 / 0.1 | missing rose from 1.0 % to 51 %: 1.1 of 1.1 nats |
| ≠ not comparable | gone | - | - | 0.01 / 0.1 | because |
| · ok | quiet | 0.0010 | 0.0010 (0.0005 … 0.0020) | 0.01 / 0.1 | because |
"""
    sides = "Reference: table · 1,000 rows; Current: table · 100 rows; Sum of KL: 1.1010 nats"
    assert found.to_markdown().split("\n\n") == [
        "### ◆ m: critical",
        "1 of 2 features drifted: fee. 1 feature could not be judged.",
        f"KL is D(current‖reference), in nats. {sides}",
        table.strip(),
        "critical: fee (input) is critical; 1 of 2 features drifted (50 %)",
        "- note: column gone: missing\n- note: left out: trip (identifier)\n",
    ]


@given(st.lists(st.text(max_size=400) | st.sampled_from(HOSTILE), min_size=1, max_size=60, unique=True))
@example([f"{'*' * 400}{i}" for i in range(60)])
@examples(30)
def test_a_summary_in_markdown_is_bounded_whatever_the_names(names: list[str]) -> None:
    """Names make no row, note or element of their own; twenty of each are shown, and the others counted."""
    small = replace(
        report(*(verdict(name, "critical", [0.5]) for name in names)),
        monitor=names[0],
        reference=names[0],
        current=names[0],
        findings=[Finding("new_column", name, name) for name in names],
        left_out=dict.fromkeys(names, "identifier"),
    )
    found = replace(small, segments={name: replace(small, segment=name) for name in names})
    text = found.to_markdown()
    kinds = [token.type for token in MarkdownIt("commonmark").enable("table").parse(text)]
    shown = min(len(names), MOST_SUMMARISED)
    assert len(text) < 65_536
    assert kinds.count("tr_open") == 1 + shown
    assert kinds.count("list_item_open") == 3 * min(len(names), MOST_SUMMARISED + 1)
    assert kinds.count("heading_open") == kinds.count("table_open") == kinds.count("bullet_list_open") == 1
    assert not {*kinds} & {"html_block", "code_block", "fence", "hr", "blockquote_open", "ordered_list_open"}
    assert (f"… and {len(names) - shown} more feature" in text) == (len(names) > shown)


def test_a_summary_in_markdown_of_what_was_not_judged() -> None:
    """A window that was rejected says so, without a table."""
    text = replace(report(), gate="rejected").to_markdown()
    assert text.startswith("### ⊘ m: rejected by its expectations\n\nNo feature could be judged.")
    assert "|" not in text
    assert text.endswith("rejected: by its expectations, so no feature was judged\n")


def test_unknown_feature_is_a_key_error() -> None:
    """Asking for a feature that is not there says so."""
    with pytest.raises(KeyError, match="nope"):
        report()["nope"]


def test_the_json_shows_both_sides_in_the_feature_s_own_unit() -> None:
    """Each side's picture, its unit and what the KL is due to stand beside the score."""
    binning = NumericBinning(np.array([15000.0, 15710, 16000]), "date")
    evidence = Evidence(histogram(binning, [0, 5, 0, 0, 0]), histogram(binning, [0, 0, 4, 0, 1]))
    whole = Report("m", None, "r", [verdict("x", "critical", [0, 0.5, 0.4, 0, 0.2])], 5, 5, evidence={"x": evidence})
    entry = whole.to_dict()["features"]["x"]
    assert entry["summary"]["unit"] == "days"
    assert entry["summary"]["current"]["missing"] == 0.2
    assert entry["summary"]["reference"]["median"].startswith("201")
    assert entry["due_to"] == pytest.approx({"bins": 0.8785, "below": 0.0, "above": 0.0, "missing": 0.2215}, abs=1e-4)
    json.dumps(whole.to_dict(), allow_nan=False)
    row = whole.to_pandas().iloc[0]
    assert (row["missing_reference"], row["missing_current"], row["role"], row["weight"]) == (0.0, 0.2, "input", 1.0)
    assert not {"summary", "due_to", "contributions"} & set(row.index)


def test_the_json_says_which_rule_made_the_status() -> None:
    """The roll-up stands in it, overall and by role, and its status is the report's."""
    found = report(verdict("a", "critical", [0.5]), replace(verdict("y", "insufficient_data"), role="label")).to_dict()
    assert found["overall"]["rule"] == "critical: a (input) is critical"
    assert found["overall"]["status"] == found["status"] == "critical"
    assert {role: of["status"] for role, of in found["overall"]["by_role"].items()} == {
        "input": "critical",
        "label": "not_judged",
    }


def test_the_rule_stands_under_the_table() -> None:
    """In one line, on every way to show a report."""
    found = report(verdict("a", "warning", [0.5]), verdict("b", "ok", [0.0]))
    rule = "warning: a (input) is at warning; 1 of 2 features drifted (50 %)"
    assert str(found).splitlines()[-1] == rule
    assert rule in found._repr_html_()
    assert rule in found.to_markdown().splitlines()
