"""The command line, as a user runs it: a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.csv import write_csv

from tests.support.command import runner
from tests.support.flights import FIRST, monitor_text, rows, write_sql
from tests.support.relay import relay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.command import Drift


@pytest.fixture
def drift(tmp_path: Path) -> Drift:
    """Run `drift` in a folder of its own."""
    return runner(tmp_path)


@pytest.fixture
def tables(tmp_path: Path) -> tuple[str, str, str]:
    """A reference, the same again, and one that moved."""
    rng = np.random.default_rng(3)
    for name, mean in {"reference": 0.0, "same": 0.0, "moved": 0.6}.items():
        frame = pd.DataFrame({"x": rng.normal(mean, 1, 3000), "c": rng.choice(["a", "b"], 3000)})
        frame.to_parquet(tmp_path / f"{name}.parquet")
    return "reference.parquet", "same.parquet", "moved.parquet"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A monitor with 12 quiet days, backfilled by the command line, and a 13th that moved."""
    folder = tmp_path_factory.mktemp("monitored")
    frame = rows(13)
    last = frame["day"] == frame["day"].max()
    frame.loc[last, "delay"] += 8
    write_sql(frame, f"sqlite:///{folder / 'warehouse.db'}")
    (folder / "monitors").mkdir()
    source = "{connection: warehouse, table: flights, time_column: day}"
    (folder / "monitors" / "flights.yaml").write_text(monitor_text(source, alerts="{routes: []}"))
    drift = runner(folder)
    assert drift("db", "upgrade").returncode == 0
    done = drift("backfill", "flights", "--from", "2024-01-01", "--to", "2024-01-12")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def monitored(template: Path, tmp_path: Path, drift: Drift) -> Drift:
    """A copy of it, to run on."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return drift


def test_compare_quiet_exits_0(drift: Drift, tables: tuple[str, str, str]) -> None:
    """Two samples of one distribution are quiet, with --fail-on too."""
    done = drift("compare", tables[0], tables[1], "--fail-on", "warning")
    assert (done.returncode, done.stderr) == (0, "")
    assert "D(current‖reference) in nats" in done.stdout


def test_compare_drift_exits_1_only_when_asked(drift: Drift, tables: tuple[str, str, str]) -> None:
    """Drift is a finding; it fails the command where --fail-on says so."""
    assert drift("compare", tables[0], tables[2]).returncode == 0
    done = drift("compare", tables[0], tables[2], "--fail-on", "critical")
    assert done.returncode == 1
    assert "critical" in done.stdout


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        (lambda frame: frame.drop(columns="c"), ["missing-columns"]),
        (lambda frame: frame.astype({"x": str}), ["changed-types"]),
        (lambda frame: frame.assign(c=[[1]] * len(frame)), ["changed-types"]),
        (lambda frame: frame[:0], ["empty"]),
        (lambda frame: frame[:29], ["not-judged"]),
        (lambda frame: frame[["x"]].rename(columns={"x": "y"}), ["missing-columns", "not-judged"]),
        (lambda frame: frame[["x"]].astype(str), ["missing-columns", "changed-types", "not-judged"]),
    ],
)
def test_what_could_not_be_judged_fails_unless_allowed_by_name(
    drift: Drift,
    tables: tuple[str, str, str],
    tmp_path: Path,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    allowed: list[str],
) -> None:
    """Each reason is named on standard error with what permits it; only all of them together do."""
    change(pd.read_parquet(tmp_path / tables[1])).to_parquet(tmp_path / "changed.parquet")
    command = ("compare", tables[0], "changed.parquet", "--fail-on", "critical")
    done = drift(*command)
    assert done.returncode == 1
    named = {line.rpartition("(--allow ")[2].removesuffix(" permits it)") for line in done.stderr.splitlines()}
    assert named == {*allowed}
    options = [each for gap in allowed for each in ("--allow", gap)]
    assert drift(*command, *options[2:]).returncode == 1
    assert drift(*command, *options).returncode == 0


def test_compare_takes_how_csv_is_written(drift: Drift, tmp_path: Path) -> None:
    """What is found out is said; what is set holds; a wrong key or value is a usage error that names the right ones."""
    (tmp_path / "a.csv").write_text("town;x\n" + "Köln;1,5\n" * 50, encoding="cp1252")
    found = drift("compare", "a.csv", "a.csv")
    assert found.returncode == 0
    assert "CSV is read as separated by semicolons, with decimal commas, in Windows-1252" in found.stdout
    assert "x        numeric" in found.stdout
    assert "has one column" in drift("compare", "a.csv", "a.csv", "--csv", "delimiter=,").stderr
    for wrong, says in (("delimeter=;", "delimiter"), ("quote", "KEY=VALUE"), ("encoding=klingon", "encoding")):
        refused = drift("compare", "a.csv", "a.csv", "--csv", wrong)
        assert (refused.returncode, says in refused.stderr) == (2, True)


def test_compare_json_is_documented_and_versioned(drift: Drift, tables: tuple[str, str, str]) -> None:
    """Everything a script needs, self-describing."""
    data = json.loads(drift("compare", tables[0], tables[2], "--json").stdout)
    assert (data["schema"], data["schema_version"], data["direction"]) == ("drift.report", 1, "current||reference")
    feature = data["features"]["x"]
    needed = {
        "kind",
        "status",
        "severity",
        "kl",
        "kl_reverse",
        "psi",
        "js",
        "contributions",
        "n_reference",
        "n_current",
    }
    assert needed <= feature.keys()
    assert sum(c["contribution"] for c in feature["contributions"]) == pytest.approx(feature["kl"], abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare", "nope.parquet", "nope.parquet"], "nope.parquet"),
        (["compare", "reference.parquet"], "Missing argument"),
        (["compare", "reference.parquet", "same.parquet", "--kind", "x"], "COLUMN=KIND"),
        (["compare", "reference.parquet", "same.parquet", "--kind", "x=colour"], "colour"),
        (["compare", "reference.parquet", "same.parquet", "--warning", "-1"], "warning"),
        (
            ["compare", "reference.parquet", "same.parquet", "-i", "xx"],
            '"xx" matches no column; fix: write x, the nearest',
        ),
        (
            ["compare", "reference.parquet", "same.parquet", "-x", "*_id"],
            '"*_id" matches no column; fix: write one of c, x',
        ),
        (["compare", "reference.parquet", "same.parquet", "--kind", "xx=numeric"], 'features.kinds: "xx" matches no'),
        (["compare", "reference.parquet", "same.parquet", "--fail-on", "warning", "--allow", "all"], "missing-columns"),
        (["run", "nope"], "monitors"),
        (["history", "nope.yaml"], "nope.yaml"),
        (["db", "current", "--database", "nonsense"], "needs a URL"),
        (["alerts", "show", "x"], "drift db upgrade"),
    ],
)
@pytest.mark.usefixtures("tables")
def test_bad_usage_and_input_exit_2_in_one_breath(drift: Drift, arguments: list[str], says: str) -> None:
    """Never a traceback; the message names what was wrong."""
    done = drift(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unwritable_results_database_is_a_clear_error(drift: Drift, tmp_path: Path) -> None:
    """The path is named, and no traceback is printed."""
    (tmp_path / "file").write_text("in the way")
    done = drift("db", "upgrade", "--database", f"sqlite:///{tmp_path}/file/drift.db")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "file" in done.stderr


def test_check_tells_every_problem_with_its_line(drift: Drift, tmp_path: Path) -> None:
    """File, line, key and fix, for all problems at once; exit code 1."""
    (tmp_path / "bad.yaml").write_text(
        "name: flights\nsource: {connection: w, tabel: t, time_column: d}\nwindow: {every: 7h}\ncolour: red\n"
    )
    done = drift("check", "bad.yaml")
    assert done.returncode == 1
    assert "bad.yaml:2: source.tabel" in done.stderr
    assert "did you mean table" in done.stderr
    assert "bad.yaml:3: window.every" in done.stderr
    assert "bad.yaml:4: colour" in done.stderr


def test_check_compares_names_with_the_columns_of_files_at_hand(drift: Drift, tmp_path: Path) -> None:
    """Without reading a row; files that are elsewhere are nobody's mistake."""
    path = tmp_path / "lake" / "a.parquet"
    path.parent.mkdir()
    pd.DataFrame({"day": [FIRST], "price": [1.0]}).to_parquet(path, index=False)
    text = monitor_text("{files: 'lake/*.parquet', time_column: day}", name="a", features="{exclude: [prize]}")
    (tmp_path / "m.yaml").write_text(text)
    done = drift("check", "m.yaml")
    assert (done.returncode, done.stderr) == (
        1,
        'error: m.yaml: features.exclude: "prize" matches no column; fix: write price, the nearest, or remove it\n',
    )
    path.unlink()
    assert drift("check", "m.yaml").returncode == 0


