"""Anthropic's messages, read: a provider's reply, or an event of its stream, becomes events."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from tokonomi.dialects.answer import (
    MALFORMED,
    Cited,
    Event,
    Failed,
    Finish,
    Finished,
    ReasoningBegun,
    ReasoningDelta,
    ReasoningSigned,
    Started,
    TextBegun,
    TextDelta,
    ToolBegun,
    ToolDelta,
)
from tokonomi.dialects.anthropic_messages import errors
from tokonomi.dialects.conversation import Citation
from tokonomi.dialects.reasoning import ANTHROPIC

FINISHES: Final[Mapping[str, Finish]] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "filtered",
    "pause_turn": "paused",
    "model_context_window_exceeded": "context_full",
}


class _Citation(msgspec.Struct):
    type: str = ""
    url: str = ""
    title: str | None = None
    cited_text: str | None = None


class _Block(msgspec.Struct):
    type: str = ""
    text: str | None = None
    citations: list[_Citation] | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: _Citation | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Message(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    content: list[_Block] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_decode_event: Final = msgspec.json.Decoder(_Event).decode
_decode_message: Final = msgspec.json.Decoder(_Message).decode
_BLOCK_OF_DELTA: Final[Mapping[str, str]] = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}
_OURS: Final = frozenset({"", "text", "thinking", "redacted_thinking", "tool_use"})
"""Blocks that we read; those of the provider's own tools are passed over."""
_EMPTY: Final = (b"{}", b"null")


class MessagesReader:
    """One message being read."""

    __slots__ = ("_cited", "_length", "_open")

    def __init__(self) -> None:
        self._open = ""
        self._length = 0
        self._cited: list[_Citation] = []

    def feed(self, data: bytes) -> Sequence[Event]:
        """What one event says; see `Reader.feed`."""
        return [*self._event(_decode_event(data))]

    def whole(self, body: bytes) -> Sequence[Event]:
        """What a whole message says; see `Reader.whole`."""
        message = _decode_message(body)
        events: list[Event] = [Started(message.id or "", message.model or "")]
        for block in message.content or ():
            events += self._begin(block)
            if block.type == "tool_use" and bytes(block.input) not in _EMPTY:
                events.append(ToolDelta(bytes(block.input).decode()))
            events += self._close()
        events += _end(message.stop_reason, message.stop_sequence)
        return events

    def _event(self, event: _Event) -> Iterator[Event]:
        delta = event.delta
        match event.type:
            case "content_block_delta" if delta is not None:
                yield from self._delta(delta)
            case "content_block_start" if event.content_block is not None:
                yield from self._begin(event.content_block)
            case "content_block_stop":
                yield from self._close()
            case "message_start":
                message = event.message or _Message()
                yield Started(message.id or "", message.model or "")
            case "message_delta" if delta is not None:
                yield from _end(delta.stop_reason, delta.stop_sequence)
            case "error":
                yield Failed(errors.failure_of(event.error))
            case _:
                return

    def _begin(self, block: _Block) -> Iterator[Event]:
        self._open, self._length, self._cited = block.type, 0, list(block.citations or ())
        match block.type:
            case "text":
                yield TextBegun()
                yield from self._text(block.text or "")
            case "thinking":
                yield ReasoningBegun("text", ANTHROPIC)
                yield from _thought(block.thinking, block.signature)
            case "redacted_thinking":
                yield ReasoningBegun("encrypted", ANTHROPIC)
                yield ReasoningDelta(block.data or "")
            case "tool_use":
                yield ToolBegun(block.id or "", block.name or "")
            case _:
                # The provider's own tools and what they found; sources are in the text.
                return

    def _delta(self, delta: _Delta) -> Iterator[Event]:
        if _BLOCK_OF_DELTA.get(delta.type, self._open) != self._open:
            if self._open in _OURS:
                yield Failed(MALFORMED)
            return
        match delta.type:
            case "text_delta":
                yield from self._text(delta.text or "")
            case "input_json_delta" if delta.partial_json:
                yield ToolDelta(delta.partial_json)
            case "thinking_delta" | "signature_delta":
                yield from _thought(delta.thinking, delta.signature)
            case "citations_delta" if delta.citation is not None:
                self._cited.append(delta.citation)
            case _:
                return

    def _text(self, text: str) -> Iterator[Event]:
        if text:
            self._length += len(text)
            yield TextDelta(text)

    def _close(self) -> Iterator[Event]:
        """Sources are of the whole block, so they wait for its end."""
        for source in self._cited:
            if source.type == "web_search_result_location":
                yield Cited(
                    Citation(
                        source.url, source.title or "", 0, self._length, source.cited_text or ""
                    )
                )
        self._cited, self._open = [], ""


def _thought(thinking: str | None, signature: str | None) -> Iterator[Event]:
    if thinking:
        yield ReasoningDelta(thinking)
    if signature:
        yield ReasoningSigned(signature, ANTHROPIC)


def _end(reason: str | None, sequence: str | None) -> list[Event]:
    return [Finished(FINISHES.get(reason, "stop"), sequence or "")] if reason else []
