"""Monitors: files that load, files that do not, stable hashes, and a reference that tells the truth."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from drift.config import yaml_document
from drift.config.alerts import Route
from drift.config.detection import Effect
from drift.config.monitor import Monitor, json_schema, load_monitor, load_monitors, monitor_files, parse_monitor
from drift.config.validation import parse_options
from drift.errors import ConfigError

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "monitors.md"

EXISTS = "expect_column_to_exist"
SAMPLE = """\
name: flights
description: Departures from the New York airports
source:
  connection: warehouse            # an Airflow connection id
  table: flights                   # or query: select …   or files: data/flights/date=*/*.parquet
  time_column: flight_date
window: {every: 1d, timezone: America/New_York}
reference: {trailing: 28d}         # or fixed: [2013-01-01, 2013-04-01] | previous: 1 | same_weekday: 8
features:
  exclude: [tailnum]
  kinds: {origin: categorical}
expectations:
  - expect_table_row_count_to_be_between: {min_value: 300}
    severity: reject
  - expect_column_values_to_not_be_null: {column: carrier}
    severity: warn
detection:
  min_rows: 200
  effect: {warning: 0.01, critical: 0.1}
  features: {"*_delay": {critical: 0.2}}
  persistence: {of: 3, at_least: 2}
alerts:
  routes: [{to: ops-chat, severity: [critical]}, {to: team-mail}]
