"""Anthropic's messages, written: an answer as a client of that interface expects it."""

from collections.abc import Mapping
from typing import Final

from tokonomi.dialects.answer import (
    Answer,
    Cited,
    Event,
    Failed,
    Failure,
    Finish,
    Finished,
    Head,
    ReasoningBegun,
    ReasoningDelta,
    ReasoningSigned,
    RefusalDelta,
    Started,
    TextBegun,
    TextDelta,
    ToolBegun,
    ToolDelta,
)
from tokonomi.dialects.anthropic_messages.errors import write as error_object
from tokonomi.dialects.anthropic_messages.write_request import citation
from tokonomi.dialects.conversation import Part, Reasoning, Refusal, Text, ToolCall
from tokonomi.dialects.reasoning import ANTHROPIC, seal
from tokonomi.dialects.sse import encode, named_event
from tokonomi.dialects.tool_arguments import arguments_of
from tokonomi.usage import Usage

Json = dict[str, object]
STOP_REASONS: Final[Mapping[Finish, str]] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "filtered": "refusal",
    "context_full": "model_context_window_exceeded",
    "paused": "pause_turn",
}


def usage_fields(usage: Usage | None) -> Json:
    """Usage in the fields of messages, whose input excludes what was cached.

    Clients cannot do without the two main counts, so an unknown usage is shown as 0 here; what it
    costs is never taken from these fields.
    """
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    written: Json = {
        "input_tokens": usage.uncached_input + usage.audio_in + usage.image_in,
        "cache_read_input_tokens": usage.cache_read + usage.cache_read_audio,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.total_output,
    }
    if usage.reasoning:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.searches:
        searches = {"web_search_requests": usage.searches, "web_fetch_requests": 0}
        written["server_tool_use"] = searches
    return written


def write_whole(answer: Answer, usage: Usage | None, head: Head) -> bytes:
    """The body of a whole answer.

    Raises:
        CannotCarry: the model called a tool with arguments that are no JSON object.
    """
    refused = any(isinstance(part, Refusal) for part in answer.parts)
    body = _message(head.named(Started(answer.id, answer.model, answer.created)))
    body["content"] = [_block(part) for part in answer.parts]
    body |= _end(answer.finish or "stop", answer.stop_sequence, refused=refused)
    body["usage"] = usage_fields(usage)
    return encode(body)


def write_error(failure: Failure) -> bytes:
    """The body of an answer that is an error."""
    return encode(error_object(failure))


