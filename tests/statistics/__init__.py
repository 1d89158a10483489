"""Tests of `drift/statistics/`."""
