"""Baselines: who made them and why, what may be scored again, and what a reference that adapts does not hide."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from drift.config.monitor import parse_monitor
from drift.errors import DriftError
from drift.pipeline import baselines, evaluate
from drift.pipeline.context import Context
from drift.pipeline.recall import recall
from tests.pipeline.test_compare import kl
from tests.pipeline.test_run import LAST, backfill, dump, shifted
from tests.support.command import runner
from tests.support.flights import FIRST, SQL, clock, days, monitor_text, open_context, rows, write_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


STEP = 14
"""The day, counted from 0, from which everything is different for good."""
STAYS = 40

FIXED = monitor_text(SQL, reference="{fixed: baseline}")


@pytest.fixture
def warehouse(tmp_path: Path) -> str:
    """A warehouse of 14 days, the last one shifted."""
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(shifted(rows(LAST + 1)), url)
    return url


@pytest.fixture
def opened() -> Iterator[Callable[..., Context]]:
    """Opens monitors, and closes their results databases when the test is over."""
    with ExitStack() as stack:

        def open_one(results: str, warehouse: str, text: str | None = None) -> Context:
            context = open_context(results, warehouse, text)
            stack.enter_context(context.store)
            return context

        yield open_one


@pytest.fixture
def context(opened: Callable[..., Context], database_url: str, warehouse: str) -> Context:
    """The monitor on it, its results on either database."""
    context = opened(database_url, warehouse)
    backfill(context)
    return context


def versions(context: Context, feature: str = "delay") -> list[tuple[int, str, str]]:
    """Number, author and reason of each version of a feature's baseline."""
    found = context.store.baseline_rows("flights")
    return [(r["version"], r["created_by"], r["reason"]) for r in found if r["feature"] == feature]


def promote(context: Context, first: int, last: int) -> baselines.Promotion:
    """Make some days the baseline."""
    return baselines.promote(context, days(context, first, last), now=clock(), by="ada", reason="model 2")


def away(context: Context, number: int, feature: str = "delay") -> float:
    """How far a day is from its baseline, as stored."""
    verdict = recall(context, days(context, number, number)[0])[feature]
    assert verdict.explanation.kl_fixed is not None
    return verdict.explanation.kl_fixed


# -- promote ----------------------------------------------------------------------------------------------------------


def test_a_promotion_is_a_version_with_who_and_why(context: Context) -> None:
    """The bins stay the very same, so that all counts stay comparable."""
    before = context.store.active_baseline("flights")
    done = promote(context, 5, 9)
    assert done == baselines.Promotion("2024-01-06 … 01-10", 5, 2000, 3)
    assert versions(context) == [(1, "drift", "first reference"), (2, "ada", "model 2")]
    assert context.store.active_baseline("flights") == before


def test_promoting_again_changes_nothing(context: Context) -> None:
    """Neither does it touch what was scored before."""
    scores = dump(context)["score"]
    promote(context, 5, 9)
    once = dump(context)
    assert promote(context, 5, 9).features == 0
    assert dump(context) == once
    assert once["score"] == scores


def test_windows_without_rows_cannot_be_promoted(context: Context) -> None:
    """The message names the span."""
    with pytest.raises(DriftError, match=r"2024-01-31 … 02-01 holds rows"):
        promote(context, 30, 31)


def test_the_baseline_is_what_windows_are_measured_from(context: Context) -> None:
    """Once the shifted day itself is promoted, it is the ordinary days that are far away."""
    assert away(context, LAST) > 0.5
    assert away(context, LAST - 1) < 0.02
    promote(context, LAST, LAST)
    baselines.rescore(context, days(context, LAST - 1, LAST), now=clock())
    assert away(context, LAST - 1) > 0.5
    # A window is never its own baseline.
    report = recall(context, days(context, LAST, LAST)[0])
    assert report["delay"].score is not None
    assert report["delay"].explanation.kl_fixed is None


def test_retention_leaves_the_baseline(context: Context) -> None:
    """Everything before an instant goes, but for the counts that later windows are measured from."""
    (last,) = days(context, LAST, LAST)
    context.store.prune(last.start)
    left = context.store.load_profiles("flights", days(context, 0, LAST), context.store.active_baseline("flights"))
    assert [profile.window for profile, _ in left] == [*days(context, 0, 6), last]
    report = evaluate.evaluate_window(context, last)
    assert [finding.kind for finding in report.findings] == ["no_reference"]
    promote(context, LAST, LAST)
    assert context.store.prune(last.start)["profile"] == 7


