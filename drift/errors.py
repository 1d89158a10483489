"""What can go wrong, as one tree.

Every error says what was wrong, where (file, key, feature, window) and what to do::

    DriftError
    ├── ConfigError           a monitor file cannot be used; lists every problem
    ├── WindowError           a date, window or time zone makes no sense
    ├── SourceError           the data cannot be read
    │   ├── SourceUnreachable   the database or folder does not answer; worth a retry
    │   └── SourceMissing       the table, file or column is not there
    ├── BinningError          a reference cannot be binned
    │   └── BinningMismatch     two histograms do not share their bins
    ├── DistributionError     an array is not a probability distribution
    ├── ValidationError       an expectation cannot be built or run
    ├── StoreError            the results database cannot be used
    │   ├── SchemaOutdated      its migrations are behind or ahead
    │   ├── NotCompared         a window was not compared by what is asked for
    │   └── StoreConflict       somebody else wrote in between; read again and repeat
    ├── UnknownFeature        a report has no feature of this name
    ├── NotifyError           a notification cannot be delivered
    │   └── ReceiverLate        its receiver took all the time it had
    ├── InternalError         nobody expected it: a fault of Drift's own
    └── MissingExtra          an optional dependency is not installed
"""

from __future__ import annotations

import traceback
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNEXPECTED, UNREAD = "unexpected", "cannot be read"
"""How it begins, where it is told in words: what nobody expected, and what the source says of one column alone."""


class DriftError(Exception):
    """The root: catch this to catch everything Drift raises on purpose."""


class ConfigError(DriftError):
    """A monitor file cannot be used.

    Parameters
    ----------
    problems
        Every problem found, one line each, in the order of the file.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[list[str]]]:
        return ConfigError, (self.problems,)


class WindowError(DriftError):
    """A date, a window or a time zone makes no sense."""


class SourceError(DriftError):
    """The data cannot be read."""


class SourceUnreachable(SourceError):
    """The database or the folder does not answer; the same call may work later."""


class SourceMissing(SourceError):
    """The table, the file or the column is not there."""


class BinningError(DriftError):
    """A reference cannot be binned."""


class BinningMismatch(BinningError):
    """Two histograms do not share their bins, so they neither add nor compare."""


class DistributionError(DriftError, ValueError):
    """An array is not a probability distribution; the message says what it sums to."""


class ValidationError(DriftError):
    """An expectation cannot be built or run."""


class StoreError(DriftError):
    """The results database cannot be used."""


class SchemaOutdated(StoreError):
    """The results database and this version of Drift disagree about the tables."""


class StoreConflict(StoreError):
    """Somebody else wrote what was to be changed, in between; reading again and repeating is safe."""


class NotCompared(StoreError):
    """A window, or two columns of it, were not compared, or the counts are gone; the message says which, and why."""


class UnknownFeature(DriftError, KeyError):
    """A report has no feature of this name.

    Examples
    --------
    >>> raise UnknownFeature("prise", ["price", "city"])
    Traceback (most recent call last):
    drift.errors.UnknownFeature: the report has no feature 'prise': did you mean 'price'? It has: price, city
    """

    def __init__(self, name: object, known: Sequence[str]) -> None:
        self.name, self.known = name, known
        near = get_close_matches(str(name), known, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        some = f"{', '.join(known[:10])}{', …' * (len(known) > 10)}" or "none"
        self.message = f"the report has no feature {name!r}: {meant}It has: {some}"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message  # not the message's repr, as of any KeyError

    def __reduce__(self) -> tuple[type[UnknownFeature], tuple[object, Sequence[str]]]:
        return UnknownFeature, (self.name, self.known)


class NotifyError(DriftError):
    """A notification cannot be delivered."""


class ReceiverLate(NotifyError):
    """A receiver took all the time that it had for a notification, and did not answer."""


class InternalError(DriftError):
    """Something that nobody expected: a fault of Drift's own, or of a library that it uses."""


def unexpected(error: Exception) -> str:
    """Say what nobody expected, in one line: its type, what it says, and where in Drift it was.

    Examples
    --------
    >>> unexpected(KeyError("x"))
    "unexpected KeyError: 'x'"
    """
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(_PACKAGE)]
    where = f" at drift{ours[-1].filename.removeprefix(_PACKAGE)}:{ours[-1].lineno}" if ours else ""
    said = " ".join(str(error).split())
    return f"{UNEXPECTED} {type(error).__name__}{where}{f': {said[:_MOST]}' if said else ''}"


def column_problem(error: Exception) -> str:
    """Say why a column cannot be used: it does not compare, its source refuses it, or what nobody expected.

    Examples
    --------
    >>> column_problem(SourceError("the database refused: division by zero"))
    'cannot be read: the database refused: division by zero'
    """
    if isinstance(error, BinningError):
        return str(error)
    return f"{UNREAD}: {error}" if isinstance(error, SourceError) else unexpected(error)


def is_failure(problem: str) -> bool:
    """Say whether a column's problem is a failure, as against a type that does not compare."""
    return problem.startswith((UNEXPECTED, UNREAD))


def internal(error: Exception) -> InternalError:
    """Return what nobody expected as an error that asks for a report."""
    return InternalError(
        f"{unexpected(error)}. This is a fault of Drift: please report it, with the traceback that "
        "DRIFT_LOG=text:debug writes"
    )


_PACKAGE = str(Path(__file__).parent)
_MOST = 300


class MissingExtra(DriftError, ImportError):
    """An optional dependency is not installed.

    Examples
    --------
    >>> raise MissingExtra("great_expectations", extra="validation")
    Traceback (most recent call last):
    drift.errors.MissingExtra: great_expectations is not installed: pip install 'driftmeter[validation]'
    """

    def __init__(self, module: str, *, extra: str) -> None:
        self.module, self.extra = module, extra
        super().__init__(f"{module} is not installed: pip install 'driftmeter[{extra}]'")

    def __reduce__(self) -> tuple[Callable[[], MissingExtra], tuple[()]]:
        return partial(MissingExtra, self.module, extra=self.extra), ()
