"""Starting soon: what libraries do while they are imported and a command line has no use for is left out."""

from __future__ import annotations

import os
from collections import defaultdict
from importlib import import_module
from typing import Any


def without_plugins() -> None:
    """Have pydantic look for no plugins: finding out that there are none takes as long as reading two small files."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def import_special_functions() -> None:
    """Import `scipy.special` without most of what it loads and does meanwhile.

    For the array API it clones NumPy's namespace, and so loads what NumPy itself loads only when it is asked for (f2py,
    testing, polynomials, …): NumPy does not name these meanwhile. And it writes a table into the documentation of a
    hundred functions, which nobody reads here. This is for a process of our own alone.
    """
    numpy: Any = import_module("numpy")
    named, listed = numpy.__all__, numpy.__dir__
    numpy.__all__ = [name for name in named if name in vars(numpy)]
    numpy.__dir__ = lambda: list(vars(numpy))
    try:
        functions: Any = import_module("scipy._lib._array_api")
        documented = vars(functions).get("FunctionDoc")
        functions.FunctionDoc = _Undocumented
        try:
            import scipy.special  # noqa: F401
        finally:
            functions.FunctionDoc = documented
    finally:
        numpy.__all__, numpy.__dir__ = named, listed


class _Undocumented(defaultdict[str, list[str]]):
    """The documentation of a function, in place of SciPy's."""

    def __init__(self, _function: object) -> None:
        super().__init__(list)

    def __str__(self) -> str:
        return "\n"
