"""Comparing two tables, with no monitor and no store."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from drift.config.detection import Detection, Effect, Persistence
from drift.config.features import Features
from drift.errors import SourceError
from drift.pipeline.compare import compare, fit_options
from drift.profiles.fitting import SAMPLE
from tests.support.laws import examples

if TYPE_CHECKING:
    from pathlib import Path

    from drift.detection.reports import Report


@pytest.fixture
def rng() -> np.random.Generator:
    """The same draws every time."""
    return np.random.default_rng(7)


def test_a_shift_is_found_and_the_rest_is_quiet(rng: np.random.Generator) -> None:
    """One feature moved by half a standard deviation; the other did not move."""
    before = pd.DataFrame({"moved": rng.normal(size=5000), "same": rng.normal(size=5000)})
    after = pd.DataFrame({"moved": rng.normal(0.5, 1, 5000), "same": rng.normal(size=5000)})
    report = compare(before, after)
    assert (report["moved"].status, report["same"].status) == ("critical", "ok")
    assert report.status == "critical"


def kl(report: Report, feature: str) -> float:
    """The KL of a feature that has one."""
    score = report[feature].score
    assert score is not None
    return score.kl


def test_one_window_is_enough_whatever_the_rules_say(rng: np.random.Generator) -> None:
    """Thresholds of one's own do not make a comparison wait for windows that it does not have."""
    before, after = ({"x": rng.normal(mean, 1, 2000)} for mean in (0, 1))
    rules = Detection(effect=Effect(warning=0.02, critical=0.2), persistence=Persistence(of=3, at_least=2))
    assert compare(pd.DataFrame(before), pd.DataFrame(after), detection=rules).status == "critical"


def test_the_same_table_scores_exactly_zero(rng: np.random.Generator) -> None:
    """A table against itself: KL is 0, not nearly 0."""
    frame = pd.DataFrame({"x": rng.normal(size=1000), "c": rng.choice(list("abc"), 1000)})
    report = compare(frame, frame)
    assert [v.score.kl for v in report.verdicts if v.score] == [0.0, 0.0]


def test_equal_proportions_score_zero_at_unequal_sizes(rng: np.random.Generator) -> None:
    """Ten copies of a table against one: still exactly 0."""
    frame = pd.DataFrame({"c": rng.choice(list("abc"), 1000)})
    assert kl(compare(pd.concat([frame] * 10), frame), "c") == 0.0


def test_nulls_are_drift(rng: np.random.Generator) -> None:
    """A column whose values vanish drifts, though those that stay look the same."""
    values = rng.normal(size=4000)
    after = values.copy()
    after[rng.random(4000) < 0.3] = np.nan
    report = compare(pd.DataFrame({"x": values}), pd.DataFrame({"x": after}))
    assert report["x"].status == "critical"
    assert report.explain("x")[0].startswith("missing rose from 0 % to") or "missing" in " ".join(report.explain("x"))


def test_a_table_and_its_files_give_one_answer(tmp_path: Path, rng: np.random.Generator) -> None:
    """DataFrame, Arrow table, Parquet and CSV: the same counts, the same scores."""
    before = pd.DataFrame({"x": rng.integers(0, 50, 3000), "c": rng.choice(["a", "b"], 3000)})
    after = pd.DataFrame({"x": rng.integers(5, 55, 3000), "c": rng.choice(["a", "b"], 3000)})
    for name, frame in {"before": before, "after": after}.items():
        pq.write_table(pa.Table.from_pandas(frame), tmp_path / f"{name}.parquet")
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    whole = compare(before, after)
    others = [
        compare(pa.Table.from_pandas(before), pa.Table.from_pandas(after)),
        compare(tmp_path / "before.parquet", tmp_path / "after.parquet"),
        compare(str(tmp_path / "before.csv"), str(tmp_path / "after.csv")),
    ]
    for other in others:
        assert [v.score.kl for v in other.verdicts if v.score] == [v.score.kl for v in whole.verdicts if v.score]


