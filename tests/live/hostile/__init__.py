"""Hostile input in bulk: nothing of it is run, opened or fetched."""
