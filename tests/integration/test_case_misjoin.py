"""A join on the wrong key, from files to messages: what breaks with it is one incident, and one page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.support.daily import live

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROWS, CALM, FIRST = 1500, 24, datetime(2024, 1, 1, tzinfo=UTC)
ALSO_DRIFTS = {"same day": 0, "next day": 1, "day before": -1}


def day(rng: np.random.Generator, mixed: float = 0.0, shift: float = 0.0) -> Mapping[str, Any]:
    """Return rows in which airline, gate and miles go together; of some the airline and the gate are of other rows."""
    airline = rng.integers(0, 4, ROWS)
    gate = np.where(rng.random(ROWS) < 0.2, rng.integers(0, 4, ROWS), airline)
    miles = rng.normal(500 + 300 * airline, 150)
    order, chosen = np.arange(ROWS), rng.choice(ROWS, round(mixed * ROWS), replace=False)
    order[chosen] = rng.permutation(chosen)
    names = np.array(["AA", "B6", "DL", "UA"])
    return {
        "airline": names[airline][order],
        "gate": np.array(["A", "B", "C", "D"])[gate][order],
        "miles": miles + shift,
        "crew": names[np.where(rng.random(ROWS) < 0.2, rng.integers(0, 4, ROWS), airline)],
    }


def test_columns_that_break_together_are_one_incident_dated_in_its_message(tmp_path: Path) -> None:
    """Airline and gate misjoined in a third of the rows for good: no feature drifts, one message, since its day."""
    rng = np.random.default_rng(11)
    columns = [day(rng) for _ in range(CALM)] + [day(rng, 0.35) for _ in range(4)]
    context, reports = live(tmp_path, columns, "reference: {trailing: 14d}")
    assert not any(report.drifting for report in reports)
    alerts = context.store.alerts()
    assert {alert.kind for alert in alerts} == {"relationship"}
    assert len({alert.incident for alert in alerts}) == 1
    true = FIRST + timedelta(days=CALM)
    assert {alert.onset and alert.onset.most_likely for alert in alerts} == {true}
    (sent,) = context.store.due_notifications(true + timedelta(days=9), 500)
    assert "since 2024-01-25" in sent.body


@pytest.mark.parametrize("later", ALSO_DRIFTS.values(), ids=ALSO_DRIFTS)
def test_a_column_that_drifts_says_what_its_relationships_do(tmp_path: Path, later: int) -> None:
    """Airline and gate misjoined and miles shifted, at once or a day apart: one incident, one page, and one end."""
    rng = np.random.default_rng(12)
    columns = [day(rng) for _ in range(CALM)]
    columns += [day(rng, shift=900 * (later <= at), mixed=1.0 * (at >= 0)) for at in range(-1, 5)]
    columns += [day(rng) for _ in range(4)]
    context, _ = live(tmp_path, columns, "reference: {fixed: [2024-01-01, 2024-01-21]}")
    alerts = {alert.key: alert for alert in context.store.alerts()}
    first = FIRST + timedelta(days=CALM + 1 + min(later, 0))
    assert {alert.kind for alert in alerts.values()} == {"drift", "relationship"}
    assert len({alert.incident for alert in alerts.values()}) == 1
    assert {alert.opened_window for alert in alerts.values()} <= {first, first + timedelta(days=1)}
    end = FIRST + timedelta(days=CALM + 5)
    assert {alert.state for alert in alerts.values()} == {"resolved"}
    assert all(alert.resolved_window and alert.resolved_window >= end for alert in alerts.values())
    opened, over = context.store.due_notifications(end + timedelta(days=9), 500)
    assert "since 2024-01-2" in opened.body
    assert (opened.payload["urgency"], over.payload["urgency"]) == ("critical", "resolved")
