"""Text of any origin, as it can be seen."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.text.visible import json_text, visible
from tests.support.hostile_text import HOSTILE, unseen

ANY = st.text(st.characters(categories=None)) | st.sampled_from(HOSTILE)


@given(ANY)
def test_what_is_shown_is_one_line_without_controls(text: str) -> None:
    """Whatever the text; shown again it stays as it is."""
    shown = visible(text)
    assert shown.splitlines() == ([shown] if shown else [])
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cn", "Co", "Cs", "Zl", "Zp"}
    assert not {*shown} & {*map(chr, (*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xE0000, 0xE0080)))}
    assert visible(shown) == shown
    shown.encode()


@given(st.text(st.characters(exclude_categories=["C", "Z", "M"], codec="ascii"), min_size=1))
def test_plain_text_is_untouched(text: str) -> None:
    """Nothing is escaped that can be read."""
    assert visible(text) == text


@pytest.mark.parametrize(
    "text", ["नमस्ते", "क्‍ष", "می‌خواهم", "👩‍🚀 👍🏽 ❤️ 1️⃣", "葛󠄀飾区", "Zürich", "東京　駅", "ไทย", "1 234 €"]
)
def test_scripts_and_emoji_keep_what_they_need(text: str) -> None:
    """Joiners and selectors between the characters they are for."""
    assert visible(text) == text


@pytest.mark.parametrize(
    "text", ["a\u200db", "a\u200c", "x\ufe0f", "\ufe0f", "❤\ufe0f\ufe0f", "a\U000e0100", "\u200d👩"]
)
def test_elsewhere_they_are_shown(text: str) -> None:
    """Two names that look alike are told apart."""
    assert visible(text).isascii() or "\\" in visible(text)


@given(st.recursive(ANY, lambda inner: st.lists(inner) | st.dictionaries(ANY, inner)))
def test_json_means_the_same(value: object) -> None:
    """A program reads what was written; a person sees every character of it."""
    for indent in (None, 2):
        text = json_text(value, indent=indent)
        assert json.loads(text) == json.loads(json.dumps(value))
        assert not unseen(text)
