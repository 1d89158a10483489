"""Hostile arguments for every expectation: refused, or judged as data, and nothing is run, opened or fetched."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.faults

THROW = """
import sys, random, warnings
warnings.simplefilter("ignore")
import pandas as pd
from pydantic import ValidationError
from drift.config.expectation_arguments import EXPECTATIONS
from drift.config.expectations import Expectation
from drift.sources.validation import validate

FRAME = pd.DataFrame({"x": ["a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", None], "n": [1.0, 2.0, None],
                      "`@os.system('x')`": [1, 2, 3]})
COLUMN = ["x", "n", "`@os.system('x')`", "__class__", "/etc/passwd"]
CALLS = ["@__import__('os').system('touch hostile')", "__import__('os').system('touch hostile')", "/etc/passwd",
         "file:///etc/passwd", "http://127.0.0.1:9/x", "SELECT pg_read_file('/etc/passwd')", "{0.__class__}", "{{7*7}}",
         "${HOME}", "(a+)+$", "(?=(a+)+$)b", "%s%n", "`x` == 1 or @f()", "../../x", "col(\\"x\\") > 1"]
ODD = [None, True, -1, 0, 0.5, 1e308, 10**400, float("nan"), [], {}, {"$PARAMETER": "x"},
       {"$ref": "file:///etc/passwd"},
       {"type": "pass_through", "pass_through_filter": CALLS[0]}, print, b"x", ["x", "n"], [1, 2], [["a", 1]],
       "2013-02-08"]
PLAIN = {"column": "x", "column_A": "x", "column_B": "n", "column_list": ["x", "n"], "column_set": ["x"], "value": 1,
         "value_set": ["a"],
         "value_pairs_set": [["a", 1]], "min_value": 0, "max_value": 1, "regex": "a", "type_": "str",
         "regex_list": ["a"], "type_list": ["str"], "strftime_format": "%Y", "threshold": 1, "double_sided": True,
         "sum_total": 1, "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[0, 1]]}}
WORDS = ["condition_parser", "result_format", "meta", "windows", "catch_exceptions", "batch_id", "json_schema", "query"]
CONDITIONS = ["x == \\"@os.system('x')\\"", "`" + "``@os.system('x')``" + "` > 1", "n > 1 or x is null"]

for name in EXPECTATIONS:  # what is imported at first use is imported now
    known = {key: PLAIN[key] for key in EXPECTATIONS[name] if key in PLAIN}
    validate(FRAME, [Expectation(type=name, kwargs=known)])

SEEN = []
FORBIDDEN = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen",
             "socket.connect", "socket.getaddrinfo",
             "socket.bind", "urllib.Request", "open", "exec", "compile", "import", "pickle.find_class", "os.remove"}
watching = False

def hook(event, args):
    if not watching or event not in FORBIDDEN:
        return
    said = repr(args)
    # GX keeps the traceback of an expectation that failed, for which the interpreter reads the library's own lines.
    if event == "open" and said.split("'")[1].startswith(sys.prefix) and "'r'" in said and ".py'" in said:
        return
    if event == "compile" and not any(mark in said for mark in ("hostile", "passwd", "@", "__import__", "7*7")):
        return
    SEEN.append((event, said[:150]))

sys.addaudithook(hook)

rng, refused, judged = random.Random(15), 0, 0
for name, fields in EXPECTATIONS.items():
    for _ in range(int(sys.argv[1])):
        kwargs = {key: PLAIN[key] for key in fields if key in PLAIN}
        for key in rng.sample([*fields, *fields, rng.choice(WORDS)], k=rng.choice([1, 1, 2])):
            pick = rng.choice(CALLS + ODD + COLUMN + CONDITIONS)
            if key == "row_condition":
                pick = rng.choice([pick, *CONDITIONS])
            kwargs[key] = [pick, pick] if key in ("column_list", "value_set", "column_set") else pick
        watching = True
        try:
            asked = Expectation.model_validate({name: kwargs})
        except ValidationError:
            refused += 1
        else:
            judged += len(validate(FRAME, [asked]))
        watching = False
assert not SEEN, SEEN[:20]
print(refused, judged)
"""


def test_nothing_is_run_opened_or_fetched(tmp_path: Path) -> None:
    """Two thousand sets of arguments, under an audit hook of the interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", THROW, "50"], capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    refused, judged = map(int, done.stdout.split())
    assert not list(tmp_path.iterdir())
    assert refused + judged > 2_000
    assert judged > 200, (refused, judged)