def _message(started: Started) -> Json:
    return {
        "id": started.id,
        "type": "message",
        "role": "assistant",
        "model": started.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _end(finish: Finish, sequence: str, *, refused: bool) -> Json:
    reason = "refusal" if refused and finish == "stop" else STOP_REASONS[finish]
    return {"stop_reason": reason, "stop_sequence": sequence or None}


def _block(part: Part) -> Json:
    match part:
        case Text(text=text, citations=citations):
            sources = [citation(each) for each in citations] or None
            return {"type": "text", "text": text, "citations": sources}
        case Reasoning(kind="encrypted"):
            return {"type": "redacted_thinking", "data": seal(part, ANTHROPIC)}
        case Reasoning(text=text):
            return {"type": "thinking", "thinking": text, "signature": seal(part, ANTHROPIC)}
        case ToolCall(id=name, name=tool):
            arguments = arguments_of(part, "content")
            return {"type": "tool_use", "id": name, "name": tool, "input": arguments}
        case Refusal(text=text):
            return {"type": "text", "text": text, "citations": None}
        case _:
            raise AssertionError(f"{type(part).__name__} is no part of an answer")


class MessagesWriter:
    """One answer being written as Anthropic streams it: blocks one after the other."""

    __slots__ = ("_begun", "_end", "_head", "_index", "_open", "_pieces", "_refused", "_signed")

    def __init__(self, head: Head) -> None:
        self._head = head
        self._begun = False
        self._index = -1
        self._open: Event | None = None
        self._pieces: list[str] = []
        self._signed = ReasoningSigned("")
        self._end = Finished("stop")
        self._refused = False

    def write(self, event: Event) -> bytes:  # noqa: C901, PLR0911 - one case for each event
        """What goes to the client for one event; see `Writer.write`."""
        match event:
            case TextDelta(text=text):
                opened = self._text_block(TextBegun())
                return opened + self._delta(b'"text_delta","text":', text)
            case ToolDelta(arguments=text):
                return self._delta(b'"input_json_delta","partial_json":', text)
            case ReasoningDelta(text=text):
                return self._thought(text)
            case Started():
                return self._begin(event)
            case TextBegun() | ToolBegun() | ReasoningBegun():
                return self._block(event)
            case RefusalDelta(text=text):
                self._refused = True
                opened = self._text_block(event)
                return opened + self._delta(b'"text_delta","text":', text)
            case Cited(citation=source):
                return self._cited(citation(source))
            case ReasoningSigned():
                self._signed = event
                return b""
            case Finished():
                self._end = event
                return b""
            case Failed(failure=failure):
                return self.fail(failure)

    def finish(self, usage: Usage | None) -> bytes:
        """The last events; see `Writer.finish`."""
        end = _end(self._end.reason, self._end.stop_sequence, refused=self._refused)
        last: Json = {"type": "message_delta", "delta": end, "usage": usage_fields(usage)}
        closed = self._begin() + self._close()
        return closed + named_event(last) + named_event({"type": "message_stop"})

    def fail(self, failure: Failure) -> bytes:
        """The error as an event, on which clients raise; see `Writer.fail`."""
        return named_event(error_object(failure))

    def _begin(self, started: Started | None = None) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message = _message(self._head.named(started or Started()))
        message["usage"] = usage_fields(None)
        return named_event({"type": "message_start", "message": message})

    def _text_block(self, begun: TextBegun | RefusalDelta) -> bytes:
        """Opens a block for text, unless the last one is of the same kind."""
        return b"" if type(self._open) is type(begun) else self._block(begun)

    def _block(self, begun: TextBegun | RefusalDelta | ToolBegun | ReasoningBegun) -> bytes:
        before = self._begin() + self._close()
        self._open = begun
        self._index += 1
        if isinstance(begun, ReasoningBegun) and begun.kind == "encrypted":
            # This kind has no increments: the block comes whole, at its end.
            return before
        return before + self._start(_first(begun))

    def _start(self, block: Json) -> bytes:
        start: Json = {"type": "content_block_start", "index": self._index}
        return named_event({**start, "content_block": block})

    def _delta(self, kind: bytes, text: str) -> bytes:
        return (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
            b'"delta":{"type":%b%b}}\n\n' % (self._index, kind, encode(text))
        )

    def _thought(self, text: str) -> bytes:
        if isinstance(self._open, ReasoningBegun) and self._open.kind == "encrypted":
            self._pieces.append(text)
            return b""
        return self._delta(b'"thinking_delta","thinking":', text)

    def _cited(self, source: Json) -> bytes:
        """A source of the open text; one that comes after its text was closed gets its own."""
        opened = b""
        if not isinstance(self._open, TextBegun):
            # A text must not be empty, or the next turn is refused: it names the source.
            opened = self.write(TextDelta(str(source["url"])))
        event: Json = {"type": "content_block_delta", "index": self._index}
        return opened + named_event(
            {**event, "delta": {"type": "citations_delta", "citation": source}}
        )

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        last = self._sealed(self._open) if isinstance(self._open, ReasoningBegun) else b""
        self._open = None
        return last + named_event({"type": "content_block_stop", "index": self._index})

    def _sealed(self, begun: ReasoningBegun) -> bytes:
        signed, data = self._signed, "".join(self._pieces)
        self._signed, self._pieces = ReasoningSigned(""), []
        maker = signed.maker or begun.maker
        proof = seal(Reasoning(begun.kind, data, signed.signature, maker, begun.id), ANTHROPIC)
        if begun.kind == "encrypted":
            return self._start({"type": "redacted_thinking", "data": proof})
        return self._delta(b'"signature_delta","signature":', proof) if proof else b""


def _first(begun: TextBegun | RefusalDelta | ToolBegun | ReasoningBegun) -> Json:
    """A block as it begins, empty."""
    match begun:
        case TextBegun() | RefusalDelta():
            return {"type": "text", "text": "", "citations": None}
        case ToolBegun(id=name, name=tool):
            return {"type": "tool_use", "id": name, "name": tool, "input": {}}
        case ReasoningBegun():
            return {"type": "thinking", "thinking": "", "signature": ""}
