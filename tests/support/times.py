"""Times as columns of databases hold them."""

from __future__ import annotations

TIMES: list[tuple[str, object, object]] = [
    ("timestamp with time zone", "2013-02-08 05:00:00+00", "2013-02-08 04:59:59.999999+00"),
    ("timestamp", "2013-02-08 00:00:00", "2013-02-07 23:59:59.999999"),
    ("date", "2013-02-08", "2013-02-09"),
    ("text", "2013-02-08T05:00:00Z", "2013-02-09T05:00:00Z"),
    ("varchar(40)", "2013-02-08 05:00:00.000+00:00", "2013-02-09 05:00:00.000+00:00"),
    ("text", "2013-02-08 23:59", "2013-02-09 00:00"),
    ("bigint", 1360299600, 1360386000),
    ("bigint", 1360299600000, 1360386000000),
    ("integer", 20130208, 20130209),
]
"""How a column is declared, a time on 2013-02-08 in New York, and one that is not."""
