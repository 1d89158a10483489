"""The container setup: that its parts refer to what exists, and that no secret has a default.

The Compose specification's own schema is checked by `make compose-check`; it does not see undefined references.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy.engine import make_url

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(set(SERVICES) - {"postgres"})
DOCKERFILE = (ROOT / "Dockerfile").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY\b|FERNET")


def required() -> set[str]:
    """The variables without which the setup refuses to start."""
    return set(re.findall(r"\$\{(\w+):\?[^}]+\}", TEXT))


def defaults(text: str) -> str:
    """A value as Compose would read it where no optional variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_refers_to_what_exists(name: str) -> None:
    """Networks, volumes and services that a service names are declared; mounted folders are in the repository."""
    service = SERVICES[name]
    assert set(service.get("networks", [])) <= set(COMPOSE["networks"])
    for mount in service.get("volumes", []):
        source, target = defaults(mount).split(":")[:2]
        assert (ROOT / source).is_dir() if source.startswith(".") else source in COMPOSE["volumes"]
        assert target.startswith("/")
    for other, how in service.get("depends_on", {}).items():
        assert how["condition"] in {"service_healthy", "service_completed_successfully"}
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert SERVICES[other]["restart"] == "no"


def test_every_network_and_volume_is_used() -> None:
    """Nothing is declared in vain."""
    mounted = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    joined = {network for service in SERVICES.values() for network in service["networks"]}
    assert set(COMPOSE["volumes"]) <= mounted
    assert set(COMPOSE["networks"]) == joined


def test_services_wait_for_each_other_without_a_circle() -> None:
    """There is an order in which all of them can start, and the database comes first in it."""
    started: list[str] = []
    while len(started) < len(SERVICES):
        ready = [name for name, service in SERVICES.items() if set(service.get("depends_on", {})) <= set(started)]
        ready = [name for name in ready if name not in started]
        assert ready
        started += ready
    assert started[:2] == ["postgres", "migrate"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_a_lasting_service_is_watched_and_bounded(name: str) -> None:
    """It has a health check, a memory limit, and comes back after a crash."""
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["mem_limit"]
    assert service["restart"] == "unless-stopped"


def test_airflows_parts_know_the_same() -> None:
    """Whatever a task may read the triggerer may too, which waits for its data: one environment, the same folders."""
    parts = [service for name, service in SERVICES.items() if name.startswith("airflow-")]
    assert len(parts) == 4
    own = [set(part["environment"].items()) for part in parts]
    common = set.intersection(*own)
    assert [key for environment in own for key, _ in environment - common] == ["AIRFLOW_ADMIN_PASSWORD"]
    assert all(part["volumes"] == parts[0]["volumes"] for part in parts)


def test_the_live_test_knows_every_service() -> None:
    """`make test-compose` waits for, and restarts, each service that lasts."""
    from tests.live.compose.conftest import SERVICES as LASTING

    assert set(LASTING) == set(SERVICES) - {"migrate"}


def test_host_names_are_services() -> None:
    """Whoever a URL inside the network points to is one of the services, or the container itself."""
    environments = [service.get("environment", {}) for service in SERVICES.values()]
    values = [str(value) for environment in environments for value in environment.values()]
    values += [part for service in SERVICES.values() for part in service.get("healthcheck", {}).get("test", [])]
    hosts = {host for value in values for host in re.findall(r"://(?:[^@/]+@)?([\w.-]+)", value)}
    assert hosts <= {*SERVICES, "127.0.0.1"}
    assert {environment["PGHOST"] for environment in environments if "PGHOST" in environment} <= set(SERVICES)


def test_ports_open_on_this_machine_only() -> None:
    """Without a word in .env nobody outside reaches a port, and no two services want the same one."""
    published = [defaults(port).split(":") for service in SERVICES.values() for port in service.get("ports", [])]
    assert {address for address, _, _ in published} == {"127.0.0.1"}
    assert len({outside for _, outside, _ in published}) == len(published)
    exposed = re.findall(r"^EXPOSE (.+)$", DOCKERFILE, re.MULTILINE)[0].split()
    assert {inside for _, _, inside in published} == set(exposed)


# --- secrets


def test_no_secret_has_a_default() -> None:
    """A password, key or token comes from the environment and its absence stops the start; none stands in the file."""
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key) and not key.endswith("_FILE"):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", str(value)), f"{name}: {key}"
    assert not [variable for variable in re.findall(r"\$\{(\w+)(?::-[^}]*)?\}", TEXT) if SECRET.search(variable)]
    assert not re.search(r"://\w+:[^$@\s]+@", TEXT)


def test_the_example_lists_what_is_required() -> None:
    """`.env.example` has each required variable without a value, and no variable that nothing reads."""
    assert set(re.findall(r"^(\w+)=$", EXAMPLE, re.MULTILINE)) == required()
    optional = set(re.findall(r"^# (\w+)=", EXAMPLE, re.MULTILINE))
    passed_on = {
        key for service in SERVICES.values() for key, value in service.get("environment", {}).items() if not value
    }
    assert optional <= passed_on | set(re.findall(r"\$\{(\w+):-", TEXT))


