"""Validation: a check raises every problem that it finds at once, and pydantic adds where it stands.

Its own findings are put in the same words (`drift.config.problems`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from drift.config.problems import explain, show_path, suggest
from drift.errors import ConfigError, WindowError
from drift.windows import load_timezone

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import ValidationInfo
    from pydantic_core import ErrorDetails

    from drift.config.problems import KeyPath, Problem
    from drift.config.yaml_document import Document

Refusal = tuple["KeyPath", str, str]
Text = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]

_M = TypeVar("_M", bound=BaseModel)
_T = TypeVar("_T")


def refuse(*refusals: Refusal) -> None:
    """Raise everything that a check found, each with its path below the value; do nothing if it found nothing."""
    if refusals:
        details = [
            InitErrorDetails(
                type=PydanticCustomError("drift", "{what}; fix: {fix}", {"what": what, "fix": fix}),
                loc=path,
                input=None,
            )
            for path, what, fix in refusals
        ]
        raise ValidationError.from_exception_data("Drift", details)


def refuse_value(what: str, fix: str) -> NoReturn:
    """Raise that the value itself cannot be used."""
    raise PydanticCustomError("drift", "{what}; fix: {fix}", {"what": what, "fix": fix})


def split_message(error: Exception) -> tuple[str, str]:
    """Split the message of an error into what is wrong and what to do."""
    what, _, fix = str(error).rpartition(": ")
    return (what, fix) if what else (fix, "choose another value")


def in_doubt(info: ValidationInfo, path: KeyPath) -> bool:
    """Whether what stands at `path` of the monitor is known to be wrong, so that nothing follows from it."""
    return path in (info.context or {}).get("wrong", ())


def known_timezone(name: str) -> str:
    """Return `name` if it is a time zone, else refuse it."""
    try:
        load_timezone(name)
    except WindowError as error:
        refuse_value(*split_message(error))
    return name


class Model(BaseModel):
    """What all parts of a monitor share: immutable, no unknown keys, no guessing between text and numbers."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        serialize_by_alias=True,
        # At first use: `drift compare` needs few of them.
        defer_build=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            names = [field.alias or name for name, field in cls.model_fields.items()]
            refuse(*(((key,), "is not a known key", suggest(key, names)) for key in map(str, data) if key not in names))
        return data


def check(model: type[_M], document: Document, env: Mapping[str, str]) -> tuple[_M | None, list[Problem]]:
    """Validate a document; return the model, if it is one, and every problem in the order of the file.

    pydantic holds checks of a whole back while a part of it is wrong. So the wrong parts are taken out and the rest
    is validated again, until nothing new is found; that they are missing then is not a finding.
    """
    if document.data is None:
        return None, document.problems
    found, out = list(document.problems), set(document.doubtful)
    while True:
        wrong = {path[:length] for path in out for length in range(len(path) + 1)}
        kept: dict[KeyPath, list[int]] = {}
        valid: _M | None = None
        errors: list[tuple[KeyPath, ErrorDetails]] = []
        try:
            data = _without(document.data, (), out, kept)
            valid = model.model_validate(data, context={"env": env, "wrong": wrong})
        except ValidationError as error:
            errors = [(_original(each["loc"], kept), each) for each in _findings(error)]
        found += [document.problem(path, *explain(each)) for path, each in errors if path not in wrong]
        if out.issuperset(path for path, _ in errors):
            return (None if found else valid), sorted(found)
        out |= {path for path, _ in errors}


def _findings(error: ValidationError) -> list[ErrorDetails]:
    """Return what pydantic found, but for a default that could not be made: that follows from the rest."""
    return [each for each in error.errors(include_url=False) if each["type"] != "default_factory_not_called"]


def parse_options(build: Callable[[], _T]) -> _T:
    """Return what `build` makes of options not read from a file; every problem at once is one `ConfigError`.

    Examples
    --------
    >>> class Limits(Model):
    ...     rows: int
    >>> parse_options(lambda: Limits(rows="many"))
    Traceback (most recent call last):
    drift.errors.ConfigError: rows: should be a whole number, not text; fix: write digits without quotes
    """
    try:
        return build()
    except ValidationError as error:
        found = [(show_path(each["loc"]) if each["loc"] else error.title, *explain(each)) for each in _findings(error)]
        raise ConfigError([f"{where}: {what}; fix: {fix}" for where, what, fix in found]) from None


def _without(value: Any, path: KeyPath, out: set[KeyPath], kept: dict[KeyPath, list[int]]) -> Any:
    """Return a copy of `value` without what stands at the paths `out`; `kept` takes the places of list items before."""
    if isinstance(value, dict):
        return {k: _without(v, (*path, k), out, kept) for k, v in value.items() if (*path, k) not in out}
    if isinstance(value, list):
        kept[path] = [i for i in range(len(value)) if (*path, i) not in out]
        return [_without(value[i], (*path, i), out, kept) for i in kept[path]]
    return value


def _original(place: KeyPath, kept: dict[KeyPath, list[int]]) -> KeyPath:
    """Return where in the file something stands that was found at `place` of the copy."""
    path: KeyPath = ()
    for part in place:
        path = (*path, kept[path][part] if isinstance(part, int) and path in kept else part)
    return path
