"""What the API answers, without anybody else's scripts."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from drift.dashboard.rendering import render

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs(request: Request) -> Response:
    """List every resource with its parameters and the fields of its answer."""
    document = request.app.openapi()
    schemas = document.get("components", {}).get("schemas", {})
    resources = [
        {
            "path": path,
            "anchor": path.strip("/").replace("/", "-"),
            "summary": get["description"],
            "parameters": get.get("parameters", []),
            **_answer(get["responses"]["200"], schemas),
        }
        for path, methods in document["paths"].items()
        for get in [methods["get"]]
    ]
    return render(request, "docs.html", resources=resources)


def _answer(response: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return what a resource answers: its media types, and the tables of fields it is made of."""
    content = response.get("content", {})
    names: list[str] = []
    for body in content.values():
        _collect(body.get("schema", {}), schemas, names)
    tables = [
        {
            "name": name,
            "fields": [
                {"name": field, "type": type_of(schema), "about": schema.get("description", "")}
                for field, schema in schemas[name].get("properties", {}).items()
            ],
        }
        for name in names
    ]
    return {"media": list(content), "tables": tables}


def _collect(schema: dict[str, Any], schemas: dict[str, Any], names: list[str]) -> None:
    name = schema.get("$ref", "").rpartition("/")[2]
    if name:
        if name not in names:
            names.append(name)
            for field in schemas[name].get("properties", {}).values():
                _collect(field, schemas, names)
        return
    for part in [schema.get("items", {}), *schema.get("anyOf", [])]:
        if part:
            _collect(part, schemas, names)


def type_of(schema: dict[str, Any]) -> str:
    """Return a field's type in a few words.

    Examples
    --------
    >>> type_of({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]})
    'date-time or null'
    >>> type_of({"type": "array", "items": {"$ref": "#/components/schemas/Run"}})
    'list of Run'
    """
    if "anyOf" in schema:
        return " or ".join(type_of(part) for part in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return f"“{schema['const']}”"
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")
