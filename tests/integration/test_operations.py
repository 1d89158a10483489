"""`drift doctor` and `drift prune` as they are typed, and what Prometheus scrapes."""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from drift.alerts.alerts import Alert
from drift.alerts.messages import trial
from drift.cli.app import command_line
from drift.dashboard import create_app
from drift.dashboard.api import metrics
from drift.pipeline import run as runs
from drift.store import migrations
from drift.store.store import Store
from tests.support.flights import SQL, clock, monitor_text, open_context, rows, write_sql
from tests.support.store_samples import BINNINGS, NOW, dump, judged, nth, numeric, save_everything

if TYPE_CHECKING:
    from pathlib import Path

    from drift.alerts.alerts import State

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def scraped(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Read the text format as Prometheus does, strictly: family → labels → value."""
    assert text.endswith("\n")
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in found, f"{name} twice"
            found[name] = {}
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert (name, kind) == (list(found)[-1], "gauge")
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == list(found)[-1], "samples stand together, beneath their family"
            labels, inside = [], match[2] or ""
            while inside:
                label = LABEL.match(inside)
                assert label, inside
                text_ = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), label[2])
                labels.append((label[1], text_))
                inside = inside[label.end() :]
            key = tuple(labels)
            assert key not in found[match[1]], f"{line} twice"
            found[match[1]][key] = float(match[3])
    return found


def of(**labels: str) -> tuple[tuple[str, str], ...]:
    """Labels as `scraped` returns them; their order says nothing, and prometheus-client writes them by name."""
    return tuple(sorted(labels.items()))


@pytest.fixture
def store(database_url: str) -> Any:
    """A store with a window in it."""
    with Store.open(database_url, create=True) as opened:
        save_everything(opened, NOW)
        yield opened


def test_a_scrape_says_what_the_newest_window_found(store: Store) -> None:
    """Scores, severities, statuses, durations, successes, alerts and the outbox."""
    save_everything(store, NOW + timedelta(days=1), nth(1), seed=3)
    store.save_alerts([], [], [trial("flights", "ops", by="ada", now=NOW)])
    answer = TestClient(create_app(store)).get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = scraped(answer.text)
    report = judged(BINNINGS, nth(1), seed=3)
    assert found["drift_window_end_timestamp_seconds"] == {of(monitor="flights"): nth(1).end.timestamp()}
    assert found["drift_window_rows"] == {of(monitor="flights"): 900.0}
    assert found["drift_window_kl_nats"][of(monitor="flights")] == pytest.approx(report.total_kl)
    assert found["drift_window_features"][of(monitor="flights", status="critical")] == 1
    assert found["drift_window_features"][of(monitor="flights", status="warning")] == 0
    first = report.verdicts[0]
    assert first.score is not None
    key = of(monitor="flights", feature=first.feature)
    assert found["drift_feature_kl_nats"][key] == pytest.approx(first.score.kl_corrected)
    assert found["drift_feature_severity"][key] == 2
    assert found["drift_run_status"][of(monitor="flights", status="critical")] == 1
    assert sum(found["drift_run_status"].values()) == 1
    assert found["drift_run_last_success_timestamp_seconds"] == {
        of(monitor="flights"): (NOW + timedelta(days=1)).timestamp()
    }
    assert found["drift_run_duration_seconds"] == {of(monitor="flights"): 0.0}
    assert found["drift_outbox_notifications"] == {
        of(state=state): float(state == "pending") for state in ("pending", "sent", "dead", "merged")
    }
    assert found["drift_outbox_oldest_pending_timestamp_seconds"] == {(): NOW.timestamp()}


def test_alerts_are_counted_by_state(store: Store) -> None:
    """Those that are live and those that are over."""
    common: dict[str, Any] = {"monitor": "flights", "kind": "drift", "reason": "", "worst": "critical"}
    common |= {"opened_at": NOW, "last_seen_at": NOW, "opened_window": nth(0).start, "last_window": nth(0).start}
    states: tuple[State, ...] = ("open", "open", "resolved")
    alerts = [
        Alert(id=f"a{i}", key=f"drift:f{i}", feature=f"f{i}", state=state, severity="critical", **common)
        for i, state in enumerate(states)
    ]
    store.save_alerts(alerts, [])
    found = scraped(metrics.exposition(store))["drift_alerts"]
    assert found == {
        of(monitor="flights", state="open", severity="critical"): 2.0,
        of(monitor="flights", state="resolved", severity="critical"): 1.0,
    }


def test_hostile_names_are_escaped_and_series_are_bounded(store: Store) -> None:
    """A quote, a backslash or a new line in a feature's name ends no scrape; many features are no many series."""
    names = ['a"b\\c\nd', "π‖Q", *(f"f{i:03}" for i in range(150))]
    binnings = {name: numeric(0.0, 1.0) for name in names}
    store.save_report("flights", judged(binnings, nth(2)))
    found = scraped(metrics.exposition(store))
    assert of(monitor="flights", feature='a"b\\c\nd') in found["drift_feature_severity"]
    # One is critical, ten others are the worst of the rest; all are counted.
    assert len(found["drift_feature_severity"]) == 1 + metrics.WORST
    assert sum(found["drift_window_features"].values()) == len(names) + 1


def test_an_empty_database_is_a_scrape_too(database_url: str) -> None:
    """Before the first run."""
    with Store.open(database_url, create=True) as store:
        assert scraped(metrics.exposition(store))["drift_window_rows"] == {}


def test_metrics_are_for_those_who_may_read(store: Store) -> None:
    """The reading token is enough; without one there is nothing."""
    client = TestClient(create_app(store, token="s3cret", read_token="reads"))
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer reads"}).status_code == 200


def test_prune_and_doctor_as_they_are_typed(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words for people, JSON for programs, and exit codes for both."""
    warehouse = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(rows(9, 120), warehouse)
    folder = tmp_path / "monitors"
    folder.mkdir()
    text = monitor_text(SQL, detection="{min_rows: 100}")
    (folder / "flights.yaml").write_text(text)
    context = open_context(database_url, warehouse, text)
    window = context.monitor.window.calendar.containing(datetime(2024, 1, 8, 12, tzinfo=UTC))
    runs.run_window(context, window, clock=clock)
    monkeypatch.setenv("DRIFT_CONNECTION_WAREHOUSE", warehouse)
    monkeypatch.setenv("DRIFT_ROUTE_OPS", "json://localhost")
    monkeypatch.setenv("DRIFT_DATABASE", database_url)
    monkeypatch.setenv("DRIFT_MONITORS", str(folder))
    run = CliRunner().invoke

    done = run(command_line(), ["doctor"])
    assert done.exit_code == 0, done.output
    assert "0 failed" in done.output
    told = json.loads(run(command_line(), ["doctor", "--json"]).output)
    assert told["ok"] is True
    monkeypatch.delenv("DRIFT_CONNECTION_WAREHOUSE")
    assert run(command_line(), ["doctor"]).exit_code == 1
    assert json.loads(run(command_line(), ["doctor", "--json"]).output)["ok"] is False

    dry = run(command_line(), ["prune", "--keep", "1d", "--dry-run"])
    assert dry.exit_code == 0
    assert "would go" in dry.output
    assert "kept of flights" in dry.output
    would = json.loads(run(command_line(), ["prune", "--keep", "1d", "--dry-run", "--json"]).output)
    assert json.loads(run(command_line(), ["prune", "--keep", "1d", "--json"]).output)["rows"] == would["rows"]
    assert context.store.active_baseline("flights")


def test_db_check_compares_the_tables(database_url: str) -> None:
    """A column that somebody added by hand is named, and the exit code says so."""
    run = CliRunner().invoke
    with Store.open(database_url, create=True) as store:
        done = run(command_line(), ["db", "check", "--database", database_url])
        assert (done.exit_code, "as they should be" in done.output) == (0, True)
        with store.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE run ADD COLUMN mine INTEGER")
    done = run(command_line(), ["db", "check", "--database", database_url])
    assert done.exit_code == 1
    assert "mine" in done.output


def test_a_copy_made_while_runs_go_on_is_whole(tmp_path: Path) -> None:
    """SQLite's own backup, as the documents say; the copy is of one moment."""
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}", create=True) as store:
        save_everything(store, NOW)
        source, target = sqlite3.connect(tmp_path / "drift.db"), sqlite3.connect(tmp_path / "copy.db")
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM score")
            source.backup(target)
            connection.rollback()
        source.close()
        target.close()
        with Store.open(f"sqlite:///{tmp_path / 'copy.db'}") as copy:
            assert dump(copy) == dump(store)
    assert migrations.differences(f"sqlite:///{tmp_path / 'copy.db'}") == []
