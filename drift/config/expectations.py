"""What every window must satisfy before it is compared with anything."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from drift.config.problems import noun, shorten
from drift.config.validation import Model, Refusal, refuse, refuse_value

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
        "properties": {"severity": long["properties"]["severity"]},
        "patternProperties": {_NAME: {"type": ["object", "null"], "description": "Arguments by name."}},
        "additionalProperties": False,
        "maxProperties": 2,
        "oneOf": [
            {"minProperties": 1, "maxProperties": 1, "not": {"required": ["severity"]}},
            {"minProperties": 2, "required": ["severity"]},
        ],
    }
    schema["anyOf"] = [short, long]


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
    def _read_short_form(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "type" in data:
            return data
        names = [key for key in map(str, data) if key.startswith("expect")]
        if not names:
            example = "write expect_column_values_to_not_be_null: {column: carrier}"
            refuse(((), f"names no expectation, only {', '.join(map(shorten, data)) or 'nothing'}", example))
        found: list[Refusal] = [
            ((key,), "is a second expectation in one item", "give it an item of its own, after a dash")
            for key in names[1:]
        ]
        name = names[0]
        kwargs = {} if data[name] is None else data[name]
        if not re.fullmatch(_NAME, name):
            found.append(
                ((name,), "is not a snake_case name", "write Great Expectations' own name, such as expect_…_to_…")
            )
        if not isinstance(kwargs, Mapping):
            found.append(((name,), f"should be a mapping of arguments, not {noun(kwargs)}", "write {column: carrier}"))
        elif "severity" in kwargs:
            fix = "put it beside the expectation, one level up"
            found.append(((name, "severity"), "is not an argument of an expectation", fix))
        if "kwargs" in data:
            found.append((("kwargs",), f"{name} has its arguments already", f"write them under {name}"))
        refuse(*found)
        return {"type": name, "kwargs": kwargs, **{key: value for key, value in data.items() if key != name}}

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
