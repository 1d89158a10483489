"""`drift dashboard`: serves the dashboard."""

from __future__ import annotations

from typing import Annotated

import typer

from drift.cli.options import DATABASE, MONITORS, Database, Folder, open_store


def dashboard(
    host: Annotated[str, typer.Option(help="Address to bind; other than loopback needs --token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 8090,
    token: Annotated[
        str | None, typer.Option(envvar="DRIFT_TOKEN", help="What people must present to read and to answer alerts.")
    ] = None,
    read_token: Annotated[
        str | None, typer.Option(envvar="DRIFT_READ_TOKEN", help="Another one, good for reading only.")
    ] = None,
    user_header: Annotated[
        str | None, typer.Option(help="Header in which a reverse proxy says who is asking, such as X-Forwarded-User.")
    ] = None,
    proxy: Annotated[
        list[str] | None, typer.Option(help="Address or network of that proxy; 127.0.0.1 by default.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Nobody answers alerts here.")] = False,
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