def test_check_of_the_shipped_monitors_passes(drift: Drift) -> None:
    """What we ship is right, its expectations too."""
    from drift.cli.demo import resource

    done = drift("check", str(resource("dags") / "monitors"))
    assert (done.returncode, done.stderr) == (0, "")


def test_run_scores_a_window_and_fails_on_demand(monitored: Drift) -> None:
    """The moved day is critical; the same command with --fail-on exits with 1."""
    done = monitored("run", "flights", "--date", "2024-01-13", "--fail-on", "critical")
    assert done.returncode == 1, done.stderr
    assert "delay: median" in done.stdout


def test_a_window_that_is_not_over_is_refused_but_can_be_looked_at(monitored: Drift) -> None:
    """The message names the last complete window; `--partial` has bins to judge by once one was run."""
    refused = monitored("run", "flights", "--date", "2100-01-01")
    assert refused.returncode == 2
    assert "2100-01-01 is not over until" in refused.stderr
    assert "2024-01 names many windows of 1d" in monitored("run", "flights", "--date", "2024-01").stderr
    assert "has not begun" in monitored("run", "flights", "--date", "2100-01-01", "--partial").stderr


def test_a_window_is_deleted_after_a_question(monitored: Drift) -> None:
    """What would go is shown; without a yes nothing does, and there is nothing to delete twice."""
    monitored("backfill", "flights", "--from", "2024-01-12", "--to", "2024-01-13")
    command = ("runs", "delete", "flights", "--window", "2024-01-13")
    asked = monitored(*command)
    assert asked.returncode == 1
    assert "delete " in asked.stderr
    rows = json.loads(monitored(*command, "--yes", "--json").stdout)["rows"]
    assert rows["run"] == rows["report"] == 1
    again = monitored(*command, "--yes")
    assert again.returncode == 2
    assert "no window 2024-01-13" in again.stderr


