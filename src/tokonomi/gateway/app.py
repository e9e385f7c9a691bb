"""The routes of the gateway, as an ASGI application. What is not listed here is refused."""

import logging
import os
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from tokonomi.calls import Intent
from tokonomi.gateway.aliases import Aliases
from tokonomi.gateway.answer import JSON, Receive, Send, send_body, send_error
from tokonomi.gateway.authenticate import authenticate
from tokonomi.gateway.config import Limits
from tokonomi.gateway.dimensions import dimensions_of
from tokonomi.gateway.dispatch import Dispatcher
from tokonomi.gateway.endpoints import ENDPOINTS, Endpoint
from tokonomi.gateway.metrics import CONTENT_TYPE, Metrics
from tokonomi.gateway.request import parse
from tokonomi.gateway.settle import Exchange
from tokonomi.gateway.watch import Ended, Reason, Watch, Watchdog
from tokonomi.gateway.wire_errors import GATEWAY, RATE_LIMIT, WireError, store_unavailable
from tokonomi.providers.registry import adapter_for
from tokonomi.providers.token_estimate import input_upper_bound
from tokonomi.storage.keys import KeyRing

_log: Final = logging.getLogger("tokonomi.gateway")
_encode: Final = msgspec.json.Encoder().encode
_NANOSECONDS_PER_MS: Final = 1_000_000
_RANDOM_BITS: Final = 80
UPKEEP_LATE_SECONDS: Final = 10.0
"""How long keys and rules may not have been read before /healthz says so."""
KEYS_TRUSTED_SECONDS: Final = 60.0
"""How long keys are trusted that may have been revoked since; then no call passes."""

