"""Connection names outside Airflow: environment, file, and what errors may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drift.config.connections import resolve_url, variable_of
from drift.errors import ConfigError, SourceMissing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of two connections."""
    path = tmp_path / "connections.yaml"
    path.write_text(
        "warehouse: postgresql+psycopg://drift:${PASSWORD}@db.example.com/warehouse\ndemo: sqlite:///demo.db\n"
    )
    return path


def test_the_variable_goes_before_the_file(file: Path) -> None:
    """DRIFT_CONNECTION_<NAME> wins over a line of the file."""
    assert resolve_url("demo", {"DRIFT_CONNECTION_DEMO": "sqlite:///other.db"}, file) == "sqlite:///other.db"
    assert resolve_url("demo", {}, file) == "sqlite:///demo.db"


@pytest.mark.parametrize(
    ("name", "variable"),
    [("a-b.c d", "DRIFT_CONNECTION_A_B_C_D"), ("Café", "DRIFT_CONNECTION_CAF_"), ("x1", "DRIFT_CONNECTION_X1")],
)
def test_names_become_variables(name: str, variable: str) -> None:
    """Upper case, and an underscore for whatever is no letter or digit of ASCII."""
    assert variable_of(name) == variable
    assert resolve_url(name, {variable: "sqlite://"}) == "sqlite://"


def test_variables_in_a_url_are_filled_in(file: Path) -> None:
    """${VAR} is replaced, in the file and in the environment."""
    assert resolve_url("warehouse", {"PASSWORD": "s3cret"}, file).endswith("//drift:s3cret@db.example.com/warehouse")
    assert resolve_url("x", {"DRIFT_CONNECTION_X": "a://${B}", "B": "b"}) == "a://b"


def test_the_file_is_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DRIFT_CONNECTIONS names it; else connections.yaml of the working directory is used."""
    assert resolve_url("demo", {"DRIFT_CONNECTIONS": str(file)}) == "sqlite:///demo.db"
    monkeypatch.chdir(file.parent)
    assert resolve_url("demo", {}) == "sqlite:///demo.db"


def test_an_unknown_name_says_which_variable_to_set(file: Path) -> None:
    """The message names the variable, the file, and the connections there are."""
    with pytest.raises(SourceMissing, match=r"set DRIFT_CONNECTION_OTHER to .*it has demo, warehouse"):
        resolve_url("other", {}, file)


def test_an_unset_variable_is_named(file: Path) -> None:
    """A URL with a hole in it is an error, not a URL."""
    with pytest.raises(SourceMissing, match=r"key warehouse: .*set the environment variable PASSWORD"):
        resolve_url("warehouse", {}, file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n", "one `name: URL` a line"),
        ("warehouse: 5\n", "key warehouse: not a URL"),
        ("warehouse:\n  host: hunter2\n", "key warehouse: not a URL"),
        ("a: sqlite://\nwarehouse: 'postgresql://u:hunter2@h/d\n", "not valid YAML"),
        ("a: *hunter2\n", "line 1: not valid YAML"),
        ("\xff\n", "not UTF-8"),
    ],
)
def test_a_broken_file_is_refused_without_showing_it(tmp_path: Path, text: str, says: str) -> None:
    """A file of connections may hold passwords, so its lines are never quoted."""
    path = tmp_path / "connections.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=says) as caught:
        resolve_url("warehouse", {}, path)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_list_of_connections_is_not_read(tmp_path: Path) -> None:
    """A megabyte of URLs is something else."""
    path = tmp_path / "connections.yaml"
    path.write_text("a: postgresql://h/d\n" * 60_000)
    with pytest.raises(ConfigError, match="larger than"):
        resolve_url("a", {}, path)


def test_a_named_file_has_to_exist(tmp_path: Path) -> None:
    """A missing connections.yaml is no matter; a missing file that was named is."""
    with pytest.raises(ConfigError, match="no such file"):
        resolve_url("x", {"DRIFT_CONNECTIONS": str(tmp_path / "nope.yaml")})


def test_an_empty_file_knows_nothing(tmp_path: Path) -> None:
    """An empty file is a file without connections."""
    path = tmp_path / "connections.yaml"
    path.write_text("# nothing yet\n")
    with pytest.raises(SourceMissing, match="DRIFT_CONNECTION_X"):
        resolve_url("x", {}, path)
