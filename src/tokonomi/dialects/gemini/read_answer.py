"""Gemini's generateContent, read: a reply, as streams are made of too, becomes events."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from tokonomi.dialects.answer import (
    Cited,
    Event,
    Failed,
    Failure,
    Finish,
    Finished,
    ReasoningBegun,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolBegun,
    ToolDelta,
    made_up_id,
)
from tokonomi.dialects.conversation import Citation
from tokonomi.dialects.gemini import errors
from tokonomi.dialects.reasoning import GOOGLE

FINISHES: Final[Mapping[str, Finish]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "filtered",
    "RECITATION": "filtered",
    "LANGUAGE": "filtered",
    "BLOCKLIST": "filtered",
    "PROHIBITED_CONTENT": "filtered",
    "SPII": "filtered",
    "IMAGE_SAFETY": "filtered",
    "MODEL_ARMOR": "filtered",
}
"""The other reasons say that the answer is no good, and are errors."""


class _Call(msgspec.Struct):
    name: str = ""
    id: str | None = None
    args: msgspec.Raw = msgspec.Raw(b"{}")


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Call | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Web(msgspec.Struct):
    uri: str | None = None
    title: str | None = None


class _Source(msgspec.Struct):
    web: _Web | None = None


class _Segment(msgspec.Struct, rename="camel"):
    start_index: int | None = None
    end_index: int | None = None


class _Support(msgspec.Struct, rename="camel"):
    segment: _Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class _Grounding(msgspec.Struct, rename="camel"):
    grounding_chunks: list[_Source] | None = None
    grounding_supports: list[_Support] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    grounding_metadata: _Grounding | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Reply(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    model_version: str | None = None
    response_id: str | None = None
    prompt_feedback: _Feedback | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_decode: Final = msgspec.json.Decoder(_Reply).decode


class GeminiReader:
    """One answer being read. Indexes of sources count bytes of its text, so the text is kept."""

    __slots__ = ("_calls", "_id", "_signatures", "_started", "_text", "_thinking")

    def __init__(self) -> None:
        self._started = False
        self._id = ""
        self._calls = 0
        self._thinking = False
        self._text: list[str] = []
        self._signatures: list[str] = []

    def feed(self, data: bytes) -> Sequence[Event]:
        """What one event of the stream says; see `Reader.feed`."""
        return [*self._read(_decode(data))]

    def whole(self, body: bytes) -> Sequence[Event]:
        """What a whole reply says; see `Reader.whole`."""
        return [*self._read(_decode(body))]

    def _read(self, reply: _Reply) -> Iterator[Event]:
        if not self._started:
            self._started = True
            self._id = reply.response_id or ""
            yield Started(self._id, reply.model_version or "")
        for candidate in (reply.candidates or ())[:1]:
            for part in (candidate.content and candidate.content.parts) or ():
                yield from self._part(part)
            if candidate.grounding_metadata is not None:
                yield from self._sources(candidate.grounding_metadata)
            if candidate.finish_reason:
                # Those of texts wait for the end, so that no text is torn by its signature.
                self._thinking = False
                for signature in self._signatures:
                    yield from _signature(signature, "")
                yield self._end(candidate.finish_reason, candidate.finish_message)
        if reply.prompt_feedback is not None and reply.prompt_feedback.block_reason:
            yield Finished("filtered")
        if bytes(reply.error) != b"null":
            yield Failed(errors.failure_of(reply.error))

    def _end(self, reason: str, message: str | None) -> Event:
        finish = FINISHES.get(reason)
        if finish is None:
            text = f"Gemini broke off with {reason[:60]}. {message or ''}".rstrip()
            return Failed(Failure(502, "server", text, reason.lower()[:60]))
        # A call ends with STOP, as a text does.
        return Finished("tool_calls" if finish == "stop" and self._calls else finish)

    def _part(self, part: _Part) -> Iterator[Event]:
        call = part.function_call
        if call is not None:
            name = call.id or made_up_id(self._id, self._calls)
            if part.thought_signature:
                yield from _signature(part.thought_signature, name)
            self._calls += 1
            yield ToolBegun(name, call.name)
            if bytes(call.args) not in {b"{}", b"null"}:
                yield ToolDelta(bytes(call.args).decode())
            self._thinking = False
            return
        if part.thought_signature:
            self._signatures.append(part.thought_signature)
        if part.thought:
            if not self._thinking:
                self._thinking = True
                yield ReasoningBegun("summary", GOOGLE)
            if part.text:
                yield ReasoningDelta(part.text)
        elif part.text:
            self._thinking = False
            self._text.append(part.text)
            yield TextDelta(part.text)

    def _sources(self, grounding: _Grounding) -> Iterator[Event]:
        sources = [source.web for source in grounding.grounding_chunks or ()]
        text = "".join(self._text).encode(errors="surrogatepass")
        for support in grounding.grounding_supports or ():
            segment = support.segment or _Segment()
            start, end = segment.start_index or 0, segment.end_index or 0
            for index in support.grounding_chunk_indices or ():
                web = sources[index] if 0 <= index < len(sources) else None
                if web is not None and web.uri:
                    place = _characters(text, start), _characters(text, end)
                    yield Cited(Citation(web.uri, web.title or "", *place))


def _signature(signature: str, call: str) -> Iterator[Event]:
    """A signature as a piece of reasoning of its own, which names the call that it belongs to."""
    yield ReasoningBegun("encrypted", GOOGLE, call)
    yield ReasoningDelta(signature)


def _characters(text: bytes, count: int) -> int:
    """How many characters the first bytes of a text are."""
    return len(text[: max(count, 0)].decode(errors="ignore"))
