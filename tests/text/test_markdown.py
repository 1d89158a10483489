"""Text of any origin in Markdown, read by a parser of GitHub's kind."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from drift.text.markdown import markdown
from drift.text.visible import visible
from tests.support.hostile_text import HOSTILE
from tests.support.laws import examples

MARKS = st.text(st.sampled_from("ab1 _*`[]()<>!|~#&;:/\\$@.-=+"), max_size=30)
ANY = MARKS | st.text(st.characters(categories=None)) | st.sampled_from(HOSTILE)


def read(text: str) -> tuple[list[str], str]:
    """The elements that a parser finds in a line, and the text that a reader sees."""
    (token,) = MarkdownIt("commonmark").enable(["strikethrough", "table"]).parseInline(text)
    inside = token.children or []
    words = "".join(each.content for each in inside if each.type in {"text", "text_special"})
    return [each.type for each in inside if each.type not in {"text", "text_special"}], words


@given(ANY)
@example("_a_ __b__ c_d_ _")
@example("a\\|b | \\\\`c`")
@example("&lt; &#64;ada <!-- x --> <a href=x>")
@examples(400)
def test_a_reader_sees_the_text_and_nothing_more(text: str) -> None:
    """No element but text; as it was, each character of it visible, apart from what parts a reference."""
    elements, words = read(f"note: {markdown(text, limit=10_000)} end")
    assert elements == []
    assert words.replace("\u200b", "") == f"note: {' '.join(visible(text).split())} end"


@given(ANY)
def test_a_cell_stays_one(text: str) -> None:
    """A row has as many cells as were written, whatever is in them."""
    row = f"| {markdown(text)} | b |"
    tokens = MarkdownIt("commonmark").enable("table").parse(f"| x | y |\n| --- | --- |\n{row}\n")
    assert [each.type for each in tokens].count("td_open") == 2
    assert tokens[-4].type == "td_close"
    assert [each.content for each in tokens if each.type == "inline"][-1] == "b"


@pytest.mark.parametrize("text", ["@ada", "(@org/team)", "#12", "o/r#12", "GH-7", "gh-7", "é@ada", "x.@ada"])
def test_nobody_is_mentioned(text: str) -> None:
    """No person, team or issue hears of a report because a label has its name."""
    assert not re.search(r"(?<![A-Za-z0-9_])@\w|#\d|gh-\d", markdown(text), re.IGNORECASE)


@pytest.mark.parametrize("text", ["https://example.com/x", "http://x.y", "www.example.com", "WWW.x.org"])
def test_no_address_becomes_a_link(text: str) -> None:
    """A label leads nobody anywhere."""
    assert not re.search(r"https?://|www\.", markdown(text), re.IGNORECASE)


@pytest.mark.parametrize("text", ["dep_delay", "p < 0.05", "R&D", "q < 1e-6; 2.6 %", "ada@example.com", "issue # 4"])
def test_common_text_is_left_as_it_is(text: str) -> None:
    """What Markdown does not read as markup is not made harder to read."""
    assert markdown(text) == text


def test_a_long_text_is_cut() -> None:
    """To the characters that are allowed, and says so."""
    assert markdown("x" * 400, limit=10) == "xxxxxxxxx…"