def told(reference: pd.DataFrame | Path, current: pd.DataFrame | Path) -> str:
    """All that a comparison says, but for what its reference is called."""
    return replace(compare(reference, current), reference="").to_json(indent=1)


CELLS = st.one_of(
    st.lists(st.none() | st.floats(), min_size=1, max_size=60),
    st.lists(st.none() | st.integers(-(2**62), 2**62), min_size=1, max_size=60),
    st.lists(st.none() | st.integers(-3, 3), min_size=1, max_size=60),
    st.lists(st.none() | st.text(max_size=3), min_size=1, max_size=60),
    st.lists(st.none() | st.booleans(), min_size=1, max_size=60),
    st.lists(st.none() | st.dates(date(1900, 1, 1), date(2200, 1, 1)), min_size=1, max_size=60),
    st.lists(st.none() | st.decimals(-999, 999, places=2), min_size=1, max_size=60),
)


@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=CELLS, after=CELLS, cuts=st.integers(1, 7))
def test_a_frame_and_its_parquet_file_give_one_report(
    tmp_path: Path, before: list[Any], after: list[Any], cuts: int
) -> None:
    """Whatever is in them, and however the file is cut into row groups: the same report to the last bit."""
    frames = [pa.table({"x": pa.array(values), "y": range(len(values))}).to_pandas() for values in (before, after)]
    paths = [tmp_path / "before.parquet", tmp_path / "after.parquet"]
    for frame, path in zip(frames, paths, strict=True):
        pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=cuts)
    assert told(*paths) == told(*frames)