schedule: "@daily"
"""
SHORTEST = "name: m\nsource: {files: a.csv, time_column: t}\nwindow: {every: 1d}\n"
LINE = re.compile(r"[^\n]+:[1-9]\d*: \S[^\n]*: [^\n]+; fix: [^\n]+")


def told(text: str) -> list[str]:
    """The problems of a monitor."""
    with pytest.raises(ConfigError) as caught:
        parse_monitor(text, "m.yaml")
    return caught.value.problems


# What a monitor says


def test_the_sample_loads() -> None:
    """A whole monitor, as the design has it."""
    monitor = parse_monitor(SAMPLE)
    assert (monitor.name, monitor.source.table, monitor.window.timezone) == ("flights", "flights", "America/New_York")
    assert (monitor.reference.trailing, monitor.reference_min_windows, monitor.cron) == ("28d", 7, "@daily")
    assert monitor.features.select(["tailnum", "origin"]) == ["origin"]
    assert monitor.features.kind_for("origin") == "categorical"
    assert [(e.type, e.kwargs, e.severity) for e in monitor.expectations] == [
        ("expect_table_row_count_to_be_between", {"min_value": 300}, "reject"),
        ("expect_column_values_to_not_be_null", {"column": "carrier"}, "warn"),
    ]
    assert monitor.detection.effect_for("dep_delay") == Effect(warning=0.01, critical=0.2)
    assert [(r.to, r.severity) for r in monitor.alerts.routes] == [("ops-chat", ["critical"]), ("team-mail", None)]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("segments: [origin]", [("origin",)]),
        ("segments: [origin, [carrier, origin]]", [("origin",), ("carrier", "origin")]),
        ("segments: [[origin]]", [("origin",)]),
    ],
)
def test_segments_are_columns_or_combinations(text: str, columns: list[tuple[str, ...]]) -> None:
    """A column alone may stand in a list of its own."""
    assert parse_monitor(SAMPLE + text).segment_columns == columns


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "segments: origin",
            "segments: should be a list, not text; fix: write [a, b], or one item a line after a dash",
        ),
        (
            "segments: [[a, 7]]",
            'segments[0]: should name columns, not ["a", 7]; fix: write a column, or a list of up to 4 columns',
        ),
        ("segments: [[a, a]]", 'segments[0]: ["a", "a"] names a column twice; fix: name each column once'),
        ("segments: [[a, b], [b, a]]", "segments[1]: repeats earlier columns; fix: remove one of the two"),
        (
            "segments: [flight_date]",
            "segments[0]: is the time column, which windows are cut by; fix: remove it here",
        ),
    ],
)
def test_segments_that_can_be_none(text: str, problem: str) -> None:
    """Whoever asks for them is told what is wrong, and what to do."""
    assert told(SAMPLE + text) == [f"m.yaml:25: {problem}"]


@pytest.mark.parametrize("engine", ["auto", "local", "warehouse"])
def test_segments_are_counted_by_any_engine(engine: str) -> None:
    """Here or inside the database."""
    text = SHORTEST.replace("files: a.csv", f"connection: w, table: t, engine: {engine}") + "segments: [origin]"
    assert parse_monitor(text).segment_columns == [("origin",)]


def test_hashed_columns_make_no_segments() -> None:
    """Segments are stored by name, and the labels of a hashed column never are."""
    (problem,) = told(SHORTEST + "features: {hashed: [origin]}\nsegments: [origin]")
    assert "is among features.hashed, and segments are stored by name" in problem


def test_columns_that_explain_are_features_or_cut_segments() -> None:
    """Others have no cells; each is told with what to do."""
    text = SHORTEST + "features: {exclude: [tail]}\nsegments: [[origin, tail]]\nexplain_by: "
    assert parse_monitor(text + "[tail, carrier]").explain_by == ["tail", "carrier"]
    assert parse_monitor(text + "[]").explain_by == []
    assert parse_monitor(text + "[carrier]").patterns[-1] == ("explain_by", "carrier")
    excluded = text.replace("[[origin, tail]]", "[origin]")
    assert 'explain_by[1]: "tail" is excluded by features.exclude; fix' in told(excluded + "[origin, tail]")[0]
    assert 'explain_by[0]: "t" is the time column' in told(text + "[t]")[0]
    assert 'explain_by[2]: names "carrier" again; fix: remove one of the two' in told(text + "[carrier, a, carrier]")[0]


def test_everything_but_three_keys_has_a_default() -> None:
    """What a careful person would have chosen."""
    monitor = parse_monitor(SHORTEST)
    assert (monitor.window.timezone, monitor.reference.trailing, monitor.reference.min_windows) == ("UTC", "28d", 7)
    assert (monitor.features.include, monitor.features.levels) == (["*"], 50)
    assert (monitor.expectations, monitor.alerts.routes, monitor.schedule, monitor.cron) == ([], [], None, "@daily")
    detection = monitor.detection
    assert (detection.min_rows, detection.fdr, detection.smoothing, detection.history) == (30, 0.01, "pooled", 56)
    assert (detection.persistence.of, detection.persistence.at_least) == (3, 2)
    assert (detection.effect.warning, detection.effect.critical) == (0.01, 0.1)


@pytest.mark.parametrize(
    ("every", "schedule"), [("1h", "@hourly"), ("1d", "@daily"), ("7d", "0 0 * * 1"), ("6h", "0 */6 * * *")]
)
def test_the_schedule_follows_the_window(every: str, schedule: str) -> None:
    """Unless one is written, a monitor runs whenever a window ends; weeks end on Mondays."""
    assert parse_monitor(SHORTEST.replace("1d", every)).cron == schedule
    assert parse_monitor(SHORTEST.replace("1d", every) + "schedule: 30 6 * * *").cron == "30 6 * * *"


# What is refused


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    """Pydantic's findings, our own, and those of the YAML, each with its line and a remedy."""
    problems = told("""\
name: "bad name"
source:
  tabel: flights
  query: select 1
  files: a.csv
  time_column: 5
  connection: postgresql://ada:hunter2@db/warehouse
window: {every: 5h, timezone: Mars}
reference: {trailing: 28d, previous: 1}
features: {exclude: [a, a_*], kinds: {a: numeric, b: int}, bins: {a_x: 5, c: 1}, levels: "5", include: []}
expectations:
  - expect_column_to_exist: {column: c, severity: warn}
  - expect_column_to_exist: {column: c}
    severity: wran
  - expect_column_to_exist: {column: d}
  - expect_column_to_exist: {column: d}
detection:
  min_rows: 0
  effect: {warning: .5, critical: x}
  fdr: .6
  persistence: {of: 2, at_least: 3}
  features: {a: {critical: .3}}
alerts: {routes: [{to: "https://hooks.example/hunter2"}, {}, {to: ok, severity: [bad]}]}
schedule: 61 * * * *
name: again
""")
    assert all(LINE.fullmatch(line) for line in problems)
    assert not any("hunter2" in line for line in problems)
    assert [": ".join(line.split(": ")[:2]).removeprefix("m.yaml:") for line in problems] == [
        "1: name",
        "3: source.tabel",
        "5: source.files",
        "6: source.time_column",
        "7: source.connection",
        "8: window.every",
        "8: window.timezone",
        "9: reference.previous",
        "10: features.kinds.a",
        "10: features.kinds.b",
        "10: features.bins.a_x",
        "10: features.bins.c",
        "10: features.levels",
        "10: features.include",
        "12: expectations[0].expect_column_to_exist.severity",
        "14: expectations[1].severity",
        "16: expectations[3]",
        "18: detection.min_rows",
        "19: detection.effect.critical",
        "20: detection.fdr",
        "21: detection.persistence",
        "22: detection.features.a",
        "23: alerts.routes[0].to",
        "23: alerts.routes[1].to",
        "23: alerts.routes[2].severity[0]",
        "24: schedule",
        "25: name",
    ]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("features: {kinds: {t: datetime}}", "4: features.kinds.t: is the time column, which is not a feature"),
        ("features: {bins: {t: 5}}", "4: features.bins.t: is the time column, which is not a feature"),
        ("features: {include: [a, t]}", "4: features.include[1]: is the time column, which is not a feature"),
        ("detection: {features: {t: {warning: .02}}}", "4: detection.features.t: is the time column"),
        ("features: {exclude: ['a*'], bins: {ab: 5}}", "4: features.bins.ab: is excluded by features.exclude"),
        (
            "features: {exclude: ['a*'], kinds: {'a*': boolean}}",
            "4: features.kinds.a*: is excluded by features.exclude",
        ),
        ("features: {include: ['a*'], bins: {b: 5}}", "4: features.bins.b: is not among features.include"),
        (
            "features: {exclude: [a]}\ndetection: {features: {a: {warning: .02}}}",
            "5: detection.features.a: is excluded by features.exclude; fix: remove it here, or from exclude",
        ),
        ("detection: {effect: {warning: 0}}", "4: detection.effect.warning: 0 should be more than 0"),
        ("detection: {effect: {warning: .2}}", "4: detection.effect: critical 0.1 lies below warning 0.2; fix: raise"),
        ("detection: {features: {a: {warning: .2}}}", "4: detection.features.a: critical 0.1 lies below warning 0.2"),
        ("detection: {fdr: 0}", "4: detection.fdr: 0 should be more than 0"),
        ("detection: {fdr: 0.51}", "4: detection.fdr: 0.51 should be at most 0.5"),
        ("detection: {min_rows: 0}", "4: detection.min_rows: 0 should be at least 1"),
        ("detection: {min_rows: '200'}", "4: detection.min_rows: should be a whole number, not text"),
        ("detection: {persistence: {of: 1}}", "4: detection.persistence: at_least 2 of 1 windows can never be"),
        (
            "detection: {smoothing: jefreys}",
            '4: detection.smoothing: "jefreys" is not known; fix: did you mean jeffreys?',
        ),
        ("detection: {history: -1}", "4: detection.history: -1 should be at least 0"),
        (
            f"expectations: [{{{EXISTS}: {{column: b}}}}, {{type: {EXISTS}, kwargs: {{column: b}}}}]",
            "4: expectations[1]: repeats an earlier",
        ),
        ("schedule: '@yearly'", '4: schedule: there is no preset @yearly; fix: write "30 6 * * *"'),
        ("schedule: 5", "4: schedule: should be text, not a number"),
        ("descripton: x", "4: descripton: is not a known key; fix: did you mean description? allowed: alerts, desc"),
        ("features:", "4: features: should be a mapping of keys, not empty"),
        ("name: n", "4: name: the key stands twice, first in line 1"),
    ],
)
def test_what_makes_no_sense(more: str, problem: str) -> None:
    """Each is refused at its line."""
    assert [line for line in told(SHORTEST + more) if f"m.yaml:{problem}" in line]


