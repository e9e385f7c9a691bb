"""OpenAI's chat completions, written: an answer as a client of that interface expects it."""

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
from tokonomi.dialects.conversation import Reasoning, Refusal, Text, ToolCall
from tokonomi.dialects.openai_chat.write_request import annotation, annotations, detail
from tokonomi.dialects.openai_errors import write as error_object
from tokonomi.dialects.sse import data_event, encode
from tokonomi.usage import Usage

Json = dict[str, object]
FINISH_REASONS: Final[Mapping[Finish, str]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "filtered": "content_filter",
    "context_full": "length",
    "paused": "stop",
}
_DONE: Final = b"data: [DONE]\n\n"


def usage_fields(usage: Usage) -> Json:
    """Usage in the fields of chat completions, whose input includes what was cached."""
    return {
        "prompt_tokens": usage.total_input,
        "completion_tokens": usage.total_output,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read + usage.cache_read_audio,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
            "audio_tokens": usage.audio_in + usage.cache_read_audio,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.audio_out,
        },
    }


def write_whole(answer: Answer, usage: Usage | None, head: Head) -> bytes:
    """The body of a whole answer."""
    started = head.named(Started(answer.id, answer.model, answer.created))
    choice: Json = {
        "index": 0,
        "message": _message(answer),
        "logprobs": None,
        "finish_reason": FINISH_REASONS[answer.finish or "stop"],
    }
    body: Json = {
        "id": started.id,
        "object": "chat.completion",
        "created": started.created,
        "model": started.model,
        "choices": [choice],
    }
    if usage is not None:
        body["usage"] = usage_fields(usage)
    return encode(body)


def write_error(failure: Failure) -> bytes:
    """The body of an answer that is an error."""
    return encode(error_object(failure))


def _message(answer: Answer) -> Json:
    texts = [part for part in answer.parts if isinstance(part, Text)]
    refusals = [part.text for part in answer.parts if isinstance(part, Refusal)]
    pieces = [part for part in answer.parts if isinstance(part, Reasoning)]
    calls = [part for part in answer.parts if isinstance(part, ToolCall)]
    message: Json = {
        "role": "assistant",
        "content": "".join(text.text for text in texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    if sources := annotations(texts):
        message["annotations"] = sources
    if pieces:
        readable = "".join(piece.text for piece in pieces if piece.kind != "encrypted")
        message["reasoning"] = readable or None
        message["reasoning_details"] = [detail(each, i) for i, each in enumerate(pieces)]
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
    return message


class ChatWriter:
    """One answer being written as chunks."""

    __slots__ = ("_calls", "_end", "_head", "_length", "_pieces", "_reasoning", "_start", "_text")

    def __init__(self, head: Head) -> None:
        self._head = head
        self._start = b""
        self._end: Finish = "stop"
        self._calls = -1
        self._pieces = -1
        self._reasoning = ReasoningBegun()
        self._length = 0
        self._text = 0

    def write(self, event: Event) -> bytes:
        """What goes to the client for one event; see `Writer.write`."""
        match event:
            case TextDelta(text=text):
                self._length += len(text)
                return b"%b%b%b" % (self._begin(), self._start, _delta_text(text))
            case Started():
                return self._begin(event)
            case Finished(reason=reason):
                self._end = reason
                return b""
            case TextBegun():
                self._text = self._length
                return b""
            case Failed(failure=failure):
                return self.fail(failure)
            case _:
                return self._begin() + self._chunk(self._delta(event))

    def finish(self, usage: Usage | None) -> bytes:
        """The last chunks; see `Writer.finish`."""
        last = self._begin() + self._chunk({}, FINISH_REASONS[self._end])
        if usage is not None and self._head.wants_usage:
            tail = b'[],"usage":' + encode(usage_fields(usage)) + b"}\n\n"
            last += self._start.removesuffix(_CHOICE) + tail
        return last + _DONE

    def fail(self, failure: Failure) -> bytes:
        """The error as an event, on which clients raise; see `Writer.fail`."""
        return data_event(error_object(failure))

    def _begin(self, started: Started | None = None) -> bytes:
        """The first chunk, once; it tells the role."""
        if self._start:
            return b""
        named = self._head.named(started or Started())
        head = {
            "id": named.id,
            "object": "chat.completion.chunk",
            "created": named.created,
            "model": named.model,
        }
        self._start = b"data: " + encode(head)[:-1] + b',"choices":' + _CHOICE
        return self._chunk({"role": "assistant", "content": ""})

    def _chunk(self, delta: Json, finish: str | None = None) -> bytes:
        return self._start + encode(delta) + b',"finish_reason":' + encode(finish) + b"}]}\n\n"

    def _delta(self, event: Event) -> Json:  # noqa: PLR0911 - one case for each event
        match event:
            case RefusalDelta(text=text):
                return {"refusal": text}
            case ToolBegun(id=name, name=tool):
                self._calls += 1
                function: Json = {"name": tool, "arguments": ""}
                return _call(self._calls, id=name, type="function", function=function)
            case ToolDelta(arguments=arguments):
                return _call(self._calls, function={"arguments": arguments})
            case ReasoningBegun():
                self._pieces += 1
                self._reasoning = event
                return {"reasoning_details": [self._detail("")]}
            case ReasoningDelta(text=text):
                readable: Json = {} if self._reasoning.kind == "encrypted" else {"reasoning": text}
                return {**readable, "reasoning_details": [self._detail(text)]}
            case ReasoningSigned(signature=signature, maker=maker):
                return {"reasoning_details": [self._detail("", signature, maker)]}
            case _:
                assert isinstance(event, Cited), "all other events are written apart"
                return {"annotations": [annotation(event.citation, self._text)]}

    def _detail(self, text: str, signature: str = "", maker: str = "") -> Json:
        begun = self._reasoning
        piece = Reasoning(begun.kind, text, signature, maker or begun.maker, begun.id)
        return detail(piece, self._pieces)


_CHOICE: Final = b'[{"index":0,"delta":'


def _delta_text(text: str) -> bytes:
    return b'{"content":%b},"finish_reason":null}]}\n\n' % encode(text)


def _call(index: int, **fields: object) -> Json:
    return {"tool_calls": [{"index": index, **fields}]}
