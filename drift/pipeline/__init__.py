"""The pipeline: the stages of a run, and the only place that knows their order."""
