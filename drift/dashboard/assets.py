"""Style and scripts, from this package: nothing is fetched from elsewhere."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from drift.detection import page

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_STATIC = Path(__file__).parent / "static"
_OURS = {name: _STATIC / name for name in ("drift.css", "heatmap.js", "theme.js", "icon.svg")}
# What a report shares: the colours and the marks of statuses, and a feature opened.
_OURS |= {name: Path(page.__file__).parent / name for name in ("tokens.css", "feature.css")}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent, plain and compressed."""

    body: bytes
    packed: bytes
    media_type: str
    version: str


@cache
def load(name: str) -> Asset:
    """Read a file once; it is compressed once, too."""
    path = _OURS[name]
    body = path.read_bytes()
    return Asset(body, gzip.compress(body, 6, mtime=0), _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:12])


def address(name: str) -> str:
    """Return the relative address of a file; it changes with its content, so a browser may keep it for ever."""
    return f"static/{name}?v={load(name).version}"


router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
def static(request: Request, name: str) -> Response:
    """Send a file of the dashboard's own."""
    if name not in _OURS:
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
