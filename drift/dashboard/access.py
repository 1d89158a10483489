"""Who may read and who may answer alerts: a token, a proxy that knows its users, or the application around this one."""

from __future__ import annotations

import hashlib
import hmac
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from fastapi import Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.datastructures import MutableHeaders

from drift.dashboard.proxy import Proxy
from drift.text.secrets import learn

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "drift_session"
SESSION_SECONDS = 30 * 24 * 3600
_LARGEST_FORM = 8192
_LONGEST_NAME = 80
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
    """Middleware: every answer forbids the browser what no page needs, and caches in between to keep it."""

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


# -- readers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever sent a request: their name, empty where it is not known, and whether they may answer alerts."""

    name: str = ""
    may_answer: bool = True


def known_to(auth: Callable[..., Any], read_only: Callable[[Any], bool]) -> Callable[..., None]:
    """Return a dependency that asks the application around this one who sent a request, and whether they only read."""

    # As a default, since an annotation of a function within a function is text that nobody could look `auth` up for.
    def check(request: Request, user: Any = Depends(auth)) -> None:  # noqa: B008 - how FastAPI takes it
        request.state.reader = Reader(_name_of(user), not read_only(user))

    return check


def _name_of(user: Any) -> str:
    """Return how a user is called, whatever the object: Airflow's have ``get_name()``.

    Examples
    --------
    >>> _name_of("ada"), _name_of({"username": "ada"}), _name_of(None)
    ('ada', 'ada', '')
    """
    if isinstance(user, str):
        return _clean(user)
    names = [user.get(key) for key in ("name", "username")] if isinstance(user, dict) else []
    get_name = getattr(user, "get_name", None)
    names += [get_name() if callable(get_name) else None, getattr(user, "username", None), getattr(user, "name", None)]
    return _clean(next((name for name in names if isinstance(name, str) and name), ""))


def _clean(name: str) -> str:
    return " ".join(name.replace("\0", " ").split())[:_LONGEST_NAME]


def present(tokens: dict[str, bool], proxy: Proxy | None, *, read_only: bool) -> Callable[..., None]:
    """Return a dependency that lets those pass who present a token, or whom the proxy names.

    Each token says whether it may answer alerts; without tokens and proxy everybody may read and answer.
    """
    for token in tokens:
        learn(token)

    def check(request: Request) -> None:
        reader = _through(proxy, request) if proxy else None
        if reader is None and tokens:
            reader = _bearer(tokens, request) or _session(tokens, request)
        if reader is None and (tokens or proxy):
            challenge = {"WWW-Authenticate": "Bearer"} if tokens else None
            raise HTTPException(401, "present the token" if tokens else "sign in at the proxy", challenge)
        reader = reader or Reader()
        request.state.reader = Reader(reader.name, reader.may_answer and not read_only)

    return check


def _through(proxy: Proxy, request: Request) -> Reader | None:
    name = _clean(request.headers.get(proxy.header, ""))
    peer = request.client.host if request.client else ""
    return Reader(name) if name and proxy.is_at(peer) else None


def _bearer(tokens: dict[str, bool], request: Request) -> Reader | None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    found = [may for token, may in tokens.items() if _same(given.strip(), token)]
    return Reader("", found[0]) if found else None


def _session(tokens: dict[str, bool], request: Request) -> Reader | None:
    value = request.cookies.get(COOKIE, "")
    for token, may_answer in tokens.items():
        with suppress(BadData):
            return Reader(_signer(token).loads(value, max_age=SESSION_SECONDS), may_answer)
    return None


def may_answer(request: Request) -> Reader:
    """Return the reader, for a request that changes something; 403 where they may not, or another site sent it."""
    reader: Reader = request.state.reader
    if not reader.may_answer:
        raise HTTPException(403, "you may read here, but not answer alerts")
    if not from_here(request):
        raise HTTPException(403, "this request came from another site: answer the alert in the dashboard itself")
    return reader


def from_here(request: Request) -> bool:
    """Whether a request that changes something comes from a page of ours, or from no browser at all.

    Browsers say where a request comes from, and no page can make them say otherwise: in `Sec-Fetch-Site`, and where
    they do not send that (plain HTTP), in `Origin`.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    if origin is None:
        return True
    ours = {request.headers.get(name, "").lower() for name in ("host", "x-forwarded-host")} - {""}
    return urlsplit(origin).netloc.lower() in ours


# -- the token's session ----------------------------------------------------------------------------------------------


def _signer(token: str) -> URLSafeTimedSerializer:
    """Return what signs a cookie with the token, which is not in it."""
    return URLSafeTimedSerializer(token, salt="drift session", signer_kwargs={"digest_method": hashlib.sha256})


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def safe_next(page: str) -> str:
    """Return where to go after the login: a page of ours, never another site.

    Examples
    --------
    >>> safe_next("feature?monitor=a"), safe_next("//evil.example"), safe_next("https://evil.example")
    ('./feature?monitor=a', './', './')
    """
    return f"./{page}" if _PAGE.fullmatch(page) else "./"


async def read_form(request: Request) -> dict[str, str]:
    """Read the fields of a form; 413 where it is too large."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _LARGEST_FORM:
        raise HTTPException(413, "the form is too large")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            raise HTTPException(413, "the form is too large")
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=50)
    return {name: values[0].replace("\0", "\N{REPLACEMENT CHARACTER}").strip() for name, values in fields.items()}


async def log_in(request: Request, tokens: dict[str, bool]) -> Response | None:
    """Take the login form; None where the token is wrong."""
    fields = await read_form(request)
    token = next((token for token in tokens if _same(fields.get("token", ""), token)), None)
    if token is None:
        return None
    answer = RedirectResponse(safe_next(fields.get("next", "")), 303)
    value = _signer(token).dumps(_clean(fields.get("name", "")))
    answer.set_cookie(COOKIE, value, max_age=SESSION_SECONDS, **_cookie(request))
    return answer


def log_out(request: Request) -> Response:
    """Forget the cookie."""
    answer = RedirectResponse("./", 303)
    answer.delete_cookie(COOKIE, **_cookie(request))
    return answer


def _cookie(request: Request) -> dict[str, Any]:
    path = request.scope.get("root_path") or "/"
    return {"path": path, "httponly": True, "samesite": "lax", "secure": request.url.scheme == "https"}
