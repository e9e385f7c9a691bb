"""What providers of each dialect say on the wire: answers, errors, and the same gone wrong."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fake_provider import STALL, STREAM_END, STREAM_HEAD, Answer, Hangup, Received, chunked, whole

PIECES: Final = ("Selamat", " pagi", ", dunia", ".")
TEXT: Final = "".join(PIECES)
HALF: Final = PIECES[:2]
INPUT: Final = 20
OUTPUT: Final = 7
MODEL: Final = "m"
Json = dict[str, Any]


@dataclass(frozen=True)
class Wire:
    """How one dialect is written by a provider.

    Attributes:
        usage: the counts of an answer, from tokens in and out, each a number or something odd.
        reply: a whole answer, from its text, how it ended, and its usage or None.
        events: the events of a stream, from its pieces, how it ended, and its usage or None; a
            None stands where the text is whole.
        error: the body of an error, from its status, a code and a message.
        finishes: the dialect's words for "stop" and "filtered".
        overflow: the code and the message of a prompt that is too long.
        named: whether events are named by their `type`.
    """

    usage: Callable[[Any, Any], Json]
    reply: Callable[[str, str, Json | None], Json]
    events: Callable[[tuple[str, ...], str, Json | None], Iterator[Json | str | None]]
    error: Callable[[int, str, str], Json]
    finishes: Mapping[str, str]
    overflow: tuple[str, str]
    named: bool = False


def _chat_reply(text: str, finish: str, usage: Json | None) -> Json:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text or None},
        "finish_reason": finish,
    }
    reply: Json = {"id": "c1", "object": "chat.completion", "created": 1, "model": MODEL}
    return {**reply, "choices": [choice], **_unless_none(usage)}


def _chat_events(
    pieces: tuple[str, ...], finish: str, usage: Json | None
) -> Iterator[Json | str | None]:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    for delta in [{"role": "assistant", "content": ""}, *({"content": it} for it in pieces)]:
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield None
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    if usage is not None:
        yield {**head, "choices": [], "usage": usage}
    yield "[DONE]"


def _messages_reply(text: str, finish: str, usage: Json | None) -> Json:
    content = [{"type": "text", "text": text}] if text else []
    reply: Json = {"id": "m1", "type": "message", "role": "assistant", "model": MODEL}
    ended = {"stop_reason": finish, "stop_sequence": None}
    return {**reply, "content": content, **ended, **_unless_none(usage)}


def _messages_events(
    pieces: tuple[str, ...], finish: str, usage: Json | None
) -> Iterator[Json | str | None]:
    known = None if usage is None else {**usage, "output_tokens": 1}
    message = _messages_reply("", finish, known) | {"stop_reason": None}
    yield {"type": "message_start", "message": message}
    if pieces:
        block = {"type": "text", "text": ""}
        yield {"type": "content_block_start", "index": 0, "content_block": block}
        for piece in pieces:
            delta = {"type": "text_delta", "text": piece}
            yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield None
    if pieces:
        yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": finish}, **_unless_none(usage)}
    yield {"type": "message_stop"}


def _response(text: str, finish: str, usage: Json | None) -> Json:
    part: Json = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": "i1", "status": "completed", "role": "assistant"}
    filtered = finish == "content_filter"
    return {
        "id": "r1",
        "object": "response",
        "created_at": 1,
        "model": MODEL,
        "status": "incomplete" if filtered else "completed",
        "incomplete_details": {"reason": finish} if filtered else None,
        "output": [{**item, "content": [part]}] if text else [],
        **_unless_none(usage),
    }


def _response_events(
    pieces: tuple[str, ...], finish: str, usage: Json | None
) -> Iterator[Json | str | None]:
    final = _response("".join(pieces), finish, usage)
    begun: Json = {"status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": {**final, **begun}}
    if pieces:
        item = {"type": "message", "id": "i1", "status": "in_progress", "role": "assistant"}
        where = {"item_id": "i1", "output_index": 0, "content_index": 0}
        added: Json = {"output_index": 0, "item": {**item, "content": []}}
        yield {"type": "response.output_item.added", **added}
        part: Json = {"type": "output_text", "text": "", "annotations": []}
        yield {"type": "response.content_part.added", **where, "part": part}
        for piece in pieces:
            yield {"type": "response.output_text.delta", **where, "delta": piece}
    yield None
    if pieces:
        yield {"type": "response.output_item.done", "output_index": 0, "item": final["output"][0]}
    yield {"type": f"response.{final['status']}", "response": final}


def _gemini_reply(text: str, finish: str, usage: Json | None) -> Json:
    parts = [{"text": text}] if text else []
    candidate: Json = {"content": {"role": "model", "parts": parts}, "finishReason": finish}
    known = {} if usage is None else {"usageMetadata": usage}
    return {"candidates": [candidate], "modelVersion": MODEL, "responseId": "g1", **known}


def _gemini_events(
    pieces: tuple[str, ...], finish: str, usage: Json | None
) -> Iterator[Json | str | None]:
    for piece in pieces:
        reply = _gemini_reply(piece, "", None)
        del reply["candidates"][0]["finishReason"]
        yield reply
    yield None
    yield _gemini_reply("", finish, usage)


def _unless_none(usage: Json | None) -> Json:
    return {} if usage is None else {"usage": usage}


def _openai_error(_: int, code: str, message: str) -> Json:
    return {"error": {"message": message, "type": "some_error", "code": code}}


_TOO_LONG: Final = (
    "context_length_exceeded",
    "This model's maximum context length is 8 tokens.",
)
CHAT: Final = Wire(
    usage=lambda read, written: {"prompt_tokens": read, "completion_tokens": written},
    reply=_chat_reply,
    events=_chat_events,
    error=_openai_error,
    finishes={"stop": "stop", "filtered": "content_filter"},
    overflow=_TOO_LONG,
)
RESPONSES: Final = Wire(
    usage=lambda read, written: {"input_tokens": read, "output_tokens": written},
    reply=_response,
    events=_response_events,
    error=_openai_error,
    finishes={"stop": "stop", "filtered": "content_filter"},
    overflow=_TOO_LONG,
    named=True,
)
MESSAGES: Final = Wire(
    usage=lambda read, written: {"input_tokens": read, "output_tokens": written},
    reply=_messages_reply,
    events=_messages_events,
    error=lambda _, code, message: {"type": "error", "error": {"type": code, "message": message}},
    finishes={"stop": "end_turn", "filtered": "refusal"},
    overflow=("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
    named=True,
)
GEMINI: Final = Wire(
    usage=lambda read, written: {"promptTokenCount": read, "candidatesTokenCount": written},
    reply=_gemini_reply,
    events=_gemini_events,
    error=lambda status, code, message: {
        "error": {"code": status, "message": message, "status": code.upper()}
    },
    finishes={"stop": "STOP", "filtered": "SAFETY"},
    overflow=(
        "INVALID_ARGUMENT",
        "The input token count (9) exceeds the maximum number of tokens allowed (8).",
    ),
)


@dataclass(frozen=True)
class Asking:
    """A request as a provider sees it: the dialect that it came in, and whether it streams."""

    wire: Wire
    stream: bool

    @classmethod
    def of(cls, request: Received) -> "Asking":
        path, _, _ = request.path.partition("?")
        if ":" in path:
            return cls(GEMINI, path.endswith(":streamGenerateContent"))
        wires = {"completions": CHAT, "responses": RESPONSES, "messages": MESSAGES}
        return cls(wires[path.rpartition("/")[2]], bool(request.fields.get("stream")))


@dataclass(frozen=True)
class Says:
    """An answer of a provider, right or wrong.

    Attributes:
        pieces: the text.
        finish: `stop` or `filtered`.
        counts: tokens in and out, as the provider says them; None for no usage.
        twice: whether the usage came before with other figures.
        then: what happens behind the pieces: `end`, `cut`, `stall`, `error` or `early`.
    """

    pieces: tuple[str, ...] = PIECES
    finish: str = "stop"
    counts: tuple[Any, Any] | None = (INPUT, OUTPUT)
    twice: bool = False
    then: str = "end"

    async def __call__(self, request: Received) -> Answer:
        asking = Asking.of(request)
        wire = asking.wire
        usage = None if self.counts is None else wire.usage(*self.counts)
        finish = wire.finishes[self.finish]
        if not asking.stream:
            for part in self._whole(wire, finish, usage):
                yield part
            if self.then == "stall":
                yield STALL
            if self.then == "cut":
                raise Hangup
            return
        yield STREAM_HEAD
        for said in self._events(wire, finish, usage):
            yield chunked(written(wire, said))
        if self.then == "cut":
            raise Hangup
        if self.then == "stall":
            yield STALL
        if self.then == "error":
            yield chunked(written(wire, _in_stream(wire)))
        yield STREAM_END

    def _whole(self, wire: Wire, finish: str, usage: Json | None) -> Iterator[bytes]:
        if self.then == "error":
            yield whole(200, json.dumps(wire.error(503, "overloaded_error", "overloaded")).encode())
            return
        body = whole(200, json.dumps(wire.reply("".join(self.pieces), finish, usage)).encode())
        yield body if self.then == "end" else body[:-20]

    def _events(self, wire: Wire, finish: str, usage: Json | None) -> Iterator[Json | str]:
        for number, said in enumerate(wire.events(self.pieces, finish, usage)):
            if said is None:
                if self.then != "end":
                    return
            elif self.twice and not number:
                assert isinstance(said, dict), "a stream begins with an object"
                yield _with_usage(wire, said)
            else:
                yield said


def _with_usage(wire: Wire, first: Json) -> Json:
    """The first event of a stream with a usage of its own, which a later one replaces."""
    key = "usageMetadata" if wire is GEMINI else "usage"
    early = {key: wire.usage(INPUT, 1)}
    for inner in ("message", "response"):
        if inner in first:
            return {**first, inner: {**first[inner], **early}}
    return {**first, **early}


def _in_stream(wire: Wire) -> Json:
    error = wire.error(503, "overloaded_error", "overloaded")
    if wire is RESPONSES:
        return {"type": "error", "code": "server_error", "message": "overloaded", "param": None}
    return error


def written(wire: Wire, said: Json | str) -> bytes:
    """An event as it stands in a stream."""
    name = b""
    if wire.named and isinstance(said, dict):
        name = b"event: " + str(said["type"]).encode() + b"\n"
    text = said if isinstance(said, str) else json.dumps(said)
    return name + b"data: " + text.encode() + b"\n\n"


def refuses(status: int, more: str = "") -> Callable[[Received], Answer]:
    """An error with this status, in the dialect of the request."""

    async def answer(request: Received) -> Answer:
        body = Asking.of(request).wire.error(status, f"code_{status}", f"a failure, {status}")
        yield whole(status, json.dumps(body).encode(), more=more)

    return answer


async def overflows(request: Received) -> Answer:
    """The prompt is too long, in the provider's words."""
    wire = Asking.of(request).wire
    yield whole(400, json.dumps(wire.error(400, *wire.overflow)).encode())


async def babbles_html(request: Received) -> Answer:
    """What is no answer of any dialect, with a status of success."""
    page = b"<html>a page of somebody else</html>"
    if not Asking.of(request).stream:
        yield whole(200, page, kind="text/html")
        return
    yield STREAM_HEAD
    yield chunked(b"data: " + page + b"\n\n")
    yield STREAM_END