def test_a_fixed_reference_can_be_the_baseline(
    opened: Callable[..., Context], database_url: str, warehouse: str
) -> None:
    """Until one is promoted there is none, and the finding says what to do; then bins are fitted and windows judged."""
    context = opened(database_url, warehouse, FIXED)
    report = backfill(context)[-1]
    assert [finding.kind for finding in report.findings] == ["not_judged"]
    assert "drift baseline promote flights --from DATE" in str(report.findings[0])
    done = promote(context, 0, 6)
    assert (done.windows, done.features) == (7, 3)
    report = backfill(context)[-1]
    assert (report["delay"].status, report["carrier"].status) == ("critical", "ok")
    assert (report.reference, report.n_reference) == ("fixed baseline: 7 of 7 windows", 2800)


# -- at the terminal ---------------------------------------------------------------------------------------------------


def test_baselines_at_the_terminal(tmp_path: Path, warehouse: str) -> None:
    """Promote, look, score again: each says what it did, and what it left alone."""
    del warehouse
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "flights.yaml").write_text(monitor_text(SQL, alerts="{routes: []}"))
    drift = runner(tmp_path)
    for command in ("db upgrade", "backfill flights --from 2024-01-01 --to 2024-01-14"):
        assert drift(*command.split()).returncode == 0
    promoting = ("baseline", "promote", "flights", "--from", "2024-01-06", "--to", "2024-01-10", "--by", "ada")
    assert "Missing option '--reason'" in drift(*promoting).stderr
    done = drift(*promoting, "--reason", "model 2")
    assert done.stdout == "flights: the baseline is 2024-01-06 … 01-10 (5 windows, 2,000 rows) of 3 features\n"
    assert "already, nothing to do" in drift(*promoting, "--reason", "model 2").stdout
    assert "ada" in drift("baseline", "show", "flights").stdout
    scored = drift("baseline", "rescore", "flights", "--from", "2024-01-01", "--to", "2024-01-14")
    assert scored.stdout.splitlines()[:2] == [
        "flights: 11 windows scored again, 3 left as they were",
        "  2024-01-01: its reference has 0 windows counted into these bins, it needs 3",
    ]
    fitted = drift("baseline", "fit", "flights", "--date", "2024-01-02", "--reason", "too early")
    assert (fitted.returncode, "it needs 3" in fitted.stderr) == (2, True)


# -- score again ------------------------------------------------------------------------------------------------------


def test_stored_windows_are_scored_against_a_new_baseline(
    opened: Callable[..., Context], database_url: str, warehouse: str
) -> None:
    """From counts alone: the source may be gone. Alerts follow, nobody is told, and once more changes nothing."""
    context = opened(database_url, warehouse, FIXED)
    promote(context, 0, 6)
    reports = backfill(context)
    old = kl(reports[-1], "delay")
    promote(context, LAST, LAST)
    gone = Context.of(context.monitor, context.store, lambda _name: "sqlite:////nowhere/at/all.db")
    done = baselines.rescore(gone, days(context, 0, LAST), now=clock())
    assert (len(done.reports), done.kept) == (
        LAST,
        {days(context, LAST, LAST)[0]: done.kept[days(context, LAST, LAST)[0]]},
    )
    assert kl(done.reports[-1], "delay") > 0.5
    assert kl(recall(context, days(context, LAST, LAST)[0]), "delay") == old
    assert context.store.outbox_counts()["pending"] == 0
    once = dump(context)
    baselines.rescore(gone, days(context, 0, LAST), now=clock())
    assert dump(context) == once


def test_scoring_again_with_nothing_new_says_the_same(context: Context) -> None:
    """Every score, reason and alert; windows that had no reference keep saying so."""
    before = dump(context)
    done = baselines.rescore(context, days(context, 0, LAST), now=clock())
    assert {"its reference has 0 windows counted into these bins, it needs 3"} <= set(done.kept.values())
    assert len(done.reports) == LAST + 1 - 3
    assert dump(context) == before


