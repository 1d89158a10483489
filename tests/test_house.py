"""The house: what it loads, what ships, and that the documents tell the truth about both."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import drift

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "drift"

# Whole packages for a person's browser, a scheduler and a shell: their tests are laid out by what a person sees.
DOORS = {"airflow", "cli", "dashboard"}

FOLDERS_LEFT_OUT = {
    *(".git", ".venv", "build", "demo", "dist", "node_modules"),
    *("__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".import_linter_cache"),
}
BINARY = {".parquet", ".png", ".webp", ".ico", ".woff2", ".gz", ".pyc"}


def files(pattern: str = "*", under: Path = ROOT) -> list[Path]:
    """The repository's own text files, as far as a name can tell."""
    return sorted(
        path
        for path in under.rglob(pattern)
        if path.is_file()
        and path.suffix not in BINARY
        and path.name != ".env"
        and not FOLDERS_LEFT_OUT & set(path.relative_to(ROOT).parts)
    )


def module_of(path: Path) -> str:
    """The dotted name of a source file below `drift`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def door_of(path: Path) -> str | None:
    """The door that a source file belongs to; None for the domain's own."""
    return next((part for part in path.relative_to(PACKAGE).parts if part in DOORS), None)


SOURCES = [path for path in files("*.py", under=PACKAGE) if path.stem not in {"__init__", "__main__"}]
DOCUMENTS = files("*.md")


def label(path: Path) -> str:
    """The name of a file in a test's id or message."""
    return str(path.relative_to(ROOT))


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter that has imported nothing yet."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


def test_reading_a_monitor_loads_no_heavy_library() -> None:
    """A DAG file is parsed every few seconds, so `drift.config` brings in none of the libraries that compute."""
    heavy = ["airflow", "great_expectations", "pandas", "pyarrow", "scipy", "sqlalchemy"]
    done = run_python(f"import sys, drift.config.monitor; print(sorted(sys.modules.keys() & set({heavy})))")
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_core_imports_without_any_extra() -> None:
    """Whoever installed no extra can import every module but the dashboard and Airflow's."""
    extras = ["airflow", "apprise", "fastapi", "fsspec", "great_expectations", "ibis", "jinja2", "pandas"]
    extras += ["adbc_driver_postgresql", "psycopg"]
    modules = sorted(module_of(path) for path in SOURCES if door_of(path) not in {"airflow", "dashboard"})
    done = run_python(
        f"import importlib, sys; sys.modules.update(dict.fromkeys({extras}))\n"
        f"for name in {modules}: importlib.import_module(f'drift.{{name}}')"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", [path for path in SOURCES if not door_of(path)], ids=label)
def test_every_module_has_a_twin(path: Path) -> None:
    """`drift/<room>/<module>.py` is tested in `tests/<room>/test_<module>.py`, so that one finds the other."""
    assert (ROOT / "tests" / path.relative_to(PACKAGE).with_name(f"test_{path.name}")).is_file()


def test_no_file_names_a_machine_or_a_registry() -> None:
    """What works on one machine only, or names a package index, has no place in the repository."""
    forbidden = re.compile(
        r"(?<![\w.$}{~-])/(?:work|root|tmp)/\w"  # an absolute path of somebody's machine
        r"|\bpy" + r"pi\.org|python" + r"hosted\.org|--(?:extra-)?index-url [a-z]"
    )
    found = [
        f"{label(path)}:{number}: {line.strip()[:100]}"
        for path in files()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if forbidden.search(line)
    ]
    assert not found


def test_the_distribution_has_one_name() -> None:
    """What is installed is `driftmeter`: the name that it once had belongs to somebody else on the public index."""
    stranger = re.compile("drift-" + r"monitor\b|drift_" + "monitor-")
    found = [label(path) for path in files() if stranger.search(path.read_text())]
    assert not found


def test_the_changelog_begins_with_this_version() -> None:
    """The version has one home, and the changelog's newest entry is about it."""
    entries = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert entries[0] == drift.__version__


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("citation-file-format", "CITATION.cff"),
        ("github-issue-forms", ".github/ISSUE_TEMPLATE/*.yml"),
    ],
)
def test_what_other_tools_read_is_in_their_form(schema: str, pattern: str) -> None:
    """GitHub and citation managers ignore a file that does not fit their schema."""
    paths = sorted(ROOT.glob(pattern))
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, paths)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert paths
    assert done.returncode == 0, done.stdout


def test_the_citation_names_this_version() -> None:
    """Whoever cites Drift cites what is here."""
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == drift.__version__


# --- the rooms


