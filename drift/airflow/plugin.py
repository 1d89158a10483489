"""The dashboard inside Airflow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from drift.airflow.connections import results
from drift.dashboard import deferred


def _dashboard() -> Any:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.core_api.security import get_user

    from drift.dashboard import create_app

    def only_reads(user: Any) -> bool:
        # Whoever may change DAGs may answer what they raise.
        return not get_auth_manager().is_authorized_dag(method="PUT", user=user)

    folder = os.environ.get("DRIFT_MONITORS")
    return create_app(results, monitors=Path(folder) if folder else None, auth=get_user, read_only=only_reads)


class DriftPlugin(AirflowPlugin):
    """The dashboard inside Airflow, behind its login: an entry in the navigation, a tab on each monitor's DAG."""

    name = "drift"
    fastapi_apps: ClassVar[list[Any]] = [  # type: ignore[misc]  # as Airflow's own documentation does
        {"name": "Drift", "url_prefix": "/drift", "app": deferred(_dashboard)}
    ]
    external_views: ClassVar[list[Any]] = [  # type: ignore[misc]
        {"name": "Drift", "href": "/drift/", "destination": "nav", "category": "browse", "url_route": "drift"},
        {"name": "Drift", "href": "/drift/monitor?name={DAG_ID}", "destination": "dag", "url_route": "drift-dag"},
    ]
