"""Whatever is fed in: no code runs, no file outside is opened, no secret is shown, no traceback, no silent success.

Each input goes through the real command line, in a process of its own whose opened files, started processes and
connections are written down. Outside of the monitors' root lies a file that holds a word nothing may show, and the
environment holds secrets. Arrow, SQLite and DuckDB open files without Python's knowledge: what they read would show.
"""

from __future__ import annotations

import copy
import gzip
import io
import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml

from tests.support.command import runner
from tests.support.flights import rows, write_parquet, write_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from subprocess import CompletedProcess

pytestmark = pytest.mark.faults

CANARY = "canary-of-the-outside"
SECRETS = {
    "DRIFT_SOURCE_SECONDS": "5",
    "DRIFT_TOKEN": "token-7f3a9c51",
    "DRIFT_ROUTE_OPS": "json://user:route-pass-41d8@127.0.0.1:9/hook",
    "DRIFT_CONNECTION_PG": "postgresql+psycopg://drift:pg-pass-88e1@127.0.0.1:9/none?connect_timeout=1",
}
SHOWN_NEVER = (CANARY, "token-7f3a9c51", "route-pass-41d8", "pg-pass-88e1")
SLOW = 20.0
SENDER = "'drift.alerts.sender'"
"""What is started for each message: a program of our own."""
STARTS = ("os.", "subprocess.", "ctypes.")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass
class Den:
    """A folder in which hostile inputs are tried, and what came of them."""

    folder: Path
    outside: Path
    ended: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def try_it(self, what: str, *arguments: str, codes: Sequence[int] = (0, 1, 2)) -> CompletedProcess[str]:
        """Run a command and note what must not be."""
        log = self.folder / "audit.log"
        log.unlink(missing_ok=True)
        drift = runner(self.folder, DRIFT_TEST_AUDIT=str(log), **SECRETS)
        began = time.perf_counter()
        done = drift(*arguments)
        took = time.perf_counter() - began
        self.slowest = max(self.slowest, took)
        self.ended[str(done.returncode)] += 1
        said = done.stdout + done.stderr
        events = log.read_text(errors="replace").splitlines() if log.exists() else []
        faults = [
            *(["a traceback"] if "Traceback" in said else []),
            *([f"exit code {done.returncode}"] if done.returncode not in codes else []),
            *(f"shows {word}" for word in SHOWN_NEVER if word in said),
            *([f"took {took:.0f} s"] if took > SLOW else []),
            *([f"control characters {sorted(set(CONTROL.findall(said)))}"] if CONTROL.search(said) else []),
            *(
                f"did {event}"
                for event in events
                if (event.startswith(STARTS) and SENDER not in event) or str(self.outside) in event
            ),
        ]
        if faults:
            self.wrong.append(f"{what}: {'; '.join(faults[:3])}\n    {said[-300:]!r}")
        return done

    def close(self, inputs: int) -> None:
        """Say what was tried, and fail if anything was wrong."""
        stored = (self.folder / "drift.db").read_bytes() if (self.folder / "drift.db").exists() else b""
        self.wrong += [f"the database holds {word}" for word in SHOWN_NEVER if word.encode() in stored]
        ended = ", ".join(f"{times} with exit code {code}" for code, times in sorted(self.ended.items()))
        print(f"\n{inputs} inputs: {ended}; slowest {self.slowest:.1f} s; {len(self.wrong)} wrong")  # noqa: T201
        assert not self.wrong, "\n".join(self.wrong[:20])


