"""Tests of `drift/config/`."""