def test_a_long_table_in_one_file_and_in_many_gives_one_report(tmp_path: Path, rng: np.random.Generator) -> None:
    """Beyond the rows that are all looked at, by columns or by rows: the sample is the same, and so is the report."""
    n = SAMPLE + 50_000
    frames = []
    for name in ("before", "after"):
        frame = pd.DataFrame({"x": rng.normal(size=n), "price": np.round(rng.lognormal(3, 1, n), 1)})
        frame.loc[rng.random(n) < 0.1, "x"] = np.nan
        if name == "after":
            frame.loc[rng.random(n) < 0.03, "price"] = 20.0
        frames.append(frame)
        (tmp_path / name).mkdir()
        for i, start in enumerate(range(0, n, n // 19)):
            part = frame.iloc[start : start + n // 19]
            pq.write_table(pa.Table.from_pandas(part), tmp_path / name / f"{i:02}.parquet")
    whole = told(*frames)
    assert '"= 20"' in whole
    assert told(tmp_path / "before", tmp_path / "after") == whole


def test_missing_new_and_retyped_columns_are_findings(rng: np.random.Generator) -> None:
    """No crash: each stands in the report with a status and in words."""
    before = pd.DataFrame({"gone": rng.normal(size=500), "turned": rng.normal(size=500), "x": rng.normal(size=500)})
    after = pd.DataFrame({"new": rng.normal(size=500), "turned": ["text"] * 500, "x": rng.normal(size=500)})
    report = compare(before, after)
    assert {v.feature: v.status for v in report.verdicts} == {
        "gone": "not_comparable",
        "new": "not_comparable",
        "turned": "not_comparable",
        "x": "ok",
    }
    assert ("missing_column", "gone") in [(finding.kind, finding.column) for finding in report.findings]
    assert ("retyped_column", "turned") in [(finding.kind, finding.column) for finding in report.findings]


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        (pa.int64(), pa.float64(), "recast_column"),
        (pa.float32(), pa.int16(), "recast_column"),
        (pa.decimal128(12, 2), pa.float64(), "recast_column"),
        (pa.timestamp("us", "UTC"), pa.timestamp("ns", "UTC"), "recast_column"),
        (pa.timestamp("us"), pa.date32(), "retyped_column"),
        (pa.bool_(), pa.int8(), "retyped_column"),
    ],
)
def test_another_sort_of_number_is_no_other_column(before: pa.DataType, now: pa.DataType, kind: str) -> None:
    """It is scored, and a finding of its own kind, of which nobody is told; another kind of value is a new type."""
    numbers: Any = pa.array([0, 1] * 300).cast(pa.int16())
    days: Any = pa.array([date(2024, 1, 1), date(2024, 1, 2)] * 300)

    def column(wanted: pa.DataType) -> Any:
        return (days if pa.types.is_temporal(wanted) else numbers).cast(wanted)

    report = compare(pa.table({"x": column(before)}), pa.table({"x": column(now)}))
    assert [finding.kind for finding in report.findings] == [kind]
    assert (report["x"].status == "ok") or kind == "retyped_column"


def test_too_few_rows_are_insufficient_data(rng: np.random.Generator) -> None:
    """Twenty rows are a status, not a number to be woken by."""
    report = compare(pd.DataFrame({"x": rng.normal(size=5000)}), pd.DataFrame({"x": rng.normal(3, 1, 20)}))
    assert report["x"].status == "insufficient_data"


@pytest.mark.parametrize("rows", [0, 1])
def test_empty_and_one_row_tables_do_not_crash(rows: int, rng: np.random.Generator) -> None:
    """On either side."""
    full, tiny = pd.DataFrame({"x": rng.normal(size=500)}), pd.DataFrame({"x": rng.normal(size=rows)})
    assert compare(full, tiny)["x"].status == "insufficient_data"
    assert compare(tiny, full)["x"].status == "insufficient_data"


@pytest.mark.parametrize(
    "column",
    [
        [None] * 500,
        [1.0] * 500,
        [float("inf")] * 250 + [float("-inf")] * 250,
        [[1, 2]] * 500,
        ["x", 1, None, 2.5, True] * 100,
        [b"\x00"] * 500,
    ],
    ids=["null", "constant", "infinite", "lists", "mixed", "bytes"],
)
def test_hostile_columns_get_a_status(column: list[object], rng: np.random.Generator) -> None:
    """Each is quiet against itself, has nothing to be judged by, or does not compare; none sinks the one beside it."""
    frame = pd.DataFrame({"bad": pd.Series(column, dtype=object), "good": rng.normal(size=500)})
    report = compare(frame, frame)
    assert report["good"].status == "ok"
    assert report["bad"].status in {"ok", "insufficient_data", "not_comparable"}
    # Without a finite value there is no bin, and nothing can be said of what moved.
    unknown = column[0] is None or column[0] == float("inf")
    assert (report["bad"].status == "insufficient_data") == unknown
    assert report.to_json()


def test_a_hundred_thousand_categories(rng: np.random.Generator) -> None:
    """An identifier neither crashes nor drifts by sampling alone."""
    ids = np.array([f"id-{i}" for i in range(100_000)])
    report = compare(pd.DataFrame({"id": rng.permutation(ids)}), pd.DataFrame({"id": rng.permutation(ids)[:50_000]}))
    assert report["id"].status == "ok"


@pytest.mark.parametrize("name", ["with blank", 'quo"te', "br[ack]et*", "ünï", "'; DROP TABLE x; --", "<b>", "a.b", ""])
def test_hostile_names_are_only_names(name: str, rng: np.random.Generator) -> None:
    """A column may be called anything."""
    report = compare(pd.DataFrame({name: rng.normal(size=500)}), pd.DataFrame({name: rng.normal(2, 1, 500)}))
    assert report[name].status == "critical"


def test_a_kind_can_be_set_by_hand(rng: np.random.Generator) -> None:
    """Codes are categories if a person says so."""
    frame = pd.DataFrame({"code": rng.integers(0, 5, 1000)})
    score = compare(frame, frame, features=Features(kinds={"code": "categorical"}))["code"].score
    assert score is not None
    assert score.kind == "categorical"


def test_thresholds_are_settable(rng: np.random.Generator) -> None:
    """A higher floor silences the same shift."""
    before, after = pd.DataFrame({"x": rng.normal(size=5000)}), pd.DataFrame({"x": rng.normal(0.5, 1, 5000)})
    rules = Detection(effect=Effect(warning=1.0, critical=2.0), persistence=Persistence(of=1, at_least=1))
    assert compare(before, after, detection=rules)["x"].status == "ok"


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(SourceError, match=r"nope\.parquet"):
        compare(tmp_path / "nope.parquet", tmp_path / "nope.parquet")


def test_a_broken_parquet_is_a_clear_error(tmp_path: Path) -> None:
    """So does the message about a file that is no Parquet."""
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(SourceError, match=r"bad\.parquet"):
        compare(tmp_path / "bad.parquet", tmp_path / "bad.parquet")


def test_the_answer_does_not_depend_on_chance(rng: np.random.Generator) -> None:
    """Two runs say the same to the last bit, the permutation test included."""
    before, after = pd.DataFrame({"x": rng.normal(size=300)}), pd.DataFrame({"x": rng.normal(0.2, 1, 300)})
    assert compare(before, after).to_json() == compare(before, after).to_json()


def test_fit_options_match_patterns_and_literal_names() -> None:
    """A name with brackets is matched as itself before it is read as a pattern."""
    options = fit_options(["a[0]", "b"], Features(bins={"a[0]": 7, "*": 9}))
    assert (options["a[0]"].bins, options["b"].bins) == (7, 9)


def test_every_score_has_its_distance_in_the_feature_s_own_unit(rng: np.random.Generator) -> None:
    """Beside the nats stands how far the values moved; categories have no such number."""
    before = pd.DataFrame({"x": rng.normal(10, 2, 3000), "c": rng.choice(["a", "b"], 3000)})
    after = pd.DataFrame({"x": rng.normal(15, 2, 3000), "c": rng.choice(["a", "b"], 3000)})
    report = compare(before, after)
    assert report["x"].explanation.wasserstein == pytest.approx(5, abs=0.2)
    assert report["c"].explanation.wasserstein is None
    assert report.explain("x")[0].startswith("median 9.89 → 14.9")


def test_roles_and_weights_reach_the_verdicts(rng: np.random.Generator) -> None:
    """They are what the configuration says, by pattern, and shape the roll-up."""
    before = pd.DataFrame({"a": rng.normal(size=2000), "score": rng.random(2000), "y": rng.random(2000) < 0.1})
    after = before.assign(score=before["score"] ** 2)
    wanted = Features(roles={"score": "prediction", "y": "label"}, weights={"*": 1.0, "score": 3.0})
    report = compare(before, after, features=wanted)
    assert [(v.feature, v.role, v.weight) for v in report.verdicts] == [
        ("a", "input", 1.0),
        ("score", "prediction", 3.0),
        ("y", "label", 1.0),
    ]
    overall = report.rollup()
    assert (overall.share, overall.weighted_share) == pytest.approx((1 / 3, 3 / 5))
    assert overall.rule.endswith("(60 % of the weight)")
    assert overall.by_role["label"].status == "ok"


@pytest.mark.parametrize("role", ["label", "input"])
def test_labels_that_have_not_arrived_are_no_drift(role: str, rng: np.random.Generator) -> None:
    """A label without a single value waits; an input without one is drift."""
    before = pd.DataFrame({"x": rng.normal(size=2000), "y": rng.random(2000)})
    after = before.assign(y=np.nan).head(930)
    report = compare(before, after, features=Features.model_validate({"roles": {"y": role}}))
    if role == "input":
        assert report["y"].status == "critical"
        return
    assert (report["y"].status, report["y"].score) == ("insufficient_data", None)
    assert report["y"].reason == "labels have not arrived (0 of 930)"
    assert report.status == report["x"].status == "ok"


def test_labels_missing_from_the_reference_are_said_to_be(rng: np.random.Generator) -> None:
    """Nothing to hold them against: a status, not a divergence from nothing."""
    frame = pd.DataFrame({"x": rng.normal(size=500), "y": rng.random(500)})
    report = compare(frame.assign(y=np.nan), frame, features=Features(roles={"y": "label"}))
    assert (report["y"].status, report["y"].reason) == (
        "insufficient_data",
        "labels have not arrived in the reference",
    )


def test_one_file_of_another_type_is_a_finding(tmp_path: Path, rng: np.random.Generator) -> None:
    """That feature cannot be compared, and it is said which file differs; the others are scored."""
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
        for i in range(3):
            odd = name == "after" and i == 2
            numbers = rng.integers(0, 9, 500)
            x = pa.array(numbers)
            table = pa.table({"x": x.cast(pa.string()) if odd else x, "y": pa.array(rng.normal(size=500))})
            pq.write_table(table, tmp_path / name / f"{i}.parquet")
    report = compare(tmp_path / "before", tmp_path / "after")
    assert (report["x"].status, report["y"].status) == ("not_comparable", "ok")
    assert report["x"].reason == "type changed: numeric in the reference, int64 and string (2.parquet) now"
    assert [f.message for f in report.findings] == ["column x: type changed from int64 to int64 and string (2.parquet)"]


def test_partitions_are_features_unless_they_say_where_rows_lie(tmp_path: Path, rng: np.random.Generator) -> None:
    """Days differ by their date, and that is no drift; a country's share may drift. Whoever names a column gets it."""
    for day in (1, 2):
        for country, n in {"DE": 500, "FR": 500 * day}.items():
            folder = tmp_path / f"day=2024-01-0{day}" / f"country={country}"
            folder.mkdir(parents=True)
            pq.write_table(pa.table({"x": pa.array(rng.normal(size=n))}), folder / "a.parquet")
    before, after = (tmp_path / f"day=2024-01-0{day}" for day in (1, 2))
    assert {v.feature: v.status for v in compare(before, after).verdicts} == {"x": "ok", "country": "warning"}
    assert {v.feature for v in compare(before / "country=DE", after / "country=FR").verdicts} == {"x"}
    named = Features(include=["x", "day"])
    assert {v.feature: v.status for v in compare(before, after, features=named).verdicts}["day"] == "critical"


def status_of(before: list[Any], after: list[Any], **features: Any) -> str:
    """How a column is judged that one table has so, and the other so."""
    return compare(pd.DataFrame({"x": before}), pd.DataFrame({"x": after}), features=Features(**features))["x"].status


def ids(rng: np.random.Generator, n: int) -> list[str]:
    """Labels that hardly ever come twice."""
    return [f"{number:016x}" for number in rng.integers(0, 2**62, n).tolist()]


@pytest.mark.parametrize("constant", ["00000000-0000-0000-0000-000000000000", "N/A", "", "undefined", "x" * 10_000])
@pytest.mark.parametrize("features", [{}, {"hashed": ["x"]}, {"levels": 10_000}], ids=["plain", "hashed", "levels"])
@pytest.mark.parametrize("share", [0.02, 0.5, 1.0])
def test_ids_that_collapse_are_critical(
    constant: str, features: dict[str, Any], share: float, rng: np.random.Generator
) -> None:
    """Half of them, or all, become one constant, whatever it is and however labels are kept; and it is named."""
    before, after = ids(rng, 20_000), ids(rng, 3000)
    k = round(3000 * share)
    report = compare(
        pd.DataFrame({"x": before}), pd.DataFrame({"x": [constant] * k + after[k:]}), features=Features(**features)
    )
    assert report["x"].status == "critical"
    words = " ".join(report.explain("x"))
    assert f"0 % → {round(100 * share) if share >= 0.1 else 100 * share:g}" in words
    assert "(not in the reference)" in words
    assert ("'#" in words) == ("hashed" in features)


def test_other_ways_in_which_ids_collapse_are_critical(rng: np.random.Generator) -> None:
    """Five labels of a fifth each, half of the labels one address, numbers that are labels; other ids are none."""
    before, after = ids(rng, 20_000), ids(rng, 3000)
    assert status_of(before, [f"ERR-{i % 5}" for i in range(3000)]) == "critical"
    assert status_of(before, after) == "ok"
    known = ["web", "app"] * 10_000
    mails = [f"{each}@example.org" for each in before]
    assert status_of([*known[:10_000], *mails[:10_000]], [*known[:1500], *["a@example.org"] * 1500]) == "critical"
    numbers = [int(each, 16) for each in before]
    assert status_of(numbers, [7] * 3000, kinds={"x": "categorical"}) == "critical"


@pytest.mark.parametrize("n", [300, 1000, 10_000])
@pytest.mark.parametrize("rank", [0, 30, 55, 99])
def test_one_of_even_labels_that_becomes_everything_is_critical(n: int, rank: int, rng: np.random.Generator) -> None:
    """Whether it has a cell of its own or not."""
    before = pd.Series(rng.choice([f"s{i:04d}" for i in range(100)], 20_000))
    label = before.value_counts().index[rank]
    report = compare(pd.DataFrame({"x": before}), pd.DataFrame({"x": [label] * n}))
    assert report["x"].status == "critical"
    assert any(line.startswith(repr(label)) for line in report.explain("x"))


def test_even_and_long_tailed_labels_stay_quiet(rng: np.random.Generator) -> None:
    """Five thousand labels, unchanged: nothing is called, and nothing is called new."""
    shares = 1 / np.arange(1.0, 5001)
    for weights in (shares / shares.sum(), np.full(100, 0.01)):
        for _ in range(5):
            before, after = (
                pd.DataFrame({"x": rng.choice(len(weights), n, p=weights).astype(str)}) for n in (20_000, 3000)
            )
            report = compare(before, after)
            assert report["x"].status == "ok"
            assert not any("not in the reference" in line for line in report.explain("x"))


@pytest.mark.parametrize("rows", [2, 4, 5, 40])
def test_a_new_label_is_named_however_few_rows_it_has(rows: int) -> None:
    """With a cell of its own from ten rows on, in words below; a single row is none that recurs."""
    before = pd.DataFrame({"x": ["a", "b"] * 25_000})
    lines = compare(before, pd.DataFrame({"x": ["a", "b"] * 575 + ["NEW"] * rows})).explain("x")
    if rows < 10:
        assert lines[-1] == f'not in the reference: "NEW" ({rows} rows)'
    else:
        assert lines[-1].startswith("'NEW' 0 % → 3.4 % (not in the reference): ")


FAR: dict[str, tuple[Any, Any, Any]] = {
    "ages": (np.arange(65_000) % 95, 95, -999),
    "ages, at the other end": (np.arange(65_000) % 95, -1, 999),
    "shares": (np.random.default_rng(1).random(65_000), 1.01, -999.0),
    "a normal law": (np.random.default_rng(1).normal(20, 1, 65_000), 25.0, 0.0),
    "heavy tails": (np.random.default_rng(1).standard_t(2, 65_000), None, 9999.0),
    "counts": (np.random.default_rng(1).poisson(3, 65_000), 15, -1),
    "times": (
        pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(65_000) % 4003, unit="min"),
        pd.Timestamp("2024-01-03T20:00"),
        pd.Timestamp("1970-01-01"),
    ),
}