@pytest.fixture
def den(tmp_path: Path) -> Den:
    """A folder with days of flights as files and in a warehouse, and outside of it a file nobody may read."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("secret.csv", "secret.txt", "secret.yaml"):
        (outside / name).write_text(f"day,delay,carrier\n2024-01-08,1,{CANARY}\n" * 200)
    folder = tmp_path / "inside"
    (folder / "monitors").mkdir(parents=True)
    frame = rows(10, 200)
    write_parquet(frame, folder / "data")
    write_sql(frame, f"sqlite:///{folder / 'warehouse.db'}")
    assert runner(folder)("db", "upgrade").returncode == 0
    return Den(folder, outside)


FILES: dict[str, Any] = {
    "name": "flights",
    "source": {"files": "data/*/*.parquet", "time_column": "day"},
    "window": {"every": "1d", "timezone": "UTC"},
    "reference": {"trailing": "7d", "min_windows": 3},
    "features": {"include": ["*"], "exclude": ["late"], "kinds": {"carrier": "categorical"}, "bins": {"delay": 10}},
    "segments": ["carrier"],
    "expectations": [
        {"expect_column_values_to_not_be_null": {"column": "carrier"}, "severity": "warn"},
        {"expect_column_values_to_be_between": {"column": "delay", "min_value": -100, "max_value": 100}},
    ],
    "detection": {"min_rows": 100, "effect": {"warning": 0.01, "critical": 0.1}},
    "alerts": {"routes": [{"to": "ops"}]},
}
"""A monitor that is right."""


def hostile_values(outside: Path) -> list[Any]:
    """Return what may stand anywhere in a monitor."""
    return [
        None, True, 0, -1, 1e308, float("nan"), float("inf"), 10**40, "", " ", "x" * 100_000, [], {}, [[]], {"a": {}},
        [None] * 1000, {"x": 1, 2: 3}, "é\U0001f642", "a\x00b", "\x1b[31mred\x1b[0m\r\nerror: forged", "\u202egnp.exe",
        str(outside / "secret.csv"), "../outside/secret.csv", f"file://{outside}/secret.csv", "local:///etc/passwd",
        "../outside/*", "data/../../outside/*.csv", "~/.ssh/id_rsa", "http://127.0.0.1:9/x", "s3://127.0.0.1/x",
        "${DRIFT_TOKEN}", "${HOME}", "${DRIFT_ROUTE_OPS}", "$(id)", "`id`", "{{ 7*7 }}", "{0.__class__}", "%(x)s",
        "__import__('os').system('id')", "@logging.os.system('id')", "'; DROP TABLE run; --", "1 OR 1=1",
        "(a+)+$", "[" * 2000, "*" * 300, "**", "?" * 50, "!!python/object/apply:os.system ['id']", "NaN", "1e999",
        "9999-12-31", "0000-00-00", "-5d", "0d", "1e3d", "Mars/Olympus", "../../usr/share/zoneinfo/UTC",
    ]  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every key and item of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield (*at, key)
        yield from places(below, (*at, key))


def put(document: Any, at: tuple[Any, ...], value: Any) -> Any:
    """Return a document with one value replaced."""
    changed = copy.deepcopy(document)
    inner = changed
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return changed


def write_monitor(den: Den, document: Any) -> None:
    """Write a monitor's file, whatever is in it."""
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    (den.folder / "monitors" / "flights.yaml").write_text(text, encoding="utf-8", errors="replace")


def test_monitor_keys_by_mutation(den: Den) -> None:
    """Any value anywhere in a monitor: it is refused with its line, or it runs and does no harm."""
    rng, inputs = np.random.default_rng(15), 0
    for at in places(FILES):
        values = hostile_values(den.outside)
        chosen = (
            values
            if at[0] in {"source", "features"}
            else [values[i] for i in rng.choice(len(values), 16, replace=False)]
        )
        for value in chosen:
            inputs += 1
            write_monitor(den, put(FILES, at, value))
            what = f"{'.'.join(map(str, at))} = {str(value)[:60]!r}"
            checked = den.try_it(f"check {what}", "check", "monitors/flights.yaml", codes=(0, 1))
            if checked.returncode == 0 and inputs % 3 == 0:
                den.try_it(f"run {what}", "run", "flights", "--date", "2024-01-08")
    den.close(inputs)