def test_fresh_secrets_are_written_once_and_for_their_owner(tmp_path: Path) -> None:
    """`make up` fills every secret with a value of its own that needs no quoting in a URL, and overwrites nothing."""
    target = tmp_path / ".env"
    write = [sys.executable, str(ROOT / "docker" / "secrets_to_env.py"), str(ROOT / ".env.example"), str(target)]
    subprocess.run(write, check=True, capture_output=True)
    first = target.read_text()
    values = dict(re.findall(r"^(\w+)=(.*)$", first, re.MULTILINE))
    assert set(values) == required()
    assert len(set(values.values())) == len(values)
    assert all(len(value) >= 44 for value in values.values())
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    for password in (value for name, value in values.items() if name.endswith("_PASSWORD")):
        assert make_url(f"postgresql+psycopg://drift:{password}@postgres/drift").password == password
    assert subprocess.run(write, check=False, capture_output=True).returncode == 1
    assert target.read_text() == first


def test_only_the_migration_is_the_databases_owner() -> None:
    """What lasts has a login of its own for each database, as docker/databases.py makes them."""
    logins = {
        name: {
            (url.username, url.database)
            for key, value in service.get("environment", {}).items()
            if "postgresql" in str(value)
            for url in [make_url(re.sub(r"\$\{(\w+):\?[^}]+\}", r"\1", value))]
        }
        for name, service in SERVICES.items()
    }
    airflow = {("drift_tasks", "drift"), ("airflow", "airflow")}
    assert logins.pop("migrate") == {("drift", "drift"), ("airflow", "airflow")}
    assert logins.pop("drift-dashboard") == {("drift_web", "drift")}
    assert logins.pop("postgres") == set()
    assert all(found == airflow for found in logins.values())
    knowing = [name for name, service in SERVICES.items() if "POSTGRES_PASSWORD" in str(service["environment"])]
    assert knowing == ["postgres", "migrate"]


# --- the image


def test_images_are_pinned() -> None:
    """By digest, or at least by a version that is not followed by another one."""
    images = [defaults(service["image"]) for service in SERVICES.values() if "build" not in service]
    images += re.findall(r"^ARG BASE_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    images += [defaults(service["build"]["args"]["BASE_IMAGE"]) for service in SERVICES.values() if "build" in service]
    assert len(set(images)) == 2
    assert all(re.search(r"@sha256:[0-9a-f]{64}$|:\d+\.\d+(\.\d+)?-", image) for image in images)


def test_nothing_runs_as_root() -> None:
    """The image ends with an unprivileged user, and every service of ours names that same one without privileges."""
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["drift"]
    (uid,) = re.findall(r"useradd --uid (\d+)", DOCKERFILE)
    for name in OURS:
        assert SERVICES[name]["user"] == f"{uid}:{uid}"
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in SERVICES[name]["security_opt"]


def test_the_image_is_built_from_hashed_locks_and_no_secret() -> None:
    """What pip and uv install is hashed or this checkout, and only named files reach the builder."""
    commands = re.split(r"&&|\n", DOCKERFILE.replace("\\\n", " "))
    installs = [command for command in commands if "pip install" in command]
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-deps --no-build-isolation" in install for install in installs)
    assert not SECRET.search("\n".join(re.findall(r"^(?:ARG|ENV) .*(?:\\\n.*)*", DOCKERFILE, re.MULTILINE)))
    ignored, *kept = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignored == "*"
    for sources in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists()
            assert f"!{source}" in kept
    assert ".env" not in "".join(kept)


def test_commands_exist(tmp_path: Path) -> None:
    """What a container starts is a case of the entry point, a command of Drift and its options, or one of Airflow."""
    import typer.main

    from drift.cli.app import command_line

    ours = typer.main.get_command(command_line())
    entrypoint = (ROOT / "docker" / "entrypoint").read_text()
    known = subprocess.run(
        [sys.executable, "-c", "from airflow.cli import cli_config as c; print([x.name for x in c.core_commands])"],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in OURS:
        first, *rest = SERVICES[name]["command"]
        if first == "airflow":
            assert repr(rest[0]) in known
        elif first == "drift":
            with typer.Context(ours) as context:
                command = ours.get_command(context, rest[0])  # type: ignore[attr-defined]
                assert command.make_context("drift", rest[1:], resilient_parsing=True)
        else:
            assert f"\n{first})\n" in entrypoint
    scripts = re.findall(r"/opt/drift/docker/(\S+?)[\"\s,]", TEXT + entrypoint + DOCKERFILE)
    assert scripts
    assert all((ROOT / "docker" / script).is_file() for script in scripts)
    assert os.access(ROOT / "docker" / "entrypoint", os.X_OK)
