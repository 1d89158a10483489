"""The containers at work, in this order: a schedule, a trigger, the dashboard, and every service restarted."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.live.compose.conftest import ROOT, SERVICES, until

if TYPE_CHECKING:
    from tests.live.compose.conftest import Stack

TABLES = ("baseline", "histogram", "profile", "report", "run", "score", "alert")


def ago(days: int) -> str:
    """A date in UTC."""
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}"


def content(stack: Stack) -> dict[str, list[list[str]]]:
    """What the results database holds, table by table."""
    return {table: sorted(stack.sql("drift", f"SELECT * FROM {table}")) for table in TABLES}


def test_the_migrations_ended_and_nobody_is_root(stack: Stack) -> None:
    """The one-shot service left with 0; what lasts runs without privileges."""
    assert stack.inspect("migrate", "{{.State.ExitCode}}") == "0"
    for service in SERVICES[1:]:
        assert stack.inspect(service, "{{.Config.User}}") == "50000:50000"
        assert stack.shell(service, "id", "-u").strip() == "50000"


def test_no_secret_is_in_the_image(stack: Stack) -> None:
    """Neither in its environment nor in its history."""
    said = stack.run(["docker", "inspect", "driftmeter:local"])
    said += stack.run(["docker", "history", "--no-trunc", "driftmeter:local"])
    names = re.findall(r"^(\w+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert "POSTGRES_PASSWORD" in names
    assert not [name for name in names if stack.environment[name] in said]


def test_nobody_is_the_databases_owner(stack: Stack) -> None:
    """What lasts has logins that may no more than they need; the owner's password is not among what it knows."""
    for service in SERVICES[1:]:
        assert stack.environment["POSTGRES_PASSWORD"] not in stack.inspect(service, "{{.Config.Env}}")
    asked = "SELECT rolname FROM pg_roles WHERE rolcanlogin AND (rolsuper OR rolcreatedb OR rolcreaterole)"
    assert stack.sql("postgres", asked) == [["drift"]]


def test_a_schedule_runs(stack: Stack) -> None:
    """A DAG that is switched on runs its newest interval by itself, and the scores are in PostgreSQL."""
    until(lambda: stack.airflow("/dags/live"), "the DAG is there")
    stack.airflow("/dags/live", {"is_paused": False}, "PATCH")
    (run,) = until(lambda: stack.airflow("/dags/live/dagRuns")["dag_runs"], "the scheduler makes a run")
    assert run["run_type"] == "scheduled"
    assert stack.finished(run)["state"] == "success"
    rows = stack.sql("drift", "SELECT feature, kl FROM score WHERE monitor = 'live' ORDER BY feature")
    assert [feature for feature, _ in rows] == ["carrier", "delay"]
    assert all(float(kl) >= 0 for _, kl in rows)


def test_a_trigger_runs(stack: Stack) -> None:
    """A run by hand with a window is for that day: the one whose delays were moved is critical."""
    body = {"logical_date": None, "conf": {"window": ago(2)}}
    run = stack.airflow("/dags/live/dagRuns", body)
    assert stack.finished(run)["state"] == "success"
    found = stack.sql(
        "drift", "SELECT status FROM score WHERE monitor = 'live' AND feature = 'delay' ORDER BY window_start"
    )
    assert found[0] == ["critical"]


def test_the_dashboard_shows_it(stack: Stack) -> None:
    """To whoever has the token; nobody else sees a page."""
    token = stack.environment["DRIFT_TOKEN"]
    assert "live" in stack.get(8090, "/", token)
    page = stack.get(8090, "/monitor?name=live", token)
    assert "delay" in page
    with pytest.raises(OSError, match="401"):
        stack.get(8090, "/api/v1/monitors")


@pytest.mark.parametrize("service", SERVICES)
def test_a_restart_loses_nothing(stack: Stack, service: str) -> None:
    """Whichever service dies and returns: all are well again, and every row is what it was."""
    before = content(stack)
    assert before["score"]
    stack.compose("restart", "--timeout", "30", service)
    until(stack.healthy, f"every service is healthy after {service} came back")
    assert content(stack) == before


def test_it_still_works(stack: Stack) -> None:
    """After all that, a run by hand succeeds; asked for the same window it writes no row anew."""
    body = {"logical_date": None, "conf": {"window": ago(2)}}
    scores = stack.sql("drift", "SELECT * FROM score ORDER BY 1, 2, 3, 4")
    run = until(lambda: stack.airflow("/dags/live/dagRuns", body), "a run can be triggered")
    assert stack.finished(run)["state"] == "success"
    assert stack.sql("drift", "SELECT * FROM score ORDER BY 1, 2, 3, 4") == scores
