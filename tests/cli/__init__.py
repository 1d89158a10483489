"""Tests of `drift/cli/`."""
