"""`drift compare`: two tables, no configuration, no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from drift.cli.options import Allow, Fail, Html, Json, Markdown, exit_on, show, write_pages

if TYPE_CHECKING:
    from collections.abc import Sequence


def compare(
    reference: Annotated[str, typer.Argument(help="The reference table, Parquet or CSV: a file, a folder or a glob.")],
    current: Annotated[str, typer.Argument(help="The table to compare with the reference, in any of these forms.")],
    include: Annotated[
        list[str] | None,
        typer.Option("--include", "-i", help="Compare only these columns (pattern), keys and times of rows too."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", "-x", help="Leave these columns out (pattern).")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Kind of a column: COLUMN=numeric|categorical|boolean|datetime.")
    ] = None,
    csv: Annotated[
        list[str] | None,
        typer.Option(
            "--csv",
            help="How CSV files are written, where it is not found out: delimiter=tab, decimal=, thousands=. quote=' "
            "encoding=cp1252 null_values=- header=false",
        ),
    ] = None,
    warning: Annotated[float, typer.Option(help="Smallest KL of a warning, in nats.")] = 0.01,
    critical: Annotated[float, typer.Option(help="Smallest KL of a critical finding, in nats.")] = 0.1,
    min_rows: Annotated[int, typer.Option(help="Fewer rows than this are insufficient data.")] = 30,
    relationships: Annotated[
        bool | None,
        typer.Option(
            "--relationships/--no-relationships",
            help="Compare how up to 200 columns go together, which no histogram shows; on for up to 50.",
        ),
    ] = None,
    fail_on: Fail = None,
    allow: Allow = None,
    as_json: Json = False,
    html: Html = None,
    markdown: Markdown = None,
) -> None:
    """Compare two tables, feature by feature: D(current‖reference) in nats, with its error.

    Needs no configuration and no database. Example:
    [bold]drift compare train.parquet today.parquet --fail-on critical[/]
    """
    from drift.config.detection import Detection, Effect, Persistence
    from drift.config.features import Features
    from drift.config.source import Csv
    from drift.config.validation import parse_options
    from drift.pipeline.compare import compare as compare_tables

    features, detection, written = parse_options(
        lambda: (
            Features(include=include or ["*"], exclude=exclude or [], kinds=_pairs(kind or [], "--kind")),
            Detection(
                min_rows=min_rows,
                effect=Effect(warning=warning, critical=critical),
                persistence=Persistence(of=1, at_least=1),
            ),
            Csv.model_validate(_csv(csv or [])),
        )
    )
    report = compare_tables(
        reference, current, features=features, detection=detection, csv=written, relationships=relationships
    )
    write_pages(report, html=html, markdown=markdown)
    show(report, as_json=as_json)
    exit_on(report, fail_on, allow or ())


def _csv(texts: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign:
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--csv")
        if key == "null_values":
            found.setdefault(key, []).append(value)
        else:
            found[key] = {"true": True, "false": False}.get(value, value) if key == "header" else value
    return found


def _pairs(texts: Sequence[str], option: str) -> dict[str, Any]:
    pairs = {}
    for text in texts:
        name, sign, value = text.rpartition("=")
        if not sign or not name:
            raise typer.BadParameter(f"{text!r} is not COLUMN=KIND", param_hint=option)
        pairs[name] = value
    return pairs
