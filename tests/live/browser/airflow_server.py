"""Airflow's own pages, behind its login, with the demo's monitors and the dashboard as a plugin.

    .venv/bin/python -m tests.live.browser.airflow_server FOLDER RESULTS PORT

Becomes Airflow's API server, which serves its pages; no scheduler runs, so nothing in the results changes. The password
of `USER` stands in `PASSWORDS`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from drift.cli.demo import standalone_environment

USER = "ada"
PASSWORDS = "passwords.json"


def main(folder: Path, results: Path, port: int) -> None:
    """Make Airflow's database, put the DAGs into it, and serve."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = standalone_environment(folder, "json://127.0.0.1:9/", port) | {
        "DRIFT_DATABASE": f"sqlite:///{results}",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / PASSWORDS),
    }
    airflow = [sys.executable, "-m", "airflow"]
    for command in (["db", "migrate"], ["dags", "reserialize"]):
        subprocess.run([*airflow, *command], env=environment, check=True, stdout=sys.stderr)
    serve = [*airflow, "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    os.execve(sys.executable, serve, environment)  # noqa: S606 - it is to become that process


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), int(sys.argv[3]))
