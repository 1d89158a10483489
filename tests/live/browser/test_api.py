"""The API under schemathesis: whatever is asked, it never fails with a 5xx."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("database", ["year", "hostile"])
def test_no_request_makes_it_fail(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> None:
    """Hundreds of requests made of the OpenAPI document, valid and not: no 5xx, no status that it does not know."""
    address = request.getfixturevalue(database)
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{address}openapi.json"]
    options = ["--checks", checks, "--max-examples", "60", "--phases", "examples,coverage,fuzzing"]
    command += [*options, "--seed", "6", "--generation-deterministic"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
