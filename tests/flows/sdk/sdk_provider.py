"""A provider for both SDKs on a real socket: beside chat it speaks responses and messages."""

import asyncio
import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

from fake_provider import (
    BEHAVIOURS,
    SERVED,
    STALL,
    STREAM_END,
    STREAM_HEAD,
    USAGE,
    Answer,
    FakeProvider,
    Received,
    chunked,
    completion,
    event,
    refusing,
    whole,
)

CLAUDE = "claude-sonnet-4-5-20250929"
MESSAGE_USAGE = {"input_tokens": 30, "output_tokens": 9, "cache_read_input_tokens": 100}
RESPONSE_USAGE = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 8,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 20,
}
ANSWER = '{"city":"Bandung"}'


class SdkProvider(FakeProvider):
    """Behaves as the model's name says, else as the path does."""

    async def _answer(
        self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        model = str(json.loads(request.body or b"{}").get("model", "")).partition(":")[0]
        behaviour = OWN.get(model) or BY_PATH.get(request.path.rpartition("/")[2].partition("?")[0])
        if behaviour is None or model in BEHAVIOURS.keys() - {SERVED, "gpt-4o-mini"}:
            await super()._answer(request, reader, writer)
            return
        self.received.append(request)
        async for data in behaviour(request):
            if data is STALL:
                await reader.read(1)
                self.hangups += 1
                return
            writer.write(data)
            await writer.drain()


def _chat(message: Mapping[str, Any], finish: str = "stop") -> bytes:
    reply = json.loads(completion(USAGE))
    reply["choices"] = [{"index": 0, "message": message, "finish_reason": finish}]
    return whole(200, json.dumps(reply).encode())


async def structured(_request: Received) -> Answer:
    yield _chat({"role": "assistant", "content": ANSWER})


async def calls_a_tool(_request: Received) -> Answer:
    function = {"name": "weather", "arguments": ANSWER}
    call = {"id": "call_1", "type": "function", "function": function}
    yield _chat({"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls")


async def packed(request: Received) -> Answer:
    """Answers under a content encoding, as providers do when the client takes it."""
    assert "gzip" in request.headers["accept-encoding"]
    body = gzip.compress(completion(USAGE))
    yield whole(200, body, more="content-encoding: gzip\r\n")


async def packed_stream(_request: Received) -> Answer:
    chunks = [event(json.loads(completion(None))), b"data: [DONE]\n\n"]
    yield STREAM_HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n")
    yield chunked(gzip.compress(b"".join(chunks)))
    yield STREAM_END


def _message(**more: object) -> dict[str, Any]:
    text = {"type": "text", "text": ANSWER}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": CLAUDE,
        "content": [text],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": MESSAGE_USAGE,
        **more,
    }


def _named(name: str, **fields: object) -> bytes:
    return chunked(f"event: {name}\n".encode() + event({"type": name, **fields}))


async def _begun_message() -> Answer:
    start = _message(content=[], stop_reason=None, usage={**MESSAGE_USAGE, "output_tokens": 1})
    yield STREAM_HEAD
    yield _named("message_start", message=start)
    block = {"type": "text", "text": ""}
    yield _named("content_block_start", index=0, content_block=block)
    for piece in ('{"city":', '"Bandung"}'):
        delta = {"type": "text_delta", "text": piece}
        yield _named("content_block_delta", index=0, delta=delta)


async def messages(request: Received) -> Answer:
    if not request.fields.get("stream"):
        yield whole(200, json.dumps(_message()).encode())
        return
    async for part in _begun_message():
        yield part
    yield _named("content_block_stop", index=0)
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _named("message_delta", delta=end, usage={"output_tokens": 9})
    yield _named("message_stop")
    yield STREAM_END


async def stalled_message(_request: Received) -> Answer:
    async for part in _begun_message():
        yield part
    yield STALL


async def overloaded_message(_request: Received) -> Answer:
    async for part in _begun_message():
        yield part
    error = {"type": "overloaded_error", "message": "busy"}
    yield _named("error", error=error)
    yield STREAM_END


def _response(**more: object) -> dict[str, Any]:
    text: dict[str, Any] = {"type": "output_text", "text": ANSWER, "annotations": []}
    item: dict[str, Any] = {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": SERVED,
        "status": "completed",
        "error": None,
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSE_USAGE,
        **more,
    }


async def responses(request: Received) -> Answer:
    if request.fields.get("background"):
        queued = _response(status="queued", output=[], usage=None)
        yield whole(200, json.dumps(queued).encode())
        return
    if not request.fields.get("stream"):
        yield whole(200, json.dumps(_response()).encode())
        return
    yield STREAM_HEAD
    begun = _response(status="in_progress", output=[], usage=None)
    item: dict[str, Any] = {**_response()["output"][0], "content": [], "status": "in_progress"}
    part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": []}
    at = {"item_id": "m1", "output_index": 0, "content_index": 0}
    yield _named("response.created", response=begun, sequence_number=0)
    yield _named("response.output_item.added", item=item, output_index=0, sequence_number=1)
    yield _named("response.content_part.added", part=part, sequence_number=2, **at)
    yield _named("response.output_text.delta", delta=ANSWER, sequence_number=3, logprobs=[], **at)
    yield _named("response.completed", response=_response(), sequence_number=4)
    yield STREAM_END


async def old_completions(_request: Received) -> Answer:
    choice = {"index": 0, "text": "Hello", "finish_reason": "stop", "logprobs": None}
    reply = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": SERVED}
    yield whole(200, json.dumps({**reply, "choices": [choice], "usage": USAGE}).encode())


async def images(_request: Received) -> Answer:
    yield whole(200, json.dumps({"created": 1, "data": [{"b64_json": "AAAA"}]}).encode())


async def tokens(_request: Received) -> Answer:
    yield whole(200, b'{"input_tokens": 30}')


BY_PATH: Mapping[str, Callable[[Received], Answer]] = {
    "messages": messages,
    "responses": responses,
    "generations": images,
    "count_tokens": tokens,
}
OWN: Mapping[str, Callable[[Received], Answer]] = {
    "structured": structured,
    "calls-a-tool": calls_a_tool,
    "packed": packed,
    "packed-stream": packed_stream,
    "old-completions": old_completions,
    "refuses-401": refusing(401),
    "refuses-soon": refusing(429, "retry-after-ms: 1\r\n"),
    "stalled-message": stalled_message,
    "overloaded-message": overloaded_message,
}
