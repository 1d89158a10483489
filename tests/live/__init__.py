"""Tests that start whole systems: standalone Airflow, containers, a browser, faults, load."""
