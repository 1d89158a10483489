"""The doctor: a sound installation is told to be sound, and each thing that is wrong is named with what to do."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections import namedtuple
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from drift.errors import NotifyError
from drift.pipeline import doctor, run
from drift.store.store import Store
from drift.text.secrets import learn_url
from drift.windows import Window
from tests.support.flights import SQL, clock, monitor_text, open_context, rows, write_sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, database_url: str) -> dict[str, Any]:
    """What to examine: a monitor that has run, its warehouse, its results."""
    warehouse = f"sqlite:///{tmp_path / 'warehouse.db'}"
    write_sql(rows(9, 120), warehouse)
    folder = tmp_path / "monitors"
    folder.mkdir()
    (folder / "flights.yaml").write_text(monitor_text(SQL, detection="{min_rows: 100}"))
    context = open_context(database_url, warehouse, monitor_text(SQL, detection="{min_rows: 100}"))
    now = clock().replace(month=1, day=10)
    run.run_window(context, context.monitor.window.calendar.last_complete(now), clock=lambda: now)
    return {
        "url": database_url,
        "folder": folder,
        "env": {},
        "connect": lambda _name: warehouse,
        "resolve": lambda _name: "json://localhost",
        "now": lambda: now,
    }


def examined(home: dict[str, Any], **changes: Any) -> dict[str, doctor.Check]:
    """What the doctor says, by name."""
    given = home | changes
    return {check.name: check for check in doctor.examine(given.pop("url"), given.pop("folder"), **given)}


def test_a_sound_installation_is_sound(home: dict[str, Any]) -> None:
    """Nothing fails, and what was looked at is named; on PostgreSQL the clock of the test is long ago."""
    found = examined(home)
    assert {name for name, check in found.items() if check.state != "ok"} <= {"clock", "disk"}
    looked = {"monitors", "database", "flights: source", "flights: routes", "flights: runs", "outbox", "airflow"}
    assert looked <= found.keys()


def test_a_broken_file_a_lost_source_and_an_unknown_route_are_each_named(home: dict[str, Any]) -> None:
    """And one does not hide the other."""
    (home["folder"] / "broken.yaml").write_text("name: [")

    def unknown(name: str) -> str:
        raise NotifyError(f"route {name!r} is not known: set DRIFT_ROUTE_OPS")

    lost = "postgresql://drift:s3cret@127.0.0.1:1/dwh?connect_timeout=2"
    found = examined(home, connect=lambda _name: lost, resolve=unknown)
    assert {name for name, check in found.items() if check.state == "fail"} == {
        "monitor file broken.yaml",
        "flights: source",
        "flights: route ops",
    }
    assert "s3cret" not in str(found)


def test_a_name_that_no_column_has_is_found(home: dict[str, Any]) -> None:
    """In any source, with the nearest column."""
    (home["folder"] / "flights.yaml").write_text(monitor_text(SQL, features="{exclude: [carier]}"))
    check = examined(home)["flights: source"]
    assert (check.state, check.message.startswith('features.exclude: "carier" matches no column')) == ("fail", True)


def test_a_database_that_is_not_there_says_what_to_run(home: dict[str, Any], tmp_path: Path) -> None:
    """And the rest is looked at all the same."""
    found = examined(home, url=f"sqlite:///{tmp_path / 'none.db'}")
    assert "drift db upgrade" in found["database"].message
    assert found["database"].state == "fail"
    assert found["flights: source"].state == "ok"


def test_a_time_column_that_is_not_there_is_found(home: dict[str, Any]) -> None:
    """Before the first night."""
    text = monitor_text("{connection: warehouse, table: flights, time_column: departed}")
    (home["folder"] / "flights.yaml").write_text(text)
    found = examined(home)["flights: source"]
    assert found.state == "fail"
    assert "departed" in found.message


def test_tables_changed_by_hand_are_found(home: dict[str, Any]) -> None:
    """The revision alone does not tell."""
    with Store.open(home["url"]) as store, store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE run ADD COLUMN mine INTEGER")
    assert examined(home)["tables"].state == "fail"


def test_a_monitor_that_is_late_or_failed_is_found(home: dict[str, Any]) -> None:
    """A schedule that was paused and forgotten; a run whose error nobody read."""
    now = home["now"]()
    learn_url("postgresql://a:s3cret@b")
    assert "late" in examined(home, now=lambda: now + timedelta(days=9))["flights: runs"].message
    with Store.open(home["url"]) as store:
        row = store.runs("flights", 1)[0]
        store.save_run_finished(
            "flights", Window(row["window_start"], row["window_end"]), "error", now, error="no postgresql://a:s3cret@b"
        )
    found = examined(home)["flights: runs"]
    assert found.state == "warn"
    assert "s3cret" not in found.message


def test_a_full_disk_is_foreseen(home: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite only: a server's disk is the server's."""
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's own
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10, 10, 50 << 20))
    found = examined(home)
    if home["url"].startswith("sqlite"):
        assert found["disk"].state == "fail"
        assert "drift prune" in found["disk"].fix
    else:
        assert "disk" not in found


@pytest.fixture
def health() -> Iterator[tuple[str, dict[str, Any]]]:
    """An API server that answers what the test puts there."""
    said: dict[str, Any] = {"metadatabase": {"status": "healthy"}, "triggerer": {"status": None}}

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/v2/monitor/health" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", said
    server.shutdown()
    thread.join()
    server.server_close()


def test_airflow_is_asked_how_it_is(home: dict[str, Any], health: tuple[str, dict[str, Any]]) -> None:
    """Healthy, with a part that is not, and not there at all."""
    address, said = health
    assert examined(home, airflow=address)["airflow server"].state == "ok"
    assert examined(home, env={doctor.AIRFLOW: address})["airflow server"].state == "ok"
    said["scheduler"] = {"status": "unhealthy"}
    assert "scheduler" in examined(home, airflow=address)["airflow server"].message
    assert examined(home, airflow="http://127.0.0.1:1")["airflow server"].state == "fail"
    assert examined(home, airflow="file:///etc/passwd")["airflow server"].state == "fail"


def test_windows_in_the_future_are_found_with_what_removes_them(home: dict[str, Any]) -> None:
    """A mistyped date is named with the command that takes its window out, and makes nothing late."""
    now = home["now"]()
    before = examined(home)["flights: runs"]
    with Store.open(home["url"]) as store:
        row = store.runs("flights", 1)[0]
        future = Window(row["window_start"] + timedelta(days=3650), row["window_end"] + timedelta(days=3650))
        store.save_run_finished("flights", future, "ok", now)
    found = examined(home)["flights: future"]
    assert (found.state, found.fix) == ("warn", f"drift runs delete flights --window {future.start:%Y-%m-%d}")
    assert examined(home)["flights: runs"] == before
