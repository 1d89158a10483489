"""Faults: what production does to a run, done on purpose; after the retry the database is as if it had not happened."""
