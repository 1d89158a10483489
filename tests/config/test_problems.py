"""How keys and values are named."""

from __future__ import annotations

from drift.config.problems import noun, shorten, show_path


def test_words_for_values() -> None:
    """Messages show values as YAML has them."""
    values: tuple[object, ...] = (None, True, 1, 1.0, "", [], {}, b"")
    nouns = ["empty", "true or false", "a number", "a number", "text", "a list", "a mapping", "a bytes"]
    assert [noun(value) for value in values] == nouns
    assert shorten("x" * 100) == '"' + "x" * 58 + "…"
    assert show_path(("a", 0, "b c")) == 'a[0]."b c"'
