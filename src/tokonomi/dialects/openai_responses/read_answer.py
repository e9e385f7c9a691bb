"""OpenAI's responses, read: a provider's reply, or an event of its stream, becomes events."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from tokonomi.dialects.answer import (
    MALFORMED,
    Cited,
    Event,
    Failed,
    Failure,
    Finish,
    Finished,
    ReasoningBegun,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextBegun,
    TextDelta,
    ToolBegun,
    ToolDelta,
)
from tokonomi.dialects.conversation import Citation
from tokonomi.dialects.openai_errors import failure_of
from tokonomi.dialects.reasoning import OPENAI

INCOMPLETE: Final[Mapping[str, Finish]] = {
    "max_output_tokens": "length",
    "content_filter": "filtered",
}
_NULL: Final = b"null"
_NO_CALL: Final = -1


class _Annotation(msgspec.Struct):
    type: str = ""
    url: str = ""
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: list[_Annotation] | None = None


class _Item(msgspec.Struct):
    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    content: list[_Part] | None = None
    summary: list[_Part] | None = None
    encrypted_content: str | None = None


class _Details(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    created_at: int | float | None = None
    status: str | None = None
    output: list[_Item] | None = None
    incomplete_details: _Details | None = None
    error: msgspec.Raw = msgspec.Raw(_NULL)


class _Event(msgspec.Struct):
    type: str = ""
    response: _Response | None = None
    item: _Item | None = None
    part: _Part | None = None
    annotation: _Annotation | None = None
    delta: str | None = None
    item_id: str | None = None
    output_index: int | None = None
    code: str | None = None
    message: str | None = None
    error: msgspec.Raw = msgspec.Raw(_NULL)


_decode_event: Final = msgspec.json.Decoder(_Event).decode
_decode_response: Final = msgspec.json.Decoder(_Response).decode


class ResponsesReader:
    """One response being read."""

    __slots__ = ("_call", "_calls", "_piece")

    def __init__(self) -> None:
        self._call: int | None = _NO_CALL
        self._calls = False
        self._piece = ""

    def feed(self, data: bytes) -> Sequence[Event]:
        """What one event says; see `Reader.feed`."""
        # Some servers end with the word of chat completions.
        return () if data == b"[DONE]" else [*self._event(_decode_event(data))]

    def whole(self, body: bytes) -> Sequence[Event]:
        """What a whole response says; see `Reader.whole`."""
        response = _decode_response(body)
        events: list[Event] = [_started(response)]
        for item in response.output or ():
            events += self._item(item)
        return [*events, *self._end(response)]

    def _event(self, event: _Event) -> Iterator[Event]:
        match event.type:
            case "response.output_text.delta":
                self._piece, self._call = "", _NO_CALL
                yield TextDelta(event.delta or "")
            case "response.function_call_arguments.delta":
                yield self._arguments(event)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield from self._thought(event)
            case "response.refusal.delta":
                self._piece, self._call = "", _NO_CALL
                yield RefusalDelta(event.delta or "")
            case "response.created" if event.response is not None:
                yield _started(event.response)
            case "response.output_text.annotation.added" if event.annotation is not None:
                yield from _sources([event.annotation])
            case "error":
                yield Failed(_failure(event))
            case _:
                yield from self._frame(event)

    def _frame(self, event: _Event) -> Iterator[Event]:
        """The events that begin and end items and their parts."""
        part, item, response = event.part, event.item, event.response
        match event.type:
            case "response.content_part.added" if part is not None:
                if part.type == "output_text":
                    yield TextBegun()
            case "response.reasoning_summary_part.added":
                self._piece = ""
            case "response.output_item.added" if item is not None:
                self._piece, self._call = "", _NO_CALL
                if item.type == "function_call":
                    self._call, self._calls = event.output_index, True
                    yield ToolBegun(item.call_id or item.id or "", item.name or "")
            case "response.output_item.done" if item is not None:
                self._piece = ""
                yield from _encrypted(item)
            case "response.completed" | "response.incomplete" | "response.failed" if (
                response is not None
            ):
                yield from self._end(response)
            case _:
                return

    def _arguments(self, event: _Event) -> Event:
        if event.output_index != self._call:
            # The arguments of one call come in a row, with nothing between them.
            return Failed(MALFORMED)
        return ToolDelta(event.delta or "")

    def _thought(self, event: _Event) -> Iterator[Event]:
        kind = "text" if event.type == "response.reasoning_text.delta" else "summary"
        if self._piece != kind:
            self._piece, self._call = kind, _NO_CALL
            yield ReasoningBegun(kind, OPENAI, event.item_id or "")
        yield ReasoningDelta(event.delta or "")

    def _item(self, item: _Item) -> Iterator[Event]:
        match item.type:
            case "message":
                for part in item.content or ():
                    yield from _content(part)
            case "function_call":
                self._calls = True
                yield ToolBegun(item.call_id or item.id or "", item.name or "")
                if item.arguments:
                    yield ToolDelta(item.arguments)
            case "reasoning":
                for piece in item.summary or ():
                    yield ReasoningBegun("summary", OPENAI, item.id or "")
                    yield ReasoningDelta(piece.text or "")
                for piece in item.content or ():
                    yield ReasoningBegun("text", OPENAI, item.id or "")
                    yield ReasoningDelta(piece.text or "")
                yield from _encrypted(item)
            case _:
                # The provider's own tools; the sources that they found are in the text.
                return

    def _end(self, response: _Response) -> Iterator[Event]:
        match response.status:
            case "incomplete":
                details = response.incomplete_details or _Details()
                yield Finished(INCOMPLETE.get(details.reason or "", "length"))
            case "failed" | "cancelled":
                yield Failed(failure_of(response.error))
            case "completed":
                yield Finished("tool_calls" if self._calls else "stop")
            case _:
                return


def _started(response: _Response) -> Event:
    return Started(response.id or "", response.model or "", int(response.created_at or 0))


def _content(part: _Part) -> Iterator[Event]:
    match part.type:
        case "output_text":
            yield TextBegun()
            if part.text:
                yield TextDelta(part.text)
            yield from _sources(part.annotations or ())
        case "refusal" if part.refusal:
            yield RefusalDelta(part.refusal)
        case _:
            return


def _encrypted(item: _Item) -> Iterator[Event]:
    if item.type == "reasoning" and item.encrypted_content:
        yield ReasoningBegun("encrypted", OPENAI, item.id or "")
        yield ReasoningDelta(item.encrypted_content)


def _sources(annotations: Sequence[_Annotation]) -> Iterator[Event]:
    for source in annotations:
        if source.type == "url_citation":
            place = source.start_index or 0, source.end_index or 0
            yield Cited(Citation(source.url, source.title or "", *place))


def _failure(event: _Event) -> Failure:
    """The error of an `error` event, whose fields stand on its top or in an object of their own."""
    if bytes(event.error) != _NULL:
        return failure_of(event.error)
    error = {"message": event.message, "code": event.code}
    return failure_of(msgspec.json.encode(error))