def test_queries(den: Den) -> None:
    """A query that is not one SELECT of what is inside is refused or fails: it writes nothing and reads no file."""
    secret = den.outside / "secret.csv"
    endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t)"
    hostile = [
        "DROP TABLE flights",
        "DELETE FROM flights",
        "UPDATE flights SET delay = 0",
        "INSERT INTO flights VALUES (1)",
        "CREATE TABLE x AS SELECT 1",
        "ATTACH DATABASE '{}' AS o",
        "DETACH main",
        "PRAGMA writable_schema=1",
        "VACUUM",
        "VACUUM INTO '{}'",
        "SELECT load_extension('{}')",
        "SELECT readfile('{}')",
        "SELECT writefile('{}', 'x')",
        "SELECT 1; DROP TABLE flights",
        "SELECT * FROM flights; --",
        f"{endless} SELECT n, '2024-01-08' AS day FROM t",
        "BEGIN",
        "COMMIT",
        "SELECT",
        "",
        ";",
        "SELECT * FROM nowhere",
        "SELECT randomblob(1000000000) AS delay, day FROM flights",
        "EXPLAIN SELECT 1",
        "SELECT * FROM pragma_database_list",
        "SELECT edit('x')",
        "SELECT fts3_tokenizer('x')",
        "COPY flights TO '{}'",
        "SELECT * FROM read_text('{}')",
        "SELECT * FROM read_csv('{}')",
        "SELECT * FROM '{}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "CALL pragma_version()",
        "SELECT getenv('DRIFT_TOKEN')",
    ]
    before = (den.folder / "warehouse.db").read_bytes()
    for text in hostile:
        query = text.replace("{}", str(secret))
        write_monitor(den, FILES | {"source": {"connection": "warehouse", "query": query, "time_column": "day"}})
        checked = den.try_it(f"query {query[:60]}", "check", "monitors/flights.yaml", codes=(0, 1))
        done = den.try_it(f"query {query[:60]}", "run", "flights", "--date", "2024-01-08", "--fail-on", "warning")
        if done.returncode == 0:
            den.wrong.append(f"query {query[:60]}: a silent success")
        if checked.returncode == 0 and not query.startswith(("SELECT", "WITH")):
            den.wrong.append(f"query {query[:60]}: nothing for drift check to say")
    assert (den.folder / "warehouse.db").read_bytes() == before
    den.close(len(hostile))


