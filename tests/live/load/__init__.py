"""Load: many monitors at once, and many features in one."""
