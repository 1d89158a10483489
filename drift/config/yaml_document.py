"""YAML in which every key knows its line, read as plain JSON values and nothing else.

The dialect is YAML's JSON-like core: ``true`` and ``false`` are the only booleans (``no`` and ``on`` are text),
``1e-3`` is a number, dates stay text, keys are always text, and so is a number with a leading zero. Tags, merge
keys, several documents, duplicate keys, control characters and whatever outgrows a hand-written file are refused.
"""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from drift.config.problems import Problem, noun, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drift.config.problems import KeyPath

MAX_BYTES = 1 << 20
MAX_NODES = 10_000
MAX_DEPTH = 32

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_LARGEST = 2**63 - 1


@dataclass(slots=True)
class Document:
    """A YAML file read.

    Parameters
    ----------
    data
        Plain JSON values, or None if the file has no usable mapping.
    marks
        Line and column, from 1, of every key and list item.
    problems
        What is wrong with the YAML itself.
    doubtful
        Paths whose value is there, but not as it was meant.
    """

    data: dict[str, Any] | None
    marks: dict[KeyPath, tuple[int, int]]
    problems: list[Problem]
    doubtful: set[KeyPath] = field(default_factory=set)

    def problem(self, path: KeyPath, what: str, fix: str) -> Problem:
        """Return the problem at `path`, placed at the nearest key that is in the file."""
        near = path
        while near and near not in self.marks:
            near = near[:-1]
        return Problem(*self.marks.get(near, (1, 1)), path, what, fix)


