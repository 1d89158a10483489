"""The order of the house: who may import whom, what ships, and that the documents tell the truth about both."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import drift

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "drift"

# The modules in the order of the pipeline: each imports only those before it.
ORDER = (
    "errors",
    "windows",
    "logs",
    "cron",
    "connections",
    "kinds",
    "phrases",
    "yaml_lines",
    "refusals",
    "expectations",
    "features",
    "detection_settings",
    "references",
    "sources",
    "lineage",
    "hours",
    "alert_policy",
    "alert_settings",
    "config",
    "settings",
    "outcomes",
    "time_bounds",
    "sampling",
    "atoms",
    "binning",
    "fitting",
    "histograms",
    "counting",
    "columnwise",
    "segments",
    "refinement",
    "pictures",
    "divergence",
    "saddlepoint",
    "contingency",
    "selection",
    "significance",
    "scores",
    "usual",
    "measurement",
    "detection",
    "composition",
    "evidence",
    "rollups",
    "reports",
    "standing",
    "observations",
    "alerts",
    "silences",
    "answers",
    "telling",
    "lifecycle",
    "wording",
    "diary",
    "digest",
    "file_paths",
    "file_source",
    "sql_types",
    "adbc_source",
    "sql_source",
    "snapshots",
    "warehouse_sql",
    "warehouse_values",
    "warehouse_segments",
    "warehouse_cells",
    "warehouse",
    "warehouse_source",
    "warehouse_fit",
    "outcomes",
    "validation",
    "tables",
    "database",
    "migrate",
    "records",
    "stored_alerts",
    "outbox",
    "stored_counts",
    "stored_verdicts",
    "store",
    "session",
    "channels",
    "notify",
    "comparison",
    "watch",
    "reading",
    "arrival",
    "evaluation",
    "alerting",
    "freezing",
    "monitoring",
    "baselines",
    "clearance",
    "replay",
    "planting",
    "tuning",
    "retention",
    "doctor",
    "rendering",
    "demo",
    "dashboard",
    "airflow",
    "cli",
)
ADAPTERS = {"snapshots", "warehouse", "validation", "store", "channels"}
# `drift/__init__.py` re-exports and `drift/__main__.py` starts the command line: both stand outside the order.
OUTSIDE = {"__init__", "__main__"}

FOLDERS_LEFT_OUT = {
    *(".git", ".venv", "build", "demo", "dist", "node_modules"),
    *("__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"),
}
BINARY = {".parquet", ".png", ".ico", ".woff2", ".gz", ".pyc"}


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
    """The name in ORDER that a source file belongs to: `dashboard` for all of `drift/dashboard/`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


SOURCES = [path for path in files("*.py", under=PACKAGE) if module_of(path) not in OUTSIDE]
DOCUMENTS = files("*.md")


def label(path: Path) -> str:
    """The name of a file in a test's id or message."""
    return str(path.relative_to(ROOT))


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at the top, in functions and for type checking alike, by its full name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).with_suffix("").parts[: -node.level] if node.level else ()
            base = ".".join((*package, *filter(None, [node.module])))
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def house_imports(path: Path) -> set[str]:
    """The names in ORDER that a file imports, its own left out."""
    names = {name.split(".")[1] for name in imports(path) if name.startswith("drift.")}
    return names & set(ORDER) - {module_of(path)}


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in an interpreter that has imported nothing yet."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_a_module_imports_only_what_stands_before_it(path: Path) -> None:
    """The modules form a line, and every import in it points backwards."""
    module = module_of(path)
    assert module in ORDER, f"give {module} its place in ORDER"
    later = {name for name in house_imports(path) if ORDER.index(name) > ORDER.index(module)}
    assert not later


@pytest.mark.parametrize("path", [path for path in SOURCES if module_of(path) in ADAPTERS], ids=label)
def test_adapters_do_not_know_each_other(path: Path) -> None:
    """A data source, the gate, the store and the notifier can each be replaced alone."""
    assert not house_imports(path) & ADAPTERS


@pytest.mark.parametrize("path", files("*.py", under=PACKAGE) + files("*.py", under=ROOT / "sql"), ids=label)
def test_only_one_package_imports_airflow(path: Path) -> None:
    """Everything but `drift/airflow/` works where Airflow is not installed."""
    imported = {name.split(".")[0] for name in imports(path)}
    assert "airflow" not in imported or path.is_relative_to(PACKAGE / "airflow")


def test_reading_a_monitor_loads_no_heavy_library() -> None:
    """A DAG file is parsed every few seconds, so `drift.config` brings in none of the libraries that compute."""
    heavy = ["airflow", "great_expectations", "pandas", "pyarrow", "scipy", "sqlalchemy"]
    done = run_python(f"import sys, drift.config; print(sorted(sys.modules.keys() & set({heavy})))")
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_core_imports_without_any_extra() -> None:
    """Whoever installed no extra can import every module but the dashboard and Airflow's."""
    extras = ["airflow", "apprise", "fastapi", "fsspec", "great_expectations", "ibis", "jinja2", "plotly"]
    extras += ["adbc_driver_postgresql", "psycopg"]
    modules = sorted({module_of(path) for path in SOURCES} - {"airflow", "dashboard"})
    done = run_python(
        f"import importlib, sys; sys.modules.update(dict.fromkeys({extras}))\n"
        f"for name in {modules}: importlib.import_module(f'drift.{{name}}')"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", sorted({module_of(path) for path in SOURCES}))
def test_every_module_has_a_twin(module: str) -> None:
    """`drift/<module>.py` is tested in `tests/test_<module>.py`, so that one finds the other."""
    assert (ROOT / "tests" / f"test_{module}.py").is_file()


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


def test_the_changelog_begins_with_this_version() -> None:
    """The version has one home, and the changelog's newest entry is about it."""
    entries = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert entries[0] == drift.__version__


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


@pytest.mark.parametrize("name", ["bootstrap.txt", "dev.txt", "runtime.txt"])
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


# --- the wheel


def test_the_wheel_carries_what_stands_beside_the_package(tmp_path: Path) -> None:
    """Migrations, views, demo data and monitors ship inside the wheel, where no checkout stands around the package."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if "__pycache__" not in name}
    for folder, target in (("sql", "sql"), ("data", "data"), ("dags/monitors", "monitors")):
        beside = {f"drift/{target}/{path.relative_to(ROOT / folder)}" for path in (ROOT / folder).rglob("*.*")}
        assert {name for name in beside if "__pycache__" not in name} <= names
    assert {name.split("/")[0] for name in names} == {"drift", f"drift_monitor-{drift.__version__}.dist-info"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
