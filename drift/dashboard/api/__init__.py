"""The JSON API, the exports and the metrics: what programs read."""
