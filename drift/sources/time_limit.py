"""How long a source may take for one answer: to a statement, or for the next of its rows.

Databases end a statement by themselves where they can; what never answers, or drips, is left behind from here. A
library's own time-out, where it has one, is of a single wait.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import Future
from contextlib import ExitStack
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from drift.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Any

T = TypeVar("T")

SECONDS_VARIABLE = "DRIFT_SOURCE_SECONDS"
"""The environment's word for how long a source may take for one answer."""

_SECONDS = 600.0
_GRACE = 1.0
_left: list[Future[Any]] = []


def seconds() -> float:
    """Return how long a statement may take: 600 s, or what ``DRIFT_SOURCE_SECONDS`` says."""
    said = os.environ.get(SECONDS_VARIABLE) or str(_SECONDS)
    if not re.fullmatch(r"\d{1,6}(?:\.\d+)?", said) or not float(said) >= 0.001:
        raise ConfigError([f"{SECONDS_VARIABLE}={said}: write seconds, such as 600"])
    return float(said)


def patience() -> float:
    """Return how long an answer is waited for here: a little longer, for a database to say itself what it ended."""
    return seconds() + _GRACE


def too_long(reason: str) -> str:
    """Say that a statement was ended by its time limit."""
    return f"a statement took too long ({reason}): read less, or let {SECONDS_VARIABLE} be more than {seconds():g}"


def no_answer() -> str:
    """Say that a source has been left behind."""
    return f"no answer within {seconds():g} s: see whether it is up, or let {SECONDS_VARIABLE} be more"


def in_time(
    call: Callable[..., T],
    *arguments: Any,
    cancel: Callable[[], object] = lambda: None,
    using: ExitStack | None = None,
) -> T:
    """Call in a thread of its own, so that signals and the end of the time reach who waits.

    A call that is left behind is cancelled; where that does not help, its thread goes on, and what it is `using` is
    closed when it ends.

    Raises
    ------
    TimeoutError
        If there is no answer in time.

    Examples
    --------
    >>> in_time(divmod, 7, 2)
    (3, 1)
    """
    done = _begun(call, *arguments)
    try:
        return done.result(patience())
    except BaseException as error:
        if done.done():
            raise
        _begun(cancel)
        try:
            done.exception(_GRACE)
        except TimeoutError:
            _left.append(done)
            opened = (using or ExitStack()).pop_all()
            done.add_done_callback(lambda _: opened.close())
        if isinstance(error, TimeoutError):
            raise TimeoutError(no_answer()) from None
        raise


def each_in_time(stream: Iterator[T], using: ExitStack | None = None) -> Generator[T]:
    """Yield what a stream gives, each `in_time`."""
    while (found := in_time(next, stream, None, using=using)) is not None:
        yield found


def is_left() -> bool:
    """Say whether a call goes on that nobody waits for any more: the process cannot end in good order then."""
    return not all(done.done() for done in _left)


class _Answer(Future[T]):
    """What a thread is to give: a result, or whatever it raises."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if error is not None:
            self.set_exception(error)
        return True


def _begun(call: Callable[..., T], *arguments: Any) -> Future[T]:
    done: _Answer[T] = _Answer()

    def work() -> None:
        with done:
            done.set_result(call(*arguments))

    Thread(target=work, name="drift-source", daemon=True).start()
    return done