@pytest.mark.parametrize("case", FAR)
def test_the_far_tail_counts_in_proportion(case: str, rng: np.random.Generator) -> None:
    """The last value becomes one just beyond the range: below the warning. 1 % far away are what they were."""
    values, near, far = FAR[case]
    before = pd.Series(values)
    last = before.max() if near is None or near > before.max() else before.min()
    moved = before.where(before != last, before.max() * 1.5 if near is None else near)
    assert status_of(before.tolist(), moved.tolist()) == "ok"
    spoiled = compare(pd.DataFrame({"x": before}), pd.DataFrame({"x": before.where(rng.random(65_000) >= 0.01, far)}))
    score = spoiled["x"].score
    assert score is not None
    assert score.kl_corrected > 0.05
    assert any(line.startswith(("below ", "above ")) or " and above rose" in line for line in spoiled.explain("x"))


@pytest.mark.parametrize("constant", [5, 5.5, pd.Timestamp("2024-01-01")])
def test_beside_a_constant_every_value_is_news(constant: Any) -> None:
    """A value that holds 2 % has no tail, however near the next one lies."""
    after = [constant] * 9900 + [
        constant + (pd.Timedelta(seconds=1) if isinstance(constant, pd.Timestamp) else 1)
    ] * 100
    assert status_of([constant] * 10_000, after) == "warning"