def test_nothing_follows_from_a_time_zone_that_is_wrong() -> None:
    """Whether a reference lies on midnights is not asked while nobody knows whose."""
    text = SHORTEST.replace("1d", "1d, timezone: Mars") + "reference: {fixed: ['2013-01-01T05:00:00Z', '2013-02-01']}"
    assert [line.split(": ")[1] for line in told(text)] == ["window.timezone"]


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "é", "a" * 101, "a\n"])
def test_a_name_is_that_of_a_dag(name: str) -> None:
    """Airflow, file names and URLs can carry it."""
    assert told(SHORTEST.replace("name: m", f"name: {json.dumps(name)}"))[0].startswith("m.yaml:1: name: ")


@pytest.mark.parametrize(
    ("to", "valid"),
    [
        ("ops-chat", True),
        ("json://127.0.0.1:8080/x", True),
        ("json://localhost/x", True),
        ("jsons://[::1]/x", True),
        ("file:///var/log/drift.log", True),
        ("json://example.com/x", False),
        ("json://ada:pw@localhost/x", False),
        ("json://localhost/?token=x", False),
        ("json://[::1", False),
        ("slack://TokenA/TokenB/TokenC", False),
        ("mailto://ada:pw@example.com", False),
        ("two words", False),
        ("", False),
    ],
)
def test_a_route_is_a_name(to: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table above
    """URLs hold tokens; only those that stay on this machine may be written down."""
    if valid:
        assert Route(to=to).to == to
    else:
        with pytest.raises(ConfigError) as caught:
            parse_options(lambda: Route(to=to))
        assert not to or to not in str(caught.value)


# Files


def test_a_file_names_itself_in_its_problems(tmp_path: Path) -> None:
    """Whatever is wrong with a file, the line begins with its path."""
    path = tmp_path / "m.yaml"
    for content, problem in [
        (b"name: \xff", f"{path}:1: (file): byte 0xff is not UTF-8; fix: save the file as UTF-8"),
        (b"", f"{path}:1: (file): is empty; fix: begin with name, source and window"),
        (
            b"#" * (1 << 20) + b"#",
            f"{path}:1: (file): is larger than 1,048,576 bytes; fix: write one monitor to a file, and no data",
        ),
    ]:
        path.write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            load_monitor(path)
        assert caught.value.problems == [problem]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file or a folder is a problem like any other."""
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError, match=r":1: \(file\): cannot be read: .*; fix: check the path"):
            load_monitor(path)
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory; fix: name the folder"):
        load_monitors(tmp_path / "none")


def test_a_folder_of_monitors(tmp_path: Path) -> None:
    """Both endings, in the order of the names; hidden files and others are left out."""
    for file, name in [("b.yaml", "bb"), ("a.yml", "aa"), (".c.yaml", "cc"), ("d.txt", "dd")]:
        (tmp_path / file).write_text(SHORTEST.replace("name: m", f"name: {name}"))
    (tmp_path / "e.yaml").mkdir()
    assert [path.name for path in monitor_files(tmp_path)] == ["a.yml", "b.yaml"]
    assert [monitor.name for monitor in load_monitors(tmp_path)] == ["aa", "bb"]
    assert load_monitors(tmp_path / "e.yaml") == []


def test_the_problems_of_a_folder_are_told_together(tmp_path: Path) -> None:
    """Of every file, names that two files share included, even where one of the two has problems of its own."""
    (tmp_path / "a.yaml").write_text(SHORTEST + "schedule: never\n")
    (tmp_path / "b.yaml").write_text("# the same\n" + SHORTEST)
    (tmp_path / "c.yaml").write_text("name: ]")
    with pytest.raises(ConfigError) as caught:
        load_monitors(tmp_path)
    assert [line.removeprefix(f"{tmp_path}/")[:40] for line in caught.value.problems] == [
        "a.yaml:4: schedule: a schedule has 5 fie",
        "b.yaml:2: name: m is the name of the mon",
        "c.yaml:1: (file): is not YAML: while par",
    ]


def test_variables_are_checked_when_a_file_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unset one is a problem with a line; the hash is the same wherever it points."""
    text = SHORTEST.replace("a.csv", '"${DRIFT_VAR_LAKE}/a.csv"')
    monkeypatch.delenv("DRIFT_VAR_LAKE", raising=False)
    assert told(text) == [
        (
            "m.yaml:2: source.files: the environment variable DRIFT_VAR_LAKE is not set; "
            "fix: set DRIFT_VAR_LAKE where Drift runs"
        )
    ]
    hashes = set()
    for place in ("here", "there"):
        monkeypatch.setenv("DRIFT_VAR_LAKE", place)
        monitor = parse_monitor(text)
        assert monitor.source.files == f"{place}/a.csv"
        hashes.add(monitor.config_hash)
    assert len(hashes) == 1


# Hashes


def test_the_hash_does_not_change_from_version_to_version() -> None:
    """Results are stored under it: a change here is a change of every stored monitor, and must be meant."""
    assert parse_monitor(SHORTEST).config_hash == "df86ccc053251b11"


def test_the_hash_is_that_of_the_meaning() -> None:
    """Order, comments, styles and defaults written out do not matter; a value does."""
    same = """\
# the same
"window":
  every: "1d"
  timezone: UTC
source: {time_column: t, files: 'a.csv'}
reference: {trailing: 28d, min_windows: 7}
detection: {effect: {critical: 1.0e-1}, fdr: 1e-2}
name: m
"""
    monitor = parse_monitor(SHORTEST)
    assert parse_monitor(same).config_hash == monitor.config_hash
    assert parse_monitor(same.replace("1e-2", "2e-2")).config_hash != monitor.config_hash
    assert re.fullmatch("[0-9a-f]{16}", monitor.config_hash)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=12)