def test_a_run_without_a_verdict_fails_on_demand(monitored: Drift) -> None:
    """The first window has no reference: its title says not_judged, and a verdict that is asked for is not given."""
    command = ("run", "flights", "--date", "2024-01-01")
    done = monitored(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("flights 2024-01-01: not_judged;")
    done = monitored(*command, "--fail-on", "critical")
    assert (done.returncode, done.stderr.endswith("(--allow not-judged permits it)\n")) == (1, True)
    assert monitored(*command, "--fail-on", "critical", "--allow", "not-judged").returncode == 0


def test_a_name_that_no_column_has_fails_the_first_run_alone(monitored: Drift, tmp_path: Path) -> None:
    """The run is recorded with the nearest name; what ran before is not asked again, whatever columns go missing."""
    source = "{connection: warehouse, table: flights, time_column: day}"
    path = tmp_path / "monitors" / "flights.yaml"
    path.write_text(monitor_text(source, segments="[carier]", detection="{features: {'*_dealy': {warning: .1}}}"))
    done = monitored("run", "flights", "--date", "2024-01-13")
    assert done.returncode == 2
    assert 'segments: "carier" matches no column; fix: write carrier, the nearest, or remove it' in done.stderr
    assert 'detection.features: "*_dealy" matches no column' in done.stderr
    assert 'run failed: segments: "carier"' in monitored("alerts").stdout
    assert monitored("backfill", "flights", "--from", "2024-01-12", "--to", "2024-01-13").returncode == 2
    path.write_text(monitor_text(source))
    frame = rows(14).drop(columns="carrier")
    write_sql(frame, f"sqlite:///{tmp_path / 'warehouse.db'}")
    assert monitored("run", "flights", "--date", "2024-01-14").returncode == 0


def test_history_explain_and_alerts_after_a_run(monitored: Drift) -> None:
    """Each shows what was stored, as a table and as JSON."""
    monitored("run", "flights", "--date", "2024-01-13")
    assert "delay" in monitored("history", "flights").stdout
    data = json.loads(monitored("history", "flights", "delay", "--json", "--last", "3").stdout)
    assert [row["status"] for row in data["scores"]] == ["ok", "ok", "critical"]
    explained = monitored("explain", "flights", "delay", "--date", "2024-01-13")
    assert "D(current‖reference)" in explained.stdout
    assert explained.returncode == 0
    (alert,) = json.loads(monitored("alerts", "--json").stdout)
    assert alert["onset"]["most_likely"] == alert["opened_window"]
    assert "since 2024-01-13" in monitored("alerts", "show", alert["id"][:8]).stdout
    assert "  since 2024-01-13" in explained.stdout
    assert monitored("alerts", "ack", alert["id"][:8], "--by", "ada").returncode == 0
    assert "acknowledged" in monitored("alerts", "show", alert["id"][:8]).stdout
    told = monitored("alerts", "timeline", "flights").stdout
    assert "opened **" in told
    assert "by ada" in told
    assert json.loads(monitored("alerts", "timeline", "flights", "--json").stdout)[0]["id"] == alert["id"]
    assert "nobody was notified of anything" in monitored("alerts", "timeline", "flights", "--to", "2001-01-01").stdout
    assert "no monitor 'trains' has run" in monitored("alerts", "timeline", "trains").stderr
    assert monitored("alerts", "diary", "flights").stdout == told
    assert monitored("alerts", "resolve", alert["id"][:8], "--by", "ada", "--comment", "known").returncode == 0
    assert monitored("alerts").stdout.strip() == "no open alerts"


def test_alerts_are_snoozed_silenced_and_their_routes_tried(monitored: Drift, tmp_path: Path) -> None:
    """Each answer says what it did and stands in the timeline; what is over cannot be ended again."""
    file = tmp_path / "monitors" / "flights.yaml"
    file.write_text(file.read_text().replace("alerts: {routes: []}", "alerts: {routes: [{to: 'file:out.jsonl'}]}"))
    monitored("run", "flights", "--date", "2024-01-13")
    (alert,) = json.loads(monitored("alerts", "list", "--monitor", "flights", "--json").stdout)
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1
    name = alert["id"][:8]
    assert "until when?" in monitored("alerts", "snooze", name).stderr
    snoozed = monitored("alerts", "snooze", name, "--for", "2d", "--by", "ada", "--comment", "known").stdout
    assert "snoozed until" in snoozed
    assert "(snoozed)" in monitored("alerts").stdout
    assert monitored("alerts", "unsnooze", name, "--by", "ada").returncode == 0
    assert "is past" in monitored("alerts", "snooze", name, "--until", "2013-02-12").stderr
    shown = monitored("alerts", "show", name).stdout
    assert "snoozed: until" in shown
    assert "unsnoozed: " in shown

    assert "until when?" in monitored("alerts", "silence", "flights", "dep_*", "--reason", "snow").stderr
    assert "no monitor 'nope'" in monitored("alerts", "silence", "nope", "*", "--reason", "x", "--for", "1d").stderr
    done = monitored("alerts", "silence", "flights", "de*", "--reason", "snow", "--until", "2100-01-01", "--by", "ada")
    assert "silenced until 2100-01-01 00:00 EST" in done.stdout
    (silence,) = json.loads(monitored("alerts", "silences", "--json").stdout)
    assert (silence["features"], silence["created_by"], silence["reason"]) == ("de*", "ada", "snow")
    assert monitored("alerts", "unsilence", silence["id"][:6], "--by", "bob").returncode == 0
    assert "already over" in monitored("alerts", "unsilence", silence["id"]).stderr
    assert monitored("alerts", "silences").stdout.strip() == "nothing is silenced"
    assert "by bob" in monitored("alerts", "silences", "--all").stdout

    assert monitored("alerts", "test", "file:out.jsonl", "--by", "ada").returncode == 0
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[-1])["tested_by"] == "ada"
    assert "no monitor in" in monitored("alerts", "test", "nowhere").stderr


