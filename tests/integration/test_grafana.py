"""The dashboards of deploy/grafana: each metric, label, view and column in them is what a real database answers with.

What Grafana replaces before it asks is replaced here as it does: https://grafana.com/docs/grafana/latest/datasources/
"""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from drift.alerts.messages import trial
from drift.dashboard.api import metrics
from drift.store import migrations
from drift.store.engine import make_engine
from drift.store.store import Store
from tests.support.dashboard_pairs import fill_pairs
from tests.support.dashboard_samples import MONITOR, NOW, fill

FILES = sorted((Path(__file__).parents[2] / "deploy" / "grafana").glob("*.json"))
METRICS, DATABASE = "drift-metrics", "drift-database"
BOARDS: dict[str, dict[str, Any]] = {file.stem: json.loads(file.read_text()) for file in FILES}


def targets(board: str) -> list[dict[str, Any]]:
    """Every question that a dashboard asks."""
    return [target for panel in BOARDS[board]["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("name", [METRICS, DATABASE])
def test_a_dashboard_is_whole(name: str) -> None:
    """Panels have ids of their own and do not overlap; each asks the source that the reader chooses."""
    board = BOARDS[name]
    assert board["uid"] == name
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(board))) <= variables | {"__all", "__timeFilter"}
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["datasource"]["uid"] == "${source}"
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert [target["datasource"] for target in panel["targets"]] == [panel["datasource"]] * len(panel["targets"])
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        apart = [one[a] + one[s] <= other[a] or other[a] + other[s] <= one[a] for a, s in (("x", "w"), ("y", "h"))]
        assert any(apart), (one, other)


def test_every_metric_is_there_with_its_labels(tmp_path: Path) -> None:
    """What a panel asks for, chooses by, groups by or shows is in a scrape of a dashboard with data."""
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as store:
        fill(store)
        fill_pairs(store, days=19)
        store.save_alerts([], [], [trial(MONITOR, "ops", by="ada", now=NOW)])
        scrape = metrics.exposition(store)
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(scrape):
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    asked = set()
    for target in [*targets(METRICS), {"expr": BOARDS[METRICS]["templating"]["list"][1]["definition"]}]:
        expression = target["expr"]
        for name, chosen in re.findall(r"(drift_\w+)(?:\{(.*?)\})?", expression):
            asked.add(name)
            assert set(re.findall(r'(\w+)=~?"', chosen)) <= labels[name], expression
        (shown,) = {frozenset(labels[name]) for name in re.findall(r"drift_\w+", expression)}
        grouped = [each for by in re.findall(r"by \((.*?)\)", expression) for each in by.split(", ")]
        assert {*grouped, *re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))} <= shown
    assert set(labels) - asked <= {"drift_build_info"}


def test_every_query_runs_on_the_views(postgres_url: str) -> None:
    """Each has rows, and reads views alone; a chart has a time, a name and a value."""
    with Store.open(postgres_url, create=True) as store:
        fill(store)
        store.save_alerts([], [], [trial(MONITOR, "ops", by="ada", now=NOW)])
    definitions = [variable["definition"] for variable in BOARDS[DATABASE]["templating"]["list"][1:]]
    engine = make_engine(postgres_url)
    views = {file.stem for file in (migrations.sql_folder() / "views").glob("*.sql")}
    with engine.begin() as connection:
        chosen: dict[str, str] = {}
        for variable, query in zip(("monitor", "feature"), definitions, strict=True):
            found = connection.exec_driver_sql(replaced(query, chosen)).scalars().all()
            chosen[variable] = ",".join("'" + value.replace("'", "''") + "'" for value in found)
            assert found
        for target in targets(DATABASE):
            result = connection.exec_driver_sql(replaced(target["rawSql"], chosen))
            if target["format"] == "time_series":
                assert list(result.keys())[:2] == ["time", "metric"]
            assert result.all(), target["rawSql"]
            assert set(re.findall(r"(?:FROM|JOIN) (\w+)", target["rawSql"])) <= views
    engine.dispose()


def replaced(query: str, chosen: dict[str, str]) -> str:
    """A query as Grafana sends it."""
    for name, values in chosen.items():
        query = query.replace(f"${{{name}:sqlstring}}", values)
    query = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN '2000-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z'", query)
    assert "$" not in query
    return query.replace("%", "%%")