COLUMN = TEXT | st.sampled_from(["no", "1e3", "~", "*", "x[1]", "*_delay", "null", "<<", "0"])
VALUE = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | COLUMN
EDGES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6, unique=True).map(sorted)


@st.composite
def monitors(draw: st.DrawFn) -> Monitor:
    """Any valid monitor."""
    source = draw(
        st.fixed_dictionaries({"connection": st.just("c"), "table": TEXT}, optional={"schema": TEXT})
        | st.fixed_dictionaries({"connection": st.just("c.d-e"), "query": TEXT})
        | st.fixed_dictionaries({"files": st.just("${DRIFT_VAR_X}/*.csv") | st.just("a b.parquet")})
    )
    every = draw(st.sampled_from(["1d", "1h", "15m", "24h"]))
    reference = st.sampled_from(
        [
            {"trailing": "2d"},
            {"previous": 3},
            {"same_weekday": 8, "min_windows": 1},
            {"fixed": "baseline", "min_windows": 5},
            {"trailing": "3d", "exclude": ["rejected", "critical"]},
            {"fixed": ["2013-01-01", "2013-02-01T00:00"]},
            {"fixed": ["2013-01-01T00:00:00Z", "2013-01-03T01:00:00+01:00"]},
        ]
    )
    column = COLUMN.filter(lambda name: name != "the time")
    features = st.fixed_dictionaries(
        {},
        optional={
            "hashed": st.lists(column, max_size=2),
            "kinds": st.dictionaries(column, st.sampled_from(["numeric", "boolean"]), max_size=3),
            "bins": st.dictionaries(column, st.integers(2, 1000) | EDGES, max_size=3),
            "levels": st.integers(1, 10_000),
        },
    )
    value = TEXT | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9)
    expectation = st.fixed_dictionaries(
        {"column": COLUMN, "value_set": st.lists(value, min_size=1, max_size=2)}, optional={"mostly": st.floats(0, 1)}
    )
    rules = st.fixed_dictionaries(
        {},
        optional={
            "min_rows": st.integers(1, 10**9),
            "effect": st.fixed_dictionaries({"warning": st.floats(1e-6, 1), "critical": st.floats(1, 9)}),
            "features": st.dictionaries(column, st.just({"warning": 0.001}), max_size=2),
            "fdr": st.floats(1e-6, 0.5),
            "smoothing": st.sampled_from(["pooled", "epsilon"]),
        },
    )
    optional = {
        "description": st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=40),
        "reference": reference,
        "features": features,
        "detection": rules,
        "alerts": st.just({"routes": [{"to": "ops", "severity": ["critical"], "features": ["*"]}, {"to": "x"}]}),
        "schedule": st.sampled_from(["@weekly", "*/5 * * * MON"]),
    }
    data = draw(
        st.fixed_dictionaries(
            {"name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,9}", fullmatch=True)}, optional=optional
        )
    )
    kwargs = draw(st.lists(expectation, max_size=3, unique_by=lambda value: json.dumps(value, sort_keys=True)))
    data |= {
        "source": {"time_column": "the time", **source},
        "window": {"every": every},
        "expectations": [{"expect_column_values_to_be_in_set": value, "severity": "warn"} for value in kwargs],
    }
    return Monitor.model_validate(data)


