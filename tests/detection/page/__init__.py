"""Pages: a report as HTML."""
