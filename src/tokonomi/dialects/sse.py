"""Server-sent events, written."""

from typing import Final

import msgspec

encode: Final = msgspec.json.Encoder().encode


def data_event(value: object) -> bytes:
    """An event that is only data, as chat completions stream."""
    return b"data: " + encode(value) + b"\n\n"


def named_event(value: dict[str, object]) -> bytes:
    """An event that is named by its own `type`, as messages and responses stream."""
    return b"event: " + str(value["type"]).encode() + b"\ndata: " + encode(value) + b"\n\n"