def test_a_column_without_a_value_is_not_judged() -> None:
    """Null on both sides, of whatever type; with a value on one of them it is."""
    nothing, some = [None] * 500, ["a"] * 500
    assert status_of(nothing, nothing) == "insufficient_data"
    assert status_of([float("nan")] * 500, [float("nan")] * 400) == "insufficient_data"
    assert status_of(nothing, some) == "critical"
    assert status_of(some, nothing) == "critical"


def test_numbers_written_as_text_are_compared_as_numbers(tmp_path: Path, rng: np.random.Generator) -> None:
    """Prices three times as high are critical in every form, in frames and in Parquet; a word among them is named."""
    forms = ["${:,.2f}", "{:.1f} %", "{:.2f}", "({:,.2f})"]

    def table(factor: float) -> pd.DataFrame:
        amounts = np.exp(rng.normal(6, 1, 2000)) * factor
        return pd.DataFrame({form: [form.format(amount) for amount in amounts] for form in forms})

    before, same, high = table(1), table(1), table(3)
    paths = [tmp_path / f"{i}.parquet" for i in range(3)]
    for frame, path in zip((before, same, high), paths, strict=True):
        frame.to_parquet(path)
    for tables in ((before, same, high), paths):
        quiet, loud = compare(tables[0], tables[1]), compare(tables[0], tables[2])
        assert [quiet[form].status for form in forms] == ["ok"] * 4
        assert [loud[form].status for form in forms] == ["critical"] * 4
        assert {finding.kind for finding in quiet.findings} == {"read_as"}
    high.loc[7, forms[0]] = "n/k"
    verdict = compare(before, high)[forms[0]]
    assert (verdict.status, "such as 'n/k'" in verdict.reason) == ("not_comparable", True)


