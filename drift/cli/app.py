"""The command line: arguments in, tables or JSON out; everything else happens elsewhere.

Exit codes: 0 done, and quiet; 1 drift at or above ``--fail-on`` or not judged, stopped by ``drift gate``, or
problems found by ``drift check``; 2 bad usage or input, or something out of reach; 3 a fault of Drift's own.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from importlib import import_module
from typing import Annotated

import typer

import drift
from drift.cli.options import print_error, print_failure, say
from drift.config.problems import shorten
from drift.errors import DriftError, internal

COMMANDS = (
    *("compare", "init", "check", "schema", "run", "gate", "backfill", "history", "explain", "replay", "tune"),
    *("mark", "demo", "dashboard", "doctor", "prune"),
    *("alerts", "baseline", "db", "runs"),
)
_MODULES = {"schema": "check", "backfill": "run"}
"""Where commands are whose module is not called as they are."""


def command_line(*names: str) -> typer.Typer:
    """Return the command line with the commands or groups of these names, or all.

    One command does not wait for the others to be imported and taken apart by typer, nearly half of an idle start.
    """
    app = typer.Typer(
        name="drift",
        help=(
            "Monitor data for drift: KL divergence with its sampling error.\n\n"
            "Exit codes: 0 success · 1 drift found or not judged (with --fail-on), stopped by gate, or problems found "
            "by check · 2 bad usage or input · 3 internal error: please report it."
        ),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_root)
    for name in names or COMMANDS:
        module = import_module(f"drift.cli.{_MODULES.get(name, name)}")
        if group := getattr(module, f"{name}_app", None):
            app.add_typer(group, name=name)
        else:
            app.command()(getattr(module, name))
    return app


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
            command_line(*(name for name in sys.argv[1:2] if name in COMMANDS))()
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


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Carry the options that belong to no command."""
