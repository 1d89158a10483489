"""Tests of `drift/alerts/`."""
