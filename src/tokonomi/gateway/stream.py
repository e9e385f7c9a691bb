"""A streamed answer on its way through: what goes on at once, and what waits for the ledger."""

from typing import Final, Protocol, TypeGuard

import msgspec

from tokonomi.gateway.stream_forms import FORMS, Place
from tokonomi.providers.adapter import Dialect, Reading
from tokonomi.providers.server_sent_events import DONE, EventSplitter, data_of
from tokonomi.providers.whole_reply import error_kind
from tokonomi.routing.error_reply import failure_of
from tokonomi.routing.failure import Failed

_decode: Final = msgspec.json.Decoder().decode
_DONE_EVENT: Final = b"data: " + DONE + b"\n\n"
_MOST_HELD_BYTES: Final = 1 << 16


class Translator(Protocol):
    """Carries the events of a stream into the client's dialect."""

    def feed(self, data: bytes, /) -> bytes:
        """What goes to the client for the data of one event."""
        ...


class StreamRelay:
    """Reads a stream as it passes. It does no input or output: bytes in, bytes out.

    Content goes on in whole events, with the provider's own bytes where both sides speak the same
    dialect. What ends the answer is held back until the call is in the ledger: the event that
    carries the usage (dropped when the client did not ask for it), `[DONE]`, `message_stop`.
    """

    __slots__ = (
        "_form",
        "_has_no_end",
        "_plain",
        "_reading",
        "_says_done",
        "_splitter",
        "_translator",
        "_wants_usage",
        "done",
        "error",
        "error_told",
        "failed",
        "held",
        "usage_seen",
    )

    def __init__(
        self,
        reading: Reading,
        *,
        wants_usage: bool,
        dialect: Dialect = Dialect.OPENAI_CHAT,
        translator: Translator | None = None,
        plain: bool = True,
    ) -> None:
        """Reads what a provider says in `dialect` into `reading`.

        `plain` takes the short way for events of plain text, which only chat completions have.
        """
        self._reading = reading
        self._form = FORMS[dialect]
        self._says_done = dialect is Dialect.OPENAI_CHAT
        self._has_no_end = dialect is Dialect.GEMINI
        self._plain = plain and self._says_done
        self._splitter = EventSplitter()
        self._translator = translator
        self._wants_usage = wants_usage
        self.held = b""
        """What goes out only when the call is in the ledger."""
        self.done = False
        """Whether the provider said that the stream is over."""
        self.usage_seen = False
        self.error = ""
        """What the provider said went wrong in the middle."""
        self.failed: Failed | None = None
        """The same, as the table of failures knows it."""
        self.error_told = False
        """Whether the client has that in the provider's own words."""

    @property
    def unfinished_bytes(self) -> int:
        """Bytes of an event that is not whole yet."""
        return len(self._splitter.rest)

    @property
    def complete(self) -> bool:
        """Whether all of the answer has come, also from a provider that never says its end."""
        seen_all = self.usage_seen or self._has_no_end
        finished = seen_all and self._reading.seen.finish_reason != ""
        return not self.error and (self.done or finished)

    @property
    def cut_off(self) -> str:
        """What is wrong with a stream that has ended without an error and is not complete."""
        no_end = "[DONE]" if self._says_done else "its last event"
        return f"it ended without {no_end}"

    def feed(self, piece: bytes) -> bytes:
        """What may go on to the client now."""
        passing = b""
        for event in self._splitter.feed(piece):
            data = data_of(event)
            place = self._place(data)
            if place is Place.ERROR:
                if self.failed is not None and self.failed.rule.alarm:
                    # It is between the provider and us, and may name our key or our account.
                    continue
                self.error_told = True
            if self._translator is not None:
                passing += self._translator.feed(data) if data != DONE else b""
            elif place is Place.USAGE:
                passing += self._hold(event) if self._wants_usage else b""
            elif place is Place.END:
                passing += self._hold(event) if data != DONE else b""
            elif self.held:
                # More content after all: that usage was not the end.
                passing += self.held + event
                self.held = b""
            else:
                passing += event
        return passing

    def ending(self, between: bytes) -> bytes:
        """The end of a stream in the provider's own words, with what we put before it."""
        if self._says_done:
            return self.held + between + (_DONE_EVENT if self.done else b"")
        return between + self.held

    def _hold(self, event: bytes) -> bytes:
        """Keeps an event back; what may go on instead, when more is held than one stream may."""
        if len(self.held) + len(event) <= _MOST_HELD_BYTES:
            self.held += event
            return b""
        passing, self.held = self.held, event
        return passing

    def _place(self, data: bytes) -> Place:
        """What an event is in its stream; takes note of any event."""
        if not data or (self._plain and self._took_plain_content(data)):
            return Place.CONTENT
        if data == DONE:
            self.done = True
            return Place.END
        try:
            event: object = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Place.CONTENT
        if not _is_object(event):
            return Place.CONTENT
        self._reading.observe(event)
        place = self._form(event)
        if place is Place.ERROR:
            self.error = error_kind(event.get("error") or event.get("response") or event)
            self.failed = failure_of(event)
        self.usage_seen = self.usage_seen or bool(event.get("usage") or event.get("usageMetadata"))
        if place is Place.STOP:
            self.done = True
            return Place.END
        return place

    def _took_plain_content(self, data: bytes) -> bool:
        """Whether an event was a piece of plain text and nothing else, and has been noted.

        Nearly all events are. Reading them by their type takes a third of the time of the general
        reading, which all others still get; a law holds both to the same result.
        """
        try:
            chunk = _decode_plain(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return False
        if len(chunk.choices) != 1:
            return False
        seen = self._reading.seen
        seen.model = chunk.model or seen.model
        seen.request_id = chunk.id or seen.request_id
        if content := chunk.choices[0].delta.content:
            seen.relayed.add(content)
        return True


class _PlainDelta(msgspec.Struct, forbid_unknown_fields=True):
    content: str
    role: str | None = None
    refusal: None = None


class _PlainChoice(msgspec.Struct, forbid_unknown_fields=True):
    delta: _PlainDelta
    index: int = 0
    finish_reason: None = None
    logprobs: None = None


class _PlainChunk(msgspec.Struct, forbid_unknown_fields=True):
    choices: list[_PlainChoice]
    id: str = ""
    object: str = ""
    created: int = 0
    model: str = ""
    system_fingerprint: str | None = None
    obfuscation: str | None = None
    service_tier: None = None
    usage: None = None


_decode_plain: Final = msgspec.json.Decoder(_PlainChunk).decode


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)