def test_a_moment_is_marked_listed_and_unmarked(monitored: Drift) -> None:
    """At a local time of the monitor, once; a name that has never run, or none of three things to do, is refused."""
    asked = ("mark", "release  214", "--at", "2024-01-12T17:30", "--monitor", "flights", "--by", "ada")
    (mark,) = json.loads(monitored(*asked, "--json").stdout)
    assert (mark["at"], mark["text"], mark["created_by"]) == ("2024-01-12T22:30:00Z", "release 214", "ada")
    assert monitored(*asked).stdout.startswith(f"{mark['id']}  2024-01-12 22:30 UTC  flights: release 214 (by ada)")
    assert monitored("mark", "all of it").returncode == 0
    assert [one["monitor"] for one in json.loads(monitored("mark", "--list", "--json").stdout)] == ["flights", None]
    assert "all monitors: all of it" in monitored("mark", "--list", "--monitor", "flights").stdout
    assert monitored("mark", "--delete", mark["id"]).stdout.strip() == f"{mark['id']}: deleted"
    assert "no mark 'zzz'" in monitored("mark", "--delete", "zzz").stderr
    assert "no monitor 'nope' has run" in monitored("mark", "x", "--monitor", "nope").stderr
    assert "takes either" in monitored("mark").stderr
    assert "is not a date" in monitored("mark", "x", "--at", "tomorrow").stderr


