"""Tests of `drift/store/reads/`."""
