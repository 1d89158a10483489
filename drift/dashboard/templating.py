"""The templates, and what each of them may use; no web framework here."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

import drift
from drift.dashboard import formatting
from drift.text import formatting as text

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBERS = ("nats", "percent", "thousands", "number", "probability", "duration", "iso", "spoken", "many")


@cache
def environment(asset: Callable[[str], str] | None = None) -> Environment:
    """Return the templates' environment; `asset` gives a style sheet's address, None is for pages with their own."""
    env = Environment(
        loader=PackageLoader("drift.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {name: getattr(text, name) for name in _NUMBERS}
    env.filters |= {"shown": formatting.shown, "clipped": formatting.clipped}
    env.globals |= {"statuses": formatting.STATUSES, "link": formatting.link, "version": drift.__version__}
    env.globals["thresholds"] = text.thresholds
    if asset is not None:
        env.globals["asset"] = asset
    return env
