"""How much a request can consume at most, read from its body before it leaves."""

from collections.abc import Iterator
from typing import Final, TypeGuard

import msgspec

from tokonomi.budgets.hold_size import OutputLimit, output_limit
from tokonomi.gateway.request import OUTPUT_LIMITS, ParsedRequest
from tokonomi.pricing.bound import Bounds
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.listing import ModelCard

TOKENS_OF_AN_IMAGE: Final = 48_169
"""The most that one image costs: gpt-4o-mini's base of 2,833 tokens and 8 tiles of 5,667 each
(OpenAI, "Images and vision", read 2026-11); other models take fewer."""

SEARCHES_OF_A_REQUEST: Final = 10
"""The most web searches that a hold covers; a provider that makes more bills into the overrun."""

_MEDIA_MARKS: Final = (b'"image_url"', b'"input_audio"', b'"file"')
_SEARCH_MARKS: Final = (b'"web_search', b'"plugins"')
_decode: Final = msgspec.json.Decoder().decode
_decode_count: Final = msgspec.json.Decoder(int | None).decode


def bounds_of(
    request: ParsedRequest,
    *,
    input_bound: int,
    card: ModelCard,
    output_cap: int | None,
    answers: bool = True,
) -> tuple[Bounds, OutputLimit] | Unpriced:
    """The most that a request can consume, and the limit of output to send along for it to hold.

    `input_bound` bounds the text of the body in tokens; images are added, at their dearest. A file
    that the body only names has no bound. `answers` is whether the endpoint produces output at all;
    embeddings do not.
    """
    asked = [_count(request, name) for name in OUTPUT_LIMITS]
    limit = output_limit(
        max((it for it in asked if it is not None), default=None),
        # No model writes more than its context window holds, where its own limit is not known.
        model_maximum=card.max_output or card.context_window,
        cap=output_cap,
    )
    if not answers:
        limit = OutputLimit(0, None)
    if isinstance(limit, Unpriced):
        return limit
    try:
        media = _media(request)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Unpriced("the request's messages cannot be read, so what they hold has no bound")
    if "file" in media:
        return Unpriced("the request refers to a file, whose tokens cannot be bounded")
    images = media.count("image_url")
    searching = request.model.endswith(":online") or _mentions(request.body, _SEARCH_MARKS)
    return (
        Bounds(
            input_tokens=input_bound + images * TOKENS_OF_AN_IMAGE,
            output_tokens=limit.tokens,
            choices=max(_count(request, "n") or 1, 1),
            searches=SEARCHES_OF_A_REQUEST if searching else 0,
            audio_in="input_audio" in media,
            image_in=images > 0,
            audio_out="audio" in request.fields,
        ),
        limit,
    )


def _count(request: ParsedRequest, name: str) -> int | None:
    raw = request.fields.get(name)
    if raw is None:
        return None
    try:
        count = _decode_count(raw)
    except msgspec.MsgspecError:
        # A wrong type is the provider's to refuse; until it does, the field limits nothing.
        return None
    return count if count is not None and count >= 0 else None


def _media(request: ParsedRequest) -> list[str]:
    """The kinds of the parts of all messages that are not text."""
    if not _mentions(request.body, _MEDIA_MARKS):
        return []
    raw = request.fields.get("messages")
    messages: object = [] if raw is None else _decode(raw)
    return [
        part_type
        for message in _items(messages)
        if _is_object(message)
        for part in _items(message.get("content"))
        if _is_object(part)
        for part_type in [part.get("type")]
        if isinstance(part_type, str) and part_type != "text"
    ]


def _mentions(body: bytes, marks: tuple[bytes, ...]) -> bool:
    for mark in marks:  # noqa: SIM110 - a generator takes three times as long, on every call
        if mark in body:
            return True
    return False


def _items(value: object) -> Iterator[object]:
    if _is_array(value):
        yield from value


def _is_array(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)