def orders(rng: np.random.Generator, first: int, n: int = 3000) -> pd.DataFrame:
    """Orders of a day, with their keys and times."""
    return pd.DataFrame(
        {
            "order_id": np.arange(first, first + n),
            "mail": [f"{key}@example.org" for key in ids(rng, n)],
            "created_at": pd.Timestamp("2024-01-01") + pd.to_timedelta(first + np.arange(n), unit="s"),
            "note": [f"ring the bell of {key}" for key in ids(rng, n)],
            "price": rng.lognormal(3, 1, n),
        }
    )


def test_keys_texts_and_times_of_rows_are_left_out_and_listed(rng: np.random.Generator) -> None:
    """They differ from table to table; it is said so in words and in JSON, and whoever names one gets it."""
    before, after = orders(rng, 0), orders(rng, 90_000)
    report = compare(before, after)
    sorts = {"order_id": "identifier", "mail": "identifier", "created_at": "timestamp", "note": "free text"}
    assert (report.left_out, report.to_dict()["left_out"]) == (sorts, sorts)
    assert [v.feature for v in report.verdicts] == ["price"]
    assert report.status == "ok"
    words = "left out: order_id (identifier), mail (identifier), created_at (timestamp), note (free text)"
    assert words in str(report)
    assert words in report._repr_html_()
    for include in (["*", "order_id"], ["*", "order_*"], ["order_id"]):
        assert compare(before, after, features=Features(include=include))["order_id"].status == "critical"
    assert compare(before[["order_id"]], after[["order_id"]])["order_id"].status == "critical"


