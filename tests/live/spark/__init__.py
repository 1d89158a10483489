"""Drift beside a Spark cluster: `make test-spark`."""
