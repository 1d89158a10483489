"""Migrations and views, on both databases."""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from drift.errors import SchemaOutdated, StoreError
from drift.sources.validation_results import Outcome
from drift.store import migrations
from drift.store.engine import make_engine
from drift.store.schema import metadata
from drift.store.store import Store
from drift.windows import Calendar

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on the empty database."""
    made = make_engine(database_url)
    yield made
    made.dispose()


def test_migrations_and_tables_agree(database_url: str) -> None:
    """What the migrations build is what the code works with."""
    migrations.upgrade(database_url)
    assert migrations.differences(database_url) == []


def test_up_down_and_up_again(database_url: str, engine: sa.Engine) -> None:
    """Going back drops every table and view, and the way up is open again."""
    migrations.upgrade(database_url)
    migrations.downgrade(database_url, "base")
    assert migrations.current(database_url) is None
    inspector = sa.inspect(engine)
    assert set(inspector.get_table_names()) <= {migrations.VERSION_TABLE}
    assert inspector.get_view_names() == []
    migrations.upgrade(database_url)
    migrations.check(database_url)
    assert migrations.differences(database_url) == []


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    """The second one finds it done."""
    migrations.upgrade(database_url)
    migrations.upgrade(database_url)
    assert migrations.current(database_url) == migrations.head()


def test_several_upgrades_at_once(database_url: str) -> None:
    """Threads and processes take turns; each ends with the database at its newest revision."""
    code = "import sys; from drift.store import migrations; migrations.upgrade(sys.argv[1])"
    others = [
        subprocess.Popen([sys.executable, "-c", code, database_url], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrations.upgrade, [database_url] * 4))
    for other in others:
        _, errors = other.communicate()
        assert other.returncode == 0, errors
    migrations.check(database_url)


def test_alembic_has_one_line_of_revisions_and_names_the_same_head() -> None:
    """`head` reads file names; Alembic reads the files."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(migrations.sql_folder() / "migrations"))
    assert script.get_heads() == [migrations.head()]
    for revision in script.walk_revisions():
        assert Path(revision.path).name.startswith(f"{revision.revision}_")


def test_a_database_that_is_not_there_says_what_to_run(tmp_path: Path) -> None:
    """And looking for it does not create it."""
    path = tmp_path / "none.db"
    with pytest.raises(SchemaOutdated, match="not created yet: run `drift db upgrade`"):
        migrations.check(f"sqlite:///{path}")
    with pytest.raises(SchemaOutdated, match="drift db upgrade"):
        Store.open(f"sqlite:///{path}")
    assert migrations.current(f"sqlite:///{path}") is None
    assert not path.exists()


def test_an_empty_database_says_what_to_run(database_url: str, engine: sa.Engine) -> None:
    """It answers, but has no tables."""
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE unrelated (id INTEGER)")
    with pytest.raises(SchemaOutdated, match="drift db upgrade"):
        Store.open(database_url)