@pytest.mark.parametrize("column", ["order_id", "mail", "created_at", "note"])
@pytest.mark.parametrize("what", ["one value", "half one value", "missing", "text"])
def test_a_key_that_is_not_one_on_both_sides_is_scored(column: str, what: str, rng: np.random.Generator) -> None:
    """One that collapses, goes missing or changes its type is news, though it was a key."""
    before, after = orders(rng, 0), orders(rng, 90_000)
    half = pd.Series(np.arange(3000) < (1500 if what == "half one value" else 3000))
    changed: Any = {
        "missing": after[column].where(after.index % 4 > 0),
        "text": [1.5] * 3000,
    }.get(what, after[column].mask(half, before[column][7]))
    after[column] = changed
    report = compare(before, after)
    if column == "created_at" and "one value" in what:
        assert column in report.left_out  # many rows have one time wherever time is a day
        return
    assert report[column].status in {"critical", "not_comparable"}
    assert column not in report.left_out


def test_a_key_that_collapses_late_in_a_file_is_scored(tmp_path: Path, rng: np.random.Generator) -> None:
    """The look is at the first rows; what the counts say of all of them is looked at too."""
    before, after = orders(rng, 0, 30_000), orders(rng, 90_000, 30_000)
    after.loc[20_000:, "mail"] = "nobody@example.org"
    for name, frame in {"before": before, "after": after}.items():
        frame.to_parquet(tmp_path / f"{name}.parquet")
    report = compare(tmp_path / "before.parquet", tmp_path / "after.parquet")
    assert report["mail"].status == "critical"
    assert "nobody@example.org" in " ".join(report.explain("mail"))


