"""A reply costs the same through the SDK as through the gateway, whole or streamed."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.request import parse
from tokonomi.gateway.settle import Exchange as GatewayExchange
from tokonomi.gateway.settle import row_of
from tokonomi.gateway.stream import StreamRelay
from tokonomi.providers.registry import adapter_for
from tokonomi.providers.settled_call import Ending
from tokonomi.providers.whole_reply import FINE, observe_whole
from tokonomi.routing.provider import Provider
from tokonomi.sdk.endpoints import endpoint_of
from tokonomi.sdk.exchange import Exchange
from tokonomi.storage.price_files import load_book

BOOK = load_book()
AT = datetime(2026, 1, 30, tzinfo=UTC)
COUNTS = st.integers(0, 200_000)
MODELS = st.sampled_from(["gpt-4o-mini", "gpt-4.1-mini-2025-04-14", "gpt-5", "nobody-knows-it", ""])
TEXTS = st.lists(st.text(max_size=20), max_size=5)


@st.composite
def usages(draw: st.DrawFn) -> dict[str, Any] | None:
    """Usage as a provider may report it, true or not, or none."""
    if draw(st.booleans()):
        return None
    prompt, completion = draw(COUNTS), draw(COUNTS)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion + draw(st.sampled_from([0, 0, 0, 7])),
        "prompt_tokens_details": {"cached_tokens": draw(st.integers(0, prompt + 1))},
        "completion_tokens_details": {"reasoning_tokens": draw(st.integers(0, completion + 1))},
    }


def intent(model: str) -> Intent:
    return Intent(
        id="a.1", at=AT, dimensions=Dimensions(provider="openai"), model=model, input_bound=10_000
    )


def by_gateway(asked: str, body: bytes) -> tuple[GatewayExchange, Any]:
    target = Target("openai", Provider(base_url="https://a"), asked, "alias")
    exchange = GatewayExchange(
        intent(asked),
        target,
        parse(body),
        adapter_for("openai_chat", "openai").stream(),
        http_status=200,
    )
    return exchange, exchange.reading


def by_sdk(asked: str, body: bytes, kind: str, pieces: list[bytes]) -> Call:
    calls: list[Call] = []
    endpoint = endpoint_of("POST", "/v1/chat/completions")
    assert endpoint is not None
    exchange = Exchange(
        intent(asked),
        endpoint,
        parse(body).fields,
        reading=adapter_for("openai_chat", "openai").stream(),
        book=BOOK,
        record=lambda _, call: calls.append(call),
    )
    exchange.answered(200, {"content-type": kind}, bytes)
    for piece in pieces:
        exchange.took(piece)
    exchange.took_all()
    [call] = calls
    return call


def without_times(call: Call) -> Call:
    return replace(call, duration_ms=0, first_token_ms=None)


@given(asked=MODELS, served=MODELS, usage=usages(), texts=TEXTS)
def test_a_whole_reply_makes_the_same_row(
    asked: str, served: str, usage: dict[str, Any] | None, texts: list[str]
) -> None:
    body = json.dumps({"model": asked, "messages": [{"role": "user", "content": "Hi"}]}).encode()
    choices = [{"message": {"content": text}, "finish_reason": "stop"} for text in texts]
    reply = json.dumps({"id": "c", "model": served, "choices": choices, "usage": usage}).encode()
    exchange, reading = by_gateway(asked, body)
    ending = observe_whole(reading, reply, http_status=200)
    theirs, _ = row_of(exchange, ending, BOOK)
    ours = by_sdk(asked, body, "application/json", [reply[:10], reply[10:]])
    assert without_times(ours) == without_times(theirs)


@given(asked=MODELS, served=MODELS, usage=usages(), texts=TEXTS, done=st.booleans(), data=st.data())
def test_a_streamed_reply_makes_the_same_row(  # noqa: PLR0917 - what a stream is made of
    asked: str,
    served: str,
    usage: dict[str, Any] | None,
    texts: list[str],
    done: bool,  # noqa: FBT001 - generated
    data: st.DataObject,
) -> None:
    body = json.dumps({"model": asked, "messages": [{"role": "user", "content": "Hi"}]}).encode()
    chunks: list[dict[str, Any]] = [
        {"id": "c", "model": served, "choices": [{"delta": {"content": text}}]} for text in texts
    ]
    chunks.append({"id": "c", "model": served, "choices": [], "usage": usage})
    wire = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    wire += b"data: [DONE]\n\n" if done else b""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=4)))
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    exchange, reading = by_gateway(asked, body)
    relay = StreamRelay(reading, wants_usage=False)
    relay.feed(wire)
    cut = Ending(Status.CUT, note="the stream was cut: it ended before its last event")
    theirs, _ = row_of(exchange, FINE if relay.complete else cut, BOOK)
    ours = by_sdk(asked, body, "text/event-stream", pieces)
    assert without_times(ours) == without_times(theirs)
