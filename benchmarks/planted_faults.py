"""Nine faults planted in the rows of real days: how many are told, how soon, and what a quiet year costs.

    python -m benchmarks.planted_faults [--quick] [--times N] [--seed N]

The flights of 2013 under the demo's monitor with its default detection. Every fault is put into the raw rows of three
days in a row, many times, on ordinary days drawn by the seed; the days are counted again under the monitor's bins and
scored by the very stages a run uses, each looking back at the year as it was. A fault counts as found where the status
of its feature is warning or critical. The peers' rules are written anew from their formulas and see the same rows.

Ordinary is a day on which less than a tenth of the flights was cancelled and those that left were less than 45 minutes
late on average; no detector has a say in it. Expectations are left out: a gate that rejects what is planted finds it
before any statistics do.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.faults import ELSEWHERE, NINE, Fault
from benchmarks.peer_rules import RULES, Sample, told_by
from drift.config.monitor import load_monitor
from drift.pipeline import compare, evaluate, replay
from drift.profiles.counting import count
from drift.profiles.fitting import fit
from drift.store.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from drift.config.monitor import Monitor
    from drift.detection.reports import Gate, Report
    from drift.detection.scores import Verdict
    from drift.pipeline.context import Context
    from drift.pipeline.replay import Replay
    from drift.profiles.binning import Binning
    from drift.profiles.histograms import Profile
    from drift.store.base import State, StateReader
    from drift.windows import Window

    Floats = NDArray[np.float64]

ROOT = Path(__file__).parent.parent
SEED = 2013
LASTING = 3
"""Days a fault lasts."""

EARLY = 63
"""Every later day has the eight weeks behind it that the history, and the longest reference, look back on."""

ACCEPTED: Gate = "accepted"


# --- the year, as the demo's monitor sees it


@dataclass(frozen=True)
class Year:
    """A year of rows, its counts, and what the monitor told of it as it was."""

    context: Context[State]
    memory: Memory
    rows: Mapping[Window, pa.Table]
    binnings: Mapping[str, Binning]
    replayed: Replay
    odd: frozenset[Window]

    @property
    def windows(self) -> list[Window]:
        """Every day, in order."""
        return list(self.rows)

    @property
    def judged(self) -> range:
        """The days that have a history, by their place in the year."""
        return range(EARLY, len(self.windows))

    @property
    def ordinary(self) -> list[int]:
        """Those of them that are ordinary."""
        return [i for i in self.judged if self.windows[i] not in self.odd]

    def profile(self, window: Window, table: pa.Table) -> Profile:
        """Count rows as the monitor does."""
        return _profile(table, self.binnings, window)


def load() -> Year:
    """Read the flights under the demo's monitor, and score the year."""
    monitor = load_monitor(ROOT / "dags" / "monitors" / "flights.yaml").model_copy(update={"expectations": []})
    rows = by_day(pq.read_table(ROOT / "data" / "flights.parquet"), "flight_date", monitor)
    return lived(monitor, rows, frozenset(w for w, table in rows.items() if is_odd(table)))


def lived(monitor: Monitor, rows: Mapping[Window, pa.Table], odd: frozenset[Window]) -> Year:
    """Fit the bins as the first run of a demo does, count every day once and score the year."""
    memory = Memory(cast("StateReader", None))
    context = replay.offline(monitor, memory)
    windows = list(rows)
    first, binnings = _fitted(context, rows)
    memory.binnings |= binnings
    span = {"version": 1, "fitted_from": first[0].start, "fitted_to": first[-1].end}
    memory.fitted = {feature: {**span, "fingerprint": binning.fingerprint} for feature, binning in binnings.items()}
    # Days before the first are known to hold nothing: nothing is left to be asked of a database.
    asked = {each for window in windows for each in (*context.needed(window), *context.remembered(window))}
    memory.counts |= dict.fromkeys(asked)
    memory.decisions |= {window: ACCEPTED if window in rows else None for window in asked}
    memory.counts |= {window: (_profile(table, binnings, window), ACCEPTED) for window, table in rows.items()}
    memory.given = frozenset(asked)
    replayed = replay.replay(context.monitor, memory, windows)
    return Year(context, memory, rows, binnings, replayed, odd)


def is_odd(table: pa.Table) -> bool:
    """Say whether a tenth of the flights was cancelled, or those that left were 45 minutes late on average."""
    delay = table["dep_delay"]
    return bool(delay.null_count >= 0.1 * len(delay) or pc.mean(delay).as_py() >= 45)