Scope = Mapping[str, Any]
_Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application that is served beside the data plane, under a path of its own."""


class Gateway:
    """The application: one table of routes, and what they share."""

    def __init__(
        self,
        *,
        aliases: Aliases,
        keys: KeyRing,
        limits: Limits,
        dispatcher: Dispatcher,
        close: Callable[[], Awaitable[None]],
        beside: Mapping[str, Application] | None = None,
    ) -> None:
        self._aliases = aliases
        self._keys = keys
        self._limits = limits
        self._dispatcher = dispatcher
        self._metrics: Metrics = dispatcher.metrics
        self._watchdog = Watchdog()
        self._close = close
        self._beside = dict(beside or {})
        # Ids must be unique, not secret, and the system's source costs a call of the kernel each.
        self._randomness = random.Random(os.urandom(32))  # noqa: S311
        self.routes: Mapping[tuple[str, str], _Handler] = {
            ("GET", "/healthz"): self._health,
            ("GET", "/metrics"): self._scrape,
            ("GET", "/v1/models"): self._models,
            **{("POST", f"/v1{each.path}"): self._calls(each) for each in ENDPOINTS},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or takes part in the server's start and end."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        try:
            handler = self.routes.get((scope["method"], scope["path"]))
            if handler is None:
                handler = self._application_at(scope["path"])
            if handler is None:
                raise _no_route(scope)
            await handler(scope, receive, send)
        except WireError as error:
            self._metrics.refused[error.code] += 1
            await send_error(send, error)

    def _application_at(self, path: str) -> Application | None:
        """The application beside the data plane that answers a path. It reaches no provider."""
        return self._beside.get(f"/{path[1:].partition('/')[0]}")

    def _calls(self, endpoint: Endpoint) -> _Handler:
        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            metrics = self._metrics
            if metrics.in_flight >= self._limits.concurrent:
                raise _too_many(self._limits.concurrent)
            watch = self._watchdog.watch()
            metrics.in_flight += 1
            try:
                exchange = await self._taken(endpoint, scope, receive, watch)
                await self._dispatcher.run(endpoint, exchange, watch, send=send, receive=receive)
            finally:
                metrics.in_flight -= 1
                self._watchdog.release(watch)

        return handle

    async def _taken(
        self, endpoint: Endpoint, scope: Scope, receive: Receive, watch: Watch
    ) -> Exchange:
        """The request, read, understood and allowed."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if self._metrics.upkeep_silence() > KEYS_TRUSTED_SECONDS:
            raise _keys_unknown(self._metrics.upkeep_silence())
        key = authenticate(headers, self._keys)
        body = await self._body(headers, receive, watch)
        request = parse(body)
        if request.stream and not endpoint.streams:
            raise WireError(
                400, "invalid_request", "This endpoint has no streams. Leave out `stream`."
            )
        target = self._aliases.resolve(request.model)
        intent = Intent(
            id=f"{new_request_id(self._randomness)}.1",
            at=datetime.now(UTC),
            dimensions=dimensions_of(headers, key, target, alias=request.model, user=request.user),
            model=target.model,
            input_bound=input_upper_bound(body),
        )
        reading = adapter_for(endpoint.dialect, target.price_as).stream()
        return Exchange(intent, target, request, reading, answers=endpoint.answers)

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive, watch: Watch) -> bytes:
        limit = self._limits.body_bytes
        stated = headers.get(b"content-length", b"")
        if stated.isdigit() and int(stated) > limit:
            raise _too_large(limit)
        watch.limit(self._limits.body_seconds, Reason.CLIENT_BODY)
        try:
            with watch:
                return await _received(receive, limit)
        except Ended as end:
            raise _too_slow(end, self._limits.body_seconds) from None

    async def _models(self, scope: Scope, _receive: Receive, send: Send) -> None:
        authenticate(dict(scope["headers"]), self._keys)
        models = [
            {"id": alias, "object": "model", "created": 0, "owned_by": target.name}
            for alias, target in self._aliases.exact.items()
        ]
        await send_body(send, 200, [JSON], _encode({"object": "list", "data": models}))

    async def _health(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        failures: dict[str, str] = {}
        if self._dispatcher.recorder.failure is not None:
            failures["store"] = self._dispatcher.recorder.failure
        silence = self._metrics.upkeep_silence()
        if silence > UPKEEP_LATE_SECONDS:
            failures["upkeep"] = (
                f"keys and rules were last read {silence:.0f} s ago; the log says why"
            )
        answer = {"status": "failing", **failures} if failures else {"status": "ok"}
        await send_body(send, 503 if failures else 200, [JSON], _encode(answer))

    async def _scrape(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        body = self._metrics.exposition()
        await send_body(send, 200, [(b"content-type", CONTENT_TYPE)], body)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                self._watchdog.close()
                await self._close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def new_request_id(randomness: random.Random) -> str:
    """32 hexadecimal digits: 12 of milliseconds since 1970, so that ids sort by time, 20 random."""
    milliseconds = time.time_ns() // _NANOSECONDS_PER_MS
    return f"{milliseconds:012x}{randomness.getrandbits(_RANDOM_BITS):020x}"


async def _received(receive: Receive, limit: int) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Ended(Reason.CLIENT_LEFT)
        piece: bytes = message["body"]
        body = body + piece if body else piece
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return body


def _keys_unknown(silence: float) -> WireError:
    return store_unavailable(
        f"Keys were last read {silence:.0f} s ago, so nobody knows which are revoked; after"
        f" {KEYS_TRUSTED_SECONDS:g} s none is trusted. The log of the gateway says why."
    )


def _no_route(scope: Scope) -> WireError:
    path = str(scope["path"])[:200]
    return WireError(
        404,
        "unknown_route",
        f"There is no {scope['method']} {path} here. There are POST /v1/chat/completions,"
        " POST /v1/embeddings and GET /v1/models.",
    )


def _too_many(limit: int) -> WireError:
    return WireError(
        429,
        "too_many_requests",
        f"{limit} requests are in flight, which is the limit. Try again in a second, or raise"
        " [limits] concurrent.",
        kind=RATE_LIMIT,
        retry_after_seconds=1,
    )


def _too_large(limit: int) -> WireError:
    return WireError(
        413,
        "body_too_large",
        f"The body is larger than {limit} bytes. Send less, or raise [limits] body_bytes.",
    )


def _too_slow(end: Ended, seconds: float) -> WireError:
    if end.reason is Reason.CLIENT_LEFT:
        return WireError(400, "client_left", "The client left before its request was whole.")
    return WireError(
        408, "body_too_slow", f"The body did not arrive within {seconds:g} s.", kind=GATEWAY
    )