@given(monitors())
def test_a_monitor_reads_back_from_what_it_writes(monitor: Monitor) -> None:
    """Model → YAML → model, and model → JSON → model, give an equal monitor with an equal hash."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRIFT_VAR_X", "x")
        written = yaml_document.dump(monitor.model_dump(mode="json", exclude_none=True))
        for text in (written, monitor.canonical):
            again = parse_monitor(text)
            assert again == monitor
            assert again.config_hash == monitor.config_hash


# Junk


def parses_or_refuses(text: str) -> None:
    """Whatever the text, a monitor or a ConfigError whose every line has the promised form."""
    problems = ["m.yaml:1: (file): is valid; fix: nothing"]
    try:
        parse_monitor(text, "m.yaml")
    except ConfigError as error:
        problems = error.problems
    assert problems
    assert [line for line in problems if not LINE.fullmatch(line)] == []


@given(st.text() | st.text(alphabet="nameourcwid:-?[]{},&*!|>'\"%@`#~<\n\t \\01.", max_size=80))
def test_junk_is_refused(text: str) -> None:
    """Random text raises nothing but ConfigError."""
    parses_or_refuses(text)


@given(st.data())
def test_broken_monitors_are_refused(data: st.DataObject) -> None:
    """A valid file with a piece cut out and another put in raises nothing but ConfigError."""
    start = data.draw(st.integers(0, len(SAMPLE)))
    end = data.draw(st.integers(start, min(len(SAMPLE), start + 40)))
    piece = data.draw(
        st.text(max_size=8) | st.sampled_from(["{", "[", "- ", ": ", "*a", "&a ", "!!int ", "\n", "  ", ".nan", "null"])
    )
    parses_or_refuses(SAMPLE[:start] + piece + SAMPLE[end:])


TREES = st.recursive(
    VALUE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(COLUMN, inner, max_size=3), max_leaves=6
)


@given(st.data())
def test_values_of_the_wrong_kind_are_refused(data: st.DataObject) -> None:
    """Any JSON value in the place of any other raises nothing but ConfigError."""
    whole: Any = yaml.safe_load(SAMPLE)
    place = whole
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(TREES)
        break
    parses_or_refuses(yaml_document.dump(whole))


# What editors and readers are told


def test_the_json_schema_takes_what_is_valid_and_nothing_else() -> None:
    """The sample and the document's examples are valid, both forms of an expectation too; mistakes are not."""
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(json_schema())
    validator = jsonschema.Draft202012Validator(json_schema())
    good = [
        SAMPLE,
        SHORTEST,
        *examples("yaml"),
        SHORTEST
        + "expectations: [{type: expect_column_to_exist, kwargs: {column: b}}, {expect_column_to_exist: {column: c}}]",
    ]
    good += [
        SHORTEST + f"reference: {{{kind}}}"
        for kind in ("previous: 1", "same_weekday: 8", "fixed: [2013-01-01, 2013-02-01]")
    ]
    for text in good:
        assert list(validator.iter_errors(yaml_document.read(text).data)) == [], text
        parse_monitor(text)
    for text in [
        *examples("yaml broken"),
        SAMPLE + "segments: [7]",
        SAMPLE.replace("trailing: 28d", "trailing: 28d, previous: 1"),
        SAMPLE.replace("table: flights", "table: flights\n  query: select 1"),
        SAMPLE.replace("severity: warn", "severity: wran"),
        SAMPLE.replace("    severity: warn", "    expect_column_to_exist: {column: x}"),
        SAMPLE.replace("min_rows: 200", "min_rows: 0"),
        SAMPLE.replace("[critical]", "[loud]"),
        SHORTEST + "features: {bins: {x: [1]}}",
        SHORTEST.replace("name: m", "name: a b"),
    ]:
        assert list(validator.iter_errors(yaml_document.read(text).data)), text
        assert told(text)