def test_windows_of_other_bins_are_named_and_left_alone(context: Context) -> None:
    """New bins count their own reference anew; what lies before it keeps its scores until it is read again."""
    scores = dump(context)["score"]
    binnings = baselines.fit(context, days(context, LAST, LAST)[0], now=clock(), by="ada", reason="finer tails")
    assert versions(context)[-1] == (2, "ada", "finer tails")
    assert dump(context)["score"] == scores
    done = baselines.rescore(context, days(context, 0, LAST), now=clock())
    kept = {context.label(window): why for window, why in done.kept.items()}
    assert kept["2024-01-06"] == "it was counted into other bins"
    assert [report.label for report in done.reports] == ["2024-01-10", "2024-01-11", "2024-01-12", "2024-01-13"]
    assert {v.score.fingerprint for r in done.reports for v in r.verdicts if v.score} == {
        binning.fingerprint for binning in binnings.values()
    }


def test_what_never_ran_is_not_scored_again(context: Context) -> None:
    """A replay of what was never played is a backfill."""
    done = baselines.rescore(context, days(context, LAST + 1, LAST + 2), now=clock())
    assert (list(done.reports), set(done.kept.values())) == ([], {"it was never scored"})


def test_too_few_windows_to_fit_on(context: Context) -> None:
    """The message says how many it takes."""
    with pytest.raises(DriftError, match="it needs 3"):
        baselines.fit(context, days(context, 1, 1)[0], now=clock(), by="ada", reason="too early")


# -- what is left out of references -----------------------------------------------------------------------------------


def used(context: Context, text: str) -> int:
    """Rows of the reference of the last day, where the day before it was rejected."""
    changed = Context.of(parse_monitor(text), context.store, context.source.connect)
    before, last = days(context, LAST - 1, LAST)
    context.store.save_gate("flights", before, "rejected", [], clock())
    return evaluate.evaluate_window(changed, last).n_reference


def test_a_rejected_window_is_no_reference_unless_it_may_be(context: Context) -> None:
    """Out by default; an empty list lets it in."""
    assert used(context, monitor_text(SQL)) == 6 * 400
    assert used(context, monitor_text(SQL, reference="{trailing: 7d, min_windows: 3, exclude: []}")) == 7 * 400


def test_a_critical_window_can_be_kept_out(opened: Callable[..., Context], tmp_path: Path) -> None:
    """Let in, a shift of four days has eaten half of itself by the fourth; kept out, it is as far away as on the first.

    Only for the feature that was critical: the others keep all their windows.
    """
    frame = rows(STEP + 4)
    frame.loc[frame["day"] >= FIRST + timedelta(days=STEP), "delay"] += 8
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(frame, url)
    first, fourth = 0.0, {}
    for name, exclude in (("in", "[rejected]"), ("out", "[rejected, critical]")):
        text = monitor_text(SQL, reference=f"{{trailing: 7d, min_windows: 3, exclude: {exclude}}}")
        reports = backfill(opened(f"sqlite:///{tmp_path / name}.db", url, text), last=STEP + 3)
        first, fourth[name] = kl(reports[STEP], "delay"), reports[-1]
        assert fourth[name]["carrier"].score.n_reference == 7 * 400  # type: ignore[union-attr]
    assert kl(fourth["in"], "delay") < 0.6 * first
    assert kl(fourth["out"], "delay") == pytest.approx(first, rel=0.2)


# -- references that adapt ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """Forty days after a step: delays moved, one carrier left, a column empty, a quarter of the rows."""
    folder = tmp_path_factory.mktemp("stepped")
    frame = rows(STEP + STAYS)
    after = frame["day"] >= FIRST + timedelta(days=STEP)
    frame["late"] = frame["late"].astype(object)
    frame.loc[after, "delay"] += 8
    frame.loc[after, "carrier"] = "AA"
    frame.loc[after, "late"] = None
    url = f"sqlite:///{folder / 'warehouse.db'}"
    write_sql(frame[~after | (frame.index % 4 == 0)], url)
    context = open_context(f"sqlite:///{folder / 'drift.db'}", url, monitor_text(SQL, detection="{min_rows: 50}"))
    with context.store:
        backfill(context, last=STEP + STAYS - 1, page=True)
        yield context