def test_what_could_not_be_delivered_is_seen_and_tried_again(monitored: Drift, tmp_path: Path) -> None:
    """A route that nobody knows keeps its messages; given up, they are listed with the reason and can be revived."""
    from drift.store.store import Store

    file = tmp_path / "monitors" / "flights.yaml"
    file.write_text(file.read_text().replace("alerts: {routes: []}", "alerts: {routes: [{to: ops}]}"))
    assert monitored("run", "flights", "--date", "2024-01-13").returncode == 0
    assert monitored("alerts", "undelivered").stdout.strip() == "nothing was given up"
    (waiting,) = json.loads(monitored("alerts", "undelivered", "--waiting", "--json").stdout)
    assert (waiting["state"], "DRIFT_ROUTE_OPS" in waiting["last_error"]) == ("pending", True)
    with Store.open(f"sqlite:///{tmp_path / 'drift.db'}") as store:
        store.mark_failed(waiting["id"], waiting["last_error"], None)
    assert "DRIFT_ROUTE_OPS" in monitored("alerts", "undelivered").stdout
    assert "which message?" in monitored("alerts", "retry").stderr
    assert "no message that was given up begins" in monitored("alerts", "retry", "zzz").stderr
    assert monitored("alerts", "retry", waiting["id"][:8]).stdout.startswith("1 message to be tried again")
    done = monitored("alerts", "deliver", "--json")
    assert json.loads(done.stdout) == {"sent": 0, "postponed": 1, "dead": 0, "held": []}