def test_the_house_is_drawn_as_it_stands() -> None:
    """`ls drift` is the architecture: at most twelve rooms and five files, and the docstring draws all of them."""
    inside = {path for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    rooms = {path.name for path in inside if path.is_dir()}
    assert len(rooms) <= 12
    assert len(inside) - len(rooms) <= 5
    assert set(re.findall(r"^    (\w+)/ ", str(drift.__doc__), re.MULTILINE)) == rooms


def test_a_contributor_is_sent_to_what_exists() -> None:
    """Every file and folder that CONTRIBUTING.md names is there."""
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|toml|yaml))`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_public_names_are_at_hand() -> None:
    """Each name that a package offers can be had from it."""
    for package in ("drift", "drift.statistics", "drift.dashboard"):
        module = importlib.import_module(package)
        assert [name for name in module.__all__ if not hasattr(module, name)] == []


# --- the locks


def locked(name: str) -> dict[str, set[str]]:
    """Package → its versions: several where they depend on Python's."""
    versions: dict[str, set[str]] = {}
    for package, version in re.findall(r"^(\S+?)==(\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE):
        versions.setdefault(canonicalize_name(package), set()).add(version)
    return versions


def wanted(*groups: str) -> list[Requirement]:
    """The direct requirements of pyproject.toml: the core's, all extras', and those of some dependency groups."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [*declared["project"]["dependencies"]]
    lines += [line for extra in declared["project"]["optional-dependencies"].values() for line in extra]
    lines += [line for group in groups for line in declared["dependency-groups"][group] if isinstance(line, str)]
    requirements = [Requirement(line) for line in lines]
    return [requirement for requirement in requirements if requirement.name != declared["project"]["name"]]


@pytest.mark.parametrize("name", ["bootstrap.txt", "dev.txt", "runtime.txt", "site.txt"])
def test_a_lock_pins_and_hashes_every_package(name: str) -> None:
    """Nothing is installed from a lock that is not exactly what was locked, from wherever it comes."""
    text = (ROOT / "requirements" / name).read_text()
    assert "://" not in text
    blocks = [block for block in re.split(r"\n(?=\S)", text) if not block.startswith("#")]
    assert blocks
    assert [block for block in blocks if not re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", block, re.DOTALL)] == []


@pytest.mark.parametrize(
    ("name", "requirements"), [("runtime.txt", wanted()), ("dev.txt", wanted("test", "lint"))], ids=["runtime", "dev"]
)
def test_a_lock_fits_what_the_project_asks_for(name: str, requirements: list[Requirement]) -> None:
    """After a change of pyproject.toml somebody ran `make lock`."""
    versions = locked(name)
    unfit = [
        str(requirement)
        for requirement in requirements
        if not versions.get(canonicalize_name(requirement.name))
        or not all(requirement.specifier.contains(version) for version in versions[canonicalize_name(requirement.name)])
    ]
    assert not unfit


def test_the_development_lock_contains_the_other() -> None:
    """What is tested is what runs, version for version."""
    dev = locked("dev.txt")
    assert {name: versions for name, versions in locked("runtime.txt").items() if dev.get(name) != versions} == {}


# --- the documents


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as the usual viewers make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=label)
def test_relative_links(document: Path) -> None:
    """Every link of a document into the repository leads to a file, and to a heading where it names one."""
    text = re.sub(r"```.*?```|`[^`]*`", "", document.read_text(), flags=re.DOTALL)
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text):
        link = "".join(target)
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        file = document.parent / path if path else document
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            dead.append(link)
    assert not dead


# --- what ships


def build(folder: Path, target: str, out: Path) -> Path:
    """Build one distribution of a source tree, without the network."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (built,) = out.iterdir()
    return built


def contents(wheel: Path) -> dict[str, int]:
    """What a wheel holds, with checksums; its record lists them in no order."""
    with ZipFile(wheel) as archive:
        return {info.filename: info.CRC for info in archive.infolist() if not info.filename.endswith("/RECORD")}


def test_the_source_distribution_builds_the_wheel(tmp_path: Path) -> None:
    """The wheel carries the whole package and what stands beside it in a checkout; from the sdist comes the same."""
    wheel = contents(build(ROOT, "wheel", tmp_path / "wheel"))
    for folder, target in (("drift", "drift"), ("sql", "drift/sql"), ("data", "drift/data"), ("dags", "drift/dags")):
        beside = {f"{target}/{path.relative_to(ROOT / folder)}" for path in (ROOT / folder).rglob("*.*")}
        assert {name for name in beside if "__pycache__" not in name} <= wheel.keys()
    assert {name.split("/")[0] for name in wheel} == {"drift", f"driftmeter-{drift.__version__}.dist-info"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel)
    with tarfile.open(build(ROOT, "sdist", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    again = contents(build(tmp_path / f"driftmeter-{drift.__version__}", "wheel", tmp_path / "again"))
    assert {name: crc for name, crc in wheel.items() if "__pycache__" not in name} == again
