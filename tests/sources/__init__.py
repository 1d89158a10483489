"""Tests of `drift/sources/`."""
