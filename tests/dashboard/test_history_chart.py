"""The chart of a feature's history: to scale, its thresholds in sight, and silent about nothing."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.alerts.alerts import fold
from drift.config.alerts import Policy
from drift.dashboard.formatting import local_time_of
from drift.dashboard.history_chart import KL, ROOM, history, kl_panel
from drift.dashboard.time_axis import Span
from drift.detection.onset import Onset
from drift.store.reads.windows import WindowState
from drift.windows import Calendar
from tests.support.alert_samples import say
from tests.support.dashboard_samples import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.windows import Window

NEW_YORK = {"window": {"every": "1d", "timezone": "America/New_York"}}


def days(n: int, every: str = "1d", first: datetime = datetime(2013, 3, 1, 12, tzinfo=UTC)) -> list[Window]:
    """Windows one after the other."""
    found = [Calendar(every, "America/New_York").containing(first)]
    while len(found) < n:
        found.append(Calendar(every, "America/New_York").containing(found[-1].end))
    return found


def row(window: Window, kl: float | None, **more: Any) -> dict[str, Any]:
    """A stored score."""
    missing = {"kl": None, "kl_corrected": None, "ci_low": None, "ci_high": None, "status": "insufficient_data"}
    score = {"kl": kl, "kl_corrected": kl, "ci_low": (kl or 0) / 2, "ci_high": 2 * (kl or 0), "status": "ok"}
    return {
        "window_start": window.start, "window_end": window.end, "severity": "none", "reason": "r", "warning": 0.01,
        "critical": 0.1, "scale": "kl", "kl_fixed": None, "n_current": 10, "n_reference": 100,
        "null_rate_current": 0.5, "null_rate_reference": 0.25, **(missing if kl is None else score), **more,
    }  # fmt: skip


def drawn(rows: Sequence[dict[str, Any]], states: Sequence[WindowState] = (), **more: Any) -> str:
    """The chart, its links to nowhere."""
    return history(rows, states, local_time_of(NEW_YORK), to=lambda start: f"#{start:%H%d}", **more)


def path(markup: str, kind: str) -> str:
    """The commands of a path."""
    found = re.search(rf'<path d="([^"]*)" class="{kind}"', markup)
    assert found is not None
    return found[1]


@given(
    st.lists(st.none() | st.floats(0, 3), min_size=1, max_size=12),
    st.sampled_from(["linear", "log"]),
    st.sampled_from(["1h", "1d", "1mo"]),
)
def test_every_score_stands_at_its_time_and_height(scores: list[float | None], scale: str, every: str) -> None:
    """The line has a corner for each score, in the middle of its window, and breaks where there is none."""
    rows = [row(window, score) for window, score in zip(days(len(scores), every), scores, strict=True)]
    panel = kl_panel(rows, log=scale == "log")
    span = Span(rows[0]["window_start"], rows[-1]["window_end"], UTC)
    markup = drawn(rows, log=scale == "log")
    line = path(markup, "line kl_corrected")
    corners = [tuple(map(float, each.split())) for each in re.findall(r"[ML]([\d.]+ [\d.]+)", line)]
    scored = [each for each in rows if each["kl"] is not None]
    for (x, y), each in zip(corners, scored, strict=True):
        assert x == pytest.approx(span.at(each["window_start"] + (each["window_end"] - each["window_start"]) / 2, 1000),
                                  abs=0.06)  # fmt: skip
        assert y == pytest.approx(panel.y(each["kl"]), abs=0.06)
    stretches = "".join("." if score is None else "x" for score in scores).replace(".", " ").split()
    assert line.count("M") == path(markup, "band").count("z") == len(stretches)
    assert KL[0] <= min((y for _, y in corners), default=KL[0])
    assert markup.count("<title>") == len(rows)


@given(
    st.lists(st.floats(0, 50), min_size=1, max_size=20),
    st.floats(1e-4, 1).flatmap(lambda critical: st.tuples(st.floats(critical / 10, critical), st.just(critical))),
    st.sampled_from(["linear", "log"]),
)
def test_thresholds_are_in_sight(scores: list[float], limits: tuple[float, float], scale: str) -> None:
    """On either scale both thresholds lie within the chart, apart from zero unless most windows are far beyond them."""
    warning, critical = limits
    rows = [row(w, s, warning=warning, critical=critical) for w, s in zip(days(len(scores)), scores, strict=True)]
    panel = kl_panel(rows, log=scale == "log")
    assert panel.top <= panel.y(critical) <= panel.y(warning) <= panel.base
    if scale == "linear" and sorted(scores)[len(scores) // 2] <= critical:
        assert panel.base - panel.y(critical) >= (panel.base - panel.top) / (ROOM * 1.06)


def test_what_is_higher_than_the_chart_is_said() -> None:
    """The linear scale says which windows it cuts off; the logarithmic one cuts none."""
    rows = [row(window, score, kl_fixed=2.0) for window, score in zip(days(9), [0.01] * 8 + [3.21], strict=True)]
    said = "Higher than the chart: 2013-03-09 (3.21), the KL from the fixed baseline in 9 windows;"
    assert said in drawn(rows)
    assert "Higher" not in drawn(rows, log=True)


def test_a_threshold_in_another_measure_has_no_height() -> None:
    """Where an effect is measured in the feature's own unit its thresholds are not drawn as if they were nats."""
    rows = [row(window, 0.2, scale="mean %") for window in days(3)]
    assert path(drawn(rows), "line limit critical") == ""
    assert "thresholds 0.01 / 0.1 (mean %)" in drawn(rows)


