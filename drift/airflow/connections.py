"""What a name stands for inside Airflow: a connection or a route by its id, and the results database."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from drift.text.secrets import known, learn, learn_environment, learn_fields, learn_url

if TYPE_CHECKING:
    from drift.store.store import Store

DATABASE = "drift_db"
"""The Airflow connection that names the results database, where `DRIFT_DATABASE` is not set."""


def connection_url(conn_id: str) -> str:
    """Return the SQLAlchemy URL of an Airflow connection, or what the environment says outside Airflow.

    Raises
    ------
    SourceMissing
        If neither Airflow nor the environment knows the connection.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        from drift.config.connections import resolve_url

        return _learnt(resolve_url(conn_id, os.environ))
    _learn(connection)
    hook: Any = connection.get_hook()  # type: ignore[no-untyped-call]
    engine = hook.get_sqlalchemy_engine()
    try:
        url = str(engine.url.render_as_string(hide_password=False))
    finally:
        engine.dispose()
    learn_url(url)
    return _learnt(url)


def _learn(connection: Any) -> None:
    learn(connection.password, {str(connection.login), str(connection.host), str(connection.schema)})
    learn_fields(connection.extra_dejson)


def _learnt(text: str) -> str:
    """Have Airflow's own logs, tracebacks among them, mask what Drift's do."""
    mask_secret([*known()])
    return text


def route_url(name: str) -> str:
    """Return the Apprise URL behind a route: the environment's, or an Airflow connection's.

    Raises
    ------
    NotifyError
        If neither knows the route.
    """
    from drift.alerts.channels import resolve_route

    return _learnt(resolve_route(name, os.environ, _connection_route))


def _connection_route(name: str) -> str | None:
    try:
        connection = BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None
    _learn(connection)
    # As in Airflow's own Apprise provider: the extra's config.path. Or the whole URL as the connection's password.
    config = connection.extra_dejson.get("config")
    if isinstance(config, dict) and config.get("path"):
        return str(config["path"])
    return connection.password or None


@cache
def results() -> Store:
    """Open the results database: `DRIFT_DATABASE`, or the connection ``drift_db``; once a process."""
    from drift.store.engine import OUTAGE_SECONDS
    from drift.store.store import Store

    learn_environment(os.environ)
    url = os.environ.get("DRIFT_DATABASE")
    # A task that starts while the database is away for a moment waits, as one in its middle would.
    return Store.open(url or connection_url(DATABASE), patience=OUTAGE_SECONDS)
