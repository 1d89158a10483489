"""Where a monitor's rows are."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from drift.config.problems import shorten
from drift.config.validation import Model, Refusal, Text, in_doubt, known_timezone, refuse, refuse_value
from drift.errors import ConfigError

IDENTIFIER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,249}")
"""A connection id, or the name of a route."""

PARTS = ("year", "month", "day", "hour")
"""What a time may be split into, over as many columns: the first of these that are given."""

SECRET = re.compile(r"://[^/@\s]+:[^@\s]*@|[?&;](?:passw(?:or)?d|pwd|secret|token|api_?key)=", re.IGNORECASE)
"""What gives a password in a URL away."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}?")


class TimeParts(Model):
    """Columns that hold the parts of a local time, as whole numbers: the year, and what is finer."""

    year: Text = Field(description="Column of the year.")
    month: Text | None = Field(None, description="Column of the month, 1 to 12.")
    day: Text | None = Field(None, description="Column of the day of the month.")
    hour: Text | None = Field(None, description="Column of the hour, 0 to 23.")

    @model_validator(mode="after")
    def _check_gaps(self) -> Self:
        given = [getattr(self, part) is not None for part in PARTS]
        for coarse, fine, has_coarse, has_fine in zip(PARTS, PARTS[1:], given, given[1:], strict=False):
            if has_fine and not has_coarse:
                refuse(((fine,), f"is given without the {coarse}", f"add the column of the {coarse}"))
        if len(set(self.columns)) < len(self.columns):
            refuse(((), "names a column twice", "name a column for each part"))
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, that of the year first."""
        return tuple(name for part in PARTS if (name := getattr(self, part)) is not None)


class Csv(Model):
    """How CSV files are written, where that is not to be found out from the files themselves."""

    delimiter: Text | None = Field(None, description="Sign between fields: one character, or the word tab.")
    decimal: Literal[".", ","] | None = Field(None, description="Sign that parts the decimals.")
    thousands: Literal[",", ".", " ", "'"] | None = Field(None, description="Sign that parts the thousands.")
    quote: Text | None = Field(None, description="Sign that fields are quoted by: one character.")
    encoding: Text | None = Field(None, description="Encoding, by its Python name, such as cp1252 or utf-16.")
    null_values: list[str] = Field([], description="Texts that stand for null in every column, beside the empty field.")
    header: bool | None = Field(None, description="Whether the first line holds the names of the columns.")

    @field_validator("delimiter", "quote")
    @classmethod
    def _check_sign(cls, value: str | None) -> str | None:
        sign = "\t" if value == "tab" else value
        if sign is not None and (len(sign) != 1 or not sign.isascii() or sign in "\r\n\0"):
            refuse_value("is not a single ASCII character", 'write one, such as ";", or tab')
        return sign

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, value: str | None) -> str | None:
        try:
            "".encode(value or "utf-8")
        except (LookupError, UnicodeError, ValueError):
            refuse_value("is not an encoding that Python knows", "write one, such as cp1252, latin-1 or utf-16")
        return value

    @model_validator(mode="after")
    def _check_signs(self) -> Self:
        if self.decimal and self.decimal == self.thousands:
            refuse((("thousands",), "is the sign of the decimals too", "give each its own"))
        if self.delimiter and self.delimiter == self.quote:
            refuse((("quote",), "is the delimiter too", "give each its own"))
        return self


class Source(Model):
    """Where the rows are: a table, a query or files, and the column that says when a row happened."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"oneOf": [{"required": ["table"]}, {"required": ["query"]}, {"required": ["files"]}]},
                {"oneOf": [{"required": ["time_column"]}, {"required": ["time"]}]},
            ]
        }
    )

    connection: Text | None = Field(
        None, description="Connection id of the database: one of Airflow's, or DRIFT_CONNECTION_<NAME> outside of it."
    )
    table: Text | None = Field(None, description="Table or view to read; needs a connection.")
    schema_: Text | None = Field(None, alias="schema", description="Database schema of the table.")
    query: Text | None = Field(None, description="A SELECT to read instead of a table; needs a connection.")
    files_: Text | None = Field(
        None,
        alias="files",
        description="File, folder or glob, relative to the working directory. ${DRIFT_VAR_…} variables are filled in.",
    )
    format: Literal["parquet", "csv"] | None = Field(
        None, description="Format of the files; by default by their extension."
    )
    csv: Csv | None = Field(None, description="How the CSV files are written; by default found out from them.")
    time_column: Text | None = Field(
        None, description="Column that says when a row happened; it decides the window of the row."
    )
    time: TimeParts | None = Field(
        None, description="Or the columns, such as those of folders year=2013/month=02/day=08, that hold its parts."
    )
    time_format: Text | None = Field(
        None, description="How the time column writes times as text, where not ISO 8601: %d/%m/%Y %H:%M for day first."
    )
    timezone: Text | None = Field(
        None, description="IANA time zone of times that carry none; by default the time zone of the window."
    )
    engine: Literal["auto", "local", "warehouse"] = Field(
        "auto",
        description="Where rows are counted: local (here), warehouse (inside the database), auto (inside it where a "
        "window has more than 5,000,000 rows and the database can).",
    )

    @field_validator("connection")
    @classmethod
    def _check_connection(cls, value: str | None) -> str | None:
        # The value is never shown: it may be a password.
        if value and not IDENTIFIER.fullmatch(value):
            what = "is a URL, which may hold a password" if "://" in value else "is not a connection id"
            fix = "name a connection, such as warehouse, and set DRIFT_CONNECTION_WAREHOUSE or Airflow's connection"
            refuse_value(what, fix)
        return value

    @field_validator("files_")
    @classmethod
    def _check_files(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and SECRET.search(value):
            refuse_value("holds a password", "keep credentials in the environment of the object store")
        if value:
            _fill_in(value, (info.context or {}).get("env"))
        return value

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str | None) -> str | None:
        return value and known_timezone(value)

    @model_validator(mode="before")
    @classmethod
    def _check_places(cls, data: Any, info: ValidationInfo) -> Any:
        # Before the fields are looked at, so that a wrong one does not hide what is wrong with their combination.
        if not isinstance(data, Mapping):
            return data
        keys = [str(key) for key, value in data.items() if value is not None]
        places = [key for key in keys if key in {"table", "query", "files"}]
        # What is known to be wrong has been taken out, but is not missing.
        doubts = {key for key in ("table", "query", "files", "connection") if in_doubt(info, ("source", key))}
        found: list[Refusal] = [
            ((key,), f"{places[0]} is given already", "keep exactly one of table, query, files") for key in places[1:]
        ]
        if not places and not doubts - {"connection"}:
            found.append((("table",), "is missing", "give exactly one of table, query, files"))
        elif places == ["files"]:
            unused = [key for key in ("connection", "schema") if key in keys]
            found += [((key,), "is not used with files", "remove it") for key in unused]
            if data.get("engine") == "warehouse":
                found.append((("engine",), "warehouse is not used with files", "remove it: files are counted here"))
        elif places and "connection" not in {*keys, *doubts}:
            found.append((("connection",), "is missing", f"add the id of the connection that has the {places[0]}"))
        times = [key for key in keys if key in {"time_column", "time"}]
        if times[1:]:
            found.append(((times[1],), f"{times[0]} is given already", "keep exactly one of time_column, time"))
        elif not times and not any(in_doubt(info, ("source", key)) for key in ("time_column", "time")):
            found.append((("time_column",), "is missing", "add time_column: day"))
        if "schema" in keys and places == ["query"]:
            found.append((("schema",), "is not used with query", "remove it"))
        of_files = {"format", "csv"} if places and "files" not in places else set()
        found += [((key,), f"is not used with {places[0]}", "remove it") for key in keys if key in of_files]
        refuse(*found)
        return data

    @field_validator("time_format")
    @classmethod
    def _check_time_format(cls, value: str | None) -> str | None:
        parts = set(re.findall(r"%(.?)", value or ""))
        if value is not None and not ({"d"} & parts and {"m", "b", "B"} & parts and {"Y", "y"} & parts):
            refuse_value("does not tell the day, the month and the year", "write such as %d/%m/%Y")
        if unknown := sorted(parts - set("dmbBYyHIpMS%")):
            refuse_value(f"holds %{unknown[0]}", "use %d %m %b %B %Y %y %H %I %p %M %S")
        return value

    @model_validator(mode="after")
    def _check_unused(self) -> Self:
        if self.csv and self.format == "parquet":
            refuse((("csv",), "is not used with Parquet files", "remove it"))
        if self.time_format and self.time:
            refuse((("time_format",), "is not used with time", "remove it"))
        if self.time_format and self.engine == "warehouse":
            refuse((("time_format",), "is not read inside a database", "remove engine, or convert in a query"))
        return self

    @property
    def may_count_inside(self) -> bool:
        """Whether rows may be counted inside the database that holds them."""
        return self.engine != "local" and not self.time_format

    @property
    def time_columns(self) -> tuple[str, ...]:
        """The columns that say when a row happened: they are not features."""
        return self.time.columns if self.time else (self.time_column or "",)

    @property
    def files(self) -> str | None:
        """`files_` with its ``${DRIFT_VAR_…}`` variables filled in; a `ConfigError` if one is not set.

        The monitor itself keeps what was written, so that its hash is the same on every machine.

        Examples
        --------
        >>> Source(files="flights/day=*/*.parquet", time_column="day").files
        'flights/day=*/*.parquet'
        """
        try:
            return self.files_ and _fill_in(self.files_, os.environ)
        except ValueError as error:
            raise ConfigError([f"source.files: {error}"]) from None


def _fill_in(text: str, env: Mapping[str, str] | None) -> str:
    """Fill the variables of a path in; with no `env`, only check their names."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if not match[0].endswith("}") or not re.fullmatch(r"DRIFT_VAR_[A-Z0-9_]+", name):
            wanted = re.sub(r"[^A-Z0-9_]", "_", name.upper().removeprefix("DRIFT_")).strip("_") or "NAME"
            fix = f"only what is no secret is: set DRIFT_VAR_{wanted[:80]}, and write ${{DRIFT_VAR_{wanted[:80]}}}"
            refuse_value(f"{shorten(match[0])} is not filled in", fix)
        if env is not None and not env.get(name):
            refuse_value(f"the environment variable {name} is not set", f"set {name} where Drift runs")
        return (env or {}).get(name, "")

    return _VARIABLE.sub(value, text)
