"""Text: how numbers, dates, labels and log lines are written, in one style."""
