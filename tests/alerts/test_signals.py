"""What a report says of each thing that an alert may be about."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.alerts.lifecycle import advance
from drift.alerts.signals import Closing, run_signal, signals_of
from drift.detection.findings import Finding
from drift.detection.onset import Onset
from drift.detection.scores import Explanation
from tests.support.alert_samples import NOW, Record, day, keys, report, verdict

if TYPE_CHECKING:
    from drift.detection.reports import Gate
    from drift.detection.scores import Status, Verdict


def test_each_feature_speaks_for_itself() -> None:
    """Below the share for the whole table each drifting feature is told of by itself."""
    found = signals_of(report(verdict("a", "critical", 1.28), *map(verdict, "bcdef"), verdict("g", "error", None)))
    assert keys(found, "firing") == {"drift:a"}
    assert keys(found, "no_data") == {"drift:g"}
    assert {"gate", "volume:more", "table", "drift:b"} <= keys(found, "quiet")


def test_many_features_at_once_are_the_table() -> None:
    """Where five features or more, and above 20 %, drift, the table says so, and they are part of it."""
    many = [verdict(f, "warning", 0.02) for f in "abjk"] + [verdict("c", "critical", 2.0)] + [*map(verdict, "defghi")]
    found = signals_of(report(*many))
    assert keys(found, "firing") == {"table", *(f"drift:{f}" for f in "abcjk")}
    assert {o.inhibited_by for o in found if o.kind == "drift"} == {"table"}
    table = next(o for o in found if o.key == "table")
    assert (table.status, table.reason) == ("critical", "5 of 11 judged features drifted (45 %): c, a, b, …")


def test_the_table_is_dated_by_its_features() -> None:
    """As long as it drifts; and in one window alone where that is so of five features, and none drifts any longer."""
    since, before = (Onset(day(n).start, day(n).start, day(n).start) for n in (1, 0))
    alone = replace(before, kind="single")

    def table(status: Status, onset: Onset, *others: Verdict, features: str = "abcde") -> Onset | None:
        named = [replace(verdict(f, status, 2.0), explanation=Explanation(onset=onset)) for f in features]
        return next(o.onset for o in signals_of(report(*named, *others)) if o.key == "table")

    assert table("critical", since, replace(verdict("f"), explanation=Explanation(onset=alone))) == since
    assert table("ok", alone, verdict("f")) == alone
    assert table("ok", alone, verdict("f", "critical", 2.0)) is table("ok", alone, features="abcd") is None


def test_exactly_a_fifth_is_not_the_table() -> None:
    """20 % is not more than 20 %, and four features are too few to be taken together."""
    others = [verdict(f"f{i}") for i in range(20)]
    fifth = signals_of(report(*(verdict(f, "warning", 0.02) for f in "abcde"), *others))
    four = signals_of(report(*(verdict(f, "warning", 0.02) for f in "abcd")))
    assert keys(fifth, "firing") == {f"drift:{f}" for f in "abcde"}
    assert keys(four, "firing") == {f"drift:{f}" for f in "abcd"}


def test_a_table_alert_inhibits_those_of_its_features() -> None:
    """An alert that was open goes on and ends as before; those that open with the table's are notified to nobody."""
    record = Record()
    calm = [*map(verdict, "bcdefghi")]
    record.run(*signals_of(report(verdict("a", "critical", 1.0), *calm, number=1)))
    many = [verdict(f, "critical", 1.0) for f in "abcde"] + calm[4:]
    for number in (2, 3, 4):
        record.run(*signals_of(report(*many, number=number)))
    assert {a.key for a in record.state() if a.inhibited_by} == {f"drift:{f}" for f in "bcde"}
    assert {a.state for a in record.state()} == {"open"}
    for number in (5, 6):
        record.run(*signals_of(report(verdict("a"), *calm, number=number)))
    assert {a.state for a in record.state()} == {"resolved"}
    assert record.notified() == ["opened", "opened", "resolved", "resolved"]


@pytest.mark.parametrize(("gate", "severity"), [("rejected", "critical"), ("warned", "warning")])
def test_the_gate_raises_a_data_quality_alert(gate: Gate, severity: str) -> None:
    """A rejected window is critical, a warned one a warning, and the reason names the expectations."""
    record = Record()
    record.run(*signals_of(report(gate=gate), failures=["row count 3 is below 300"]))
    assert (record.only.kind, record.only.severity, record.only.key) == ("data_quality", severity, "gate")
    assert "row count 3 is below 300" in record.only.reason


