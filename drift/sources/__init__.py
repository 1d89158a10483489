"""Sources: one window of rows, wherever it lies, and whether it is fit to be counted."""