def test_a_window_without_a_score_interrupts_and_is_marked() -> None:
    """A window that was rejected, of which no score is stored, is a gap as one with too few rows is."""
    first, second, third, last = days(4)
    rows = [row(first, 0.1), row(third, 0.1), row(last, None)]
    states = [WindowState("m", each.start, each.end, "rejected") for each in (first, second, third)]
    markup = drawn(rows, states)
    assert path(markup, "line kl_corrected").count("M") == 2
    assert re.findall(r'class="mark s-(\w+)"', markup) == ["rejected", "insufficient_data"]
    assert "2013-03-02: rejected by its expectations</title>" in markup


def test_times_are_local_and_have_their_year() -> None:
    """Ticks stand at local midnight, across a change of the clock too, and at every zoom a year is written."""
    hours = [row(window, 0.1) for window in days(72, "1h", datetime(2013, 3, 9, 5, tzinfo=UTC))]
    span = Span(hours[0]["window_start"], hours[-1]["window_end"], local_time_of(NEW_YORK).calendar.zone)
    ticks = {label: at for at, label in span.ticks(4).items()}
    midnights = dict(zip(("2013-03-09", "2013-03-10", "2013-03-11", "2013-03-12"), (0, 24, 47, 71), strict=True))
    assert ticks == {day: pytest.approx(span.at(span.start + timedelta(hours=h))) for day, h in midnights.items()}
    for every, n in (("1h", 20), ("1d", 30), ("1mo", 40)):
        assert re.search(r">20\d\d(-|<)", drawn([row(window, 0.1) for window in days(n, every)]))


def test_since_when_stands_on_the_chart() -> None:
    """The set of windows in which a change began, from the earliest to the end of the latest, and the most likely."""
    windows = days(10)
    onset = Onset(windows[4].start, windows[3].start, windows[5].start)
    (alert,) = fold([replace(say(1, "critical"), window=windows[6], onset=onset)], [], None, "flights", Policy())
    markup = drawn([row(window, 0.2) for window in windows], alerts=[alert])
    (at,) = re.findall(r'<rect x="([\d.]+)%" width="([\d.]+)%" y="[\d.]+" height="[\d.]+" class="onset"/>', markup)
    assert [float(part) for part in at] == pytest.approx([30, 30], abs=1)
    assert float(re.findall(r'<line x1="([\d.]+)%"[^>]*class="onset"', markup)[0]) == pytest.approx(40, abs=1)


def test_what_a_pointer_finds_is_text() -> None:
    """Each number on its line; a hostile reason is not markup, and what cannot be seen is made visible."""
    markup = drawn([row(days(1)[0], 0.1, reason=HOSTILE)])
    assert "<title>2013-03-01: ok\nKL 0.1000 nats, corrected 0.1000\n95 % 0.0500 … 0.2000\n" in markup
    assert "<script" not in markup
    assert "\u202e" not in markup
    assert "<script>alert(1)" in html.unescape(markup)
