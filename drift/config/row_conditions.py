"""Row conditions: on which rows of a window an expectation is judged.

A condition is data: columns compared with values, joined by ``and`` and ``or``. It is read by the grammar below and
never handed to anything that evaluates text.

::

    condition  = all {"or" all}
    all        = one {"and" one}
    one        = "(" condition ")" | column comparison
    comparison = ("==" | "!=" | "<" | "<=" | ">" | ">=") value | ["not"] "in" "[" value {"," value} "]"
               | "is" ["not"] "null"
    column     = a name of letters, digits, _ and dots, or anything in `backticks`
    value      = a number, "text" or 'text', true, false

A backtick or a quote within its own kind is doubled. Words count in any case.
"""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass
from typing import Literal, NoReturn, cast

from drift.config.problems import shorten
from drift.config.validation import refuse_value

MAX_LENGTH = 10_000
MAX_VALUES = 1_000
MAX_DEPTH = 20

Value = str | int | float | bool
Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in", "is null", "is not null"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column compared with values: one, those of a list, or none for ``is null`` and ``is not null``."""

    column: str
    operator: Operator
    values: tuple[Value, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The column, as the one that is needed."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Junction:
    """Conditions of which all (``and``) or one (``or``) has to hold."""

    word: Literal["and", "or"]
    parts: tuple[Comparison | Junction, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is compared, once."""
        return tuple(dict.fromkeys(column for part in self.parts for column in part.columns))


Condition = Comparison | Junction


def parse_condition(text: str) -> Condition:
    """Read a condition.

    Raises
    ------
    PydanticCustomError
        What cannot be read, where, and what to write instead; inside a model it becomes a problem of the monitor.

    Examples
    --------
    >>> parse_condition('dep_delay > 10 and carrier in ["AA", "UA"]')  # doctest: +NORMALIZE_WHITESPACE
    Junction(word='and', parts=(Comparison(column='dep_delay', operator='>', values=(10,)),
                                Comparison(column='carrier', operator='in', values=('AA', 'UA'))))
    >>> parse_condition("`Total Amount` is not null").columns
    ('Total Amount',)
    """
    if len(text) > MAX_LENGTH:
        refuse_value(f"is longer than {MAX_LENGTH:,} characters", "use fewer comparisons, or shorter lists")
    reader = _Reader(text)
    condition = reader.condition(0)
    if reader.tokens[0].kind != "end":
        reader.refuse("this does not belong to a condition", "join comparisons by and or or")
    return condition


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?![\w.]))
    | (?P<text>"(?:[^"]|"")*"|'(?:[^']|'')*')
    | (?P<quoted>`(?:[^`]|``)+`)
    | (?P<operator>[=!<>]=|[<>])
    | (?P<mark>[()\[\],])
    | (?P<word>[^\W\d]\w*(?:\.\w+)*)
    | (?P<end>\Z)
    | (?P<unknown>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = frozenset({"and", "or", "in", "not", "is", "null", "true", "false"})
_EXAMPLE = 'write a column, an operator and a value, such as dep_delay > 10 and carrier == "AA"'


class _Reader:
    """Takes one token after the other; what it does not expect is refused where it stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values = 0
        self.tokens = deque(self._split())

    def _split(self) -> list[_Token]:
        tokens = []
        for found in _TOKEN.finditer(self.text):
            kind = cast("str", found.lastgroup)
            text = found[kind]
            if kind == "word" and text.lower() in _WORDS:
                kind, text = "key", text.lower()
            tokens.append(_Token(kind, text, found.start(found.lastgroup or 0)))
            if kind in ("end", "unknown"):
                break
        return tokens

    def refuse(self, what: str, fix: str = _EXAMPLE) -> NoReturn:
        rest = self.text[self.tokens[0].at :]
        refuse_value(f"at {shorten(rest, 40)}: {what}" if rest else f"at its end: {what}", fix)

    def skip(self, *expected: str) -> str | None:
        """Take the next token if it is one of these words or signs."""
        token = self.tokens[0]
        if token.kind in ("key", "mark", "operator") and token.text in expected:
            return self.tokens.popleft().text
        return None

    def condition(self, depth: int, word: Literal["and", "or"] = "or") -> Condition:
        if depth > MAX_DEPTH:
            self.refuse(f"brackets are nested more than {MAX_DEPTH} deep", "write it flat")
        parts = [self._part(depth, word)]
        while self.skip(word):
            parts.append(self._part(depth, word))
        return parts[0] if len(parts) == 1 else Junction(word, tuple(parts))

    def _part(self, depth: int, word: Literal["and", "or"]) -> Condition:
        if word == "or":
            return self.condition(depth, "and")
        if self.skip("("):
            inside = self.condition(depth + 1)
            if not self.skip(")"):
                self.refuse("a closing ) is missing")
            return inside
        return self._comparison()

    def _comparison(self) -> Comparison:
        token = self.tokens[0]
        if token.kind not in ("word", "quoted"):
            self.refuse("a comparison begins with a column")
        self.tokens.popleft()
        column = token.text if token.kind == "word" else token.text[1:-1].replace("``", "`")
        if self.skip("is"):
            negated = self.skip("not")
            if not self.skip("null"):
                self.refuse("is goes with null or not null only", f"write {column} is null, or use == with a value")
            return Comparison(column, "is not null" if negated else "is null")
        negated = self.skip("not")
        if self.skip("in"):
            return Comparison(column, "not in" if negated else "in", self._list())
        operator = None if negated else self.skip("==", "!=", "<", "<=", ">", ">=")
        if operator is None:
            fix = "use ==, !=, <, <=, >, >=, in […], not in […], is null or is not null"
            self.refuse(f"an operator should follow {shorten(column)}", fix)
        value = self._value()
        if isinstance(value, bool) and operator not in ("==", "!="):
            self.refuse(f"true and false have no order for {operator}", "use == or !=")
        return Comparison(column, cast("Operator", operator), (value,))

    def _list(self) -> tuple[Value, ...]:
        if not self.skip("["):
            self.refuse("a list should follow in", 'write in ["AA", "UA"]')
        values = [self._value()]
        while self.skip(","):
            values.append(self._value())
        if not self.skip("]"):
            self.refuse("a closing ] is missing", 'write in ["AA", "UA"]')
        if len({str if isinstance(v, str) else bool if isinstance(v, bool) else float for v in values}) > 1:
            self.refuse("the list before mixes text, numbers or true and false", "write values of one kind")
        return tuple(values)

    def _value(self) -> Value:
        token = self.tokens[0]
        self.values += 1
        if self.values > MAX_VALUES:
            self.refuse(f"there are more than {MAX_VALUES:,} values", "use fewer")
        if (word := self.skip("true", "false")) is not None:
            return word == "true"
        if token.kind == "text":
            quote = token.text[0]
            value: Value = token.text[1:-1].replace(quote * 2, quote)
        elif token.kind == "number":
            value = _number(token.text)
            if not math.isfinite(value) or abs(value) >= 2**63:
                self.refuse("the number is too large", "write a number below 2^63")
        elif token.text == "null":
            self.refuse("null is not compared", "write is null, or is not null")
        else:
            self.refuse("a value is a number, text in quotes, true or false")
        self.tokens.popleft()
        return value


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch("[-+]?[0-9]{1,20}", text) else float(text)
