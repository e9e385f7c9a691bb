"""What a tracked client's requests become: exchanges that end as rows and as costs."""

import atexit
import os
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol
from weakref import WeakSet

import msgspec

from tokonomi.calls import Call, Intent
from tokonomi.pricing.book import PriceBook
from tokonomi.providers.adapter import Dialect
from tokonomi.providers.registry import adapter_for
from tokonomi.providers.token_estimate import input_upper_bound
from tokonomi.sdk.border import BORDER
from tokonomi.sdk.costs import Costs
from tokonomi.sdk.delivery import Delivery
from tokonomi.sdk.dimensions import Said, printable, said_now
from tokonomi.sdk.endpoints import Endpoint, endpoint_of, provider_of
from tokonomi.sdk.exchange import Exchange

_NANOSECONDS_PER_MS: Final = 1_000_000
_RANDOM_BYTES: Final = 10
_RETRIES: Final = "x-stainless-retry-count"
"""The header by which both clients count the tries of one call, from 0."""
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


class Url(Protocol):
    """Where a request goes."""

    @property
    def host(self) -> str:
        """The host's name."""
        ...

    @property
    def path(self) -> str:
        """The path, without the query."""
        ...


class Request(Protocol):
    """A request as the http clients of both SDKs have it."""

    @property
    def method(self) -> str:
        """POST, mostly."""
        ...

    @property
    def url(self) -> Url:
        """Where it goes."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers, by names in any case."""
        ...

    @property
    def content(self) -> bytes:
        """Its body, when that is not streamed itself."""
        ...


@dataclass(frozen=True, slots=True)
class _Tried:
    """The last try of a call in this thread or task."""

    body: tuple[int, int]
    request_id: str
    retries: int


_last_try: Final[ContextVar[_Tried | None]] = ContextVar("tokonomi.sdk.last_try", default=None)


class Meter:
    """Meters the requests of one tracked client."""

    def __init__(
        self, said: Said, costs: Costs, book: PriceBook, delivery: Delivery, *, provider: str = ""
    ) -> None:
        """A meter.

        Args:
            said: what holds of every call, unless labels say otherwise.
            costs: takes every row, for this process to look at.
            book: the prices.
            delivery: takes every row to the store.
            provider: the provider's name; when empty, the address tells.
        """
        self.costs = costs
        self._said = said
        self._book = book
        self._delivery = delivery
        self._provider = provider
        self._in_flight: dict[str, Exchange] = {}
        _METERS.add(self)

    def begin(self, request: Request) -> Exchange | None:
        """The exchange of a request that is about to leave; None where nothing is to be metered."""
        with BORDER.around("metering a request"):
            endpoint = endpoint_of(request.method, request.url.path)
            return self._begun(endpoint, request) if endpoint else None
        return None

    def _begun(self, endpoint: Endpoint, request: Request) -> Exchange:
        is_json = request.headers.get("content-type", "").startswith("application/json")
        body = request.content if is_json else b""
        fields = _fields(body)
        intent = self._intent(request, body, fields)
        provider = intent.dimensions.provider
        # Without a dialect nothing is read; any reading stands for that.
        adapter = adapter_for(endpoint.dialect or Dialect.OPENAI_CHAT, provider)
        exchange = Exchange(
            intent,
            endpoint,
            fields,
            reading=adapter.stream(),
            book=self._book,
            record=self._record,
        )
        self._in_flight[intent.id] = exchange
        with BORDER.around("writing a call to the journal"):
            self._delivery.left(intent)
        return exchange

    def _intent(self, request: Request, body: bytes, fields: Mapping[str, msgspec.Raw]) -> Intent:
        model = _text(fields, "model")
        return Intent(
            id=_id_of(request, body),
            at=datetime.now(UTC),
            dimensions=said_now()
            .over(self._said)
            .dimensions(
                alias=model,
                provider=self._provider or provider_of(request.url.host),
                user=_text(fields, "user"),
            ),
            model=model,
            input_bound=input_upper_bound(body),
        )

    def _record(self, exchange: Exchange, call: Call) -> None:
        self._in_flight.pop(exchange.intent.id, None)
        with BORDER.around("writing a call to the journal"):
            self._delivery.ended(call)
        self.costs.add(call)

    def end_all(self) -> None:
        """At the end of the process: what is in flight ends as it is."""
        for exchange in list(self._in_flight.values()):
            exchange.left("the process ended before the answer did; what came of it is counted")

    def forked(self) -> None:
        """In the child of a fork: what is in flight is the parent's."""
        self._in_flight.clear()


_METERS: Final[WeakSet[Meter]] = WeakSet()


def _end_all() -> None:
    for meter in list(_METERS):
        meter.end_all()


def _forked() -> None:
    for meter in list(_METERS):
        meter.forked()


atexit.register(_end_all)
os.register_at_fork(after_in_child=_forked)


def _id_of(request: Request, body: bytes) -> str:
    """The id of an attempt: tries of one call share the request's id, and are counted from 1."""
    stated = request.headers.get(_RETRIES, "0")
    retries = int(stated) if stated.isdecimal() else 0
    same = (len(body), hash(body))
    before = _last_try.get()
    again = before is not None and before.retries + 1 == retries and before.body == same
    request_id = before.request_id if before is not None and again else _new_request_id()
    _last_try.set(_Tried(same, request_id, retries))
    return f"{request_id}.{retries + 1}"


def _new_request_id() -> str:
    """32 hexadecimal digits: 12 of milliseconds since 1970, so that ids sort by time, 20 random.

    The system's own randomness, since a fork would repeat any other.
    """
    return f"{time.time_ns() // _NANOSECONDS_PER_MS:012x}{os.urandom(_RANDOM_BYTES).hex()}"


def _fields(body: bytes) -> Mapping[str, msgspec.Raw]:
    """The top level of a body; empty when it is no JSON object."""
    try:
        return _decode_fields(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def _text(fields: Mapping[str, msgspec.Raw], name: str) -> str:
    try:
        return printable(_decode_text(fields[name]))
    except (KeyError, msgspec.MsgspecError, UnicodeDecodeError):
        return ""
