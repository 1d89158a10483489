"""The folder that a monitor may name files in."""

from __future__ import annotations

from pathlib import Path

import pytest

from drift.config import roots


def test_the_working_directory_is_the_root_unless_the_environment_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what a person names by hand is bound by the environment alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DRIFT_FILES_ROOT")
    assert (roots.given_root(), roots.monitors_root()) == (None, tmp_path.resolve())
    monkeypatch.setenv("DRIFT_FILES_ROOT", str(tmp_path / "lake"))
    assert roots.given_root() == roots.monitors_root() == (tmp_path / "lake").resolve()


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "..", "../x", "a/../../x", "link/x", "/", "a/link/../..", "//etc/passwd"]
)
def test_what_leads_out_is_nothing(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By dots, whole paths and links; a folder beside it with a longer name is outside too."""
    root = tmp_path / "lake"
    (root / "a").mkdir(parents=True)
    (tmp_path / "lake2").mkdir()
    for at in (root, root / "a"):
        (at / "link").symlink_to(tmp_path / "lake2")
    monkeypatch.chdir(root)
    assert roots.inside(path, root.resolve()) is None
    assert roots.inside("a/x", root.resolve()) == "a/x"
    assert roots.inside(str(root / "a"), root.resolve()) == str(root / "a")


def test_a_refusal_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder in force, and the variable that names another."""
    monkeypatch.delenv("DRIFT_FILES_ROOT")
    assert "set DRIFT_FILES_ROOT to that folder" in roots.refusal("../x", Path("/lake"))
    monkeypatch.setenv("DRIFT_FILES_ROOT", "/lake")
    assert "DRIFT_FILES_ROOT allows no other files" in roots.refusal("../x", Path("/lake"))