def ending(context: Context, key: str) -> tuple[str, str]:
    """The state of the alert of a key, and the last line of its diary."""
    (alert,) = [a for a in context.store.alerts("flights") if a.key == key]
    return alert.state, context.store.alert_events(alert.id)[-1].reason


def test_a_step_is_found_adapted_to_and_still_told(stepped: Context) -> None:
    """The trailing reference takes it for normal in the end; the score beside it and the end of the alert do not."""
    report = recall(stepped, days(stepped, STEP + STAYS - 1, STEP + STAYS - 1)[0])
    assert report["delay"].status == "ok"
    assert kl(report, "delay") < 0.1
    assert away(stepped, STEP + STAYS - 1) == pytest.approx(away(stepped, STEP + 1), rel=0.3)
    assert away(stepped, STEP + STAYS - 1) > 0.5
    state, reason = ending(stepped, "drift:delay")
    assert state == "resolved"
    assert "the reference has adapted: still " in reason
    assert reason.endswith(" nats from the baseline of 2024-01-01 … 01-07")


def test_frozen_and_empty_columns_stay_in_sight(stepped: Context) -> None:
    """On the fortieth day as on the first."""
    for number in (STEP, STEP + STAYS - 1):
        report = recall(stepped, days(stepped, number, number)[0])
        found = {(finding.column, finding.kind): finding.message for finding in report.findings if finding.column}
        frozen = found["carrier", "frozen"]
        assert frozen == "column carrier: one value ('AA') in every row, where the baseline had 3"
        assert found["late", "all_null"] == "column late: no value in any row, where 0.0 % are missing in the baseline"
        # What stepped, and was called, has not moved slowly.
        assert ("delay", "moved") not in found


def test_lost_rows_stay_in_sight(stepped: Context) -> None:
    """As a finding of every window, and in the end of the alert."""
    report = recall(stepped, days(stepped, STEP + STAYS - 1, STEP + STAYS - 1)[0])
    (adapted,) = [str(finding) for finding in report.findings if finding.kind == "adapted"]
    assert adapted == (
        "100 rows, 75 % fewer than usual in the baseline of 2024-01-01 … 01-07 (400, give or take 5.0 %): "
        "the reference has adapted"
    )
    assert ending(stepped, "volume:fewer") == ("resolved", f"2 quiet windows in a row: usual; {adapted}")


def test_what_came_back_by_itself_has_not_been_adapted_to(
    opened: Callable[..., Context], tmp_path: Path, warehouse: str
) -> None:
    """The end of one odd day says nothing of the kind."""
    write_sql(shifted(rows(LAST + 11)), warehouse)
    context = opened(f"sqlite:///{tmp_path / 'drift.db'}", warehouse)
    backfill(context, last=LAST + 10)
    state, reason = ending(context, "drift:delay")
    assert state == "resolved"
    assert "adapted" not in reason


# -- the same weekday -------------------------------------------------------------------------------------------------


def test_the_same_weekday_excuses_a_weekend(opened: Callable[..., Context], tmp_path: Path) -> None:
    """Once four weeks are known, a Sunday is compared with Sundays, and says so; without `seasonal` it never is."""
    frame = rows(43)
    weekend = frame["day"].map(lambda each: each.weekday() >= 5)
    frame.loc[weekend, "delay"] += 4
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(frame, url)
    found = {}
    for seasonal in ("true", "false"):
        text = monitor_text(
            SQL, reference="{trailing: 14d, min_windows: 3}", detection=f"{{min_rows: 100, seasonal: {seasonal}}}"
        )
        context = opened(f"sqlite:///{tmp_path / seasonal}.db", url, text)
        found[seasonal] = backfill(context, last=42)
    sunday = found["true"][41]["delay"].score
    assert sunday is not None
    assert found["true"][41]["delay"].explanation.reference == "same weekday of 8 weeks"
    assert sunday.kl_corrected < 0.02
    assert found["true"][38]["carrier"].explanation.reference == "trailing 14d"
    assert found["true"][41].reference == "trailing 14d: 14 of 14 windows; same weekday of 8 weeks: 5 of 8"
    alone = found["false"][41]["delay"].score
    assert alone is not None
    assert found["false"][41]["delay"].explanation.reference == ""
    assert alone.kl_corrected > 0.1
