"""Who may read: a token, as a bearer or behind a login form; and what a browser is told to refuse."""

from __future__ import annotations

import hmac
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from fastapi import HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "drift_session"
SESSION_SECONDS = 30 * 24 * 3600
_LARGEST_FORM = 4096
_PAGE = re.compile(r"[a-z]*(\?[^\s\\]*)?")

# Plotly adds one empty <style> element and fills it through the object model: the hash is that of the empty text.
_CSP = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; "
    "img-src 'self' data: blob:; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "base-uri 'none'; "
    "frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": _CSP,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}


class SecurityHeaders:
    """Middleware: every answer tells the browser what it may not do, and nobody in between to keep it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add the headers to its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "private, no-cache")
            await send(message)

        await self.app(scope, receive, answer)


def session(token: str, now: float) -> str:
    """Return a cookie's value: until when it is good, signed with the token, which is not in it."""
    until = str(int(now) + SESSION_SECONDS)
    return f"{until}.{_sign(token, until)}"


def good_session(token: str, value: str, now: float) -> bool:
    """Say whether a cookie's value was signed with this token and is still good.

    Examples
    --------
    >>> value = session("secret", 0)
    >>> good_session("secret", value, 60), good_session("other", value, 60), good_session("secret", value, 1e9)
    (True, False, False)
    """
    until, _, signature = value.partition(".")
    return _same(signature, _sign(token, until)) and until.isdecimal() and now < int(until)


def _sign(token: str, until: str) -> str:
    return hmac.new(token.encode(), b"drift session " + until.encode(), "sha256").hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def token_required(token: str) -> Callable[..., None]:
    """Return a dependency that lets those pass who present the token."""

    def check(request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(given.strip(), token):
            return
        if good_session(token, request.cookies.get(COOKIE, ""), time.time()):
            return
        raise HTTPException(401, "present the token", {"WWW-Authenticate": "Bearer"})

    return check


def safe_next(page: str) -> str:
    """Return where to go after the login: a page of ours, never another site.

    Examples
    --------
    >>> safe_next("feature?monitor=a"), safe_next("//evil.example"), safe_next("https://evil.example")
    ('./feature?monitor=a', './', './')
    """
    return f"./{page}" if _PAGE.fullmatch(page) else "./"


async def log_in(request: Request, token: str) -> Response | None:
    """Take the login form; None where the token is wrong."""
    if int(request.headers.get("content-length") or 0) > _LARGEST_FORM:
        raise HTTPException(413)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            raise HTTPException(413)
    fields = parse_qs(body.decode("utf-8", "replace"))
    if not _same(fields.get("token", [""])[0].strip(), token):
        return None
    answer = RedirectResponse(safe_next(fields.get("next", [""])[0]), 303)
    answer.set_cookie(COOKIE, session(token, time.time()), max_age=SESSION_SECONDS, **_cookie(request))
    return answer


def log_out(request: Request) -> Response:
    """Forget the cookie."""
    answer = RedirectResponse("./", 303)
    answer.delete_cookie(COOKIE, **_cookie(request))
    return answer


def _cookie(request: Request) -> dict[str, Any]:
    path = request.scope.get("root_path") or "/"
    return {"path": path, "httponly": True, "samesite": "lax", "secure": request.url.scheme == "https"}
