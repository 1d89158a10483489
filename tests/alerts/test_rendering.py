"""Wording: what comes from data is one harmless line in any text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.alerts.messages import trial
from drift.alerts.rendering import plain, title, to_html, to_text


@given(st.text())
def test_plain_is_one_printable_line(text: str) -> None:
    """Whatever goes in, what comes out is one line without control characters, and cleaning is bounded."""
    line = plain(text, limit=50)
    assert len(line) <= 50
    assert line.replace("\N{ZERO WIDTH SPACE}", "").isprintable()
    assert "@everyone" not in line


@pytest.mark.parametrize("text", ["dep_delay", "naïve café", "数据", "a@b.example", "x < 3", "-∞ … 5"])
def test_plain_leaves_names_alone(text: str) -> None:
    """Ordinary names in any script are not changed."""
    assert plain(text) == text


def test_a_trial_says_that_nothing_has_happened() -> None:
    """In text and HTML, with who asked for it."""
    message = trial("flights", "ops-chat", by="<ada>", now=datetime(2013, 2, 8, tzinfo=UTC))
    assert title(message.payload) == message.title == "flights: TEST of route ops-chat"
    said = "<ada> sent this message to test the route. Nothing has happened; there is nothing to do."
    assert to_text(message.payload) == message.body == said
    assert "&lt;ada&gt; sent this message" in to_html(message.payload)
