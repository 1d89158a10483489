"""Tests of `drift/profiles/`."""
