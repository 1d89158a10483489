"""Relationships that change while every histogram stays: who is named, when, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from drift.config.detection import Detection
from drift.detection.relationships import (
    Measured,
    Relationships,
    compare_relationships,
    judge_relationships,
    relationship_finding,
)
from drift.profiles.binning import NumericBinning
from drift.profiles.coarse_cells import FINE, coarse
from drift.profiles.pairs import Pairs

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    Codes = NDArray[np.uint8]

START = datetime(2026, 1, 1, tzinfo=UTC)
CELLS = coarse(NumericBinning(np.arange(6.0)))
COLUMNS = dict.fromkeys("abcdef", CELLS)
ROWS, DAYS = 800, 30


def rows(rng: np.random.Generator, unrest: float = 0.0) -> Codes:
    """Return a day: a goes with b, c and d; e and f are by themselves."""
    a = rng.integers(1, 6, ROWS)
    noise = 0.3 + unrest * rng.random()
    others = [np.where(rng.random(ROWS) < noise, rng.integers(1, 6, ROWS), 1 + (a + k) % 5) for k in range(3)]
    return np.stack([a, *others, rng.integers(1, 6, ROWS), rng.integers(1, 6, ROWS)]).astype(np.uint8)


def permuted(codes: Codes, columns: Sequence[int], share: float, rng: np.random.Generator) -> Codes:
    """Permute the values of some columns together among a share of the rows."""
    chosen = rng.choice(ROWS, round(share * ROWS), replace=False)
    found, order = codes.copy(), rng.permutation(chosen)
    for column in columns:
        found[column, chosen] = codes[column, order]
    return found


def judged(days: Sequence[Pairs], past: list[Measured], drifting: Collection[str] = ()) -> Relationships:
    """Judge the last of some days by those before it, and remember it."""
    at = len(days) - 1
    found = judge_relationships(
        Pairs.total(days[max(at - 14, 0) : at]),
        days[at],
        past,
        Detection(),
        start=START + timedelta(days=at),
        drifting=drifting,
    )
    if found.measured:
        past.append(found.measured)
    return found


@cache
def quiet() -> tuple[tuple[Pairs, ...], tuple[Measured, ...], tuple[Relationships, ...]]:
    """Return a month in which nothing happens, and what was made of it."""
    rng = np.random.default_rng(1)
    days, past, found = list[Pairs](), list[Measured](), list[Relationships]()
    for _ in range(DAYS):
        days.append(Pairs.of(COLUMNS, rows(rng)))
        if len(days) > 3:
            found.append(judged(days, past))
    return tuple(days), tuple(past), tuple(found)


def after(*more: Codes, drifting: Collection[str] = ()) -> list[Relationships]:
    """Return what is made of days that follow the quiet month."""
    days, past = list(quiet()[0]), list(quiet()[1])
    found = []
    for codes in more:
        days.append(Pairs.of(COLUMNS, codes))
        found.append(judged(days, past, drifting))
    return found


def test_a_quiet_month_breaks_nothing_and_its_first_week_is_not_judged() -> None:
    """Until there is a history it is said that none was judged; then no column is at fault."""
    _, _, found = quiet()
    assert [bool(one.why_not) for one in found] == [True] * 7 + [False] * (len(found) - 7)
    assert "only 6 windows before this one" in found[6].why_not
    assert not any(one.broken for one in found)


@pytest.mark.parametrize(("column", "share"), [(0, 0.15), (1, 0.4)])
def test_a_column_whose_values_are_mixed_up_is_named_alone(column: int, share: float) -> None:
    """A column permuted within some rows: no histogram changes, one finding, lasting on the second day."""
    rng = np.random.default_rng(2)
    codes = [rows(rng) for _ in range(2)]
    spoiled = [permuted(each, [column], share, rng) for each in codes]
    for before, now in zip(codes, spoiled, strict=True):
        assert (np.sort(before) == np.sort(now)).all()
    first, second = after(*spoiled)
    assert [one.column for one in first.broken] == ["abcdef"[column]]
    assert [(one.column, one.lasting) for one in second.broken] == [("abcdef"[column], True)]
    partners = {name for pair in second.broken[0].pairs for name in pair.columns} - {"abcdef"[column]}
    assert partners <= set("abcd")
    assert "a" in partners or column == 0


def test_what_is_far_beyond_everything_does_not_wait_for_the_next_window() -> None:
    """All values of a column in other rows: notified at once, critical, with the share of rows and what moved."""
    rng = np.random.default_rng(3)
    (found,) = after(permuted(rows(rng), [0], 1.0, rng))
    (broken,) = found.broken
    assert (broken.column, broken.lasting, broken.severity) == ("a", True, "critical")
    pair = broken.pairs[0]
    assert pair.mixed == pytest.approx(1, abs=0.15)
    assert pair.after < 0.05 < pair.before
    assert pair.q <= 0.01
    assert pair.ci_low <= pair.kl_corrected <= pair.ci_high
    words = str(broken)
    assert words.startswith("a no longer goes with ")
    assert "of the rows" in words
    assert {name for one in pair.moved for name in one.cells} <= set(CELLS.names)


def test_columns_taken_from_other_rows_together_keep_their_own_relationship() -> None:
    """Columns a and b misjoined together: their pair is as it was, and both no longer go with the others."""
    rng = np.random.default_rng(4)
    (found,) = after(permuted(rows(rng), [0, 1], 0.9, rng))
    assert {one.column for one in found.broken} <= {"a", "b", "c", "d"}
    assert not any(set(pair.columns) == {"a", "b"} for one in found.broken for pair in one.pairs)


def test_a_column_that_drifts_by_itself_has_an_alert_of_its_own() -> None:
    """Its pairs are left out; another column that broke is still found."""
    rng = np.random.default_rng(5)
    spoiled = permuted(rows(rng), [0], 1.0, rng)
    assert not after(spoiled, drifting={"a"})[0].broken
    assert [one.column for one in after(spoiled, drifting={"e"})[0].broken] == ["a"]


def test_margins_that_change_alone_break_nothing() -> None:
    """Most rows of one value are gone: the histograms say so, and the pairs go together as they did."""
    rng = np.random.default_rng(6)
    codes = np.concatenate([rows(rng), rows(rng), rows(rng)], axis=1)
    kept = (codes[0] != 1) | (rng.random(codes.shape[1]) < 0.2)
    assert not after(codes[:, kept])[0].broken


def test_an_event_does_not_measure_itself() -> None:
    """A week of mixed values stays a finding: what strays is not part of what is usual."""
    rng = np.random.default_rng(7)
    found = after(*(permuted(rows(rng), [0], 0.3, rng) for _ in range(7)))
    assert all(any(one.column == "a" for one in each.broken) for each in found)


@pytest.mark.parametrize(("share", "days"), [(1.0, 1), (0.3, 4)])
def test_what_stays_is_dated(share: float, days: int) -> None:
    """By the day that it began on, from the first window that says so on."""
    rng = np.random.default_rng(10)
    broken = [
        one for each in after(*(permuted(rows(rng), [0], share, rng) for _ in range(days))) for one in each.broken
    ]
    lasting = [one for one in broken if one.lasting]
    true = START + timedelta(days=DAYS)
    assert lasting
    assert all(one.onset is None for one in broken if not one.lasting)
    assert {one.onset and one.onset.most_likely for one in lasting} == {true}
    assert all(relationship_finding(one).onset == one.onset for one in broken)


def test_a_short_past_dates_nothing() -> None:
    """What is far beyond everything is found after nine windows, and what is ordinary is not known yet."""
    rng = np.random.default_rng(11)
    days, past = [Pairs.of(COLUMNS, rows(rng)) for _ in range(4)], list[Measured]()
    found = []
    for at in range(10):
        days.append(Pairs.of(COLUMNS, permuted(rows(rng), [0], float(at == 9), rng)))
        found.append(judged(days, past))
    assert [(one.lasting, one.onset) for one in found[-1].broken] == [(True, None)]


def test_a_window_that_says_nothing_of_a_pair_is_not_a_usual_one() -> None:
    """A column of one value in nine days of ten: the tenth is not judged by those, until enough like it are known."""
    rng = np.random.default_rng(12)
    days, past, found = list[Pairs](), list[Measured](), list[Relationships]()
    for at in range(60):
        codes = rows(rng)
        mixed = permuted(codes, [0], rng.uniform(0, 0.6), rng)
        codes[1:] = np.where(at % 10 == 9, mixed[1:], 1)
        days.append(Pairs.of(COLUMNS, codes))
        if at > 15:
            found.append(judged(days, past))
    assert not any(one.broken for one in found)
    known = [one.of("a", "b").z is not None for one in past]
    assert not any(known)
    assert [bool(np.isfinite(one.statistic).any()) for one in past] == [at % 10 == 9 for at in range(16, 60)]


def test_columns_come_and_go() -> None:
    """A column without a past is compared, not judged by it; other cells, too few rows or one column are said so."""
    rng = np.random.default_rng(8)
    days, past = list(quiet()[0]), [replace(one, columns=tuple("fabxyz")) for one in quiet()[1]]
    codes = permuted(rows(rng), [0], 1.0, rng)
    now = Pairs.of(COLUMNS, codes)
    found = judge_relationships(Pairs.total(days), now, past, Detection(), start=START)
    assert found.measured is not None
    assert np.isfinite(found.measured.mixed).all()
    assert not found.why_not
    other = Pairs.of({**COLUMNS, "a": coarse(NumericBinning(np.array([0, 2.5, 5])))}, np.minimum(codes, 3))
    apart = judge_relationships(Pairs.total(days), other, past, Detection(), start=START)
    assert apart.measured is not None
    assert apart.measured.columns == tuple("bcdef")
    few = Pairs.of(COLUMNS, codes[:, :10])
    assert "fewer than 30 rows" in judge_relationships(Pairs.total(days), few, [], Detection(), start=START).why_not
    alone = now.restricted(["a"])
    assert "no two columns" in judge_relationships(Pairs.total(days), alone, [], Detection(), start=START).why_not


def test_fine_cells_are_merged_into_coarse_ones() -> None:
    """A column counted in 24 cells says the same as in the coarse ones that these nest in."""
    rng = np.random.default_rng(9)
    binning = NumericBinning(np.arange(21.0))
    values = rng.integers(0, 20, (2, 3000))
    values[1] = np.where(rng.random(3000) < 0.5, values[0], values[1])
    found = []
    for most in (FINE, None):
        cells = coarse(binning) if most is None else coarse(binning, most)
        codes = cells.of_cell[values + 1].astype(np.uint8)
        before, now = (Pairs.of({"a": cells, "b": cells}, each) for each in (codes[:, :2000], codes[:, 2000:]))
        found.append(judge_relationships(before, now, [], Detection(), start=START).measured)
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].mixed.tolist() == found[1].mixed.tolist()


@pytest.mark.parametrize("column", range(4))
def test_of_two_tables_the_mixed_column_is_named_first(column: int) -> None:
    """Without any history: one finding, its pairs, and what they say of each other before and after."""
    rng = np.random.default_rng(20 + column)
    before, codes = Pairs.of(COLUMNS, rows(rng)), rows(rng)
    mixed = Pairs.of(COLUMNS, permuted(codes, [column], 1.0, rng))
    found = compare_relationships(before, mixed, Detection())
    assert found[0].column == "abcd"[column]
    assert found[0].severity == "warning"
    assert {name for pair in found[0].pairs for name in pair.columns} == set("abcd")
    assert all(pair.before > 0.3 and pair.after < 0.05 and pair.q <= 0.05 for pair in found[0].pairs)
    assert len(found) == 1


@pytest.mark.parametrize("seed", range(12))
def test_two_tables_of_the_same_law_have_the_same_relationships(seed: int) -> None:
    """Nothing is named on null pairs of tables, even where one of them has other margins."""
    rng = np.random.default_rng(100 + seed)
    codes = rows(rng)
    rare = codes[0] != 1
    for later in (rows(rng), np.concatenate([codes, codes[:, rare]], axis=1)):
        assert not compare_relationships(Pairs.of(COLUMNS, rows(rng)), Pairs.of(COLUMNS, later), Detection())


def test_the_pairs_of_two_tables_are_compared_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any size: the same pairs are named. The same table, or too few rows: none is."""
    rng = np.random.default_rng(9)
    before, codes = Pairs.of(COLUMNS, rows(rng)), rows(rng)
    after = Pairs.of(COLUMNS, permuted(codes, [1], 0.5, rng))
    named = []
    for size in (100, 2):
        monkeypatch.setattr("drift.detection.relationships.BLOCK", size)
        found = compare_relationships(before, after, Detection())
        named.append([(each.column, [pair.columns for pair in each.pairs]) for each in found])
    assert named[0] == named[1]
    assert named[0][0][0] == "b"
    assert not compare_relationships(before, before, Detection())
    assert not compare_relationships(before, after, Detection(min_rows=ROWS + 1))
