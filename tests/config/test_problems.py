"""Problems: in one line each, in the order of the file; how keys and values are named."""

from __future__ import annotations

from drift.config.problems import Problem, noun, shorten, show_path, suggest


def test_words_for_values() -> None:
    """Messages show values as YAML has them."""
    values: tuple[object, ...] = (None, True, 1, 1.0, "", [], {}, b"")
    nouns = ["empty", "true or false", "a number", "a number", "text", "a list", "a mapping", "a bytes"]
    assert [noun(value) for value in values] == nouns
    assert shorten("x" * 100) == '"' + "x" * 58 + "…"
    assert show_path(("a", 0, "b c")) == 'a[0]."b c"'


def test_a_problem_is_one_line_of_bounded_length() -> None:
    """Whatever a file holds, it cannot forge a second problem or fill the screen."""
    line = Problem(1, 1, ("k\nx.yaml:9: forged",), "word\n" * 1000, "mend\nit").at("f.yaml")
    assert "\n" not in line
    assert len(line) < 600


def test_problems_sort_in_the_order_of_the_file() -> None:
    """By line, then column."""
    problems = [Problem(2, 1, ("b",), "x", ""), Problem(1, 5, ("z",), "x", ""), Problem(1, 2, ("y",), "x", "")]
    assert [p.path for p in sorted(problems)] == [("y",), ("z",), ("b",)]


def test_suggestions() -> None:
    """A near miss is named; the far ones only get the list."""
    assert suggest("Trailing", ["trailing", "fixed"]) == "did you mean trailing? allowed: fixed, trailing"
    assert suggest("xyz", ["trailing", "fixed"]) == "allowed: fixed, trailing"
