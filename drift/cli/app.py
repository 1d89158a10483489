"""The command line: arguments in, tables or JSON out; everything else happens elsewhere.

Exit codes: 0 done, and quiet; 1 drift at or above ``--fail-on`` or not judged, stopped by ``drift gate``, or
problems found by ``drift check``; 2 bad usage or input, or something out of reach; 3 a fault of Drift's own.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from typing import Annotated

import typer

import drift
from drift.cli.alerts import alerts_app
from drift.cli.baseline import baseline_app
from drift.cli.check import check, schema
from drift.cli.compare import compare
from drift.cli.dashboard import dashboard
from drift.cli.db import db_app
from drift.cli.demo import demo
from drift.cli.doctor import doctor
from drift.cli.explain import explain
from drift.cli.gate import gate
from drift.cli.history import history
from drift.cli.init import init
from drift.cli.mark import mark
from drift.cli.options import print_error, print_failure, say
from drift.cli.prune import prune
from drift.cli.replay import replay
from drift.cli.run import backfill, run
from drift.cli.runs import runs_app
from drift.cli.tune import tune
from drift.config.problems import shorten
from drift.errors import DriftError, internal

app = typer.Typer(
    name="drift",
    help=(
        "Monitor data for drift: KL divergence with its sampling error.\n\n"
        "Exit codes: 0 success · 1 drift found or not judged (with --fail-on), stopped by gate, or problems found by "
        "check · 2 bad usage or input · 3 internal error: please report it."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
COMMANDS = (
    *(compare, init, check, schema, run, gate, backfill, history, explain, replay, tune),
    *(mark, demo, dashboard, doctor, prune),
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(alerts_app, name="alerts")
app.add_typer(baseline_app, name="baseline")
app.add_typer(db_app, name="db")
app.add_typer(runs_app, name="runs")


def main() -> None:
    """Run the command line; every failure is one line on stderr, and the exit code says whose it is."""
    try:
        _run()
    except SystemExit as end:
        limit = sys.modules.get("drift.sources.time_limit")
        if limit is None or not limit.is_left():
            raise
        # A source that was left behind would hold the end of the process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 0)


def _run() -> None:
    from drift.text import logs, secrets

    # Finding out that pydantic has no plugins takes as long as reading two small files.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    secrets.learn_environment(os.environ)
    out = secrets.MaskedStream(sys.stdout)
    sys.stdout, sys.stderr = out, secrets.MaskedStream(sys.stderr)
    try:
        logs.configure(os.environ)
        if logging.lastResort:
            # What nobody asked for is shown as any other line is.
            logging.lastResort.setFormatter(logs.Plain())
        try:
            app()
        finally:
            out.flush()
    except DriftError as error:
        sys.exit(print_failure(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        # What the system refuses is about what was named: a path too long, a folder nobody may read, a full disk.
        if error.errno == errno.ENOSPC:
            out.drop()
        print_error(f"{shorten(error.filename)}: {error.strerror}" if error.filename else str(error))
        sys.exit(2)
    except Exception as error:
        log = logs.logger("drift")
        log.debug("internal error", exc_info=True)
        print_error(str(internal(error)))
        sys.exit(3)


def _version(value: bool) -> None:
    if value:
        say(f"drift {drift.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Carry the options that belong to no command."""
