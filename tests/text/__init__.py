"""Tests of `drift/text/`."""
