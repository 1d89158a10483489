"""Reports and scores: what was judged comes back, and the past can be asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from drift.config.detection import Detection
from drift.detection.assess import Subject, assess
from drift.detection.reports import Report
from drift.errors import StoreError
from drift.profiles.counting import count_numbers
from drift.profiles.fitting import fit_numeric
from drift.profiles.histograms import Profile, Summary
from drift.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drift.profiles.binning import Binning

from tests.support.store_samples import BINNINGS, DAY, KEY, LATER, NOW, counted, judged, nth, save_everything, scored


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store."""
    with Store.open(database_url, create=True) as opened:
        yield opened


def test_a_report_comes_back_as_it_was_written(store: Store) -> None:
    """To the last bit and in the order of the table, evidence and explanation included."""
    save_everything(store, NOW)
    written, read = judged(BINNINGS), store.load_report("flights", DAY.start)
    assert read is not None
    assert read.to_json() == written.to_json()
    assert read.label == written.label
    for feature, evidence in written.evidence.items():
        assert read.evidence[feature] == evidence
        mine, theirs = read[feature].score, written[feature].score
        assert mine is not None
        assert theirs is not None
        assert mine.contributions.tobytes() == theirs.contributions.tobytes()
    bare = store.load_report("flights", DAY.start, evidence=False)
    assert bare is not None
    assert repr(bare.verdicts) == repr(read.verdicts)
    assert (bare.to_json(), bare.evidence) == (replace(read, evidence={}).to_json(), {})
    assert store.load_report("flights", nth(1).start) is None


def test_a_report_whose_counts_have_changed_since_comes_without_them(store: Store) -> None:
    """Verdicts stay what they were; evidence that is not theirs is not shown beside them."""
    save_everything(store, NOW)
    store.save_profile("flights", counted(BINNINGS, rows=1_000), gate="warned", binning_key=KEY, now=LATER)
    read = store.load_report("flights", DAY.start)
    assert read is not None
    assert dict(read.evidence) == {}
    assert [verdict.feature for verdict in read.verdicts] == [*BINNINGS, "zeta"]
    assert read["dep_delay"].score is not None


def test_a_contribution_that_is_no_number_is_refused(store: Store) -> None:
    """The whole report goes back."""
    report = judged(BINNINGS)
    bad = scored("carrier", report.evidence["carrier"], contributions=np.full(7, np.nan))
    with pytest.raises(StoreError, match="finite"):
        store.save_report("flights", replace(report, verdicts=[bad]))
    assert store.load_report("flights", DAY.start) is None


def test_history_is_the_newest_windows_before_one(store: Store) -> None:
    """Newest last, with the number of occupied cells; windows without a score are left out, not counted."""
    two: dict[str, Binning] = {name: BINNINGS[name] for name in ("dep_delay", "carrier")}
    for i in range(6):
        one = two if i != 3 else {"carrier": two["carrier"]}
        store.save_report("flights", judged(one, nth(i), seed=i))
    found = store.history("flights", ["dep_delay", "carrier", "new"], before=nth(5).start, limit=3)
    assert {name: [row.window_start for row in rows] for name, rows in found.items()} == {
        "dep_delay": [nth(2).start, nth(4).start],
        "carrier": [nth(2).start, nth(3).start, nth(4).start],
        "new": [],
    }
    last = found["carrier"][-1]
    assert (last.kl, last.kl_corrected, last.n_reference, last.n_current) == (0.1 + 0.2, -1e-5, 9_000, 900)
    assert (last.cells, last.severity) == (6, "none")
    assert store.history("flights", ["carrier"], before=nth(0).start) == {"carrier": []}


def test_scores_can_be_cut_in_every_way(store: Store) -> None:
    """By feature, by time, by number of windows and of rows; oldest first, without arrays."""
    two = {name: BINNINGS[name] for name in ("dep_delay", "carrier")}
    for i in range(4):
        store.save_report("flights", judged(two, nth(i)))

    def starts(**asked: Any) -> list[tuple[int, str]]:
        rows = store.scores("flights", **asked)
        assert all(not isinstance(value, bytes | np.ndarray) for row in rows for value in row.values())
        return [((row["window_start"] - DAY.start).days, row["feature"]) for row in rows]

    assert starts(windows=1) == [(3, "dep_delay"), (3, "carrier"), (3, "zeta")]
    assert starts(feature="carrier") == [(i, "carrier") for i in range(4)]
    assert starts(feature="carrier", windows=2) == [(2, "carrier"), (3, "carrier")]
    assert starts(feature="carrier", since=nth(1).start, until=nth(3).start) == [(1, "carrier"), (2, "carrier")]
    assert starts(limit=4) == [(2, "zeta"), (3, "dep_delay"), (3, "carrier"), (3, "zeta")]
    assert starts(feature="none") == []


def test_a_feature_that_is_no_longer_watched_leaves_the_report(store: Store) -> None:
    """A report replaces the report, not only those of its rows that have a namesake."""
    store.save_report("flights", judged(BINNINGS))
    store.save_report("flights", judged({"carrier": BINNINGS["carrier"]}))
    assert [row["feature"] for row in store.scores("flights")] == ["carrier", "zeta"]


def test_a_value_set_apart_for_one_score_is_read_back_with_it(store: Store) -> None:
    """The cells of that score are stored beside it, and the counts shown are the counts scored."""
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=5000), np.where(rng.random(900) < 0.03, 0.3, rng.normal(size=900))
    binning = fit_numeric(before, expected_rows=900)
    reference, current = (
        Profile(DAY, len(values), {"x": count_numbers(binning, values)}, {"x": Summary.of(values)})
        for values in (before, after)
    )
    store.save_profile("flights", current, gate="accepted", binning_key=KEY, now=NOW)
    (found,) = assess([Subject(reference, current, ["x"])], Detection())
    rows = found.n_reference, found.n_current
    written = Report("flights", DAY, "the days before", found.verdicts, *rows, evidence=found.evidence, label="today")
    store.save_report("flights", written)
    read = store.load_report("flights", DAY.start)
    assert read is not None
    assert read.to_json() == written.to_json()
    assert read.evidence["x"] == written.evidence["x"]
    assert any(line.startswith("= 0.3 rose from 0 % to 3") for line in read.explain("x"))
    (row,) = store.scores("flights")
    assert (row["counted_as"], row["fingerprint"] != row["counted_as"]) == (binning.fingerprint, True)
