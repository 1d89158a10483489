"""Starting soon: what libraries do while they are imported and a command line has no use for is left out."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    loaded = [name for name in numpy.__all__ if name in vars(numpy)]
    with (
        _instead(numpy, __all__=loaded, __dir__=lambda: list(vars(numpy))),
        _instead(import_module("scipy._lib._array_api"), FunctionDoc=_Undocumented),
    ):
        import scipy.special  # noqa: F401


@contextmanager
def _instead(module: Any, **others: object) -> Iterator[None]:
    """Have names of a module, where it has them, mean something else for a while."""
    before = {name: vars(module)[name] for name in others if name in vars(module)}
    for name in before:
        setattr(module, name, others[name])
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


class _Undocumented(defaultdict[str, list[str]]):
    """The documentation of a function, in place of SciPy's."""

    def __init__(self, _function: object) -> None:
        super().__init__(list)

    def __str__(self) -> str:
        return "\n"
