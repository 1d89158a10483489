"""Tests of `drift/sources/warehouse/`."""
