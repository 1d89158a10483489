"""Tests, a twin for each module."""
