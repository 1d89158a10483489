"""A report as HTML: one page that needs nothing else, and its parts for a notebook; charts drawn to scale as SVG."""
