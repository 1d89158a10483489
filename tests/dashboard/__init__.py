"""Tests of `drift/dashboard/`."""