def test_expectations(den: Den) -> None:
    """Hostile arguments of every expectation, and expectations nobody should write."""
    names = [
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_be_in_set",
        "expect_column_values_to_be_between",
        "expect_column_values_to_match_regex",
        "expect_column_values_to_match_like_pattern",
        "expect_column_to_exist",
        "expect_column_values_to_match_strftime_format",
        "expect_column_values_to_be_of_type",
        "expect_table_row_count_to_be_between",
        "expect_column_mean_to_be_between",
        "expect_column_pair_values_a_to_be_greater_than_b",
        "unexpected_rows_expectation",
        "expect_query_results_to_match_comparison",
        "expect_column_kl_divergence_to_be_less_than",
        "expect_nothing_such",
        "expect_column_values_to_match_json_schema",
        "expect_multicolumn_sum_to_equal",
        "expect_column_distinct_values_to_be_in_set",
    ]
    arguments: list[dict[str, Any]] = [
        {"row_condition": "@logging.os.system('id')", "condition_parser": "pandas"},
        {"row_condition": "__import__('os').system('id')", "condition_parser": "python"},
        {"row_condition": {"column": {"name": "carrier"}, "operator": "==", "parameter": "x", "type": "comparison"}},
        {"row_condition": "delay > 1", "condition_parser": "pass_through"},
        {"condition_parser": "spark"},
        {"row_condition": 'col("delay") > 1'},
        {"row_condition": "delay.map(print)"},
        {"row_condition": "(" * 5000},
        {"row_condition": "carrier == 'AA' and " * 5000},
        {"mostly": "1"},
        {"mostly": 7},
        {"mostly": {"$PARAMETER": "x"}},
        {"value_set": {"$PARAMETER": "os.system"}},
        {"value_set": "ab"},
        {"value_set": [[[]]]},
        {"regex": "(a+)+$"},
        {"regex": "(?P<x>" * 500},
        {"regex": "("},
        {"like_pattern": "%" * 5000},
        {"strftime_format": "%" * 999},
        {"min_value": "now()"},
        {"min_value": {"__class__": 1}},
        {"type_": "os.system"},
        {"meta": {"x": "\x1b[31m"}},
        {"result_format": {"result_format": "COMPLETE", "unexpected_index_column_names": ["x"]}},
        {"catch_exceptions": False},
        {"unexpected_rows_query": "SELECT * FROM {batch}; DROP TABLE x"},
        {"partition_object": {"weights": [1]}},
        {"json_schema": {"$ref": "file:///etc/passwd"}},
        {"windows": [{"constraint_fn": "os.system"}]},
        {"profiler_config": "x"},
        {"column": "day; DROP TABLE run"},
        {"column": ["carrier"]},
        {"column": "\u202egnp"},
        {"batch_id": "../../x"},
    ]
    inputs = 0
    for name in names:
        for more in arguments:
            inputs += 1
            write_monitor(den, FILES | {"expectations": [{name: {"column": "carrier", **more}}]})
            what = f"{name} {str(more)[:80]}"
            checked = den.try_it(f"check {what}", "check", "monitors/flights.yaml", codes=(0, 1))
            if checked.returncode == 0:
                den.try_it(f"run {what}", "run", "flights", "--date", "2024-01-08", "--force")
    den.close(inputs)


PREFIXES = [b"\xff\xfe", b"\xef\xbb\xbf", b"PK\x03\x04", b"\x1f\x8b", b"ORC"]


def test_files(den: Den) -> None:
    """Broken, cut and twisted Parquet, CSV and gzip: read right, or refused; nothing empty passes for quiet."""
    rng, inputs = np.random.default_rng(16), 0
    table = pa.Table.from_pandas(rows(1, 400).drop(columns="day"), preserve_index=False)
    parquet, csv = io.BytesIO(), io.BytesIO()
    pq.write_table(table, parquet)
    pa.csv.write_csv(table, csv)
    good = {"parquet": parquet.getvalue(), "csv": csv.getvalue()}
    (den.folder / "good.parquet").write_bytes(good["parquet"])
    for ending, data in good.items():
        for kind in ("cut", "flip", "zero", "insert", "repeat", "gzip", "prefix"):
            for _ in range(30):
                inputs += 1
                at, n = int(rng.integers(len(data))), int(rng.integers(1, 64))
                twisted = {
                    "cut": data[:at],
                    "flip": data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :],
                    "zero": data[:at] + b"\0" * n + data[at + n :],
                    "insert": data[:at] + rng.bytes(n) + data[at:],
                    "repeat": data[:at] + data[at - n : at] * 50 + data[at:],
                    "gzip": gzip.compress(data)[: max(at % len(gzip.compress(data)), 10)],
                    "prefix": PREFIXES[at % len(PREFIXES)] + data,
                }[kind]
                name = f"bad.{ending}{'.gz' * (kind == 'gzip' and ending == 'csv')}"
                (den.folder / name).write_bytes(twisted)
                done = den.try_it(
                    f"{kind} {ending} at {at}", "compare", "good.parquet", name, "--fail-on", "warning", "--json"
                )
                if done.returncode == 0 and not json.loads(done.stdout)["n_current"]:
                    den.wrong.append(f"{kind} {ending} at {at}: no rows, and quiet")
                (den.folder / name).unlink()
    den.close(inputs)


