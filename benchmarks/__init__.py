"""What Drift costs and how often it is wrong; `python -m benchmarks.NAME --help` says what each prints."""
