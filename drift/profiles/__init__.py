"""Profiles: rows become counts that add up."""
