"""Exit with 0 if a page answers and, where a component of Airflow is named, its heartbeat is fresh.

python healthy.py URL [COMPONENT]
"""

from __future__ import annotations

import json
import sys
from urllib.request import urlopen


def main(url: str, component: str = "") -> str | None:
    """Return what is wrong, or None."""
    try:
        with urlopen(url, timeout=5) as answer:
            if component and json.load(answer)[component]["status"] != "healthy":
                return f"{component} is not healthy"
    except OSError as error:
        return f"{url}: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
