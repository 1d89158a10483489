"""The store: the only room that knows a table of the results database."""
