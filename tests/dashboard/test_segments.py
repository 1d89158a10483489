"""The dashboard in a segment: a reader chooses one, and stays in it from page to page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from drift import dashboard
from drift.pipeline import run
from tests.support.dashboard_samples import url
from tests.support.flights import FIRST, SQL, clock, monitor_text, open_context, rows, write_sql

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '<b>&"A=A'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A reader of a monitor that cuts by carrier; a small carrier is late on the last two days."""
    folder: Path = tmp_path_factory.mktemp("segments")
    frame = rows(10, 1200)
    late = (frame["carrier"] == "DL") & (frame["day"] >= FIRST + timedelta(days=8))
    frame["delay"] += 4 * late
    frame["carrier"] = frame["carrier"].replace("AA", HOSTILE)
    write_sql(frame, f"sqlite:///{folder}/warehouse.db")
    text = monitor_text(SQL, segments="[carrier]", detection="{min_rows: 100, history: 0}")
    context = open_context(f"sqlite:///{folder}/drift.db", f"sqlite:///{folder}/warehouse.db", text)
    calendar = context.monitor.window.calendar
    windows = [calendar.starting(FIRST + timedelta(days=i)) for i in range(10)]
    run.backfill(context, windows, clock=clock)
    return TestClient(dashboard.create_app(context.store), raise_server_exceptions=True)


def test_a_reader_chooses_a_segment(client: TestClient) -> None:
    """The monitor's page offers them all, hostile names as text, and its heatmap is then of that one."""
    whole = client.get(url("monitor", name="flights")).text
    assert '<option value="carrier=DL">' in whole
    assert "&lt;b&gt;" in whole
    assert "<b>&" not in whole
    assert "segment=carrier" not in whole
    inside = client.get(url("monitor", name="flights", segment="carrier=DL")).text
    assert '<option value="carrier=DL" selected>' in inside
    assert "segment=carrier%3DDL" in inside
    assert "delay" in inside
    assert client.get(url("monitor", name="flights", segment="gone")).status_code == 200


def test_a_feature_in_a_segment(client: TestClient) -> None:
    """Its page, its charts and every link on it stay there; one leads back to the whole window."""
    page = client.get(url("feature", monitor="flights", feature="delay", segment="carrier=DL"))
    assert page.status_code == 200
    assert re.search(r"<h1>.*delay.* in .*carrier=DL", page.text)
    assert page.text.count("segment=carrier%3DDL") >= 5
    assert client.get(url("feature", monitor="flights", feature="delay", segment="gone")).status_code == 404


def test_the_interface_speaks_of_segments(client: TestClient) -> None:
    """Scores, features, reports and alerts of one segment; the whole window unless one is named."""
    whole = client.get(url("api/v1/scores", monitor="flights", feature="delay", windows=1)).json()["scores"][0]
    asked = url("api/v1/scores", monitor="flights", feature="delay", windows=1, segment="carrier=DL")
    inside = client.get(asked).json()["scores"][0]
    assert inside["n_current"] < whole["n_current"]
    assert inside["kl"] > 5 * whole["kl"]
    features = client.get(url("api/v1/features", monitor="flights", segment="carrier=DL")).json()["features"]
    assert features == ["delay", "late"]
    report = client.get(url("api/v1/report", monitor="flights")).json()
    assert {f"carrier={name}" for name in ("B6", "DL")} < set(report["segments"])
    window = report["window"]["start"]
    asked = url("api/v1/compare", monitor="flights", feature="delay", window=window, segment="carrier=DL")
    compared = client.get(asked).json()
    assert compared["n_current"] == inside["n_current"]
    (alert,) = client.get(url("api/v1/alerts", monitor="flights")).json()["alerts"]
    assert (alert["feature"], alert["segment"]) == ("delay", "carrier=DL")
    shown = client.get(url("alert", id=alert["id"])).text
    assert "segment=carrier%3DDL" in shown
