"""Tests of `drift/store/`."""
