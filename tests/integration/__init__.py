"""Tests of many rooms together, on real components."""
