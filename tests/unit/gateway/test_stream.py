"""Streams in any pieces: nothing is lost, changed or held, save what waits for the ledger."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokonomi.gateway.stream import StreamRelay
from tokonomi.providers.adapter import KEPT_BYTES
from tokonomi.providers.registry import adapter_for
from tokonomi.providers.server_sent_events import EventSplitter, data_of
from tokonomi.providers.token_estimate import estimated_usage
from tokonomi.usage import Usage

AT = datetime(2026, 1, 30, tzinfo=UTC)
USAGE = {"prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28}


def event(value: object, end: bytes = b"\n\n") -> bytes:
    return b"data: " + json.dumps(value).encode() + end


def content(text: str) -> dict[str, object]:
    return {"model": "m", "choices": [{"index": 0, "delta": {"content": text}}], "usage": None}


FINISH: dict[str, object] = {
    "model": "m",
    "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
}
LAST: dict[str, object] = {"model": "m", "choices": [], "usage": USAGE}
CONTENTS = (
    event(content("a")) + b": keep-alive\n\n" + event(content("\n\nb \u00e9")) + event(FINISH)
)
DONE = b"data: [DONE]\n\n"

CUTS = st.lists(st.integers(min_value=0, max_value=2_000), max_size=12)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in pairwise(places)]


def relayed(data: bytes, cuts: list[int], *, wants_usage: bool) -> tuple[StreamRelay, bytes, Usage]:
    reading = adapter_for("openai_chat").stream()
    relay = StreamRelay(reading, wants_usage=wants_usage)
    passed = b"".join(relay.feed(piece) for piece in pieces(data, cuts))
    usage = reading.usage(AT)
    assert isinstance(usage, Usage)
    return relay, passed, usage


@given(CUTS, st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"]))
def test_events_put_together_are_the_bytes_that_came(cuts: list[int], end: bytes) -> None:
    data = b"".join(event({"n": number}, end) for number in range(9)) + b"data: half"
    splitter = EventSplitter()
    events = [each for piece in pieces(data, cuts) for each in splitter.feed(piece)]
    assert b"".join(events) + splitter.rest == data
    assert [json.loads(data_of(each)) for each in events] == [{"n": n} for n in range(9)]


@given(cuts=CUTS, wants_usage=st.booleans())
def test_content_passes_and_the_usage_waits_however_the_stream_is_broken(
    cuts: list[int], *, wants_usage: bool
) -> None:
    data = CONTENTS + event(LAST) + DONE
    relay, passed, usage = relayed(data, cuts, wants_usage=wants_usage)
    assert passed == CONTENTS
    assert relay.held == (event(LAST) if wants_usage else b"")
    assert (relay.done, relay.complete) == (True, True)
    assert (usage.uncached_input, usage.output) == (21, 7)


@given(CUTS)
def test_usage_beside_content_passes_with_it_and_counts(cuts: list[int]) -> None:
    both = {**FINISH, "usage": USAGE}
    data = event(content("a")) + event(both) + DONE
    relay, passed, usage = relayed(data, cuts, wants_usage=False)
    assert passed == event(content("a")) + event(both)
    assert (relay.held, usage.output) == (b"", 7)


def test_content_after_the_usage_is_not_held_back() -> None:
    data = event(content("a")) + event(LAST) + event(content("b"))
    relay, passed, _ = relayed(data, [], wants_usage=True)
    assert passed == data
    assert (relay.held, relay.complete) == (b"", False)


def test_a_stream_without_done_is_whole_when_it_finished_and_named_its_usage() -> None:
    whole, _, _ = relayed(CONTENTS + event(LAST), [], wants_usage=False)
    assert (whole.done, whole.complete) == (False, True)
    unfinished, _, _ = relayed(event(content("a")) + event(LAST), [], wants_usage=False)
    assert not unfinished.complete


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"message": "your prompt was ...", "code": 503}, "503"),
        ({"message": "m", "type": "server_error"}, "server_error"),
        ("broken", "an error"),
    ],
)
def test_an_error_in_the_stream_is_named_without_its_text(error: object, told: str) -> None:
    relay, passed, _ = relayed(event(LAST) + event({"error": error}) + DONE, [], wants_usage=False)
    assert (relay.error, relay.complete) == (told, False)
    assert passed == event({"error": error})


@pytest.mark.parametrize("odd", [b"data: {\n\n", b"data: 7\n\n", b"data:\n\n", b"event: x\n\n"])
def test_events_that_are_not_understood_pass_as_they_are(odd: bytes) -> None:
    relay, passed, _ = relayed(odd + event(LAST) + DONE, [], wants_usage=False)
    assert passed == odd
    assert relay.complete or relay.done


def test_data_may_stand_on_several_lines_and_without_a_space() -> None:
    assert data_of(b'event: message\ndata:{"a":\ndata: 1}\nid: 7\n\n') == b'{"a":\n1}'


Anything = st.SearchStrategy[Any]


def some_of(**fields: Anything) -> st.SearchStrategy[dict[str, object]]:
    """Objects with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


TEXTS = st.none() | st.text(max_size=8)
DELTAS = some_of(
    content=TEXTS,
    role=st.sampled_from(["assistant", None]),
    refusal=TEXTS,
    reasoning_content=TEXTS,
    annotations=st.just([{"type": "url_citation"}]),
    tool_calls=st.just([{"function": {"name": "f", "arguments": "{}"}}]),
)
CHOICES = some_of(
    delta=DELTAS, finish_reason=st.sampled_from([None, "stop"]), text=TEXTS, index=st.integers()
)
CHUNKS = some_of(
    choices=st.lists(CHOICES, max_size=2),
    id=TEXTS,
    model=TEXTS,
    service_tier=st.sampled_from([None, "flex"]),
    usage=st.sampled_from([None, USAGE, {}]),
    x_groq=st.just({"usage": USAGE}),
    error=st.sampled_from([None, {"code": "c"}]),
    obfuscation=TEXTS,
)


@given(st.lists(CHUNKS, max_size=6))
def test_the_short_way_reads_the_same_as_the_general_one(chunks: list[dict[str, object]]) -> None:
    results: list[object] = []
    for plain in (True, False):
        reading = adapter_for("openai_chat").stream()
        relay = StreamRelay(reading, wants_usage=True, plain=plain)
        passed = [relay.feed(event(chunk)) for chunk in chunks]
        seen = reading.seen
        said = (seen.model, seen.request_id, seen.finish_reason, seen.service_tier)
        told = (seen.relayed.text, reading.usage(AT), relay.error, relay.usage_seen)
        results.append((passed, relay.held, said, told))
    assert results[0] == results[1]


def test_an_endless_stream_is_counted_and_not_kept() -> None:
    reading = adapter_for("openai_chat").stream()
    relay = StreamRelay(reading, wants_usage=False)
    text = "\u00e9 " * 50_000
    for _ in range(40):
        relay.feed(event(content(text)))
    seen = reading.seen
    assert seen.relayed.utf8_bytes == 40 * 150_000
    assert sum(len(piece.encode()) for piece in seen.relayed.pieces) <= KEPT_BYTES
    usage = estimated_usage(seen, input_tokens=0, at=AT)
    assert usage.output > (40 * 150_000 - KEPT_BYTES) // 3


def test_usage_events_without_end_are_not_all_held_back() -> None:
    relay = StreamRelay(adapter_for("openai_chat").stream(), wants_usage=True)
    passed = b"".join(relay.feed(event(LAST)) for _ in range(5_000))
    assert passed + relay.held == event(LAST) * 5_000
    assert len(relay.held) < 70_000
