"""What was said in a call, as OpenTelemetry's conventions write it; only when asked for."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tokonomi.gateway.request import ParsedRequest
from tokonomi.providers.adapter import Seen

_Part = Mapping[str, object]
_encode: Final = msgspec.json.Encoder().encode


class _Message(msgspec.Struct):
    role: str = "user"
    content: str | list[dict[str, object]] | None = None


_decode_messages: Final = msgspec.json.Decoder(list[_Message]).decode
_decode_input: Final = msgspec.json.Decoder(str | list[str]).decode


def input_messages(request: ParsedRequest) -> str:
    """The messages of a request as JSON, each with its role and its parts; none of another form."""
    messages, texts = request.fields.get("messages"), request.fields.get("input")
    try:
        if messages is not None:
            said = _decode_messages(messages)
        else:
            given: str | list[str] = [] if texts is None else _decode_input(texts)
            said = [
                _Message(content=text) for text in ([given] if isinstance(given, str) else given)
            ]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return "[]"
    told = [{"role": each.role, "parts": _parts(each.content)} for each in said]
    return _encode(told).decode()


def output_messages(seen: Seen) -> str:
    """The answer that was relayed, as JSON."""
    parts = [_text("".join(seen.relayed.pieces))]
    told = {"role": "assistant", "parts": parts, "finish_reason": seen.finish_reason}
    return _encode([told]).decode()


def _parts(content: str | list[dict[str, object]] | None) -> list[_Part]:
    if content is None:
        return []
    if isinstance(content, str):
        return [_text(content)]
    return [_text(part.get("text")) if part.get("type") == "text" else part for part in content]


def _text(text: object) -> _Part:
    return {"type": "text", "content": text}
