"""Server-sent events: a stream of bytes cut into whole events, each with its own bytes."""

import re
from typing import Final

DONE: Final = b"[DONE]"
_DATA: Final = b"data: "
_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


class EventSplitter:
    """Cuts pieces of a stream, however they are broken, into events with their ends."""

    __slots__ = ("rest",)

    def __init__(self) -> None:
        self.rest = b""
        """What has come of the next event."""

    def feed(self, piece: bytes) -> list[bytes]:
        """The events that are whole now; put together they are the bytes that came."""
        data = self.rest + piece if self.rest else piece
        if b"\r" in data:
            return self._feed_any_ends(data)
        events = data.split(b"\n\n")
        self.rest = events.pop()
        return [event + b"\n\n" for event in events]

    def _feed_any_ends(self, data: bytes) -> list[bytes]:
        events: list[bytes] = []
        start = 0
        for end in _END.finditer(data):
            events.append(data[start : end.end()])
            start = end.end()
        self.rest = data[start:]
        return events


def data_of(event: bytes) -> bytes:
    """The data of an event, empty when it has none (a comment, a keep-alive)."""
    if event.startswith(_DATA) and event.find(b"\n") == len(event) - 2:
        return event[len(_DATA) : -2]
    lines = [line for line in _LINE_END.split(event) if line.startswith(b"data:")]
    return b"\n".join(line.removeprefix(b"data:").removeprefix(b" ") for line in lines)
