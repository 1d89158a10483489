"""YAML with lines: what is read, what is refused, and where each problem stands."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from drift.config import yaml_document
from drift.config.yaml_document import MAX_BYTES, decode, dump, read


@pytest.fixture(params=["SafeLoader", "CSafeLoader"], autouse=True)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers: libyaml is not there on every machine."""
    if not hasattr(yaml, request.param):
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(yaml_document, "_LOADER", getattr(yaml, request.param))


def told(text: str) -> list[str]:
    """The problems of a text, as lines without the fix."""
    return [problem.at("f").partition("; fix: ")[0] for problem in read(text).problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("no", "no"),
        ("on", "on"),
        ("007", "007"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("0x1F", "0x1F"),
        ("2013-01-01", "2013-01-01"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("[1, [a], {b: c}]", [1, ["a"], {"b": "c"}]),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_plain_values_are_those_of_json(written: str, value: object) -> None:
    """Numbers, booleans and null are what JSON has; everything else is text, dates and YAML 1.1's `no` included."""
    document = read(f"a: {written}")
    assert (document.data, document.problems) == ({"a": value}, [])
    assert type((document.data or {})["a"]) is type(value)


def test_keys_are_text() -> None:
    """A key is what is written, whatever it would be as a value."""
    assert read("1: a\non: b\nnull: c\n2013-01-01: d").data == {"1": "a", "on": "b", "null": "c", "2013-01-01": "d"}


def test_every_key_and_item_knows_its_place() -> None:
    """Marks are lines and columns from 1, also inside flow collections."""
    marks = read("a: {b: 1,\n    c: 2}\nd:\n  - x\n  - {e: f}\n").marks
    assert marks == {
        ("a",): (1, 1),
        ("a", "b"): (1, 5),
        ("a", "c"): (2, 5),
        ("d",): (3, 1),
        ("d", 0): (4, 5),
        ("d", 1): (5, 5),
        ("d", 1, "e"): (5, 6),
    }


def test_aliases_are_written_out() -> None:
    """An alias is the value of its anchor, as often as it is used."""
    document = read("a: &x {b: [1, &y two]}\nc: *x\nd: [*x, *y]\n")
    assert document.problems == []
    assert document.data == {"a": {"b": [1, "two"]}, "c": {"b": [1, "two"]}, "d": [{"b": [1, "two"]}, "two"]}


def test_a_billion_laughs() -> None:
    """Aliases count as what they expand to, so a small file cannot become a large one."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert told("\n".join(lines)) == ["f:1: (file): holds more than 10,000 values, aliases written out"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "f:1: (file): is empty"),
        ("# only a comment\n", "f:2: (file): is empty"),
        ("~", "f:1: (file): is empty"),
        ("- a", "f:1: (file): is a list, not a mapping of keys"),
        ("just words", "f:1: (file): is text, not a mapping of keys"),
        ("5", "f:1: (file): is a number, not a mapping of keys"),
        ("a: 1\n---\nb: 2", "f:2: (file): holds a second document"),
        ("a: 1\nb: 2\na: 3", "f:3: a: the key stands twice, first in line 1"),
        ("a:\n  b: 1\n  b: 2", "f:3: a.b: the key stands twice, first in line 2"),
        ("a: !!python/object/apply:os.system [ls]", "f:1: a: the tag !!python/object/apply:os.system is not allowed"),
        ("a: !secret x", "f:1: a: the tag !secret is not allowed"),
        ("a: !!float 1", "f:1: a: the tag !!float is not allowed"),
        ("a: !!set {b}", "f:1: a: the tag !!set is not allowed"),
        ("a: *b", "f:1: (file): *b refers to nothing that is complete before it"),
        ("a: &a [*a]", "f:1: (file): *a refers to nothing that is complete before it"),
        ("b: &b {c: 1}\na:\n  <<: *b", 'f:3: a."<<": merge keys are not supported'),
        ("a: .inf", 'f:1: a: ".inf" is not a finite number'),
        ("a: 1e999", 'f:1: a: "1e999" is not a finite number'),
        ("a: 9" + "9" * 5000, "f:1: a: the number is too large"),
        ("x: 1\na: b\x07c", "f:2: (file): holds the control character U+0007"),
        ("x: 1\na: b\ud800c", "f:2: (file): holds the control character U+D800"),
        ('x: 1\na: "\\0"', "f:2: a: holds the control character U+0000"),
        ("a: " + "[" * 100_000, "f:1: (file): is nested more than 32 levels deep"),
        ("? [a]\n: b", "f:1: (file): a key must be plain text"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    """Each refusal names the line and the key."""
    assert problem in told(text)


@pytest.mark.parametrize(
    "text", ["a: [1", "a: b: c", "a: 'x", "\t- x", "a: *", "%YAML 3.0\n---\na: 1", 'a: "\\UFFFFFFFF"']
)
def test_what_is_no_yaml(text: str) -> None:
    """A syntax error is one problem; nothing of the file is used."""
    document = read(text)
    assert document.data is None
    assert [problem.what[:11] for problem in document.problems] == ["is not YAML"]


def test_several_problems_are_told_at_once() -> None:
    """The YAML's own problems do not hide each other."""
    assert told("a: 1\na: 2\nb: !x 1\nc: .nan\nb: 3") == [
        "f:2: a: the key stands twice, first in line 1",
        "f:3: b: the tag !x is not allowed",
        'f:4: c: ".nan" is not a finite number',
        "f:5: b: the key stands twice, first in line 3",
    ]


def test_a_large_file_is_refused_unread() -> None:
    """The limit is in bytes, whichever characters they make."""
    for text in ("a: " + "x" * MAX_BYTES, "a: " + "é" * (MAX_BYTES // 2)):
        assert told(text) == ["f:1: (file): is larger than 1,048,576 bytes"]


def test_bytes_that_are_no_utf8() -> None:
    """The line of the first wrong byte is told."""
    document = decode(b"a: 1\nb: \xff\n")
    assert not isinstance(document, str)
    assert [p.at("f") for p in document.problems] == [
        "f:2: (file): byte 0xff is not UTF-8; fix: save the file as UTF-8"
    ]


def test_a_byte_order_mark_is_no_content() -> None:
    """Editors that write one may."""
    assert read("\ufeffa: 1").data == {"a": 1}


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=30)
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TRICKY = st.sampled_from(
    ["no", "1e3", "1_0", ".inf", "<<", "~", "-", "null", "0o7", "1.", "+.5E-7", "a: b", "# x", "?", "=", "'"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT | TRICKY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT | TRICKY, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXT | TRICKY, VALUES, min_size=1, max_size=4))
def test_what_is_dumped_is_read_back(data: dict[str, Any]) -> None:
    """`read` undoes `dump`, text that looks like something else included."""
    document = read(dump(data))
    assert (document.data, document.problems) == (data, [])


@given(st.text() | st.text(alphabet="ab:-?[]{},&*!|>'\"%@`#~<\n\t \\01.xu", max_size=60))
def test_junk_never_raises(text: str) -> None:
    """Whatever the text, there are data or problems, never an exception."""
    document = read(text)
    assert document.data is not None or document.problems
