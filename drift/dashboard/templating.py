"""The templates, and what each of them may use; no web framework here."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

import drift
from drift.alerts.circumstances import KINDS
from drift.alerts.rendering import named
from drift.dashboard import formatting
from drift.dashboard.time_marks import GLYPHS
from drift.detection.page.markup import Html
from drift.text import formatting as text
from drift.text.secrets import masked
from drift.text.statuses import STATUSES
from drift.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBERS = ("nats", "percent", "thousands", "number", "probability", "duration", "iso", "spoken", "many")


def _seen(value: object) -> object:
    """Return what a page prints, without secrets, text of any origin as it can be seen; what was escaped is ours."""
    if isinstance(value, Markup | Html):
        return Markup(masked(value))  # noqa: S704 - as safe as it was
    return visible(masked(value)) if isinstance(value, str) else value


def _kept(value: str) -> Markup:
    """Return what a form sends back, as it is."""
    return escape(value)


@cache
def environment(asset: Callable[[str], str]) -> Environment:
    """Return the templates' environment; `asset` gives the address of a style sheet or script."""
    env = Environment(
        loader=PackageLoader("drift.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {name: getattr(text, name) for name in _NUMBERS}
    env.filters |= {
        "shown": formatting.shown,
        "clipped": formatting.clipped,
        "at_random": text.at_random,
        "kept": _kept,
    }
    env.globals |= {"statuses": STATUSES, "link": formatting.link, "version": drift.__version__}
    env.globals["thresholds"] = text.thresholds
    env.globals |= {"asset": asset, "named": named, "glyphs": GLYPHS, "kinds": KINDS}
    return env
