"""The folder that a monitor may name files in: what leads out of it is refused before it is listed or opened.

It is what ``DRIFT_FILES_ROOT`` names, else the working directory, which relative paths start from anyway. What a person
names on the command line, and not a monitor, is bound by the variable alone.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT_VARIABLE = "DRIFT_FILES_ROOT"
"""The environment's word for the folder that local files must lie in."""


def given_root() -> Path | None:
    """Return the folder that the environment names."""
    said = os.environ.get(ROOT_VARIABLE)
    return Path(said).expanduser().resolve() if said else None


def monitors_root() -> Path:
    """Return the folder that monitors may name files in."""
    return given_root() or Path.cwd().resolve()


def inside(path: str, root: Path) -> str | None:
    """Return a path whose links have been followed, or None if it leads out of the root.

    One without links stays as it is written. What is returned is what has to be opened.

    Examples
    --------
    >>> inside("lake/day=1", Path.cwd().resolve()), inside("../x", Path.cwd().resolve())
    ('lake/day=1', None)
    """
    real = os.path.realpath(path)
    if root not in (Path(real), *Path(real).parents) or "\0" in path:
        return None
    return path if os.path.abspath(path) == real else real  # noqa: PTH100 - without following links


def refusal(path: str, root: Path) -> str:
    """Say why a path is refused, and what to do."""
    if given_root() is not None:
        return f"{path} leads out of {root}, and {ROOT_VARIABLE} allows no other files"
    return (
        f"{path} leads out of the working directory {root}: start Drift in the folder that holds the data, or set "
        f"{ROOT_VARIABLE} to that folder"
    )
