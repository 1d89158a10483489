"""The application: routes, guards and failures, put together."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.gzip import GZipMiddleware

import drift
from drift.dashboard import access, assets, rendering
from drift.dashboard.api import metrics, routes
from drift.dashboard.pages import actions, alerts, docs, feature, monitor, overview, pair, runs
from drift.dashboard.proxy import Proxy
from drift.errors import DriftError, WindowError
from drift.store.reads import windows
from drift.store.store import Store
from drift.text import logs
from drift.text.secrets import masked

log = logs.logger(__name__)

_PAGES = (overview, monitor, feature, pair, alerts, actions, runs, docs)


def create_app(
    store: Store | Callable[[], Store],
    *,
    monitors: Path | None = None,
    token: str | None = None,
    read_token: str | None = None,
    proxy: Proxy | None = None,
    auth: Callable[..., Any] | None = None,
    read_only: bool | Callable[[Any], bool] = False,
    root_path: str = "",
) -> FastAPI:
    """Return the dashboard as an ASGI application: `drift.dashboard.create_app`."""
    # The token that may more comes first, should both be the same.
    tokens = {} if auth else {**({read_token: False} if read_token else {}), **({token: True} if token else {})}
    app = FastAPI(
        title="Drift",
        version=drift.__version__,
        description="What the monitors found: scores in nats, D(current‖reference). Reads, and takes marks; pages back "
        "in time, or by limit and offset; refuses with a `detail`.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        default_response_class=rendering.Json,
        root_path=root_path,
    )
    app.state.open_store = (lambda: store) if isinstance(store, Store) else store
    app.state.monitors = monitors
    app.state.has_login = bool(tokens)
    door = None
    if auth:
        guard = access.known_to(auth, read_only if callable(read_only) else lambda _: bool(read_only))
    else:
        door = access.Door(tokens, proxy, bool(read_only))
        guard = door.check
    guards = [Depends(guard)]
    for page in _PAGES:
        app.include_router(page.router, dependencies=guards)
    app.include_router(routes.router, dependencies=guards)
    app.include_router(metrics.router, dependencies=guards)
    app.include_router(assets.router)
    app.add_api_route("/healthz", _health, include_in_schema=False)
    if door and tokens:
        _add_login(app, door)
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(WindowError, _no_window)
    app.add_exception_handler(DriftError, _unavailable)
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(access.SecurityHeaders)
    return app


def _health(request: Request) -> Response:
    try:
        windows.newest_window(request.app.state.open_store())
    except DriftError:
        # Why is in the log, not in an answer that anybody may read.
        log.exception("the results database does not answer")
        return rendering.Json({"status": "the results database does not answer"}, 503)
    return rendering.Json({"status": "ok"})


def _add_login(app: FastAPI, door: access.Door) -> None:
    def form(request: Request) -> Response:
        return rendering.login(request)

    async def enter(request: Request) -> Response:
        answer = await door.log_in(request)
        return answer or rendering.login(request, wrong=True)

    app.add_api_route("/login", form, include_in_schema=False)
    app.add_api_route("/login", enter, methods=["POST"], include_in_schema=False)
    app.add_api_route("/logout", access.log_out, methods=["POST"], include_in_schema=False)


def _wants_json(request: Request) -> bool:
    return rendering.local_path(request).startswith("/api/")


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)  # noqa: S101 - what it is registered for
    headers = dict(error.headers or {})
    if _wants_json(request):
        return rendering.Json({"detail": error.detail}, error.status_code, headers)
    if error.status_code == HTTPStatus.UNAUTHORIZED and request.app.state.has_login:
        return rendering.login(request, headers=headers)
    return rendering.message(request, error.status_code, str(error.detail), headers)


def _bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    problems = "; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors())
    if _wants_json(request):
        return rendering.Json({"detail": problems}, 422)
    return rendering.message(request, 422, problems)


def _no_window(request: Request, error: Exception) -> Response:
    return _http_error(request, StarletteHTTPException(422, str(error)))


def _unavailable(request: Request, error: Exception) -> Response:
    log.error("%s", error)
    if _wants_json(request):
        return rendering.Json({"detail": str(error)}, 503)
    try:
        return rendering.message(request, 503, str(error))
    except DriftError:
        return PlainTextResponse(masked(str(error)), 503)


def _broken(_request: Request, _error: Exception) -> Response:
    # Outside the middleware, so it brings the headers itself; the traceback is in the server's log.
    return PlainTextResponse("internal error: see the log of the server", 500, access.HEADERS)
