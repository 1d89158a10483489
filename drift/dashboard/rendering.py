"""From what a page shows to an answer; every link is relative to where the browser asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from drift.dashboard import assets
from drift.dashboard.access import Reader, said
from drift.dashboard.templating import environment
from drift.text.secrets import masked

_TITLES = {
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    409: "Nothing was changed",
    413: "Too large",
    422: "Not understood",
    429: "Too many guesses",
    503: "Not available",
}


class Json(JSONResponse):
    """An answer in JSON, without secrets."""

    def render(self, content: Any) -> bytes:
        """Write it."""
        return masked(super().render(content).decode()).encode()


def local_path(request: Request) -> str:
    """Return the path below the dashboard's root."""
    path: str = request.scope["path"]
    below = path.removeprefix(request.scope.get("root_path", ""))
    return below if below[:1] in {"", "/"} else path


def base(request: Request) -> str:
    """Return the way from the page a browser has asked for to the dashboard's root, such as ``./``."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    root = str(request.scope.get("root_path", "")).encode()
    below = raw.removeprefix(root)
    return "../" * (below.count(b"/") - 1) or "./"


def render(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any
) -> Response:
    """Return a page."""
    page = environment(assets.address).get_template(template)
    text = page.render(
        base=base(request),
        here=local_path(request).lstrip("/"),
        has_login=request.app.state.has_login,
        reader=getattr(request.state, "reader", Reader("", may_answer=False)),
        said=said(request),
        **context,
    )
    return HTMLResponse(text, status, dict(headers or {}))


def message(request: Request, status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a page that says what went wrong and where to go on."""
    title = _TITLES.get(status, f"Error {status}")
    return render(request, "message.html", status=status, headers=headers, title=title, text=text)


def login(request: Request, *, wrong: bool = False, headers: Mapping[str, str] | None = None) -> Response:
    """Return the login form, which leads back to where the reader wanted to go."""
    # Not of request.url, which the Host header is a part of.
    query = request.scope["query_string"].decode("latin-1")
    here = local_path(request).lstrip("/")
    wanted = "" if here in {"login", "logout"} else here + (f"?{query}" if query else "")
    status = 401 if wrong or headers else 200
    return render(request, "login.html", status=status, headers=headers, wrong=wrong, next=wanted)
