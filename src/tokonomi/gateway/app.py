"""The routes of the gateway, as an ASGI application. What is not listed here is refused."""

import asyncio
import hmac
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from tokonomi.gateway.aliases import Aliases
from tokonomi.gateway.answer import JSON, Answer, Receive, Send, send_body, send_error
from tokonomi.gateway.asked import Asked
from tokonomi.gateway.authenticate import admit, allow_model, authenticate
from tokonomi.gateway.batches.desk import Desk, Visit
from tokonomi.gateway.batches.routes import ROUTES as BATCH_ROUTES
from tokonomi.gateway.batches.routes import Page, route_of
from tokonomi.gateway.batches.routes import answer as answer_visit
from tokonomi.gateway.config import Limits
from tokonomi.gateway.dimensions import dimensions_of
from tokonomi.gateway.endpoints import ENDPOINTS, Endpoint
from tokonomi.gateway.errand import Errand
from tokonomi.gateway.in_use import ConfigurationInUse, Serving
from tokonomi.gateway.metrics import CONTENT_TYPE, Metrics
from tokonomi.gateway.request import parse
from tokonomi.gateway.watch import Ended, Reason, Watch, Watchdog
from tokonomi.gateway.wire_errors import (
    AUTHENTICATION,
    GATEWAY,
    RATE_LIMIT,
    WireError,
    store_unavailable,
)
from tokonomi.providers.token_estimate import input_upper_bound
from tokonomi.storage.keys import Key, KeyRing, Network

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
        in_use: ConfigurationInUse,
        keys: KeyRing,
        limits: Limits,
        desk: Desk,
        trusted: Sequence[Network] = (),
        metrics_token: str = "",
        close: Callable[[], Awaitable[None]],
        beside: Mapping[str, Application] | None = None,
    ) -> None:
        self._in_use = in_use
        self._keys = keys
        self._limits = limits
        self._desk = desk
        self._trusted = trusted
        self._metrics_token = metrics_token.encode()
        self._metrics: Metrics = in_use.now.dispatcher.books.metrics
        self._watchdog = Watchdog()
        self._close = close
        self.cut = 0
        """Requests that were not done when the time of a stop was over."""
        self._beside = dict(beside or {})
        # Ids must be unique, not secret, and the system's source costs a call of the kernel each.
        self._randomness = random.Random(os.urandom(32))  # noqa: S311
        self._metered: Mapping[tuple[str, str], _Handler] = {
            ("POST", f"/v1{each.path}"): self._calls(each) for each in ENDPOINTS
        }
        self.routes: Mapping[tuple[str, str], _Handler] = {
            ("GET", "/healthz"): self._health,
            ("GET", "/metrics"): self._scrape,
            ("GET", "/v1/models"): self._models,
            **self._metered,
            **{route: self._visits(page) for route, page in BATCH_ROUTES.items()},
        }

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answers one request, or takes part in the server's start and end."""
        if scope["type"] == "lifespan":
            return self._lifespan(receive, send)
        metered = self._metered.get((scope["method"], scope["path"]))
        return (metered or self._serve)(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what is no call, or is nothing that is served here."""
        try:
            handler = self.routes.get((scope["method"], scope["path"]))
            if handler is None:
                handler = self._named_at(scope) or self._application_at(scope["path"])
            if handler is None:
                raise _no_route(scope)
            await handler(scope, receive, send)
        except WireError as error:
            self._metrics.refused[error.code] += 1
            await send_error(send, error)

    @property
    def metrics(self) -> Metrics:
        """What is counted here."""
        return self._metrics

    def _application_at(self, path: str) -> Application | None:
        """The application beside the data plane that answers a path. It reaches no provider."""
        return self._beside.get(f"/{path[1:].partition('/')[0]}")

    def _named_at(self, scope: Scope) -> _Handler | None:
        """The route of a file or a batch that the path names."""
        path, name = route_of(scope["path"])
        return self.routes.get((scope["method"], path)) if name else None

    def _visits(self, page: Page) -> _Handler:
        """A route of files and batches: for keys that may be used, and as one of the requests."""

        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            if self._metrics.upkeep_silence() > KEYS_TRUSTED_SECONDS:
                raise _keys_unknown(self._metrics.upkeep_silence())
            if self._metrics.in_flight >= self._limits.concurrent:
                raise _too_many(self._limits.concurrent)
            visit = Visit(
                key=self._admitted(scope, headers),
                headers=headers,
                named=route_of(scope["path"])[1],
                query=scope["query_string"],
                aliases=self._in_use.now.snapshot.aliases,
                receive=receive,
                send=send,
            )
            self._metrics.in_flight += 1
            try:
                await answer_visit(page, self._desk, visit)
            finally:
                self._metrics.in_flight -= 1

        return handle

    def _calls(self, endpoint: Endpoint) -> _Handler:
        route = f"POST /v1{endpoint.path}"

        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            # One version of the configuration answers a request from here to its end.
            serving = self._in_use.now
            books = serving.dispatcher.attempts.books
            asked = Asked(route, new_request_id(self._randomness))
            answer = Answer(asked, send, books.recorder.standing_of)
            try:
                await self._answer(endpoint, scope, receive, answer, serving=serving)
            except WireError as error:
                answer.asked.refused, answer.asked.limit = error.code, error.rate_limit
                await send_error(answer.send, error, endpoint.ingress, request_id=asked.id)
            except asyncio.CancelledError:
                self.cut += 1
                raise
            finally:
                books.observer.request_ended(answer.asked)

        return handle

    async def _answer(
        self,
        endpoint: Endpoint,
        scope: Scope,
        receive: Receive,
        answer: Answer,
        *,
        serving: Serving,
    ) -> None:
        metrics = self._metrics
        if metrics.in_flight >= self._limits.concurrent:
            raise _too_many(self._limits.concurrent)
        watch = self._watchdog.watch()
        metrics.in_flight += 1
        try:
            answer.watch = watch
            aliases, asked = serving.snapshot.aliases, answer.asked
            errand = await self._taken(
                endpoint, scope, receive, watch, aliases=aliases, asked=asked
            )
            await serving.dispatcher.run(errand, watch, send=answer.send, receive=receive)
        finally:
            metrics.in_flight -= 1
            self._watchdog.release(watch)

    async def _taken(
        self,
        endpoint: Endpoint,
        scope: Scope,
        receive: Receive,
        watch: Watch,
        *,
        aliases: Aliases,
        asked: Asked,
    ) -> Errand:
        """The request, read, understood and allowed."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        asked.traceparent = headers.get(b"traceparent", b"")
        if self._metrics.upkeep_silence() > KEYS_TRUSTED_SECONDS:
            raise _keys_unknown(self._metrics.upkeep_silence())
        key = self._admitted(scope, headers)
        asked.key_id = key.id
        body = await self._body(headers, receive, watch)
        request = parse(body, endpoint.dialect)
        asked.alias = request.model
        allow_model(key, request.model)
        if request.stream and not endpoint.streams:
            raise WireError(
                400, "invalid_request", "This endpoint has no streams. Leave out `stream`."
            )
        destination = aliases.resolve(request.model)
        asked.label = destination.label
        return Errand(
            asked=asked,
            at=datetime.now(UTC),
            dimensions=dimensions_of(headers, key, alias=request.model, user=request.user),
            request=request,
            endpoint=endpoint,
            destination=destination,
            input_bound=input_upper_bound(body),
            rate_limits=key.terms.limits,
        )

    def _admitted(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Key:
        key = authenticate(headers, self._keys)
        admit(key, scope, now=datetime.now(UTC), trusted=self._trusted)
        return key

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
        key = self._admitted(scope, dict(scope["headers"]))
        models = [
            {"id": alias, "object": "model", "created": 0, "owned_by": chain.targets[0].name}
            for alias, chain in self._in_use.now.snapshot.aliases.exact.items()
            if key.terms.allows_model(alias)
        ]
        await send_body(send, 200, [JSON], _encode({"object": "list", "data": models}))

    def _watched_by(self, scope: Scope) -> None:
        """Returns when the request may see how the gateway is.

        Raises:
            WireError: 401, when it does not bear the token that is asked for.
        """
        stated = dict(scope["headers"]).get(b"authorization", b"")
        expected = b"Bearer " + self._metrics_token
        if self._metrics_token and not hmac.compare_digest(stated, expected):
            raise WireError(
                401,
                "invalid_metrics_token",
                "Send the token of [listen] metrics_token_env as Authorization: Bearer.",
                kind=AUTHENTICATION,
            )

    async def _health(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self._watched_by(scope)
        in_use, failures = self._in_use, self._failures()
        configuration: dict[str, object] = {"version": in_use.version}
        if in_use.failure:
            # What is missing stands in the log: this answer needs no key.
            configuration["refused_version"] = in_use.newest
        answer = {"status": "failing" if failures else "ok", "configuration": configuration}
        await send_body(send, 503 if failures else 200, [JSON], _encode(answer | failures))

    def _failures(self) -> dict[str, str]:
        """What does not work, by its part."""
        failures: dict[str, str] = {}
        if (failure := self._in_use.now.dispatcher.books.recorder.failure) is not None:
            failures["store"] = failure
        silence = self._metrics.upkeep_silence()
        if silence > UPKEEP_LATE_SECONDS:
            failures["upkeep"] = (
                f"keys and rules were last read {silence:.0f} s ago; the log says why"
            )
        return failures

    async def _scrape(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self._watched_by(scope)
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
        " /v1/responses, /v1/messages and /v1/embeddings, GET /v1/models, and /v1/files and"
        " /v1/batches.",
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
