"""A stream of events as it passes by: its usage, its text, and whether it came to its end."""

from typing import Final

import msgspec

from tokonomi.providers.adapter import Reading
from tokonomi.providers.json_fields import is_object, text_at
from tokonomi.providers.server_sent_events import DONE, EventSplitter, data_of
from tokonomi.providers.whole_reply import error_kind

_decode: Final = msgspec.json.Decoder().decode
_LAST: Final = frozenset({"message_stop", "response.completed", "response.incomplete"})
"""The last events of Anthropic's messages and of OpenAI's responses."""
_FAILED: Final = "response.failed"


class EventStream:
    """Reads events of any dialect into a reading. It never changes or keeps what passes."""

    __slots__ = ("_reading", "_splitter", "complete", "error")

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._splitter = EventSplitter()
        self.complete = False
        """Whether the provider said that this is all."""
        self.error = ""
        """What the provider said went wrong in the middle."""

    @property
    def finished(self) -> bool:
        """Whether the answer was finished, also by a provider that has no last event."""
        return not self.error and self._reading.seen.finish_reason != ""

    def feed(self, piece: bytes) -> None:
        """Takes note of a piece, however the stream is cut into pieces."""
        for event in self._splitter.feed(piece):
            data = data_of(event)
            if data == DONE:
                self.complete = not self.error
            elif data:
                self._observe(data)

    def end(self) -> None:
        """No more comes; a last event without its empty line counts too."""
        self.feed(b"\n\n")

    def _observe(self, data: bytes) -> None:
        try:
            event: object = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        if not is_object(event):
            return
        self._reading.observe(event)
        kind = text_at(event, "type")
        if kind in _LAST:
            self.complete = True
        elif kind == _FAILED:
            response = event.get("response")
            self.error = error_kind(response.get("error") if is_object(response) else None)
        elif kind == "error" or event.get("error"):
            self.error = error_kind(event.get("error") or event)
