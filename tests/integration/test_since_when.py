"""Since when, from rows to messages: a change of one day, one that stays, and rows that fail to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.support.daily import live

if TYPE_CHECKING:
    from pathlib import Path


def test_what_came_and_went_is_told_from_what_stayed(tmp_path: Path) -> None:
    """One day's shift is that day only; half of the rows gone, and a column shifted, since a day in the set."""
    rng = np.random.default_rng(7)
    days = [
        {"x": rng.normal(2.0 * (i == 40), 1, n), "y": rng.normal(0.8 * (i >= 48), 1, n)}
        for i in range(54)
        for n in [int(rng.normal(1500, 40) * (0.4 if i >= 50 else 1))]
    ]
    context, reports = live(tmp_path, days)
    dated = {alert.key: (alert.onset, alert.state) for alert in context.store.alerts("daily")}
    assert dated.keys() == {"drift:x", "drift:y", "volume:fewer"}

    def words(key: str) -> str:
        onset = dated[key][0]
        return onset.words(context.monitor.window.calendar) if onset else ""

    assert (words("drift:x"), dated["drift:x"][1]) == ("2024-02-10 only", "resolved")
    assert (words("drift:y"), dated["drift:y"][1]) == ("since 2024-02-18", "open")
    assert (words("volume:fewer"), dated["volume:fewer"][1]) == ("since 2024-02-20", "open")
    ends = [row for row in context.store.notifications(["pending"]) if "RESOLVED" in row["body"]]
    assert ["2024-02-10 only" in row["body"] for row in ends] == [True]
    stored = context.store.load_reports("daily", since=reports[-1].window.start)[0] if reports[-1].window else None
    assert stored is not None
    assert [finding.onset for finding in stored.findings if finding.kind == "fewer_rows"] == [dated["volume:fewer"][0]]
