"""Tests of `drift/detection/`."""