def test_every_key_of_the_json_schema_is_described() -> None:
    """An editor shows a sentence for every key."""
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for name, part in [("monitor", schema), *schema["$defs"].items()]:
        assert part["title"]
        assert part["description"]
        assert [
            key for key, value in part.get("properties", {}).items() if not value.keys() & {"description", "$ref"}
        ] == [], name


def examples(language: str) -> list[str]:
    """The fenced blocks of the reference in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)


def test_the_examples_of_the_reference_load() -> None:
    """A reader can copy them."""
    texts = [*examples("yaml"), *(SHORTEST + text for text in examples("yaml fragment"))]
    assert len(texts) == 5
    for text in texts:
        parse_monitor(text)


def test_the_messages_of_the_reference_are_real() -> None:
    """The broken example says what the document says it says."""
    with pytest.raises(ConfigError) as caught:
        parse_monitor(examples("yaml broken")[0], "flights.yaml")
    assert caught.value.problems == examples("text")[0].splitlines()


def keys(model: type[BaseModel], path: str = "") -> dict[str, Any]:
    """Every key that a file can have, with its default."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        key = f"{path}{field.alias or name}"
        container = getattr(field.annotation, "__origin__", None)
        inner = [
            t
            for t in (field.annotation, *get_args(field.annotation))
            if isinstance(t, type) and issubclass(t, BaseModel)
        ]
        if inner and container is dict:
            found |= keys(inner[0], f"{key}.<name>.")
        elif inner:
            found |= {key: field.default} if container is list else {}
            found |= keys(inner[0], f"{key}{'[]' if container is list else ''}.")
        else:
            found[key] = "required" if field.is_required() else field.default
    return found