@pytest.mark.parametrize(("revision", "advice"), [("0000", "drift db upgrade"), ("9999", "install that newer Drift")])
def test_a_database_of_another_version_says_what_to_do(
    database_url: str, engine: sa.Engine, revision: str, advice: str
) -> None:
    """Behind and ahead are different troubles."""
    migrations.upgrade(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = :r"), {"r": revision})
    with pytest.raises(SchemaOutdated, match=advice):
        Store.open(database_url)
    if revision == "9999":
        with pytest.raises(SchemaOutdated, match=advice):
            migrations.upgrade(database_url)


def test_an_unknown_revision_is_refused_and_nothing_changes(database_url: str) -> None:
    """A typing error on the way down must not cost a table, nor a view."""
    migrations.upgrade(database_url)
    with pytest.raises(StoreError, match="nonsense"):
        migrations.downgrade(database_url, "nonsense")
    migrations.check(database_url)
    with Store.open(database_url) as store, store.engine.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM drift_scores")


def test_airflows_own_revision_is_left_alone(database_url: str, engine: sa.Engine) -> None:
    """Both may live in one database: Drift keeps its revision in a table of its own."""
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('airflow')")
        connection.exec_driver_sql("CREATE TABLE dag (dag_id VARCHAR(250) PRIMARY KEY)")
    migrations.upgrade(database_url)
    assert migrations.differences(database_url) == []
    migrations.downgrade(database_url, "base")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "airflow"
        assert sa.inspect(connection).has_table("dag")


def test_every_view_has_the_columns_its_header_names(database_url: str, engine: sa.Engine) -> None:
    """In their order, on an empty database."""
    migrations.upgrade(database_url)
    for name, sql in migrations.views().items():
        with engine.connect() as connection:
            columns = list(connection.exec_driver_sql(f"SELECT * FROM {name}").keys())
        lines = re.findall(r"^-- ([a-z_]+(?:, [a-z_]+)*)  +\S", sql, re.MULTILINE)
        named = {column for line in lines for column in line.split(", ")}
        assert named == set(columns), name


def test_migrating_says_nothing(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Alembic's chatter belongs to no user, and its logger is given back as it was."""
    level = logging.getLogger("alembic").level
    with caplog.at_level(logging.INFO):
        migrations.upgrade(database_url)
        migrations.downgrade(database_url, "base")
    assert [record for record in caplog.records if record.name.startswith("alembic")] == []
    assert logging.getLogger("alembic").level == level


def test_sqlite_is_created_with_its_folder_and_writes_ahead(tmp_path: Path) -> None:
    """Readers must not wait for writers, and foreign keys hold."""
    url = f"sqlite:///{tmp_path / 'new' / 'folder' / 'drift.db'}"
    with Store.open(url, create=True) as store, store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_opening_a_store_does_not_import_alembic(tmp_path: Path) -> None:
    """Every command opens the store, and Alembic takes most of a second."""
    url = f"sqlite:///{tmp_path / 'drift.db'}"
    migrations.upgrade(url)
    code = (
        "import sys; from drift.store.store import Store; Store.open(sys.argv[1]).close(); "
        "assert not {'alembic', 'pandas', 'scipy', 'great_expectations'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, url], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_tables_of_the_migration_are_all_of_them(database_url: str, engine: sa.Engine) -> None:
    """No table is made by anything but a migration."""
    migrations.upgrade(database_url)
    assert set(sa.inspect(engine).get_table_names()) == {*metadata.tables, migrations.VERSION_TABLE}


def test_altering_a_table_of_sqlite_keeps_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parent that is dropped and copied back must not take its rows' children along."""
    sql = tmp_path / "sql"
    shutil.copytree(migrations.sql_folder(), sql, ignore=shutil.ignore_patterns("__pycache__"))
    url = f"sqlite:///{tmp_path / 'drift.db'}"
    when, window = datetime(2013, 2, 9, tzinfo=UTC), Calendar("1d").starting(datetime(2013, 2, 8, tzinfo=UTC))
    with Store.open(url, create=True) as store:
        store.save_gate("m", window, "warned", [Outcome("k", "e", None, "warn", False, None, "no")], when)
    (sql / "migrations" / "versions" / "0002_wider.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\n"
        "revision, down_revision, branch_labels, depends_on = '0002', '0001', None, None\n"
        "def upgrade():\n    with op.batch_alter_table('gate', recreate='always') as table:\n"
        "        table.add_column(sa.Column('more', sa.Text()))\n"
        "def downgrade():\n    with op.batch_alter_table('gate') as table:\n        table.drop_column('more')\n"
    )
    monkeypatch.setattr(migrations, "sql_folder", lambda: sql)
    migrations.upgrade(url)
    with Store.open(url) as store:
        assert len(store.validations("m", window)) == 1
    migrations.downgrade(url, "0001")
    monkeypatch.undo()
    assert migrations.differences(url) == []


def test_the_folder_is_found_in_a_wheel(tmp_path: Path) -> None:
    """There `sql` lies inside the package, and nothing beside it."""
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "drift", tmp_path / "drift", ignore=left_out)
    shutil.copytree(ROOT / "sql", tmp_path / "drift" / "sql", ignore=left_out)
    code = (
        "from drift.store import migrations\n"
        "url = 'sqlite:///here.db'; migrations.upgrade(url); migrations.check(url)\n"
        "assert migrations.sql_folder().parts[-2:] == ('drift', 'sql') and migrations.differences(url) == []\n"
        "print(migrations.sql_folder())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "drift" / "sql")
