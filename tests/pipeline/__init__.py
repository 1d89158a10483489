"""Tests of `drift/pipeline/`."""