def test_the_reference_has_every_key_and_its_default() -> None:
    """`docs/reference/monitors.md` lists what there is, neither more nor less; a default in code style is real."""
    rows = dict(re.findall(r"^\| `(\S+)` \| (.*?) \|", DOCUMENT.read_text(), re.MULTILINE))
    known = keys(Monitor)
    assert rows.keys() == known.keys()
    for key, default in known.items():
        shown = rows[key]
        if default == "required":
            assert shown == "required", key
        elif default is None:
            assert "`" not in shown, key
        else:
            assert shown.startswith("`"), key
            assert (yaml_document.read(f"value: {shown.strip('`')}").data or {})["value"] == default, key


def test_reading_a_monitor_is_light() -> None:
    """A DAG file is parsed again and again: no library that computes comes with it."""
    code = (
        "import sys, drift.config.monitor; drift.config.monitor.parse_monitor(sys.stdin.read())\n"
        "heavy = {'great_expectations', 'numpy', 'pandas', 'pyarrow', 'scipy', 'sqlalchemy'}\n"
        "print({module.partition('.')[0] for module in sys.modules} & heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=SAMPLE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_monitor_watches_from_start_to_end() -> None:
    """Both days are included, in the monitor's own time zone."""
    monitor = parse_monitor(SHORTEST + "start: 2013-01-01\nend: 2013-12-31\n")
    calendar = monitor.window.calendar
    watched = [monitor.watches(calendar.starting(date(*day))) for day in ((2012, 12, 31), (2013, 1, 1), (2013, 12, 31))]
    assert watched == [False, True, True]
    assert not monitor.watches(calendar.starting(date(2014, 1, 1)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("start: someday\n", '4: start: "someday" is not a date; fix: write 2013-01-01'),
        ("start: 2013-02-01\nend: 2013-01-01\n", "5: end: 2013-01-01 is before start 2013-02-01"),
    ],
)
def test_days_that_make_no_sense_are_refused(text: str, says: str) -> None:
    """With the line and the fix."""
    with pytest.raises(ConfigError, match=says):
        parse_monitor(SHORTEST + text)
