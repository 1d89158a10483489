"""`drift dashboard`: serves the dashboard."""

from __future__ import annotations

from typing import Annotated

import typer

from drift.cli.options import DATABASE, MONITORS, Database, Folder, open_store


def dashboard(
    host: Annotated[str, typer.Option(help="Address to bind; any but loopback needs --token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 8090,
    token: Annotated[
        str | None, typer.Option(envvar="DRIFT_TOKEN", help="Token for reading and for acting on alerts.")
    ] = None,
    read_token: Annotated[str | None, typer.Option(envvar="DRIFT_READ_TOKEN", help="Token for reading only.")] = None,
    user_header: Annotated[
        str | None, typer.Option(help="Header in which a reverse proxy names the user, such as X-Forwarded-User.")
    ] = None,
    proxy: Annotated[
        list[str] | None, typer.Option(help="Address or network of that proxy. Default: this machine.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Let nobody act on alerts here.")] = False,
    folder: Folder = MONITORS,
    database: Database = DATABASE,
) -> None:
    """Serve the dashboard."""
    from drift.dashboard import Proxy, serve

    serve(
        open_store(database),
        host=host,
        port=port,
        token=token,
        read_token=read_token,
        proxy=Proxy(user_header, tuple(proxy or ["127.0.0.1", "::1"])) if user_header else None,
        read_only=read_only,
        monitors=folder,
    )
