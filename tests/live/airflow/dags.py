"""What the live Airflow runs: every monitor of a folder, and DAGs that feed them and follow them."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, get_current_context, task

from drift.airflow import Wait, drift_gate, load_monitors, monitor_asset

LOADED = Asset("live_loaded")
WAIT = Wait(timedelta(seconds=int(os.environ["LIVE_WAIT"])), every=timedelta(seconds=2))

globals().update(
    load_monitors(
        Path(os.environ["DRIFT_MONITORS"]),
        pool="default_pool",
        retry_delay=timedelta(seconds=5),
        only={
            "follower": {"schedule": [LOADED], "tags": ["follows"]},
            "late": {"schedule": None, "wait": WAIT},
            "never": {"schedule": None, "wait": WAIT},
        },
    )
)

with DAG("load", schedule=None, params={"window": ""}):

    @task(outlets=[LOADED])
    def load() -> None:
        """Say which day has been loaded."""
        context = get_current_context()
        context["outlet_events"][LOADED].extra = {"window": context["params"]["window"]}

    load()


def following(dag_id: str, **options: Any) -> DAG:
    """A DAG that goes on only while the follower is quiet in the window that it has just run."""
    with DAG(dag_id, schedule=[monitor_asset("follower")]) as dag:

        @task
        def train() -> str:
            """Do what must not be done on data that moved."""
            return "trained"

        drift_gate("follower", window="interval", **options) >> train()
    return dag


retrain = following("retrain")
publish = following("publish", otherwise="skip")
