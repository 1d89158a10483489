"""Secrets and files, end to end: whatever a monitor's author or a driver says, nothing leaves that should not."""

from __future__ import annotations

import os
import re
import sqlite3
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.command import runner

if TYPE_CHECKING:
    from pathlib import Path

MONITOR = """
name: shop
window: {{every: 1d}}
source: {source}
alerts: {{routes: [{{to: {route}}}]}}
"""
OPENED = re.compile(r"""(?m)^(?:open|sqlite3\.connect) \((?:\w+\()?b?(['"])(.*?)\1""")


def drift(folder: Path, *arguments: str, **env: str) -> tuple[int, str, list[str]]:
    """Run a command in a folder: its exit code, all that it says, and all that Python opened for it."""
    audit = folder / "audit.txt"
    home = {"DRIFT_DATABASE": "sqlite:///drift.db", "HOME": str(folder), "DRIFT_TEST_AUDIT": str(audit)}
    done = runner(folder, **home, **env)(*arguments, log="json")
    return done.returncode, done.stdout + done.stderr, [path for _, path in OPENED.findall(audit.read_text())]


def stored(folder: Path) -> str:
    """Everything that the results database holds, as text."""
    if not (folder / "drift.db").exists():
        return ""
    with sqlite3.connect(folder / "drift.db") as connection:
        return "\n".join(connection.iterdump())


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a working directory with a monitor's data, and a secret beside it that a link leads to."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "outside").mkdir()
    table = pa.table({"day": ["2024-01-01"] * 300, "kept": ["k3pt-outside"] * 300})
    pq.write_table(table, tmp_path / "outside" / "secret.parquet")
    pq.write_table(pa.table({"day": ["2024-01-01"] * 300, "x": [1] * 300}), tmp_path / "shop" / "a.parquet")
    (tmp_path / "shop" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "shop" / "linked.parquet").symlink_to(tmp_path / "outside" / "secret.parquet")
    return tmp_path / "shop"


def write(folder: Path, source: str, route: str = "ops") -> None:
    """Write the monitor's file."""
    (folder / "m.yaml").write_text(MONITOR.format(source=source, route=route), encoding="utf-8")


LEAVING = [
    "../outside/secret.parquet", "OUT/secret.parquet", "OUT", "OUT/*", "file://OUT/secret.parquet", "FILE://OUT/secret.parquet",
    "local://OUT/secret.parquet", "link/secret.parquet", "link/*.parquet", "li*/*.parquet", "**", "linked.parquet",
    "l*.parquet", "./x/../../outside/*.parquet", "file://localhost/OUT/secret.parquet", "simplecache::file://OUT/secret.parquet",
    "/proc/self/cwd/link/secret.parquet", "${DRIFT_VAR_OUT}/secret.parquet", "~/../outside/secret.parquet",
]  # fmt: skip


@pytest.mark.parametrize("files", LEAVING)
def test_no_monitor_reads_a_file_outside(shop: Path, files: str) -> None:
    """By path, dots, link, glob, URL or variable: refused with what to do, nothing of it opened, told or stored."""
    outside = shop.parent / "outside"
    write(shop, f'{{files: "{files.replace("OUT", str(outside))}", time_column: day}}')
    code, said, opened = drift(shop, "run", "m.yaml", "--date", "2024-01-01", DRIFT_VAR_OUT=str(outside))
    assert code != 0
    assert "Traceback" not in said
    assert "k3pt-outside" not in said + stored(shop)
    assert "m.yaml" in map(os.path.basename, opened)
    assert not [path for path in opened if "secret.parquet" in os.path.realpath(path)]


SECRETS = {
    "DRIFT_CONNECTION_DWH": "postgresql://ada:p4ss@w0rd-of-dwh@127.0.0.1:1/x?sslpassword=ssl-of-dwh",
    "DRIFT_ROUTE_OPS": "json://ada:r0ute-pw@127.0.0.1:1/p4th-token?+X-Key=h3ader-key&token=qu3ry-token",
    "DRIFT_TOKEN": "d4shboard-token",
    "PGPASSWORD": "pg-p4ssword",
    "AWS_SECRET_ACCESS_KEY": "aws/s3cret+key",
}
VALUES = ("p4ss@w0rd-of-dwh", "w0rd-of-dwh", "ssl-of-dwh", "r0ute-pw", "p4th-token", "h3ader-key", "qu3ry-token",
          "d4shboard-token", "pg-p4ssword", "aws/s3cret+key", "opt-0f-dwh")  # fmt: skip


@pytest.mark.parametrize(
    ("source", "env"),
    [
        ("{connection: dwh, table: t, time_column: day}", {}),
        ("{connection: dwh, table: t, time_column: day}", {"DRIFT_CONNECTION_DWH": "postgresql://ada:w0rd-of-dwh@127.0.0.1:1/x?nosuch=opt-0f-dwh"}),
        ("{connection: dwh, table: t, time_column: day}", {"DRIFT_CONNECTION_DWH": "postgresql://ada@127.0.0.1:1/x?password=w0rd-of-dwh&sslmode=opt-0f-dwh"}),
        ("{connection: dwh, table: t, time_column: day}", {"DRIFT_CONNECTION_DWH": "postgresql://ada:w0rd-of-dwh@127.0.0.1:p4th-token/x"}),
        ('{files: "a/${DRIFT_TOKEN}/b", time_column: day}', {}),
        ('{files: "a/${DRIFT_ROUTE_OPS}/b", time_column: day}', {}),
        ('{files: "a/${PGPASSWORD}/b", time_column: day}', {}),
        ('{files: "${DRIFT_VAR_X}/d4shboard-token/*.csv", time_column: day}', {"DRIFT_VAR_X": "w0rd-of-dwh"}),
        ('{files: "s3://aws/s3cret+key/x", time_column: day, timezone: d4shboard-token}', {}),
        ('{connection: dwh, query: "SELECT \'w0rd-of-dwh\' AS day FROM d4shboard-token; x", time_column: day}', {}),
    ],
)  # fmt: skip
def test_no_secret_is_told_or_stored(shop: Path, source: str, env: dict[str, str]) -> None:
    """Neither in the terminal, the log, any column, nor what is sent, though a monitor or a driver quotes it."""
    write(shop, source)
    told = ""
    for arguments in (
        ["db", "upgrade"], ["check", "m.yaml"], ["run", "m.yaml", "--date", "2024-01-01"], ["alerts", "deliver"],
        ["doctor", "--monitors", "."], ["alerts", "list"], ["run", "w0rd-of-dwh"], ["run", "--nosuch=d4shboard-token"],
    ):  # fmt: skip
        code, said, _ = drift(shop, *arguments, **{**SECRETS, **env})
        told += said
        assert "Traceback" not in said, (code, arguments)
    found = [value for value in VALUES if value in told + stored(shop)]
    assert not found, told
