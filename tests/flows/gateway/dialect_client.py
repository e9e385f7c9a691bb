"""A client of any dialect on a bare socket: it reads answers as they stand on the wire."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Final

QUESTION: Final = "Say hello."
PATHS: Final = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
}


@dataclass
class Told:
    """What a client was told: the status, the text, whether it was ended well, or an error."""

    status: int
    request_id: str
    text: str = ""
    ended: bool = False
    error: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


async def asked(
    url: str, key: str, ingress: str, alias: str, *, stream: bool, **more: object
) -> Told:
    """What a client is told that asks `QUESTION` in the dialect `ingress`, with `more` fields."""
    turns = "input" if ingress == "responses" else "messages"
    limit = "max_output_tokens" if ingress == "responses" else "max_tokens"
    question = {turns: [{"role": "user", "content": QUESTION}], limit: 30}
    body = json.dumps({"model": alias, "stream": stream, **question, **more}).encode()
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {PATHS[ingress]} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    async with asyncio.timeout(20):
        raw_head, _, raw = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    lines = raw_head.decode().lower().splitlines()
    fields = dict(line.split(": ", 1) for line in lines[1:])
    if fields.get("transfer-encoding") == "chunked":
        raw = _unchunked(raw)
    told = Told(int(lines[0].split()[1]), fields.get("x-tokonomi-request-id", ""))
    if fields["content-type"].startswith("text/event-stream"):
        _read_stream(told, ingress, raw)
    else:
        _read_whole(told, ingress, json.loads(raw))
    return told


def _unchunked(raw: bytes) -> bytes:
    body = b""
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        body, raw = body + raw[: int(size, 16)], raw[int(size, 16) + 2 :]
    return body


def _read_whole(told: Told, ingress: str, reply: dict[str, Any]) -> None:
    told.error = bool(reply.get("error"))
    told.ended = not told.error
    if told.error:
        return
    match ingress:
        case "chat":
            told.text = reply["choices"][0]["message"]["content"]
        case "messages":
            told.text = "".join(block["text"] for block in reply["content"])
        case _:
            told.text = "".join(
                part["text"] for item in reply["output"] for part in item.get("content", ())
            )


_ENDS: Final = {"message_stop", "response.completed"}
_BROKEN: Final = {"error", "response.failed"}


def _read_stream(told: Told, ingress: str, raw: bytes) -> None:
    for line in raw.decode().split("\n"):
        if not line.startswith("data: "):
            continue
        if line == "data: [DONE]":
            told.ended = True
            continue
        event: dict[str, Any] = json.loads(line.removeprefix("data: "))
        kind = event.get("type")
        told.ended = told.ended or kind in _ENDS
        told.error = told.error or bool(event.get("error")) or kind in _BROKEN
        told.text += _text_in(event, ingress)


def _text_in(event: dict[str, Any], ingress: str) -> str:
    delta: Any = event.get("delta") or {}
    match ingress:
        case "chat":
            choices: list[Any] = event.get("choices") or []
            return "".join(each["delta"].get("content") or "" for each in choices)
        case "messages":
            return delta.get("text", "")
        case _:
            return delta if event.get("type") == "response.output_text.delta" else ""