def test_a_rejected_window_closes_no_drift_alert() -> None:
    """What was never scored is not quiet."""
    record = Record()
    record.run(*signals_of(report(verdict("a", "critical", 1.0), *map(verdict, "bcdef"), number=1)))
    for number in (2, 3, 4):
        record.run(*signals_of(report(gate="rejected", number=number)))
    assert {a.key: a.state for a in record.state()} == {"drift:a": "open", "gate": "open"}


def test_findings_about_columns_and_rows() -> None:
    """A missing column is critical, another change a warning, an odd number of rows a warning; the rest is no alert."""
    findings = [
        Finding("missing_column", "column a: missing", "a", "critical"),
        Finding("retyped_column", "column b: type changed from int64 to string", "b", "warning"),
        Finding("recast_column", "column c: double now, int64 in the reference", "c"),
        Finding("new_column", "column x: missing: new (bool)", "x: missing", "warning"),
        Finding("fewer_rows", "30 rows, 97 % fewer than usual (930, give or take 5 %)", severity="critical"),
        Finding("no_reference", "the reference has 3 of 28 windows with rows; it needs 14"),
    ]
    found = signals_of(report(findings=findings))
    bad = {o.key: o.status for o in found if o.state == "firing"}
    schema = {"schema:a": "critical", "schema:b": "warning", "schema:x: missing": "warning"}
    assert bad == schema | {"volume:fewer": "critical"}


GONE = Finding("missing_column", "column a: missing", "a", "critical")


def test_from_few_rows_to_many_is_news() -> None:
    """Fewer and more are alerts of their own, and ten times is worse than twice."""
    record = Record()
    few, many = (
        Finding("fewer_rows", "20 rows", severity="warning"),
        Finding("more_rows", "1,400 rows", severity="warning"),
    )
    record.run(*signals_of(report(findings=[few], number=1)))
    record.run(*signals_of(report(findings=[many], number=2)))
    record.run(*signals_of(report(findings=[replace(many, severity="critical")], number=3)))
    told = [(notice.event.transition, notice.alert.key) for notice in record.notices]
    assert told == [
        ("opened", "volume:fewer"), ("opened", "volume:more"),
        ("escalated", "volume:more"), ("resolved", "volume:fewer"),
    ]  # fmt: skip


def test_a_column_that_comes_back_resolves() -> None:
    """A schema alert closes when the finding is no longer reported, even by windows counted before it arrived."""
    record = Record()
    for number, findings in [(3, []), (4, []), (2, [GONE])]:
        record.run(*signals_of(report(findings=findings, number=number)))
    assert (record.only.state, record.only.resolved_window, record.only.feature) == ("resolved", day(4).start, "a")


def test_an_empty_window_closes_no_schema_alert() -> None:
    """Where there are no rows nothing was compared."""
    record = Record()
    record.run(*signals_of(report(findings=[GONE], number=1)))
    empty = replace(report(findings=[Finding("no_rows", "the window holds no rows")]), n_current=0)
    for number in (2, 3, 4):
        record.run(*signals_of(replace(empty, window=day(number))))
    assert {a.key: a.state for a in record.state()} == {"schema:a": "open", "rows": "open"}


def test_a_comparison_without_a_window_says_nothing() -> None:
    """`drift compare` raises no alerts."""
    assert signals_of(replace(report(verdict("a", "critical", 1.0)), window=None)) == []


def test_hostile_names_are_keys_like_any_other() -> None:
    """Names with line breaks, quotes and half a surrogate pair are told apart and never crash."""
    names = ["a\nb", "<script>", "\udc80", "column x: missing", "'; drop table alert; --", "schema:x"]
    calm = [verdict(f"calm {i}") for i in range(30)]
    done = advance(
        [], signals_of(report(*(verdict(n, "critical", 1.0) for n in names), *calm)), monitor="flights\n", now=NOW
    )
    assert {a.feature for a in done.alerts} == set(names)
    assert len({a.id for a in done.alerts}) == len(names)