def test_a_failed_run_is_an_alert_that_is_sent(monitored: Drift, tmp_path: Path) -> None:
    """The command fails, and whoever the route leads to knows."""
    file = tmp_path / "monitors" / "flights.yaml"
    text = file.read_text().replace("alerts: {routes: []}", "alerts: {routes: [{to: 'file:out.jsonl'}]}")
    file.write_text(text.replace("table: flights", "table: gone"))
    assert monitored("run", "flights", "--date", "2024-01-13").returncode == 2
    (line,) = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [alert["key"] for alert in json.loads(line)["alerts"]] == ["run"]


def test_explaining_an_unknown_feature_lists_the_known(monitored: Drift) -> None:
    """The message helps."""
    done = monitored("explain", "flights", "nope", "--date", "2024-01-10")
    assert done.returncode == 2
    assert "delay" in done.stderr


def test_backfill_json_counts_statuses(monitored: Drift) -> None:
    """A script reads what came of it, and no progress bar."""
    done = monitored("backfill", "flights", "--from", "2024-01-10", "--to", "2024-01-13", "--json")
    assert json.loads(done.stdout)["statuses"] == {"ok": 3, "critical": 1}
    assert done.stderr == ""


def test_a_backfill_by_several_processes_says_the_same(template: Path, tmp_path: Path) -> None:
    """Counts and verdicts do not depend on who read the rows, read again or not."""
    found = []
    for name, options in {"one": ["--force"], "many": ["--force", "--jobs", "2"]}.items():
        shutil.copytree(template, tmp_path / name)
        drift = runner(tmp_path / name)
        done = drift("backfill", "flights", "--from", "2024-01-01", "--to", "2024-01-13", "--json", *options)
        assert (done.returncode, done.stderr) == (0, "")
        found.append((done.stdout, drift("history", "flights", "--json").stdout))
    assert found[0] == found[1]
    assert json.loads(found[0][0])["statuses"]["critical"] == 1


def test_hidden_files_are_no_monitors(monitored: Drift, tmp_path: Path) -> None:
    """An editor's leftovers are in nobody's way."""
    (tmp_path / "monitors" / ".flights.yaml").write_text("name: ]")
    assert monitored("check").stdout.startswith("1 monitor file, no problems\n")
    assert monitored("history", "flights").returncode == 0


def test_what_is_not_known_here_is_noted_once(monitored: Drift, tmp_path: Path) -> None:
    """A connection that three monitors use, and a route: what to set; where the monitors run they may be known."""
    text = (tmp_path / "monitors" / "flights.yaml").read_text().replace("routes: []", "routes: [{to: ops}]")
    for name in ("a", "b", "c"):
        other = text.replace("connection: warehouse", "connection: lake").replace("name: flights", f"name: {name}")
        (tmp_path / "monitors" / f"{name}.yaml").write_text(other)
    done = monitored("check")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if line.startswith("note: ")]
    assert [line.endswith("(for a, b, c)") for line in lines] == [True, True]
    assert ["DRIFT_CONNECTION_LAKE" in done.stdout, "DRIFT_ROUTE_OPS" in done.stdout] == [True, True]
    assert done.stdout.count("DRIFT_CONNECTION_LAKE") == 1
    assert set(json.loads(monitored("check", "--json").stdout)) == {"files", "problems", "unknown"}


def test_without_a_folder_of_monitors_it_is_said_what_to_do(drift: Drift) -> None:
    """The first command of somebody new."""
    for command in (["check"], ["backfill", "flights", "--all"], ["history", "flights"]):
        done = drift(*command)
        assert (done.returncode, "drift init DATA" in done.stderr) == (2, True)