@pytest.mark.parametrize(
    ("columns", "asked", "advice"),
    [(51, None, "--relationships"), (201, True, "at most 200"), (201, None, "at most 200")],
)
def test_pairs_of_too_many_columns_are_not_compared_and_that_is_said(
    rng: np.random.Generator, columns: int, *, asked: bool | None, advice: str
) -> None:
    """Above 50 columns where nobody asks for it, above 200 whoever does."""
    wide = pd.DataFrame({f"x{i}": rng.normal(size=40) for i in range(columns)})
    report = compare(wide, wide, relationships=asked)
    assert report.n_pairs == 0
    (found,) = (str(each) for each in report.findings if each.kind == "other")
    assert f"how the {columns} columns go together was not compared" in found
    assert advice in found


def test_pairs_are_compared_where_one_wants_it(rng: np.random.Generator) -> None:
    """By default those of up to 50 columns, and none where one does not."""
    wide = pd.DataFrame({f"x{i}": rng.normal(size=40) for i in range(51)})
    few = wide[["x1", "x2", "x3"]]
    assert compare(wide, wide, relationships=True).n_pairs == 1275
    assert (compare(few, few).n_pairs, compare(few, few, relationships=False).n_pairs) == (3, 0)
    assert not compare(wide, wide, relationships=False).findings


def test_a_column_that_is_not_judged_has_no_pairs(rng: np.random.Generator) -> None:
    """Gone or of lists: its pairs are not among those compared."""
    numbers = {name: rng.normal(size=100) for name in ("a", "b", "gone")}
    before = pd.DataFrame({**numbers, "list": [[1]] * 100})
    report = compare(before, before.drop(columns="gone"))
    assert report.n_pairs == 1
