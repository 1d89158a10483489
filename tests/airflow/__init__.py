"""Tests of `drift/airflow/`."""
