"""The admin API as one ASGI application. Nothing of it answers without a token."""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
from litestar import Litestar, Request, Router
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import HTTPScope, LifeSpanScope, Receive, Scope, Send

from tokonomi import __version__
from tokonomi.admin import (
    budget_routes,
    config_routes,
    credit_routes,
    event_routes,
    failures,
    key_routes,
    ledger_routes,
    secret_routes,
    token_routes,
)
from tokonomi.admin.stores import NEEDS, NotAllowed, Stores, stored_in
from tokonomi.errors import BadInput, TokonomiError
from tokonomi.storage.admin_tokens import AdminToken, Role, bearer_of
from tokonomi.storage.database import Database
from tokonomi.storage.master_keys import MasterKeys

PATH: Final = "/admin"
_BEARER: Final = b"bearer "
_REFUSED: Final = msgspec.json.encode(
    {
        "error": {
            "code": "unauthorised",
            "message": "this needs an admin token",
            "remedy": "Make one with `tokonomi admin token create`, and send it as"
            " Authorization: Bearer.",
        }
    }
)

_NUL_IN_JSON: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""The escape of a NUL: a `u0000` after an odd number of backslashes."""
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
Authorise = Callable[[Database, str], AdminToken | None]


def may_ask(
    connection: ASGIConnection[Any, Any, AdminToken, Any], handler: BaseRouteHandler
) -> None:
    """Nothing: the token's role is enough. Reading takes a viewer, all else what the route says.

    Raises:
        NotAllowed: it is not.
    """
    reads = cast("HTTPScope", connection.scope)["method"] in _READS
    needed = Role.VIEWER if reads else Role(handler.opt.get(NEEDS, Role.ADMIN))
    if not connection.auth.role.allows(needed):
        raise NotAllowed(
            f"this takes the role {needed}, and the token {connection.auth.name} is"
            f" {connection.auth.role}",
            remedy=f"Make one: tokonomi admin token create --name NAME --role {needed}",
        )


async def refuse_nul(request: Request[Any, Any, Any]) -> None:
    """Nothing: no text that was sent has a NUL, which no PostgreSQL can keep or look for.

    Raises:
        BadInput: the path, the query or the body has one.
    """
    if "\0" in request.scope["path"]:
        raise _with_nul("the path")
    if b"%00" in request.scope["query_string"]:
        raise _with_nul("the query")
    if _NUL_IN_JSON.search(await request.body()):
        raise _with_nul("a text of the body")


def _with_nul(what: str) -> BadInput:
    return BadInput(f"{what} has a NUL character in it", remedy="Leave it out: it is in no name.")


_OPERATORS: Final = (
    *budget_routes.ROUTES,
    *credit_routes.ROUTES,
    *ledger_routes.ROUTES,
    *event_routes.ROUTES,
    *key_routes.ROUTES,
)
_CONFIGURATION: Final = config_routes.ROUTES
_ADMINS: Final = (*secret_routes.ROUTES, *token_routes.ROUTES)


def routes(stores: Stores) -> Litestar:
    """The routes under `/admin`, without the guard that `admin_app` puts before them."""
    for handler in (*_OPERATORS, *_CONFIGURATION, *_ADMINS):
        handler.responses = failures.DESCRIBED
    return Litestar(
        path=PATH,
        route_handlers=[
            Router(
                "/",
                opt={NEEDS: Role.OPERATOR},
                route_handlers=_OPERATORS,
            ),
            Router(
                "/",
                route_handlers=_CONFIGURATION,
                after_request=config_routes.with_etag,
            ),
            *_ADMINS,
        ],
        guards=[may_ask],
        before_request=refuse_nul,
        state=stored_in(stores),
        exception_handlers={
            TokonomiError: failures.told,
            HTTPException: failures.told_by_http,
            Exception: failures.told_as_defect,
        },
        openapi_config=OpenAPIConfig(
            title="Tokonomi admin API",
            version=__version__,
            path="/openapi.json",
            render_plugins=[JsonRenderPlugin(path="/")],
            components=Components(
                security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}
            ),
            security=[{"token": []}],
        ),
        logging_config=None,
    )


class AdminApp:
    """Asks for a token before anything is looked at, unknown paths and the description included."""

    def __init__(self, stores: Stores, authorise: Authorise) -> None:
        self._stores = stores
        self._authorise = authorise
        self._routes = routes(stores)

    async def __call__(self, scope: Scope | LifeSpanScope, receive: Receive, send: Send) -> None:
        """Nothing: the answer is sent."""
        if scope["type"] == "lifespan":
            await self._routes(cast("Scope", scope), receive, send)
            return
        token = await self._bearer(scope["headers"]) if scope["type"] == "http" else None
        if token is None:
            await _refuse(scope, send)
            return
        scope["auth"] = token
        await self._routes(scope, receive, send)

    async def _bearer(self, headers: list[tuple[bytes, bytes]]) -> AdminToken | None:
        stated = next((value for name, value in headers if name == b"authorization"), b"")
        if not stated.lower().startswith(_BEARER):
            return None
        text = stated[len(_BEARER) :].strip().decode("latin-1")
        return await asyncio.to_thread(self._asks, text)

    def _asks(self, text: str) -> AdminToken | None:
        with self._stores.opened() as database:
            return self._authorise(database, text)


def admin_app(
    open_database: Callable[[], Database],
    authorise: Authorise = bearer_of,
    *,
    master_keys: Callable[[], MasterKeys] | None = None,
) -> AdminApp:
    """The admin API, for any ASGI server or to be mounted: it answers the paths under `/admin`.

    Args:
        open_database: makes a connection; called once a request, in the thread that uses it.
        authorise: the token that a text is, with its role; by default one that is stored and works.
        master_keys: reads the keys that seal secrets; without it none can be set here.
    """
    return AdminApp(Stores(open_database, master_keys), authorise)


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1008, "reason": "no websockets here"})
        return
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(_REFUSED)).encode()),
        (b"www-authenticate", b"Bearer"),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": _REFUSED, "more_body": False})