def test_no_rows_are_missing_data() -> None:
    """A window without a row is critical by itself, says nothing of its number of rows, and ends when rows arrive."""
    empty = replace(report(findings=[Finding("no_rows", "the window holds no rows")]), n_current=0)
    found = {o.key: o for o in signals_of(empty)}
    assert (found["rows"].kind, found["rows"].status) == ("missing_data", "critical")
    assert not {"volume:fewer", "volume:more"} & found.keys()
    assert {"rows", "volume:fewer", "volume:more"} <= keys(signals_of(report()), "quiet")


def scored(kl: float, *, q: float = 1e-6, z: float | None = None, status: Status = "ok") -> Verdict:
    """A verdict on a feature whose warning floor is 0.01."""
    one = verdict("a", status, kl)
    assert one.score
    return replace(one, score=replace(one.score, kl_corrected=kl, q=q, z=z))


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (scored(0.006), "lingering"),
        (scored(0.004), "quiet"),
        (scored(0.006, q=0.5), "quiet"),
        (scored(0.5, z=1.9), "quiet"),
        (scored(0.5, z=2.1), "lingering"),
        (scored(0.5, status="insufficient_data"), "no_data"),
        (verdict("a", "insufficient_data", None), "no_data"),
    ],
)
def test_back_to_normal_is_well_below_what_opens(one: Verdict, state: str) -> None:
    """Significant, above half the floor and above half of what is unusual: not quiet. Less of any of these is."""
    (found,) = [o for o in signals_of(report(one), closing=Closing(0.5, 0.01, 4.0)) if o.key == "drift:a"]
    assert found.state == state
    assert found.words.endswith("not below 0.5 times what opens an alert") == (state == "lingering")


@given(st.floats(0, 1), st.floats(0, 1), st.none() | st.floats(-10, 100))
def test_at_one_there_is_no_hysteresis(kl: float, q: float, z: float | None) -> None:
    """A share of 1 lets nothing linger that the detector would not have opened."""
    opens = kl >= 0.01 and q <= 0.01 and (z is None or z >= 4.0)
    one = scored(kl, q=q, z=z)
    assert bool(Closing(1.0, 0.01, 4.0).lingers(one)) == opens


def test_a_relationship_ends_with_a_window_that_judged_it() -> None:
    """Not with one in which the column drifts by itself, is named by another, or strays, though not for long enough."""
    since = Onset(day(1).start, day(1).start, day(1).start)
    named = Finding("relationship", "a no longer goes with b, c", "a", "warning", since, ("b", "c"))
    alone = Finding("relationship", "c no longer goes with d; not yet for long enough", "c", others=("d",))
    calm = [*map(verdict, "abcd")]
    found = {one.key: one for one in signals_of(replace(report(*calm), n_pairs=6, findings=[named, alone]))}
    assert (found["relationship:a"].state, found["relationship:a"].onset) == ("firing", since)
    assert {found[f"relationship:{name}"].state for name in "bcd"} == {"lingering"}
    drifts = replace(report(verdict("a", "warning", 0.1), *calm[1:]), n_pairs=6, findings=[])
    assert keys(signals_of(drifts), "no_data") == {"relationship:a"}
    record = Record()
    for number, (verdicts, said) in enumerate([(calm, [named]), *[(drifts.verdicts, [])] * 3, *[(calm, [])] * 3]):
        record.run(*signals_of(replace(report(*verdicts, number=number), n_pairs=6, findings=said)))
    (ended,) = [one for one in record.state() if one.kind == "relationship"]
    assert (ended.state, ended.resolved_window) == ("resolved", day(5).start)


def test_a_run_speaks_for_itself() -> None:
    """A failed run opens an alert at once, and the next that succeeds ends it: one quiet window is enough."""
    record = Record()
    record.run(run_signal(day(1), "warehouse: no route to host"))
    assert (record.only.key, record.only.kind, record.only.severity) == ("run", "run", "critical")
    record.run(run_signal(day(2), None))
    assert record.only.state == "resolved"
    assert record.notified() == ["opened", "resolved"]
    assert record.events[-1].reason == "1 quiet window: the run succeeded"


def test_a_run_that_succeeds_when_tried_again_takes_its_failure_back() -> None:
    """The same window, run again, no longer asks for the alert."""
    record = Record()
    record.run(run_signal(day(1), "warehouse: no route to host"))
    record.run(run_signal(day(1), None))
    assert (record.only.withdrawn, record.notified()) == (True, ["opened", "withdrawn"])
