"""A DAG for every monitor of a folder."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from drift.airflow import load_monitors

globals().update(load_monitors(Path(os.environ["DRIFT_MONITORS"]), retry_delay=timedelta(seconds=5)))
