"""Markup: whatever a text holds, a reader sees the text and a browser nothing else."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from drift.detection.page.markup import LONGEST, join, name, tag
from drift.text.secrets import MASK, learn
from drift.text.visible import visible


class Read(HTMLParser):
    """What a browser finds in a page: elements with their attributes, and text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.texts.append(data)


@given(st.text(), st.text())
def test_text_stays_text(inside: str, outside: str) -> None:
    """As a child and as an attribute, of every kind of character."""
    read = Read(tag("p", inside, title=outside))
    assert read.found == [("p", {"title": visible(outside)})]
    assert "".join(read.texts) == visible(inside)


@given(st.text())
def test_a_name_is_shown_whole_or_in_its_beginning(text: str) -> None:
    """A long one is whole in its title, so that a pointer finds it."""
    read = Read(name(text))
    ((element, attributes),) = read.found
    shown = "".join(read.texts)
    assert (element, attributes["class"], len(shown) <= LONGEST) == ("bdi", "name", True)
    assert attributes.get("title", shown) == (visible(text) or "(empty)")


def test_a_secret_is_masked() -> None:
    """In text, in names and in attributes alike."""
    learn("hunter-two-and-three")
    markup = join([name("x hunter-two-and-three"), tag("p", "hunter-two-and-three", title="hunter-two-and-three")])
    assert markup.count(MASK) == 3
    assert "hunter" not in markup
