"""The tools beside which Drift is used, each in an environment of its own."""