def test_backfill_all_runs_the_windows_that_the_data_have(monitored: Drift) -> None:
    """From the first row to the last, and says what to look at next; one way of naming the span at a time."""
    done = monitored("backfill", "flights", "--all")
    assert done.returncode == 0
    assert "flights: 13 windows: " in done.stdout
    assert done.stdout.splitlines()[-1] == "next: drift history flights, drift alerts, drift dashboard"
    for wrong in ([], ["--from", "2024-01-01"], ["--all", "--to", "2024-01-02"]):
        assert monitored("backfill", "flights", *wrong).returncode == 2


def test_backfill_without_a_name_runs_every_monitor(monitored: Drift, tmp_path: Path) -> None:
    """One that cannot run, or cannot be read, is an error beside the others' windows."""
    good = (tmp_path / "monitors" / "flights.yaml").read_text()
    (tmp_path / "monitors" / "a.yaml").write_text("name: a\n")
    (tmp_path / "monitors" / "b.yaml").write_text(
        good.replace("name: flights", "name: b").replace("table: ", "table: no_")
    )
    done = monitored("backfill", "--all", "--json")
    (one,) = json.loads(done.stdout)
    assert (one["monitor"], one["windows"], done.returncode) == ("flights", 13, 2)
    named = {line.partition(".yaml")[0].rpartition("/")[2] for line in done.stderr.splitlines()}
    assert named == {"a", "b"}


def test_windows_that_fail_for_one_reason_are_one_line(monitored: Drift, tmp_path: Path) -> None:
    """Not one for each window."""
    (tmp_path / "warehouse.db").unlink()
    done = monitored("backfill", "flights", "--from", "2024-02-01", "--to", "2024-02-20")
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "no such SQLite database" in errors[0]


def test_schema_is_json(drift: Drift) -> None:
    """For editors."""
    assert json.loads(drift("schema").stdout)["title"]


def test_help_names_the_exit_codes(drift: Drift) -> None:
    """`--help` is worth reading."""
    out = drift("--help").stdout
    assert "Exit codes" in out
    for command in ("compare", "check", "run", "backfill", "history", "explain", "alerts", "db", "demo"):
        assert command in out


def test_version(drift: Drift) -> None:
    """It says which one it is."""
    import drift as package

    assert drift("--version").stdout.strip() == f"drift {package.__version__}"


@pytest.mark.parametrize("shape", ["parquet", "csv"])
def test_a_comparison_loads_only_what_it_needs(shape: str, tmp_path: Path) -> None:
    """`drift compare` of small files pays for no library that it does not use, nor for parts of those it does."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        columns: dict[str, Any] = {
            "shifted": rng.normal(name == "b", 1, 1000),
            "whole": rng.poisson(4, 1000),
            "text": rng.choice(["u", "v", "w"], 1000),
            "code": [f"c {number}" for number in rng.integers(0, 99, 1000)],
            "price": [f"${number:,.2f}" for number in rng.uniform(1, 9999, 1000)],
            "day": pa.array(rng.integers(0, 99, 1000, np.int32), pa.date32()),
        }
        write = pq.write_table if shape == "parquet" else write_csv
        write(pa.table(columns), tmp_path / f"{name}.{shape}")
    heavy = [
        *("pandas", "sqlalchemy", "alembic", "great_expectations", "airflow", "apprise", "fastapi", "ibis", "duckdb"),
        *("scipy.stats", "scipy.optimize", "scipy.linalg", "pyarrow.dataset", "pyarrow.acero", "asyncio"),
        *(["pyarrow.csv"] if shape == "parquet" else []),
    ]
    code = f"""
import sys
from drift.cli.app import main
sys.argv = ["drift", "compare", "a.{shape}", "b.{shape}", "--fail-on", "critical"]
try:
    main()