def by_day(table: pa.Table, column: str, monitor: Monitor) -> dict[Window, pa.Table]:
    """Part rows by a column of dates."""
    table = table.sort_by(column)
    days, starts = np.unique(table[column].to_numpy(), return_index=True)
    ends = [*starts[1:].tolist(), table.num_rows]
    calendar = monitor.window.calendar
    return {
        calendar.starting(day): table.slice(start, end - start)
        for day, start, end in zip(days.tolist(), starts.tolist(), ends, strict=True)
    }


def _fitted(context: Context[State], rows: Mapping[Window, pa.Table]) -> tuple[list[Window], dict[str, Binning]]:
    """Fit the bins on the earliest reference of which the oldest day has rows, as `monitoring.prepare` does."""
    monitor = context.monitor
    whole = next(found for window in rows if (found := context.reference_windows(window))[0] in rows)
    filled = [w for w in whole if w in rows]
    total = sum(rows[w].num_rows for w in filled)
    features = context.source.features(rows[filled[0]].column_names)
    batches = (batch for w in filled for batch in rows[w].to_batches())
    options = compare.fit_options(features, monitor.features, salt=context.name)
    binnings, problems = fit(batches, options, expected_rows=total // len(filled))
    if problems:
        raise SystemExit(f"no bins: {problems}")
    return filled, binnings


def _profile(table: pa.Table, binnings: Mapping[str, Binning], window: Window) -> Profile:
    schema = {field.name: str(field.type) for field in table.schema}
    return count(table.to_batches(), binnings, window=window, schema=schema)


# --- planting

OURS = "Drift"


class Peers:
    """The rules of the peers on the year; each sample is taken once."""

    def __init__(self, year: Year) -> None:
        self.year = year
        self.codes: dict[object, float] = {}
        self.samples = {window: self.sampled(table) for window, table in year.rows.items()}
        self.known: dict[tuple[Window, str], frozenset[str]] = {}

    def numeric(self, feature: str) -> bool:
        """Say whether a feature is a number."""
        return self.year.binnings[feature].ordered

    def sampled(self, table: pa.Table) -> dict[str, Sample]:
        """Return the values of every feature."""
        return {feature: self._sample(table[feature], feature) for feature in self.year.binnings}

    def told(self, window: Window, feature: str, changed: Mapping[Window, Mapping[str, Sample]]) -> frozenset[str]:
        """Return the rules that call one feature of a day, where some days hold other values."""
        if not changed and (window, feature) in self.known:
            return self.known[window, feature]
        chunks = [
            {**self.samples, **changed}[w][feature]
            for w in self.year.context.reference_windows(window)
            if w in self.samples
        ]
        called = told_by(chunks, {**self.samples, **changed}[window][feature], numeric=self.numeric(feature))
        if not changed:
            self.known[window, feature] = called
        return called

    def _sample(self, column: pa.ChunkedArray[Any], feature: str) -> Sample:
        found = column.drop_null().value_counts()
        values, rows = found.field("values"), found.field("counts").to_numpy().astype(np.float64)
        numbers = (
            values.to_numpy().astype(np.float64)
            if self.numeric(feature)
            else np.array([self.codes.setdefault(v, float(len(self.codes))) for v in values.to_pylist()])
        )
        order = np.argsort(numbers)
        return Sample(numbers[order], rows[order])


@dataclass(frozen=True, slots=True)
class Planted:
    """One fault on three days: what was told of its feature each day, with the fault and without it.

    Parameters
    ----------
    fault, first
    told, unplanted
        The rules that told of its feature, a day each.
    verdicts
        Ours, a day each.
    collateral
        Other features that ours told of on any of the days, and did not without the fault.
    """

    fault: Fault
    first: Window
    told: Sequence[frozenset[str]]
    unplanted: Sequence[frozenset[str]]
    verdicts: Sequence[Verdict]
    collateral: frozenset[str]


def places(year: Year, times: int, rng: np.random.Generator) -> list[int]:
    """Draw so many first days, one from each of as many stretches of the year; no odd day within reach.

    The two days before count for persistence, so that neither they nor the three of the fault may be odd.
    """
    ordinary = set(year.ordinary)
    quiet = [i for i in year.ordinary if all(i + k in ordinary for k in range(-2, LASTING))]
    return [int(rng.choice(stretch)) for stretch in np.array_split(quiet, min(times, len(quiet)))]


def plant(year: Year, peers: Peers, fault: Fault, first: int, rng: np.random.Generator) -> Planted:
    """Put a fault into the rows of three days and score them."""
    windows = year.windows[first : first + LASTING]
    spoiled = {window: fault.spoil(year.rows[window], rng) for window in windows}
    counts: dict[Window, tuple[Profile, Gate] | None] = {
        window: (year.profile(window, table), ACCEPTED) for window, table in spoiled.items()
    }
    branch = year.memory.branch(first, counts)
    on = replay.offline(year.context.monitor, branch)
    reports = [evaluate.evaluate_window(on, window) for window in windows]
    before = year.replayed.reports[first : first + LASTING]
    changed = {window: peers.sampled(table) for window, table in spoiled.items()}
    feature = fault.feature
    return Planted(
        fault,
        windows[0],
        [ours(report[feature]) | peers.told(report_window, feature, changed) for report, report_window in _of(reports)],
        [ours(report[feature]) | peers.told(report_window, feature, {}) for report, report_window in _of(before)],
        [report[feature] for report in reports],
        frozenset(
            verdict.feature
            for report, was in zip(reports, before, strict=True)
            for verdict in report.drifting
            if verdict.feature != feature and not was[verdict.feature].drifting
        ),
    )


def ours(verdict: Verdict) -> frozenset[str]:
    """Return our name where we told of it."""
    return frozenset({OURS} if verdict.drifting else ())


def _of(reports: Iterable[Report]) -> list[tuple[Report, Window]]:
    return [(report, report.window) for report in reports if report.window is not None]


def said_no(verdict: Verdict, *, fdr: float, z: float) -> str:
    """Return which rule kept a verdict from being told; empty where none did."""
    score = verdict.score
    if verdict.drifting:
        return ""
    if score is None or verdict.status != "ok":
        return verdict.status
    if verdict.severity != "none":
        return "persistence"
    if score.q > fdr:
        return "q"
    if score.kl_corrected < verdict.warning:
        return "floor"
    return "z" if score.z is not None and score.z < z else "other"


# --- what is printed


def markdown(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table."""
    print("\n| " + " | ".join(heading) + " |")
    print("|" + "---|" * len(heading))
    for row in rows:
        print("| " + " | ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row) + " |")


def share(planted: Sequence[Planted], rule: str, *, days: int, fault: bool = True) -> float:
    """Return the share of faults told by a rule within so many days; without the fault, that of the same days told."""
    told = [any(rule in day for day in (one.told if fault else one.unplanted)[:days]) for one in planted]
    return float(np.mean(told))


def recall_table(faults: Sequence[Fault], planted: Mapping[Fault, Sequence[Planted]]) -> None:
    """Print how many faults each rule told, on the first day and by the third."""
    rules, last = (OURS, *RULES), f"by day {LASTING}"
    rows: list[list[object]] = []
    for fault in faults:
        found = (both(share(planted[fault], rule, days=days) for days in (1, LASTING)) for rule in rules)
        rows.append([f"{fault.name} · `{fault.feature}`", *found])

    def mean(rule: str, days: int, *, fault: bool = True) -> float:
        return float(np.mean([share(planted[each], rule, days=days, fault=fault) for each in faults]))

    rows.append(["**mean**", *(both(mean(rule, days) for days in (1, LASTING)) for rule in rules)])
    quiet = (both(mean(rule, days, fault=False) for days in (1, LASTING)) for rule in rules)
    rows.append(["nothing planted, same days and features", *quiet])
    markdown([f"fault · feature: day 1 / {last}", *rules], rows)


def both(shares: Iterable[float]) -> str:
    """Write two shares."""
    return " / ".join(f"{value:.2f}" for value in shares)


def losses_table(faults: Sequence[Fault], planted: Mapping[Fault, Sequence[Planted]], year: Year) -> None:
    """Print what kept ours from telling, and how the planted days scored."""
    detection = year.context.monitor.detection
    rows: list[list[object]] = []
    for fault in faults:
        some = planted[fault]
        lost_at = [
            Counter(
                why for one in some if (why := said_no(one.verdicts[day], fdr=detection.fdr, z=detection.z))
            ).most_common()
            for day in (0, LASTING - 1)
        ]
        scores = [one.verdicts[0].score for one in some]
        kls = [s.kl_corrected for s in scores if s]
        zs = [s.z for s in scores if s and s.z is not None]
        collateral = Counter(feature for one in some for feature in one.collateral).most_common(4)
        rows.append([
            f"{fault.name} · `{fault.feature}`",
            *(", ".join(f"{why} {n}" for why, n in day) or "–" for day in lost_at),
            " / ".join(f"{v:.3f}" for v in np.quantile(kls, [0.1, 0.5, 0.9])),
            " / ".join(f"{v:.1f}" for v in np.quantile(zs, [0.1, 0.5, 0.9])) if zs else "–",
            ", ".join(f"{feature} {n}" for feature, n in collateral) or "–",
        ])  # fmt: skip
    markdown(
        ["fault · feature", "not notified on day 1 by", "on day 3 by", "corrected KL day 1 (10/50/90 %)", "z day 1",
         f"other features notified, of {len(planted[faults[0]])}"],
        rows,
    )  # fmt: skip


def pages_table(year: Year, peers: Peers) -> None:
    """Print what each rule tells of the year as it was, an ordinary month."""
    months = len(year.ordinary) / 30
    rows: list[list[object]] = []
    told = {
        (i, feature): peers.told(year.windows[i], feature, {}) | ours(year.replayed.reports[i][feature])
        for i in year.judged
        for feature in year.binnings
    }
    ordinary = set(year.ordinary)
    for rule in (OURS, *RULES):
        days = {i for (i, _), rules in told.items() if rule in rules}
        alerts = sum(rule in rules for (i, _), rules in told.items() if i in ordinary)
        rows.append([
            rule,
            len(days & ordinary) / months,
            alerts / months,
            f"{len(days - ordinary)} of {len(year.judged) - len(ordinary)}",
        ])  # fmt: skip
    markdown(["rule", "ordinary days notified", "feature alerts on them", "odd days notified"], rows)
    starts = {year.windows[i].start for i in ordinary}
    calls = {
        (call.window, call.feature): call.transition
        for call in year.replayed.calls
        if call.about_data and call.window in starts
    }
    print(
        f"\nDrift's pages (alerts opened, reopened, escalated) on ordinary days: {len(calls)}, "
        f"**{len(calls) / months:.2f} in 30 days**. Notified on ordinary days:"
    )
    for i in sorted(ordinary):
        for verdict in year.replayed.reports[i].drifting:
            paged = calls.get((year.windows[i].start, verdict.feature), "no new page")
            day = year.context.label(year.windows[i])
            print(f"- {day} `{verdict.feature}` {verdict.status} ({paged}): {verdict.reason}")
    others = Counter(call.key for call in year.replayed.calls if not call.about_data and call.window in starts)
    print(f"Of anything but drift on ordinary days: {dict(others) or 'none'}.")
    early = sum(report.status in {"warning", "critical"} for report in year.replayed.reports[: year.judged[0]])
    few = f"Before {year.windows[EARLY].start:%m-%d}, while there is little to look back on"
    print(f"\n{few}: {early} of {EARLY} days notified.")


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="ten days a fault, and the nine alone")
    parser.add_argument("--times", type=int, help="days a fault is planted on (30; quick 10)")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(argv)
    times = options.times or (10 if options.quick else 30)
    started = time.perf_counter()
    year = load()
    peers = Peers(year)
    odd = ", ".join(f"{year.context.label(year.windows[i])[5:]}" for i in year.judged if i not in set(year.ordinary))
    print(f"{len(year.ordinary)} ordinary days from {year.windows[EARLY].start:%m-%d}; left out as odd: {odd}.")
    print(f"[loaded and scored: {time.perf_counter() - started:.0f} s]", flush=True)
    faults = NINE if options.quick else (*NINE, *ELSEWHERE)
    planted = {
        fault: [
            plant(year, peers, fault, first, np.random.default_rng([options.seed, at, first]))
            for first in places(year, times, np.random.default_rng([options.seed, at]))
        ]
        for at, fault in enumerate(faults)
    }
    print(f"[planted: {time.perf_counter() - started:.0f} s]", flush=True)
    print(f"\n## Notified, {times} times each, seed {options.seed}")
    recall_table(NINE, planted)
    losses_table(NINE, planted, year)
    if not options.quick:
        print("\n## The same faults in other features")
        recall_table(ELSEWHERE, planted)
        losses_table(ELSEWHERE, planted, year)
    print("\n## 30 ordinary days")
    pages_table(year, peers)
    print(f"[{time.perf_counter() - started:.0f} s]")


if __name__ == "__main__":
    main()
