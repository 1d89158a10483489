"""Pages: one module a page, from an address to HTML."""
