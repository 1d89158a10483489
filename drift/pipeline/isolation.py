"""Isolation: what fails because of some features is done without them, and each of them says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from drift.errors import SourceUnreachable, StoreError, column_problem
from drift.text import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

log = logs.logger(__name__)


def isolated(
    attempt: Callable[[Mapping[str, str]], T],
    features: Sequence[str],
    *,
    passes: tuple[type[Exception], ...] = (SourceUnreachable, StoreError),
) -> T:
    """Return what an attempt comes to, without the features that it fails with.

    What makes an attempt fail is found by halving, and only where it fails: all features cost what they cost together.
    It has to be repeatable, and fails as it did where no feature is to blame: without any of them, or with no part of
    them.

    Parameters
    ----------
    attempt
        Called with the features to leave out, each with the reason.
    features
        All that may be left out.
    passes
        What no feature is to blame for: by default an outage, and the results database.

    Examples
    --------
    >>> values = {"a": "1", "b": None, "c": "3"}
    >>> def total(left_out):
    ...     return sum(int(value) for name, value in values.items() if name not in left_out), dict(left_out)
    >>> isolated(total, list(values))[0]
    4
    """
    try:
        return attempt({})
    except passes:
        raise
    except Exception as error:
        left_out = _blamed(attempt, features, error, passes)
        if not left_out:
            raise
    return attempt(left_out)


def _blamed(
    attempt: Callable[[Mapping[str, str]], object],
    features: Sequence[str],
    error: Exception,
    passes: tuple[type[Exception], ...],
) -> dict[str, str]:
    """Return the features that an attempt fails with, each with the reason; none where it fails without them too."""

    def failure(kept: Sequence[str]) -> Exception | None:
        try:
            attempt(dict.fromkeys(set(features).difference(kept), ""))
        except passes:
            raise
        except Exception as again:
            log.debug("columns %s", ", ".join(kept), exc_info=True)
            return again
        return None

    def among(some: Sequence[str], reason: Exception) -> dict[str, str]:
        if len(some) == 1:
            return {some[0]: column_problem(reason)}
        half = len(some) // 2
        failed = [(part, again) for part in (some[:half], some[half:]) if (again := failure(part))]
        return {name: why for part, again in failed for name, why in among(part, again).items()}

    return among(features, error) if failure(()) is None else {}
