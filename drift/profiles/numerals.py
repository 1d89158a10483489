"""Numbers written as text: ``$1,512.65``, ``12.5 %``, ``1.234,56``, ``(1,200)``, ``1 234 kr``.

Which signs stand for the decimals and the thousands is a matter of the whole column: ``1,512`` alone may be either. So
all notations are followed as long as every value fits, and the first that is left is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from drift.errors import BinningError
from drift.profiles.kinds import floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_SPACES = (
    " \t\N{NO-BREAK SPACE}\N{FIGURE SPACE}\N{PUNCTUATION SPACE}\N{THIN SPACE}\N{HAIR SPACE}\N{NARROW NO-BREAK SPACE}"
)
_SIGNS = {" ": _SPACES, "'": "'\N{RIGHT SINGLE QUOTATION MARK}", ".": ".", ",": ","}
_CODES = (
    "USD|EUR|GBP|JPY|CNY|CHF|SEK|NOK|DKK|ISK|PLN|CZK|HUF|RON|BGN|RUB|UAH|TRY|INR|AUD|CAD|NZD|SGD|HKD|KRW|THB|IDR|MYR|"
    "PHP|VND|BRL|MXN|ARS|CLP|COP|PEN|ZAR|NGN|KES|EGP|ILS|AED|SAR"
)
_UNIT = rf"(?:(?:US|AU|CA|A|C|NZ|HK|S|R)?\$|[€£¥₹₽₩₺₪₫฿₴₦₱%‰]|{_CODES}|kr\.?|zł|Kč|Ft|Fr\.?)"
_PLAIN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LOOK_FIRST = 64
"""So many values are tried first: a column of words is done with."""


@dataclass(frozen=True, slots=True)
class Notation:
    """Which signs part the decimals and the thousands; a space or an apostrophe stands for all of its kind.

    Examples
    --------
    >>> str(Notation(",", "."))
    '1.234,56'
    """

    decimal: str = "."
    thousands: str = ","

    def __str__(self) -> str:
        return f"1{self.thousands}234{self.decimal}56"


NOTATIONS = tuple(Notation(*signs) for signs in (".,", ",.", ". ", ", ", ".'", ",'"))


@dataclass(frozen=True, slots=True)
class Numerals:
    """What texts may be read as, by all seen so far: nothing where no notation is left.

    `unit` is the one that all of them have (``$``, ``%``), None before the first; `example` is one that is more than
    digits and a point. Zeros in front (``007``) make an identifier, which is not a number.
    """

    notations: tuple[Notation, ...] = NOTATIONS
    unit: str | None = None
    example: str = ""

    def after(self, texts: pa.Array[Any]) -> Numerals:
        """Return what is left when these texts have been seen too; null and blank ones say nothing.

        Examples
        --------
        >>> import pyarrow as pa
        >>> [str(n) for n in Numerals().after(pa.array(["1,512", "939,72", None])).notations]
        ['1.234,56', '1 234,56', "1'234,56"]
        >>> Numerals().after(pa.array(["$5", "€5"])).notations
        ()
        """
        present = [text for text in texts.unique().to_pylist() if text and not text.isspace()] if self.notations else []
        if not present:
            return self
        left = [notation for notation in self.notations if _read(present[:_LOOK_FIRST], notation)]
        found = {notation: read for notation in left if (read := _read(present, notation))}
        units = {unit for read in found.values() for _, unit in read} | ({self.unit} - {None})
        if len(units) != 1:
            return Numerals(())
        odd = (text for text in present if not _PLAIN.fullmatch(text))
        return Numerals(tuple(found), units.pop(), self.example or next(odd, ""))

    @property
    def decimal(self) -> str | None:
        """The sign of the decimals that the values leave no doubt about; None where they do.

        Examples
        --------
        >>> import pyarrow as pa
        >>> [Numerals().after(pa.array(texts)).decimal for texts in (["5", "1,512"], ["1,5"], ["1,234,567"])]
        [None, ',', '.']
        """
        signs = {notation.decimal for notation in self.notations}
        return signs.pop() if len(signs) == 1 else None

    def notation(self, decimal: str | None = None) -> Notation | None:
        """Return the notation to read the texts in: where there is a doubt one with this decimal sign, by default."""
        return next((n for n in self.notations if n.decimal == decimal), next(iter(self.notations), None))


def parse(texts: pa.Array[Any], notation: Notation) -> pa.Array[Any]:
    """Return texts, also those of a dictionary, as float64; null and blank ones are null.

    Raises
    ------
    BinningError
        If one of them is not a number in this notation.

    Examples
    --------
    >>> import pyarrow as pa
    >>> parse(pa.array(["(1.200)", "-0,5", "12 %", None]), Notation(",", ".")).to_pylist()
    [-1200.0, -0.5, 12.0, None]
    """
    import pyarrow.types as t

    encoded: Any = texts if t.is_dictionary(texts.type) else texts.dictionary_encode()
    labels: list[str | None] = encoded.dictionary.to_pylist()
    numbers = [None if not label or label.isspace() else _number(label, notation) for label in labels]
    for label, number in zip(labels, numbers, strict=True):
        if number is None and label and not label.isspace():
            raise BinningError(f"text is not a number written like {notation}, such as {label[:40]!r}")
    values: Any = floats([number and number[0] for number in numbers])
    parsed: pa.Array[Any] = values.take(encoded.indices)
    return parsed


def _read(texts: Sequence[str], notation: Notation) -> list[tuple[float, str]]:
    """Return texts as numbers, each with its unit; nothing where one of them is not a number."""
    found = []
    for text in texts:
        number = _number(text, notation)
        if number is None:
            return []
        found.append(number)
    return found


def _number(text: str, notation: Notation) -> tuple[float, str] | None:
    """Return the number that a text writes, and its unit."""
    pattern, plain = _pattern(notation)
    found = pattern.fullmatch(text)
    if found is None:
        return None
    sign, before, inner, number, last, after, close = found.groups("")
    signs = sign + inner + last
    # One sign at most, of which a bracket is one; it closes.
    if len(signs) > 1 or (signs == "(") != (close == ")"):
        return None
    value = float(number.translate(plain))
    return (-value if signs and signs != "+" else value), before + after


@cache
def _pattern(notation: Notation) -> tuple[re.Pattern[str], dict[int, str | None]]:
    """Return what matches a number, and how its digits are brought into Python's form."""
    groups, decimal = _SIGNS[notation.thousands], re.escape(notation.decimal)
    group = f"[{groups}]"
    whole = rf"(?:0|[1-9][0-9]*|[1-9][0-9]{{0,2}}(?:{group}[0-9]{{2,3}})*{group}[0-9]{{3}})"
    number = rf"((?:{whole}(?:{decimal}[0-9]+)?|{decimal}[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    sign, minus = r"([+(\N{MINUS SIGN}-])?", r"([\N{MINUS SIGN}-])?"
    in_order = ("", sign, f"({_UNIT})?", sign, number, minus, f"({_UNIT})?", r"(\))?", "")
    plain: dict[int, str | None] = dict.fromkeys(map(ord, groups))
    return re.compile(r"\s*".join(in_order)), {**plain, ord(notation.decimal): "."}
