"""Least privilege: what `sql/roles.sql` lets each role do on a real server; the dashboard works under its own."""

from __future__ import annotations

import uuid
from datetime import timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from drift.alerts.alerts import Alert
from drift.alerts.messages import trial
from drift.dashboard import create_app
from drift.errors import StoreError
from drift.pipeline import actions
from drift.store import migrations, retention, schema
from drift.store.store import Store
from tests.support.store_samples import NOW, nth, save_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
ROLES = (migrations.sql_folder() / "roles.sql").read_text()


def apply(url: str) -> None:
    """Run the file as `psql` does, as the owner."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        cursor = connection.connection.cursor()
        cursor.execute(ROLES)
    engine.dispose()


@pytest.fixture
def as_role(postgres_url: str) -> Iterator[Callable[[str], str]]:
    """URLs of logins that belong to one role each; gone after the test, roles and all."""
    with Store.open(postgres_url, create=True) as store:
        save_everything(store, NOW)
        common: dict[str, Any] = {"monitor": "flights", "kind": "drift", "reason": "", "worst": "critical"}
        common |= {"opened_at": NOW, "last_seen_at": NOW, "opened_window": nth(0).start, "last_window": nth(0).start}
        alert = Alert(id="a1", key="drift:x", feature="x", state="open", severity="critical", **common)
        store.save_alerts([alert], [], [trial("flights", "ops", by="ada", now=NOW)])
        store.mark_failed(store.notifications(["pending"])[0]["id"], "gone", None)
    for _ in range(2):
        apply(postgres_url)
    admin = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def login(role: str) -> str:
        name = f"login_{uuid.uuid4().hex[:12]}"
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'x' IN ROLE {role}")
        made.append(name)
        return sa.make_url(postgres_url).set(username=name, password="x").render_as_string(hide_password=False)

    yield login
    with admin.connect() as connection:
        for name in made:
            connection.exec_driver_sql(f"DROP ROLE {name}")
        # Roles are the server's, grants this database's, which is dropped: another test may hold the roles still.
        connection.exec_driver_sql("DROP OWNED BY drift_writer, drift_reader, drift_dashboard")
    admin.dispose()


def may(url: str, statement: str) -> bool:
    """Whether a login may do something; it is taken back."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        try:
            connection.exec_driver_sql(statement)
        except sa.exc.ProgrammingError as error:
            if getattr(error.orig, "sqlstate", "") != "42501":
                raise
            return False
    return True


