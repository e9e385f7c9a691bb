"""OpenAI's chat completions, read: a provider's reply, or a chunk of it, becomes events."""

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
    RefusalDelta,
    Started,
    TextDelta,
    ToolBegun,
    ToolDelta,
    made_up_id,
)
from tokonomi.dialects.conversation import Citation, ReasoningKind
from tokonomi.dialects.openai_errors import failure_of

FINISHES: Final[Mapping[str, Finish]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "filtered",
}
_DONE: Final = b"[DONE]"


class _Source(msgspec.Struct):
    url: str = ""
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    content: str | None = None


class _Annotation(msgspec.Struct):
    url_citation: _Source | None = None


class _Detail(msgspec.Struct):
    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    format: str | None = None
    id: str | None = None
    index: int | None = None


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Piece(msgspec.Struct):
    """A part of a content that is a list, as Mistral sends it: text, or thinking with its own."""

    type: str = ""
    text: str | None = None
    thinking: "str | list[_Piece] | None" = None


class _Message(msgspec.Struct):
    content: str | list[_Piece] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[_Detail] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    annotations: list[_Annotation] | None = None


class _Choice(msgspec.Struct):
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None
    index: int | None = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    choices: list[_Choice] | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_decode: Final = msgspec.json.Decoder(_Chunk).decode
_KINDS: Final[Mapping[str, ReasoningKind]] = {
    "reasoning.text": "text",
    "reasoning.summary": "summary",
    "reasoning.encrypted": "encrypted",
}


class ChatReader:
    """One chat completion being read."""

    __slots__ = ("_call", "_calling", "_calls", "_id", "_reasoning", "_started")

    def __init__(self) -> None:
        self._started = False
        self._id = ""
        self._reasoning: tuple[object, ...] = ()
        self._call: int | None = None
        self._calls = 0
        self._calling = False

    def feed(self, data: bytes) -> Sequence[Event]:
        """What one chunk says; see `Reader.feed`."""
        return () if data == _DONE else [*self._read(_decode(data))]

    def whole(self, body: bytes) -> Sequence[Event]:
        """What a whole completion says; see `Reader.whole`."""
        return [*self._read(_decode(body))]

    def _read(self, chunk: _Chunk) -> Iterator[Event]:
        if not self._started:
            self._started = True
            self._id = chunk.id or ""
            yield Started(self._id, chunk.model or "", int(chunk.created or 0))
        for choice in chunk.choices or ():
            if choice.index:
                continue
            message = choice.delta or choice.message
            if message is not None:
                yield from self._message(message)
            if choice.finish_reason:
                yield from self._end(choice.finish_reason)
        if bytes(chunk.error) != b"null":
            yield Failed(failure_of(chunk.error))

    def _end(self, reason: str) -> Iterator[Event]:
        if reason == "error":
            return
        finish = FINISHES.get(reason, "stop")
        # Some servers say "stop" after a call too.
        yield Finished("tool_calls" if finish == "stop" and self._calls else finish)

    def _message(self, message: _Message) -> Iterator[Event]:
        if message.reasoning_details:
            for detail in message.reasoning_details:
                yield from self._detail(detail)
        elif reasoning := message.reasoning_content or message.reasoning:
            yield from self._thought(reasoning)
        content = message.content
        if content:
            if isinstance(content, str):
                yield self._text(content)
            else:
                yield from self._pieces(content)
        if message.refusal:
            self._reasoning, self._calling = (), False
            yield RefusalDelta(message.refusal)
        for call in message.tool_calls or ():
            yield from self._tool_call(call)
        for annotation in message.annotations or ():
            if (source := annotation.url_citation) is not None:
                yield Cited(_citation(source))

    def _text(self, text: str) -> Event:
        self._reasoning, self._calling = (), False
        return TextDelta(text)

    def _pieces(self, pieces: Sequence[_Piece]) -> Iterator[Event]:
        for piece in pieces:
            thinking = piece.thinking
            if isinstance(thinking, list):
                thinking = "".join(each.text or "" for each in thinking)
            if thinking:
                yield from self._thought(thinking)
            elif piece.text:
                yield self._text(piece.text)

    def _thought(self, text: str) -> Iterator[Event]:
        if self._reasoning != ("plain",):
            self._reasoning, self._calling = ("plain",), False
            yield ReasoningBegun()
        yield ReasoningDelta(text)

    def _detail(self, detail: _Detail) -> Iterator[Event]:
        kind = _KINDS.get(detail.type)
        if kind is None:
            return
        maker = "" if detail.format in {None, "unknown"} else detail.format or ""
        piece = (kind, detail.index, detail.id)
        if self._reasoning != piece:
            self._reasoning, self._calling = piece, False
            yield ReasoningBegun(kind, maker, detail.id or "")
        if text := detail.text or detail.summary or detail.data:
            yield ReasoningDelta(text)
        if detail.signature:
            yield ReasoningSigned(detail.signature, maker)

    def _tool_call(self, call: _Call) -> Iterator[Event]:
        function = call.function or _Function()
        index = call.index
        if index is None:
            # Without an index, as in a whole reply, each that is named is a call of its own.
            new = bool(call.id or function.name)
        else:
            new = self._call is None or index > self._call
        if new or not self._calls:
            self._call = index
            yield ToolBegun(call.id or made_up_id(self._id, self._calls), function.name or "")
            self._calls += 1
            self._reasoning, self._calling = (), True
        elif index != self._call or not self._calling:
            # The arguments of one call come in a row, with nothing between them.
            yield Failed(MALFORMED)
            return
        if function.arguments:
            yield ToolDelta(function.arguments)


def _citation(source: _Source) -> Citation:
    return Citation(
        source.url,
        source.title or "",
        source.start_index or 0,
        source.end_index or 0,
        source.content or "",
    )
