"""Numbers written as text: every notation, and nothing else, is read as the number that it writes."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import BinningError
from drift.profiles.numerals import NOTATIONS, Notation, Numerals, parse

AMOUNTS = st.integers(-(10**12), 10**12)
UNITS = st.sampled_from(["", "$", "€", "%", "kr", "EUR"])


def text_of(cents: int, notation: Notation, unit: str, *, bracketed: bool, before: bool) -> str:
    """Write an amount."""
    whole, rest = divmod(abs(cents), 100)
    digits = f"{whole:,}".replace(",", notation.thousands) + f"{notation.decimal}{rest:02}"
    worded = (f"{unit} {digits}" if before else f"{digits} {unit}").strip()
    if cents >= 0:
        return worded
    return f"({worded})" if bracketed else f"-{worded}"


@given(
    st.lists(AMOUNTS, min_size=1, max_size=20),
    st.sampled_from(NOTATIONS),
    UNITS,
    st.sets(st.sampled_from(["bracketed", "before"])),
)
def test_what_is_written_is_read(cents: list[int], notation: Notation, unit: str, style: set[str]) -> None:
    """Amounts written in any notation, with any unit, are the same amounts; null and blank texts stay null."""
    how = {"bracketed": "bracketed" in style, "before": "before" in style}
    texts = pa.array([*(text_of(c, notation, unit, **how) for c in cents), None, " "])
    found = Numerals().after(texts)
    assert notation in found.notations
    assert found.unit == unit
    assert found.decimal == notation.decimal
    assert parse(texts, notation).to_pylist() == [*(c / 100 for c in cents), None, None]


@given(st.lists(st.lists(AMOUNTS, min_size=1, max_size=5), min_size=1, max_size=5), st.sampled_from(NOTATIONS))
def test_the_cuts_do_not_matter(parts: list[list[int]], notation: Notation) -> None:
    """What a column can be read as does not depend on where its batches are cut."""
    texts = [pa.array([text_of(c, notation, "", bracketed=False, before=True) for c in part]) for part in parts]
    found = Numerals()
    for part in texts:
        found = found.after(part)
    whole = Numerals().after(pa.concat_arrays(texts))
    assert (found.notations, found.unit) == (whole.notations, whole.unit)


@pytest.mark.parametrize(
    "texts",
    [["007"], ["1.2.3"], ["1,23,4"], ["2013-02-08"], ["5", "$5"], ["$5", "€5"], ["(5"], ["5)"], ["--5"],
     ["-(5)"], ["1,512.65", "1.512,65"], ["0x1F"], ["n/a"], ["1 2"], ["٣"]],
)  # fmt: skip
def test_what_is_no_number(texts: list[str]) -> None:
    """Identifiers, versions, dates, two units, two notations and unbalanced brackets are left as they are."""
    assert not Numerals().after(pa.array(texts)).notations


def test_the_first_wrong_text_is_named() -> None:
    """A column that turns out otherwise is refused with the text."""
    with pytest.raises(BinningError, match=r"not a number written like 1\.234,56, such as 'n/k'"):
        parse(pa.array(["1,5", "n/k"]), Notation(",", "."))
