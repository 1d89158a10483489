"""Numbers written as text: ``$1,512.65``, ``12.5 %``, ``1.234,56``, ``(1,200)``, ``1 234 kr``.

Which signs stand for the decimals and the thousands is a matter of the whole column: ``1,512`` alone may be either. So
all notations are followed as long as every value fits, and the first that is left is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from drift.errors import BinningError

if TYPE_CHECKING:
    import pyarrow as pa

_SPACE = r"[\s\x{A0}\x{2000}-\x{200A}\x{202F}]"
_MINUS = r"[-\x{2212}]"
_CODES = (
    "USD|EUR|GBP|JPY|CNY|CHF|SEK|NOK|DKK|ISK|PLN|CZK|HUF|RON|BGN|RUB|UAH|TRY|INR|AUD|CAD|NZD|SGD|HKD|KRW|THB|IDR|MYR|"
    "PHP|VND|BRL|MXN|ARS|CLP|COP|PEN|ZAR|NGN|KES|EGP|ILS|AED|SAR"
)
_UNIT = rf"(?:(?:US|AU|CA|A|C|NZ|HK|S|R)?\$|[€£¥₹₽₩₺₪₫฿₴₦₱%‰]|{_CODES}|kr\.?|zł|Kč|Ft|Fr\.?)"
_SIGNS = {" ": _SPACE, "'": r"['\x{2019}]", ".": r"\.", ",": ","}
_PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
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
        present = _present(texts)
        if not self.notations or not len(present):
            return self
        first = present[:_LOOK_FIRST] if len(present) > _LOOK_FIRST else present
        left = [notation for notation in self.notations if _parts(first, notation) is not None]
        read = {notation: parts for notation in left if (parts := _parts(present, notation)) is not None}
        units = {unit for parts in read.values() for unit in parts.units} | ({self.unit} - {None})
        if len(units) != 1:
            return Numerals(())
        return Numerals(tuple(read), units.pop(), self.example or _odd(present))

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
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    encoded: Any = texts if t.is_dictionary(texts.type) else texts.dictionary_encode()
    labels: Any = encoded.dictionary.cast(pa.string())
    present = _present(labels)
    parts = _parts(present, notation)
    if parts is None:
        wrong = next(one for one in present.to_pylist() if _parts(pa.array([one]), notation) is None)
        raise BinningError(f"text is not a number written like {notation}, such as {wrong[:40]!r}")
    where = pc.index_in(labels, value_set=present)
    read: pa.Array[Any] = parts.numbers.take(where).take(encoded.indices)
    return read


@dataclass(frozen=True, slots=True)
class _Parts:
    numbers: pa.Array[Any]
    units: list[str]


def _present(texts: pa.Array[Any]) -> Any:
    """Return the distinct texts, without null and blank ones."""
    import pyarrow.compute as pc

    distinct: Any = texts.unique().drop_null()
    return distinct.filter(pc.invert(pc.match_substring_regex(distinct, f"^{_SPACE}*$")))


@cache
def _pattern(notation: Notation) -> str:
    group, decimal = _SIGNS[notation.thousands], _SIGNS[notation.decimal]
    whole = rf"(?:0|[1-9]\d*|[1-9]\d{{0,2}}(?:{group}\d{{2,3}})*{group}\d{{3}})"
    number = rf"(?P<number>(?:{whole}(?:{decimal}\d+)?|{decimal}\d+)(?:[eE][+-]?\d+)?)"
    sign, space = rf"[+(]|{_MINUS}", f"{_SPACE}*"
    in_order = (
        "^", f"(?P<sign>{sign})?", f"(?P<before>{_UNIT})?", f"(?P<inner>{sign})?", number,
        f"(?P<last>{_MINUS})?", f"(?P<after>{_UNIT})?", r"(?P<close>\))?", "$",
    )  # fmt: skip
    return space.join(in_order)


def _parts(texts: pa.Array[Any], notation: Notation) -> _Parts | None:
    """Return texts as numbers, and the units that they have; None where one of them is not a number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: Any = pc.extract_regex(texts, _pattern(notation))
    if found.null_count:
        return None
    part: dict[str, Any] = {field.name: found.field(i) for i, field in enumerate(found.type)}
    signs: Any = pc.binary_join_element_wise(part["sign"], part["inner"], part["last"], "")
    bracketed = pc.is_in(signs, value_set=pa.array(["("]))
    closed: Any = pc.is_in(part["close"], value_set=pa.array([")"]))
    # One sign at most, of which a bracket is one; it closes.
    single = pc.match_substring_regex(signs, "^.?$")
    if not pc.all(pc.and_(single, pc.equal(bracketed, closed)), min_count=0).as_py():
        return None
    plain = pc.replace_substring_regex(part["number"], _SIGNS[notation.thousands], "")
    plain = pc.replace_substring(plain, notation.decimal, ".")
    numbers = plain.cast(pa.float64())
    negative = pc.or_(bracketed, pc.match_substring_regex(signs, _MINUS))
    units = pc.binary_join_element_wise(part["before"], part["after"], "")
    return _Parts(pc.if_else(negative, pc.negate(numbers), numbers), units.unique().to_pylist())


def _odd(texts: pa.Array[Any]) -> str:
    """Return the first text that is more than digits and a point; empty where there is none."""
    import pyarrow.compute as pc

    odd: Any = texts.filter(pc.invert(pc.match_substring_regex(texts, _PLAIN)))
    return str(odd[0]) if len(odd) else ""
