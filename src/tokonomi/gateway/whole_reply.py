"""A reply that came whole: what it says of its usage, and how it is to be recorded."""

from typing import Final

import msgspec

from tokonomi.calls import Status
from tokonomi.gateway.endpoints import Endpoint
from tokonomi.gateway.settle import Ending, Exchange
from tokonomi.gateway.stream import error_kind

_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode: Final = msgspec.json.Decoder().decode
_decode_object: Final = msgspec.json.Decoder(dict[str, object]).decode
FINE: Final = Ending(Status.OK)


def observe_whole(endpoint: Endpoint, exchange: Exchange, body: bytes) -> Ending:
    """How an answer with a status of success is to be recorded; its usage is noted.

    An error that a provider sends under such a status is one all the same.
    """
    try:
        reply = _decode_object(body) if not endpoint.bulk else _without(endpoint.bulk, body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Ending(Status.OK, unknown="the provider's reply is not JSON and names no usage")
    exchange.reading.observe(reply)
    error = reply.get("error")
    if not error or reply.get("usage"):
        return FINE
    kind = error_kind(error)
    return Ending(
        Status.FAILED,
        unknown=f"the provider answered HTTP {exchange.http_status} with an error ({kind})"
        " and reported no usage",
    )


def _without(bulk: frozenset[str], body: bytes) -> dict[str, object]:
    fields = _decode_fields(body).items()
    return {name: _decode(raw) for name, raw in fields if name not in bulk}
