"""Refusals: what is wrong with a value of a monitor and what to do, in words a person can act on.

A check raises every problem it finds at once; pydantic adds where it stands, and its own findings are put in the
same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from drift.config.problems import noun, shorten, show_path
from drift.errors import ConfigError, WindowError
from drift.windows import load_timezone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import ValidationInfo
    from pydantic_core import ErrorDetails

    from drift.config.problems import KeyPath
    from drift.config.yaml_document import Document, Problem

Refusal = tuple["KeyPath", str, str]
Text = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]

_M = TypeVar("_M", bound=BaseModel)
_T = TypeVar("_T")

_EXAMPLES = {
    "name": "name: flights",
    "source": "source: {files: data/*.parquet, time_column: day}",
    "window": "window: {every: 1d}",
    "time_column": "time_column: day",
    "every": "every: 1d",
    "type": "expect_column_values_to_not_be_null: {column: carrier}",
    "of": "{of: 3, at_least: 2}",
    "at_least": "{of: 3, at_least: 2}",
    "to": "to: ops-chat",
}
_PATTERNS = {
    "^[A-Za-z0-9]": "use letters, digits, _ . and - only, a letter or digit first, at most 100",
    "^expect_": "write Great Expectations' own snake_case name, such as expect_column_values_to_not_be_null",
}
_TYPES = {
    "string_type": ("text", "put it in quotes"),
    "int_type": ("a whole number", "write digits without quotes"),
    "int_from_float": ("a whole number", "leave the fraction out"),
    "float_type": ("a number", "write a number without quotes"),
    "list_type": ("a list", "write [a, b], or one item a line after a dash"),
    "dict_type": ("a mapping of keys", "write {key: value}, or one indented key a line"),
    "model_type": ("a mapping of keys", "write {key: value}, or one indented key a line; leave the key out if unset"),
    "finite_number": ("a finite number", "write a number"),
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


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


def suggest(word: str, allowed: Iterable[str]) -> str:
    """Say what a misspelt word was probably meant to be, and what is allowed."""
    known = sorted(allowed)
    close = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"{f'did you mean {close[0]}? ' if close else ''}allowed: {', '.join(known)}"


def explain(error: ErrorDetails) -> tuple[str, str]:
    """Put one of pydantic's findings as what is wrong and what to do."""
    value, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "drift":
            said = context["what"], context["fix"]
        case "missing":
            key = str(error["loc"][-1])
            said = "is missing", f"add {_EXAMPLES.get(key, key)}"
        case kind if kind in _TYPES:
            wanted, fix = _TYPES[kind]
            said = f"should be {wanted}, not {noun(value)}", fix
        case kind if kind in _BOUNDS:
            words, bound = _BOUNDS[kind]
            limit = f"{words} {context[bound]:g}"
            said = f"{value} should be {limit}", f"write a number that is {limit}"
        case "literal_error":
            allowed = context["expected"].replace(" or ", ", ").replace("'", "").split(", ")
            said = f"{shorten(value)} is not known", suggest(str(value), allowed)
        case "string_too_short" | "too_short":
            said = "is too short" if value else "is empty", "write it, or leave the key out for its default"
        case "string_too_long" | "too_long":
            said = "is too long", f"keep it to {context['max_length']}"
        case "string_pattern_mismatch":
            pattern = context["pattern"]
            fix = next((fix for start, fix in _PATTERNS.items() if pattern.startswith(start)), f"match {pattern}")
            said = f"{shorten(value)} is not a valid name", fix
        case _:
            said = error["msg"], "see docs/monitors.md"
    return said


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