NAMES = [
    "\x1b[2J\x1b[1;31mboo",
    "a\rerror: forged",
    "line\nerror: forged",
    "\u202eevil\u202c",
    "zero\u200bwidth",
    "\ufeffbom",
    "<script>alert(1)</script>",
    "[bold]x[/]",
    "[link=http://x]y[/link]",
    "{0}",
    "%s%n",
    "'; DROP TABLE score; --",
    "a,b;c\td",
    "../../etc/passwd",
    "CON",
    "-rf",
    "--help",
    "=cmd|' /C calc'!A0",
    "\x9b31m",
    "\U000e0041tag",
    "é\u0301" * 50,
    "x" * 5000,
    "`id`",
    "$(id)",
    "${DRIFT_TOKEN}",
    "null",
    "missing",
    "other",
    "unseen",
    "__index_level_0__",
    " ",
    ".",
    "*",
    "?",
    "[a-z]",
]


def test_names_and_labels(den: Den) -> None:
    """Whatever columns and labels are called, every command shows it, and obeys nothing of it."""
    inputs = 0
    for name in NAMES:
        frame = rows(10, 200)
        frame[name] = frame["carrier"].replace({"AA": name, "B6": f"B{name}", "DL": f"{name}2"})
        day = frame["day"].astype(str)
        frame.loc[day == "2024-01-09", name] = f"new {name}"
        write_parquet(frame, den.folder / "data")
        write_monitor(den, FILES | {"features": {"include": ["*"]}, "expectations": [], "segments": []})
        span = ("--from", "2024-01-05", "--to", "2024-01-09")
        for command in (
            ("backfill", "flights", *span),
            ("run", "flights", "--date", "2024-01-09", "--force"),
            ("explain", "flights", name, "--date", "2024-01-09"),
            ("history", "flights"),
            ("history", "flights", name),
            ("baseline", "show", "flights"),
            ("alerts",),
            ("replay", "flights"),
            ("explain", "flights", f"un{name}"),
            (
                "compare",
                "data/date=2024-01-08/part-0.parquet",
                "data/date=2024-01-09/part-0.parquet",
                "--html",
                "r.html",
            ),
            ("compare", "data/date=2024-01-08/part-0.parquet", f"data/{name}"),
            ("check", f"monitors/{name}"),
            ("gate", name),
            ("run", name),
            ("run", "flights", "--date", name),
            ("alerts", "mute", name),
            ("alerts", "show", name),
        ):
            if any("\x00" in argument for argument in command):
                continue
            inputs += 1
            den.try_it(f"{command[:2]} with {name!r}", *command)
        for file in den.folder.glob("drift.db*"):
            file.unlink()
        runner(den.folder)("db", "upgrade")
    den.close(inputs)


def test_parameters(den: Den) -> None:
    """Hostile arguments of every command: an error in a line, or an answer."""
    write_monitor(den, FILES)
    assert runner(den.folder)("backfill", "flights", "--from", "2024-01-01", "--to", "2024-01-09").returncode == 0
    texts = [value for value in hostile_values(den.outside) if isinstance(value, str)]
    # A path on the command line is the user's own.
    values = [text for text in texts if "\x00" not in text and len(text) < 5000 and str(den.outside) not in text]
    inputs = 0
    for value in values:
        for command in (
            ("run", "flights", "--date", value),
            ("history", "flights", "--segment", value),
            ("explain", "flights", value),
            ("compare", value, value),
            ("compare", "data", "data", "--kind", value),
            ("compare", "data", "data", "-i", value),
            ("gate", "flights", "--date", value),
            ("replay", "flights", "--set", value),
            ("replay", "flights", "--set", f"detection.z={value}"),
            ("alerts", "show", value),
            ("runs", "delete", "flights", "--window", value),
            ("tune", "flights", "--keep", value),
            ("check", value),
            ("baseline", "show", value),
            ("prune", "--keep", value),
            ("run", value),
            ("doctor", "--monitors", value),
        ):
            inputs += 1
            den.try_it(f"{command[:2]} {value[:60]!r}", *command)
    den.close(inputs)
