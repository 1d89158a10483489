"""One DAG for every file in `monitors/`."""

from pathlib import Path

from drift.airflow import load_monitors

globals().update(load_monitors(Path(__file__).parent / "monitors"))
