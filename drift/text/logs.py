"""Logs: what a run says, as lines a machine reads; which monitor, window and stage said it is part of each.

``DRIFT_LOG=json`` writes one JSON object a line on standard error, ``DRIFT_LOG=text`` plain lines, and ``:debug``,
``:warning`` after either sets the level. Without it Drift logs as the program around it says. No line holds a secret
that the process knows (`drift.text.secrets`), whoever writes it.
"""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TextIO, TypeVar

from drift.errors import ConfigError
from drift.text.secrets import masked
from drift.text.visible import json_text, visible
from drift.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_P = ParamSpec("_P")
_T = TypeVar("_T")

VARIABLE = "DRIFT_LOG"

_ABOUT: ContextVar[Mapping[str, str]] = ContextVar("drift_log")
_SHAPES = ("json", "text")


def logger(name: str) -> logging.Logger:
    """Return a logger whose records hold no secrets, whatever handler of whatever program gets them."""
    found = logging.getLogger(name)
    found.addFilter(_without_secrets)
    return found


def _without_secrets(record: logging.LogRecord) -> bool:
    record.msg, record.args = masked(record.getMessage()), ()
    if record.exc_info and not record.exc_text:
        record.exc_text = masked(logging.Formatter().formatException(record.exc_info))
    return True


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Have every line that is logged inside carry these fields."""
    known = _ABOUT.get({})
    token = _ABOUT.set({**known, **fields})
    try:
        yield
    finally:
        _ABOUT.reset(token)


_log = logger(__name__)


def stage(name: str) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Have what a stage of a run logs carry its name, its monitor, and the window where it is about one.

    For functions whose first argument is a `Context`, and whose second one may be a `Window` or a `Report`.
    """

    def mark(function: Callable[_P, _T]) -> Callable[_P, _T]:
        @wraps(function)
        def marked(*given: _P.args, **named: _P.kwargs) -> _T:
            fields = {"stage": name, "monitor": str(getattr(given[0], "name", ""))}
            # A report is about its window.
            window = getattr(given[1], "window", given[1]) if len(given) > 1 else None
            if isinstance(window, Window):
                fields["window"] = window.key
            with about(**fields):
                result = function(*given, **named)
                _log.info("%s: done", name)
                return result

        return marked

    return mark


# Not by structlog: its import takes .25 s, twice that of the whole command line, and a line 67 µs, not 40.
class Json(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the run's fields, and a traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_ABOUT.get({}),
        }
        if record.exc_info:
            line["traceback"] = record.exc_text or self.formatException(record.exc_info)
        return json_text(line)


class Plain(logging.Formatter):
    """A line for people; what a traceback adds is indented, so that no message in it passes for another line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a line."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record, self.datefmt)
        lines = [self.formatMessage(record)]
        if record.exc_info:
            traceback = record.exc_text or self.formatException(record.exc_info)
            lines += [f"  {line}" for line in traceback.split("\n")]
        return "\n".join(map(visible, lines))


def is_json() -> bool:
    """Whether ``DRIFT_LOG`` has asked for JSON."""
    return any(isinstance(handler.formatter, Json) for handler in logging.getLogger("drift").handlers)


def configure(env: Mapping[str, str], stream: TextIO | None = None) -> logging.Handler | None:
    """Log as ``DRIFT_LOG`` says; None, and nothing is changed, where it says nothing.

    Parameters
    ----------
    env
        The environment, such as ``os.environ``.
    stream
        Where to; None is standard error.

    Raises
    ------
    ConfigError
        If it says what nobody understands.
    """
    said = env.get(VARIABLE, "").strip().lower()
    if not said:
        return None
    shape, _, level = said.partition(":")
    number = logging.getLevelNamesMapping().get(level.upper() or "INFO")
    if shape not in _SHAPES or number is None:
        raise ConfigError([f"{VARIABLE}={said}: write json or text, and a level after it if need be: json:debug"])
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Json() if shape == "json" else Plain("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("drift")
    for old in [each for each in logger.handlers if isinstance(each.formatter, Json | Plain)]:
        logger.removeHandler(old)
    logger.addHandler(handler)
    logger.setLevel(number)
    logger.propagate = False
    return handler