class _UnreadableError(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


def read(text: str) -> Document:
    r"""Read one YAML document of plain values.

    Never raises for bad input: what is wrong is in the `problems` of the document returned, and what could be read
    in spite of it in its `data`.

    Examples
    --------
    >>> document = read("name: flights\nwindow: {every: 1d}\nname: again\n")
    >>> document.data, document.marks["window", "every"]
    ({'name': 'flights', 'window': {'every': '1d'}}, (2, 10))
    >>> [problem.what for problem in document.problems]
    ['the key stands twice, first in line 1']
    """
    # A character takes at least a byte, so that a long text need not be encoded to be refused.
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        return failed(1, f"is larger than {MAX_BYTES:,} bytes", "write one monitor to a file, and no data")
    text = text.removeprefix("\ufeff")
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        return failed(line, f"holds the control character U+{ord(found[0]):04X}", "delete it")
    reader = _Reader(text)
    try:
        data = reader.document()
    except _UnreadableError as error:
        return Document(None, reader.marks, [*reader.problems, error.problem])
    return Document(data, reader.marks, reader.problems, reader.doubtful)


def decode(raw: bytes) -> str | Document:
    """Return the text of `raw`, or a document that says where it is not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return failed(line, f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8")


def failed(line: int, what: str, fix: str) -> Document:
    """Return a document of which nothing could be read."""
    return Document(None, {}, [Problem(line, 1, (), what, fix)])


class _Reader:
    """Turns the events of one document into values; aliases are replayed, and counted as what they expand to."""

    def __init__(self, text: str) -> None:
        self.marks: dict[KeyPath, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self.doubtful: set[KeyPath] = set()
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=_LOADER))
        self._replay: deque[Any] = deque()
        self._recordings: list[list[Any]] = []
        self._anchors: dict[str, list[Any]] = {}
        self._nodes = 0

    def document(self) -> dict[str, Any] | None:
        self._next()
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            self._stop(event, "is empty", "begin with name, source and window")
        event = self._next()
        data = self._value(event, ())
        self._next()
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            self._stop(after, "holds a second document", "write one monitor to a file, without ---")
        if not isinstance(data, dict):
            if data is None:
                self._stop(event, "is empty", "begin with name, source and window")
            self._stop(event, f"is {noun(data)}, not a mapping of keys", "begin with name: …, source: …, window: …")
        return data

    def _value(self, event: Any, path: KeyPath) -> Any:
        if len(path) > MAX_DEPTH:
            self._stop(event, f"is nested more than {MAX_DEPTH} levels deep", "write it flat")
        recording = [event] if event.anchor else None
        if recording:
            self._recordings.append(recording)
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            text = self._text(event, path)
            value = self._plain(event, text, path) if event.implicit[0] else text
        else:
            if event.tag:
                self._tag(event, path)
            value = self._list(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)
        if recording:
            # Known only now that it is complete: an alias inside its own anchor is an alias to nothing.
            self._recordings.pop()
            self._anchors[event.anchor] = recording
        return value

    def _list(self, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            here = (*path, len(items))
            self.marks.setdefault(here, _mark(event))
            items.append(self._value(event, here))
        return items

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._stop(event, "a key must be plain text", 'put a key that holds brackets in quotes: "a[1]": …')
            here = (*path, event.value)
            key = self._text(event, here)
            if event.anchor:
                self._anchors[event.anchor] = [event]
            value = self._value(self._next(), here)
            if key == "<<" and event.implicit[0]:
                self._note(event, here, "merge keys are not supported", "write the keys out")
            elif key in entries:
                first = self.marks[here][0]
                self._note(event, here, f"the key stands twice, first in line {first}", "keep one of the two")
            else:
                self.marks.setdefault(here, _mark(event))
                entries[key] = value
        return entries

    def _text(self, event: Any, path: KeyPath) -> str:
        if event.tag not in (None, "tag:yaml.org,2002:str"):
            self._tag(event, path)
        text: str = event.value
        if found := _CONTROL.search(text):
            self._doubt(event, path, f"holds the control character U+{ord(found[0]):04X}", "delete it")
        return text

    def _plain(self, event: Any, text: str, path: KeyPath) -> str | float | bool | None:
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            # Python itself refuses to read an integer of thousands of digits.
            if len(text) <= len(str(_LARGEST)) + 1 and abs(int(text)) <= _LARGEST:
                return int(text)
            self._doubt(event, path, "the number is too large", "put it in quotes if it is text")
        elif _NOT_FINITE.fullmatch(text) or (_DECIMAL.fullmatch(text) and not math.isfinite(float(text))):
            self._doubt(event, path, f"{shorten(text)} is not a finite number", "write a number, or text in quotes")
        elif _DECIMAL.fullmatch(text):
            return float(text)
        return text

    def _next(self) -> Any:
        if self._replay:
            event = self._replay.popleft()
        else:
            try:
                event = next(self._events)
            except yaml.MarkedYAMLError as error:
                mark = error.problem_mark or error.context_mark
                what = " ".join(filter(None, (error.context, error.problem)))
                raise _UnreadableError(_syntax(what, mark)) from None
            except (yaml.YAMLError, ValueError, OverflowError) as error:
                raise _UnreadableError(_syntax(str(error).partition("\n")[0], None)) from None
        if isinstance(event, yaml.AliasEvent):
            name = event.anchor
            if name not in self._anchors:
                self._stop(event, f"*{name} refers to nothing that is complete before it", f"mark a value with &{name}")
            self._replay.extendleft(reversed(self._anchors[name]))
            return self._next()
        if isinstance(event, yaml.NodeEvent):
            self._nodes += 1
            if self._nodes > MAX_NODES:
                self._stop(event, f"holds more than {MAX_NODES:,} values, aliases written out", "write a smaller file")
        for recording in self._recordings:
            recording.append(event)
        return event

    def _tag(self, event: Any, path: KeyPath) -> None:
        shown = event.tag.replace("tag:yaml.org,2002:", "!!")
        self._doubt(event, path, f"the tag {shown} is not allowed", "remove it: a monitor is plain text and numbers")

    def _doubt(self, event: Any, path: KeyPath, what: str, fix: str) -> None:
        self._note(event, path, what, fix)
        self.doubtful.add(path)

    def _note(self, event: Any, path: KeyPath, what: str, fix: str) -> None:
        self.problems.append(Problem(*_mark(event), path, what, fix))

    def _stop(self, event: Any, what: str, fix: str) -> NoReturn:
        raise _UnreadableError(Problem(*_mark(event), (), what, fix))


def _mark(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _syntax(what: str, mark: Any) -> Problem:
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Problem(line, column, (), f"is not YAML: {what}", "check the indentation, quotes and brackets here")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


# What YAML 1.1 or the dialect above would take for a number must be quoted when it is text.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(rf"(?:{_DECIMAL.pattern})$"), list("-+.0123456789"))


def dump(data: Any) -> str:
    """Write plain JSON values as YAML that `read` gives back unchanged.

    Examples
    --------
    >>> print(dump({"name": "1e3", "levels": 50, "exclude": ["no", "*_id"]}), end="")
    name: '1e3'
    levels: 50
    exclude:
    - 'no'
    - '*_id'
    """
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110))
