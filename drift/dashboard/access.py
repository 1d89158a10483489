"""Who may read and who may answer alerts: a token, a proxy that knows its users, or the application around this one."""

from __future__ import annotations

import hashlib
import hmac
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from fastapi import Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.datastructures import MutableHeaders

from drift.dashboard.guesses import Guesses, network_of
from drift.dashboard.proxy import Proxy
from drift.text.secrets import learn

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_T = TypeVar("_T")

COOKIE = "drift_session"
NAME_COOKIE = "drift_name"
SESSION_SECONDS = 30 * 24 * 3600
_NAME_SECONDS = 365 * 24 * 3600
_LARGEST_FORM = 8192
_MOST_FIELDS = 50
_LONGEST_NAME = 80
_PAGE = re.compile(r"[a-z]*(\?[^\s\\]*)?")

_CSP = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self'; "
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


@dataclass(frozen=True, slots=True)
class Door:
    """Whom the dashboard lets in by itself: those who present a token, and those whom the proxy names.

    Parameters
    ----------
    tokens
        Each with whether it may answer alerts.
    proxy
    read_only
        Nobody may.
    """

    tokens: dict[str, bool]
    proxy: Proxy | None
    read_only: bool
    guesses: Guesses = field(default_factory=Guesses)

    def __post_init__(self) -> None:
        for token in self.tokens:
            learn(token)

    def check(self, request: Request) -> None:
        """Let a request pass, or raise; without tokens and proxy everybody may read and answer."""
        reader = _through(self.proxy, request) if self.proxy else None
        if reader is None and self.tokens:
            reader = self._presented(request)
        if reader is None and (self.tokens or self.proxy):
            headers = {}
            if self.tokens:
                headers["WWW-Authenticate"] = "Bearer"
            if request.cookies.get(COOKIE):
                # Each time it came it would be a guess.
                headers["Set-Cookie"] = _without_cookie(Response(), request).headers["set-cookie"]
            raise HTTPException(401, "present the token" if self.tokens else "sign in at the proxy", headers)
        reader = reader or Reader()
        request.state.reader = Reader(reader.name, reader.may_answer and not self.read_only)

    def _presented(self, request: Request) -> Reader | None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            token = self._guessed(request, lambda: self._token(given.strip()))
            return Reader("", self.tokens[token]) if token else None
        session = request.cookies.get(COOKIE, "")
        return self._guessed(request, lambda: self._session(session), session) if session else None

    def _guessed(self, request: Request, find: Callable[[], _T | None], session: str = "") -> _T | None:
        """Return what is found for a token or a session, unless there were too many wrong ones."""
        address = _address(request, self.proxy)
        if wait := self.guesses.wait(address, session):
            raise HTTPException(429, f"too many wrong tokens: try again in {wait} s", {"Retry-After": str(wait)})
        found = find()
        if found is None:
            self.guesses.wrong(address)
        else:
            self.guesses.right(*filter(None, (address, session)))
        return found

    def _token(self, given: str) -> str | None:
        return next((token for token in self.tokens if _same(given, token)), None)

    def _session(self, value: str) -> Reader | None:
        for token, may_answer in self.tokens.items():
            with suppress(BadData):
                return Reader(_signer(token).loads(value, max_age=SESSION_SECONDS), may_answer)
        return None

    async def log_in(self, request: Request) -> Response | None:
        """Take the login form; None where the token is wrong."""
        refuse_other_sites(request)
        fields = await read_form(request)
        token = self._guessed(request, lambda: self._token(fields.get("token", "")))
        if token is None:
            return None
        answer = RedirectResponse(safe_next(fields.get("next", "")), 303)
        value = _signer(token).dumps(_clean(fields.get("name", "")))
        answer.set_cookie(COOKIE, value, max_age=SESSION_SECONDS, **_cookie(request))
        return remember(answer, request, fields.get("name", ""))


def _address(request: Request, proxy: Proxy | None) -> str:
    """Return where a request comes from, past the proxy; what the proxy did not write itself says nothing."""
    peer = request.client.host if request.client else ""
    if proxy and proxy.is_at(peer):
        passed = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        beyond = (one.strip() for one in reversed(passed) if not proxy.is_at(one.strip()))
        return network_of(next(beyond, "")) or network_of(peer)
    return network_of(peer)


def _through(proxy: Proxy, request: Request) -> Reader | None:
    name = _clean(request.headers.get(proxy.header, ""))
    peer = request.client.host if request.client else ""
    return Reader(name) if name and proxy.is_at(peer) else None


def may_answer(request: Request) -> Reader:
    """Return the reader, for a request that changes something; 403 where they may not, or another site sent it."""
    reader: Reader = request.state.reader
    if not reader.may_answer:
        raise HTTPException(403, "you may read here, but not answer alerts")
    refuse_other_sites(request)
    return reader


def refuse_other_sites(request: Request) -> None:
    """Raise 403 where a page of another site sent a form of ours."""
    if not from_here(request):
        raise HTTPException(403, "this request came from another site: use the dashboard's own form")


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
    with suppress(ValueError):
        return urlsplit(origin).netloc.lower() in ours
    return False


def said(request: Request) -> str:
    """Return the name that this browser's reader entered last; nobody has checked it."""
    return _clean(unquote(request.cookies.get(NAME_COOKIE, "")))


def remember(answer: Response, request: Request, name: str) -> Response:
    """Keep the name that a reader entered, so that they are asked for it once."""
    if name:
        answer.set_cookie(NAME_COOKIE, quote(_clean(name)), max_age=_NAME_SECONDS, **_cookie(request))
    return answer


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
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            raise HTTPException(413, "the form is too large")
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(413, f"the form has more than {_MOST_FIELDS} fields") from error
    return {name: values[0].replace("\0", "\N{REPLACEMENT CHARACTER}").strip() for name, values in fields.items()}


def log_out(request: Request) -> Response:
    """Forget the cookie."""
    refuse_other_sites(request)
    return _without_cookie(RedirectResponse("./", 303), request)


def _without_cookie(answer: Response, request: Request) -> Response:
    answer.delete_cookie(COOKIE, **_cookie(request))
    return answer


def _cookie(request: Request) -> dict[str, Any]:
    path = request.scope.get("root_path") or "/"
    return {"path": path, "httponly": True, "samesite": "lax", "secure": request.scope["scheme"] == "https"}