finally:
    print([module for module in {heavy} if module in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, "[]"), done.stderr
    assert "critical" in done.stdout


def test_a_store_that_drips_holds_nobody(tmp_path: Path) -> None:
    """An object store that answers byte by byte has its time: then the command says so, and ends."""
    pq.write_table(pa.table({"x": [1]}), tmp_path / "b.parquet")
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as http,
        relay(("127.0.0.1", http.server_port)) as store,
    ):
        threading.Thread(target=http.serve_forever, daemon=True).start()
        store.mood = "drip"
        url = f"s3://lake/a.parquet?endpoint_override=127.0.0.1:{store.port}&scheme=http&region=x"
        keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_EC2_METADATA_DISABLED": "true"}
        done = subprocess.run(
            [sys.executable, "-m", "drift", "compare", url, "b.parquet"],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30,
            env={**os.environ, **keys, "DRIFT_SOURCE_SECONDS": "0.1"},
        )  # fmt: skip
        http.shutdown()
    assert (done.returncode, done.stdout) == (2, "")
    assert "s3://lake/a.parquet cannot be read: no answer within 0.1 s: see whether it is up, or let" in done.stderr


def test_light_start_loads_no_heavy_library() -> None:
    """`drift --help` pays for neither pandas, scipy, SQLAlchemy, Great Expectations nor Airflow."""
    heavy = ["pandas", "scipy", "sqlalchemy", "great_expectations", "airflow", "pyarrow"]
    code = f"import sys, drift.cli.app as c; c.command_line(); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_gate_loads_only_what_it_needs(monitored: Drift, tmp_path: Path) -> None:
    """It waits for no other command, for no library that reads or computes, and for no other database's dialect."""
    monitored("run", "flights", "--date", "2024-01-13")
    heavy = [
        *("pandas", "pyarrow", "scipy", "alembic", "yaml", "rich", "sqlalchemy.dialects.postgresql"),
        *("drift.config.monitor", "drift.cli.alerts", "drift.cli.run", "drift.sources.snapshot"),
    ]
    code = f"""
import sys
from drift.cli.app import main
try:
    main()
finally:
    print([module for module in {heavy} if module in sys.modules], file=sys.stderr)
"""
    arguments = ("gate", "flights", "--database", f"sqlite:///{tmp_path / 'drift.db'}")
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, "[]"), done.stderr
    assert "delay critical" in done.stdout


def test_a_gate_goes_on_or_stops(monitored: Drift) -> None:
    """Quiet is exit code 0, critical 1, each with its words; a name that nobody ran is a mistake."""
    quiet = monitored("gate", "flights")
    assert (quiet.returncode, quiet.stdout) == (0, "flights 2024-01-12: go on: nothing critical in 3 features\n")
    assert monitored("gate", "flights", "--date", "2024-01-13").returncode == 1
    assert monitored("gate", "flights", "--date", "2024-01-13", "--no-result", "pass").returncode == 0
    monitored("run", "flights", "--date", "2024-01-13")
    stopped = monitored("gate", "monitors/flights.yaml", "--severity", "warning", "--json")
    decision = json.loads(stopped.stdout)
    assert (stopped.returncode, decision["cleared"], decision["found"]) == (1, False, ["delay"])
    assert monitored("gate", "flights", "--max-age", "2d").stdout.startswith("flights 2024-01-13: stop: no result: ")
    unknown = monitored("gate", "flight")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "there is: flights" in unknown.stderr


def test_check_reads_a_query(drift: Drift, tmp_path: Path) -> None:
    """What no run would execute is a problem before one; a SELECT is none."""
    (tmp_path / "monitors").mkdir()
    for query, code in (("SELECT * FROM flights", 0), ("DROP TABLE flights", 1), ("SELECT 1; SELECT 2", 1)):
        source = f"{{connection: warehouse, query: '{query}', time_column: day}}"
        (tmp_path / "monitors" / "flights.yaml").write_text(monitor_text(source))
        done = drift("check")
        assert (done.returncode, "source.query" in done.stderr) == (code, bool(code)), query


@pytest.mark.parametrize("arguments", [("check",), ("run", "flights", "--monitors"), ("compare", "reference.parquet")])
def test_what_the_system_refuses_is_an_input(drift: Drift, tables: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    """A path that is longer than the system takes is an error in a line, with exit code 2."""
    done = drift(*arguments, "x" * 5000)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), tables
