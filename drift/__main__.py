"""`python -m drift` is the `drift` command."""

from drift.cli.app import main

# Processes that a backfill spawns import this module under another name.
if __name__ == "__main__":
    main()
