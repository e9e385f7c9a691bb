"""A reply that came whole: what it says of its usage, and how it is to be recorded."""

from collections.abc import Collection
from typing import Final

import msgspec

from tokonomi.calls import Status
from tokonomi.providers.adapter import Reading
from tokonomi.providers.json_fields import is_object
from tokonomi.providers.settled_call import Ending

_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode: Final = msgspec.json.Decoder().decode
_decode_object: Final = msgspec.json.Decoder(dict[str, object]).decode
_LONGEST_KIND: Final = 200
FINE: Final = Ending(Status.OK)


def observe_whole(
    reading: Reading, body: bytes, *, http_status: int, bulk: Collection[str] = ()
) -> Ending:
    """How an answer with a status of success is to be recorded; its usage is noted.

    An error that a provider sends under such a status is one all the same. `bulk` names parts of
    the reply that carry no usage and are too large to look at.
    """
    try:
        reply = _without(bulk, body) if bulk else _decode_object(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Ending(Status.OK, unknown="the provider's reply is not JSON and names no usage")
    reading.observe(reply)
    error = reply.get("error")
    if not error or reply.get("usage"):
        return FINE
    return Ending(
        Status.FAILED,
        unknown=f"the provider answered HTTP {http_status} with an error ({error_kind(error)})"
        " and reported no usage",
    )


def error_kind(error: object) -> str:
    """The provider's own word for an error, without what its message may quote of a prompt."""
    if not is_object(error):
        return "an error"
    kind = error.get("code") or error.get("type") or "an error"
    text = str(kind)[:_LONGEST_KIND]
    return text if text.isprintable() else "an error"


def _without(bulk: Collection[str], body: bytes) -> dict[str, object]:
    fields = _decode_fields(body).items()
    return {name: _decode(raw) for name, raw in fields if name not in bulk}
