"""What every window must satisfy before it is compared with anything."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from drift.config.expectation_arguments import EXPECTATIONS, unknown, wrong_with
from drift.config.problems import noun, shorten
from drift.config.validation import Model, Refusal, refuse, refuse_value

if TYPE_CHECKING:
    from drift.config.problems import KeyPath

_NAME = r"^expect_[a-z0-9]+(_[a-z0-9]+)*$"


def canonical(data: Any) -> str:
    """Return plain JSON values as one line of JSON that is the same for equal values.

    A `TypeError` or `ValueError` where JSON has no form for a value, such as a date or a NaN.

    Examples
    --------
    >>> canonical({"min_value": 300, "column": "é"})
    '{"column":"é","min_value":300}'
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _both_forms(schema: dict[str, Any]) -> None:
    """Let the JSON Schema of an expectation take the short form as well."""
    long = dict(schema)
    schema.clear()
    schema["title"] = "Expectation"
    schema["description"] = "expect_…: {arguments}, or type and kwargs; and what its failure does."
    short = {
        "title": "Expectation by name",
        "type": "object",
        "properties": {
            **{
                name: {"type": "object", "description": f"{', '.join(fields)}."}
                for name, fields in EXPECTATIONS.items()
            },
            "severity": long["properties"]["severity"],
        },
        "additionalProperties": False,
        "maxProperties": 2,
        "oneOf": [
            {"minProperties": 1, "maxProperties": 1, "not": {"required": ["severity"]}},
            {"minProperties": 2, "required": ["severity"]},
        ],
    }
    long["properties"]["type"] |= {"enum": sorted(EXPECTATIONS)}
    schema["anyOf"] = [short, long]


def _name_in(data: Mapping[str, Any]) -> str:
    """Return the name of the one expectation that an item of the short form holds."""
    names = [key for key in map(str, data) if key.startswith("expect")]
    if not names:
        example = "write expect_column_values_to_not_be_null: {column: carrier}"
        refuse(((), f"names no expectation, only {', '.join(map(shorten, data)) or 'nothing'}", example))
    found: list[Refusal] = [
        ((key,), "is a second expectation in one item", "give it an item of its own, after a dash") for key in names[1:]
    ]
    name = names[0]
    if not re.fullmatch(_NAME, name):
        fix = "write Great Expectations' own name, such as expect_…_to_…"
        found.append(((name,), "is not a snake_case name", fix))
    if "kwargs" in data:
        found.append((("kwargs",), f"{name} has its arguments already", f"write them under {name}"))
    refuse(*found)
    return name


class Expectation(Model):
    """One expectation of Great Expectations on every window, before it is compared with anything."""

    model_config = ConfigDict(json_schema_extra=_both_forms)

    type: str = Field(pattern=_NAME, description="Great Expectations' own snake_case name.")
    kwargs: dict[str, Any] = Field({}, description="Its arguments, such as column, min_value, mostly.")
    severity: Literal["reject", "warn"] = Field(
        "reject", description="A rejected window is not compared and never becomes a reference; warn only notifies."
    )

    @model_validator(mode="before")
    @classmethod
    def _read_both_forms(cls, data: Any) -> Any:
        """Read the short form too; what is wrong with the arguments is said where they are written."""
        if not isinstance(data, Mapping):
            return data
        place: KeyPath = ("kwargs",)
        if "type" not in data:
            name = _name_in(data)
            place = (name,)
            data = {"type": name, "kwargs": data[name], **{key: data[key] for key in data if key != name}}
        kwargs = {} if data.get("kwargs") is None else data["kwargs"]
        if not isinstance(kwargs, Mapping):
            refuse((place, f"should be a mapping of arguments, not {noun(kwargs)}", "write {column: carrier}"))
        name = data["type"]
        if isinstance(name, str) and re.fullmatch(_NAME, name):
            if name not in EXPECTATIONS:
                refuse((("type",) if place == ("kwargs",) else place, *unknown(name)))
            refuse(*(((*place, *path), what, fix) for path, what, fix in wrong_with(name, kwargs)))
        return {**data, "kwargs": kwargs}

    @field_validator("kwargs")
    @classmethod
    def _check_kwargs(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            canonical(value).encode()
        except (TypeError, ValueError) as error:
            refuse_value(f"holds what JSON cannot: {error}", "use text, finite numbers, true, false, null and lists")
        return value

    @property
    def key(self) -> str:
        """What identifies the expectation in a monitor, whatever its severity: its name and a hash of its arguments.

        Examples
        --------
        >>> Expectation(type="expect_column_to_exist", kwargs={"column": "carrier"}).key
        'expect_column_to_exist:c16c1e624bf0'
        """
        return f"{self.type}:{hashlib.sha256(canonical(self.kwargs).encode()).hexdigest()[:12]}"
