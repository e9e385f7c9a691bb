"""What the client gets besides the provider's own bytes: headers, the last comment, errors."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from tokonomi.budgets.rate_limit import Standing
from tokonomi.calls import Call
from tokonomi.dialects.destination import IngressName
from tokonomi.gateway.asked import Asked
from tokonomi.gateway.upstream import Headers
from tokonomi.gateway.wire_errors import WireError
from tokonomi.pricing.charge import Charge

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
HeaderList = list[tuple[bytes, bytes]]

REQUEST_ID: Final = b"x-tokonomi-request-id"
JSON: Final = (b"content-type", b"application/json")
_PASSED: Final = frozenset(
    {
        b"cache-control",
        b"content-type",
        b"openai-processing-ms",
        b"openai-version",
        b"retry-after",
        b"x-request-id",
    }
)
_MICROSECONDS: Final = 1_000_000
_MICROSECONDS_PER_MS: Final = 1_000
_PASSED_PREFIX: Final = b"x-ratelimit-"
_encode: Final = msgspec.json.Encoder().encode


StandingsOf = Callable[[str], Sequence[Standing]]
"""The limits of a key, by its id; none for a key without limits."""


class Patience(Protocol):
    """What ends waits that take too long."""

    def wait_for_client(self) -> None:
        """What is waited for now is the client's to give, and no fault of the provider."""
        ...


class Answer:
    """What a client is sent, as those see it who watch."""

    __slots__ = ("_send", "_standings", "asked", "watch")

    def __init__(self, asked: Asked, send: Send, standings: "StandingsOf") -> None:
        self.asked = asked
        self._send = send
        self._standings = standings
        self.watch: Patience | None = None

    def send(self, message: Message) -> Awaitable[None]:
        """Sends on; done when the client can take more."""
        if message["type"] == "http.response.start":
            self.asked.status = message["status"]
            if standings := self._standings(self.asked.key_id):
                message["headers"] = with_rate_limits(message["headers"], standings)
        if self.watch is not None:
            self.watch.wait_for_client()
        return self._send(message)


def passed(headers: Headers) -> HeaderList:
    """The provider's headers that are also the client's business.

    All others stay here: they may name the account that the operator has with the provider.
    """
    return [pair for pair in headers if pair[0] in _PASSED or pair[0].startswith(_PASSED_PREFIX)]


def request_headers(request_id: str, model: str) -> HeaderList:
    """What is known of a call before it has ended."""
    return [
        (REQUEST_ID, request_id.encode()),
        (b"x-tokonomi-model", header_value(model)),
    ]


def cost_headers(call: Call) -> HeaderList:
    """What is known of a settled call: its id, its model, its exact cost and the price row."""
    headers = request_headers(call.intent.request_id, call.model_served)
    cost = call.cost
    if isinstance(cost, Charge):
        headers.append((b"x-tokonomi-cost", f"{cost.total}".encode()))
        headers.append((b"x-tokonomi-price-row", header_value(cost.row_id)))
    else:
        headers.append((b"x-tokonomi-cost", b"unpriced"))
    return headers


def cost_comment(call: Call) -> bytes:
    """The same as a comment of an event stream, which clients skip."""
    cost = call.cost
    known: dict[str, str] = {
        "request_id": call.intent.request_id,
        "model": call.model_served,
        "status": call.status,
    }
    if isinstance(cost, Charge):
        known |= {
            "cost": cost.total.decimal(),
            "currency": cost.currency,
            "price_row": cost.row_id,
        }
    else:
        known |= {"cost": "unpriced", "reason": cost.reason}
    return b": tokonomi " + _encode(known) + b"\n\n"


def header_value(text: str) -> bytes:
    """A text that came from outside, as a header can carry it."""
    return text.encode("ascii", "backslashreplace") if text.isprintable() else b""


def with_rate_limits(headers: HeaderList, standings: Sequence[Standing]) -> HeaderList:
    """The headers of an answer with what is left of the key's limits, named as OpenAI does.

    The provider's own figures of the same name are those of the operator's account: they go.
    """
    kept = [pair for pair in headers if not pair[0].startswith(_PASSED_PREFIX)]
    for standing in standings:
        kind = standing.kind.encode()
        kept.append((b"x-ratelimit-limit-" + kind, b"%d" % standing.most))
        kept.append((b"x-ratelimit-remaining-" + kind, b"%d" % standing.left))
        if standing.kind != "concurrent":
            seconds, rest_us = divmod(standing.full_us, _MICROSECONDS)
            reset = b"%d.%03ds" % (seconds, rest_us // _MICROSECONDS_PER_MS)
            kept.append((b"x-ratelimit-reset-" + kind, reset))
    return kept


async def send_body(send: Send, status: int, headers: HeaderList, body: bytes) -> None:
    """Sends a whole answer."""
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_error(
    send: Send, error: WireError, ingress: IngressName | None = None, *, request_id: str = ""
) -> None:
    """Sends an error as the whole answer, as clients that speak `ingress` read it."""
    fields: HeaderList = [JSON]
    if request_id:
        fields.append((REQUEST_ID, request_id.encode()))
    if error.retry_after_seconds:
        fields.append((b"retry-after", b"%d" % error.retry_after_seconds))
    if not error.try_again:
        fields.append((b"x-should-retry", b"false"))
    await send_body(send, error.status, fields, error.body(ingress))