def test_the_writer_does_all_that_a_run_does_and_no_more(as_role: Callable[[str], str]) -> None:
    """Rows, not tables."""
    url = as_role("drift_writer")
    with Store.open(url) as store:
        save_everything(store, NOW, nth(1), seed=1)
        store.due_notifications(NOW + timedelta(days=1))
        assert store.prune(nth(1).start)["profile"] == 1
    for statement in ("DROP TABLE score", "CREATE TABLE mine (x int)", "TRUNCATE score", "ALTER TABLE run ADD y int"):
        assert not may(url, statement), statement
    assert not may(url, "UPDATE drift_alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"must be owner|permission denied"):
        migrations.downgrade(url, "base")


def test_the_reader_reads_everything_and_writes_nothing(as_role: Callable[[str], str]) -> None:
    """Tables and views."""
    url = as_role("drift_reader")
    for name in [*schema.metadata.tables, *migrations.views()]:
        assert may(url, f'SELECT * FROM "{name}"')
    for name in schema.metadata.tables:
        assert not may(url, f'DELETE FROM "{name}"'), name
    with Store.open(url) as store:
        client = TestClient(create_app(store, read_only=True))
        assert client.get("/").status_code == client.get("/metrics").status_code == 200
        assert retention.prune(store, "1d", now=NOW, dry_run=True).rows
        with pytest.raises(StoreError, match="permission denied"):
            save_everything(store, NOW)


def test_the_dashboard_answers_alerts_under_its_role_and_touches_nothing_else(as_role: Callable[[str], str]) -> None:
    """Acknowledge, snooze, resolve, silence, retry: through its pages; no score, count or timeline is changed."""
    url = as_role("drift_dashboard")
    with Store.open(url) as store:
        client = TestClient(create_app(store))
        for page in ("/", "/monitor?name=flights", "/alerts", "/api/v1/monitors", "/metrics", "/healthz"):
            assert client.get(page).status_code == 200, page
        for action in ("acknowledge", "resolve"):
            done = client.post("/alert", data={"id": "a1", "action": action, "by": "ada", "comment": "seen"})
            assert done.status_code in {200, 303}, done.text
        (alert,) = store.alerts("flights")
        assert (alert.state, alert.acknowledged_by, alert.resolved_by) == ("resolved", "ada", "ada")
        until = NOW + timedelta(days=1)
        silence = actions.silence_features(store, "flights", "dep_*", reason="known", until=until, by="ada", now=NOW)
        actions.expire_silence(store, silence.id, by="ada", now=NOW, comment="over")
        assert store.retry_notifications(NOW) == 1
    refused = [
        *(f'DELETE FROM "{name}"' for name in schema.metadata.tables),
        *("UPDATE score SET kl = 0", "UPDATE alert_event SET reason = ''", "UPDATE silence SET reason = ''"),
        *("UPDATE notification SET body = ''", "INSERT INTO run (monitor) VALUES ('x')", "CREATE TABLE mine (x int)"),
    ]
    assert [statement for statement in refused if may(url, statement)] == []


def test_what_a_later_migration_creates_is_granted(as_role: Callable[[str], str], postgres_url: str) -> None:
    """By default privileges, so that an upgrade does not stop the runs."""
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE later (x int)")
    engine.dispose()
    assert may(as_role("drift_writer"), "INSERT INTO later VALUES (1)")
    assert may(as_role("drift_reader"), "SELECT * FROM later")
    assert not may(as_role("drift_reader"), "INSERT INTO later VALUES (1)")


# -- the containers' own ----------------------------------------------------------------------------------------------


FORMER = """
CREATE TYPE state AS ENUM ('queued', 'running');
CREATE SEQUENCE job;
CREATE TABLE "Former" (id serial PRIMARY KEY, state state);
CREATE VIEW seen AS SELECT id FROM "Former";
"""
"""A volume from before there were logins: all that Airflow has is the server's owner's."""


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch, postgres_server: str) -> Iterator[Callable[[str, str], str]]:
    """What the containers' `migrate` makes of a server, twice; returns the URL of a login on a database."""
    spec = spec_from_file_location("databases", ROOT / "docker" / "databases.py")
    assert spec
    assert spec.loader
    databases = module_from_spec(spec)
    spec.loader.exec_module(databases)
    server = sa.make_url(postgres_server)
    given = {
        "HOST": str(server.query.get("host") or server.host or ""),
        "PORT": str(server.port or ""),
        "USER": server.username,
        "PASSWORD": server.password,
    }
    for name, value in given.items():
        if value:
            monkeypatch.setenv(f"PG{name}", str(value))
    for variable in databases.LOGINS.values():
        monkeypatch.setenv(variable, "x")
    url = server.set(database="drift").render_as_string(hide_password=False)
    monkeypatch.setenv("DRIFT_DATABASE", url)
    monkeypatch.setattr(databases, "FLIGHTS", ROOT / "data" / "flights.parquet")
    with databases.connect("postgres") as admin:
        admin.execute("CREATE DATABASE airflow")
    with databases.connect("airflow") as admin:
        admin.execute(FORMER)
    for _ in range(2):
        databases.main()

    yield lambda login, database: server.set(username=login, password="x", database=database).render_as_string(False)
    with databases.connect("postgres") as admin:
        for name in ("airflow", "drift", "warehouse"):
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        for name in databases.LOGINS:
            admin.execute(f"DROP ROLE {name}")


def opens(url: str) -> bool:
    """Whether a login may connect."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        engine.connect().close()
    except sa.exc.OperationalError as error:
        if "permission denied for database" not in str(error):
            raise
        return False
    return True


def test_in_the_containers_each_login_may_what_it_needs(set_up: Callable[[str, str], str]) -> None:
    """Airflow its own database; tasks read the warehouse and write rows; the dashboard answers; none owns the rest."""
    may_open = {
        login: [name for name in ("airflow", "drift", "warehouse") if opens(set_up(login, name))]
        for login in ("airflow", "drift_tasks", "drift_web")
    }
    assert may_open == {"airflow": ["airflow"], "drift_tasks": ["drift", "warehouse"], "drift_web": ["drift"]}
    for statement in (
        *("CREATE TABLE public.dag (x int)", "ALTER TYPE state ADD VALUE 'done'", "ALTER SEQUENCE job RESTART"),
        *('ALTER TABLE "Former" ADD y int', 'INSERT INTO "Former" DEFAULT VALUES', "ALTER VIEW seen RENAME id TO n"),
    ):
        assert may(set_up("airflow", "airflow"), statement), statement
    with Store.open(set_up("drift_tasks", "drift")) as store:
        save_everything(store, NOW)
    assert may(set_up("drift_tasks", "warehouse"), "SELECT count(*) FROM flights")
    for login, database, statement in (
        ("drift_tasks", "warehouse", "DELETE FROM flights"),
        ("drift_tasks", "drift", "DROP TABLE score"),
        ("drift_web", "drift", "UPDATE score SET kl = 0"),
        ("drift_web", "drift", "CREATE TABLE mine (x int)"),
    ):
        assert not may(set_up(login, database), statement), (login, statement)
    with Store.open(set_up("drift_web", "drift")) as store:
        client = TestClient(create_app(store))
        assert client.get("/monitor?name=flights").status_code == client.get("/metrics").status_code == 200
