"""Style, scripts and Plotly, from this package and from plotly's: nothing is fetched from elsewhere."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from drift.errors import MissingExtra

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_OURS = ("drift.css", "charts.js", "heatmap.js", "icon.svg")
PLOTLY = "plotly.min.js"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent, plain and compressed."""

    body: bytes
    packed: bytes
    media_type: str
    version: str


@cache
def load(name: str) -> Asset:
    """Read a file once; it is compressed once, too, as Plotly's five megabytes are worth it."""
    path = plotly_file() if name == PLOTLY else Path(__file__).parent / "static" / name
    body = path.read_bytes()
    return Asset(body, gzip.compress(body, 6, mtime=0), _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:12])


def plotly_file() -> Path:
    """Return where plotly keeps its script, without importing plotly."""
    found = find_spec("plotly")
    if found is None or not found.submodule_search_locations:
        raise MissingExtra("plotly", extra="dashboard")
    return Path(found.submodule_search_locations[0]) / "package_data" / PLOTLY


def address(name: str) -> str:
    """Return the relative address of a file; it changes with its content, so a browser may keep it for ever."""
    return f"static/{name}?v={load(name).version}"


router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
def static(request: Request, name: str) -> Response:
    """Send a file of the dashboard's own."""
    if name not in {*_OURS, PLOTLY}:
        raise HTTPException(404)
    asset = load(name)
    lasting = request.query_params.get("v") == asset.version
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if lasting else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(asset.body, media_type=asset.media_type, headers=headers)
