"""Counting inside a warehouse: the rows stay where they are, and only counts come back."""
