"""Laws of the usage adapters: nothing is lost, nothing doubled, and a stream is like the whole."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokonomi.providers.adapter import Dialect
from tokonomi.providers.openai_chat import VARIANTS
from tokonomi.providers.registry import adapter_for
from tokonomi.usage import Quarantined, Usage

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
counts = st.integers(0, 10**7)
Json = dict[str, object]


@st.composite
def openai_usage(draw: st.DrawFn, *, beside: bool = False) -> Json:
    """A usage object that can be true; with `beside`, reasoning is outside the completion."""
    parts = {name: draw(counts) for name in ("text", "read", "write", "audio", "image")}
    made = {name: draw(counts) for name in ("text", "audio", "image")}
    reasoning = draw(counts if beside else st.integers(0, made["text"]))
    prompt, completion = sum(parts.values()), sum(made.values())
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion + (reasoning if beside else 0),
        "prompt_tokens_details": {
            "cached_tokens": parts["read"],
            "cache_write_tokens": parts["write"],
            "audio_tokens": parts["audio"],
            "image_tokens": parts["image"],
        },
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": made["audio"],
            "image_tokens": made["image"],
        },
    }


@st.composite
def gemini_usage(draw: st.DrawFn) -> Json:
    prompt, tools, candidates, thoughts = (draw(counts) for _ in range(4))
    return {
        "promptTokenCount": prompt,
        "toolUsePromptTokenCount": tools,
        "candidatesTokenCount": candidates,
        "thoughtsTokenCount": thoughts,
        "cachedContentTokenCount": draw(st.integers(0, prompt)),
        "totalTokenCount": prompt + tools + candidates + thoughts,
    }


@st.composite
def anthropic_usage(draw: st.DrawFn) -> Json:
    short, long, output = draw(counts), draw(counts), draw(counts)
    return {
        "input_tokens": draw(counts),
        "cache_read_input_tokens": draw(counts),
        "cache_creation_input_tokens": short + long,
        "cache_creation": {
            "ephemeral_5m_input_tokens": short,
            "ephemeral_1h_input_tokens": long,
        },
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": draw(st.integers(0, output))},
    }


def number(usage: Json, *keys: str) -> int:
    return sum(value for key in keys if isinstance(value := usage.get(key, 0), int))


def read(dialect: str, events: list[Json], provider: str = "") -> Usage | Quarantined | None:
    reading = adapter_for(dialect, provider).stream()
    for event in events:
        reading.observe(event)
    return reading.usage(AT)


@given(openai_usage())
def test_the_buckets_of_a_chat_sum_to_the_providers_total(usage: Json):
    result = read("openai_chat", [{"usage": usage}])
    assert isinstance(result, Usage)
    assert result.total_input == usage["prompt_tokens"]
    assert result.total_output == usage["completion_tokens"]
    assert result.total_tokens == usage["total_tokens"]
    assert result.unknown_keys == ()


@given(openai_usage(beside=True))
def test_reasoning_beside_the_completion_is_added_once(usage: Json):
    result = read("openai_chat", [{"usage": usage}], "xai")
    assert isinstance(result, Usage)
    assert result.total_tokens == usage["total_tokens"]
    assert result.total_input == usage["prompt_tokens"]


@given(gemini_usage())
def test_the_buckets_of_gemini_sum_to_the_providers_total(usage: Json):
    result = read("gemini", [{"usageMetadata": usage}])
    assert isinstance(result, Usage)
    assert result.total_tokens == usage["totalTokenCount"]
    assert result.reasoning == usage["thoughtsTokenCount"]


@given(anthropic_usage())
def test_the_buckets_of_a_message_sum_to_what_anthropic_counts_beside_each_other(usage: Json):
    result = read("anthropic_messages", [{"type": "message", "usage": usage}])
    beside = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    assert isinstance(result, Usage)
    assert result.total_input == number(usage, *beside)
    assert result.total_output == usage["output_tokens"]


@given(openai_usage(), st.integers(-(10**6), 10**6).filter(bool), st.sampled_from(["", "groq"]))
def test_any_other_total_is_quarantined(usage: Json, error: int, provider: str):
    wrong = usage | {"total_tokens": number(usage, "total_tokens") + error}
    assert isinstance(read("openai_chat", [{"usage": wrong}], provider), Quarantined)


@st.composite
def chat_stream(draw: st.DrawFn) -> tuple[list[Json], Json]:
    """Chunks of a reply with its usage on any of them, and the same reply whole."""
    usage = draw(openai_usage())
    pieces = draw(st.lists(st.text(max_size=5), min_size=1, max_size=8))
    tier = draw(st.sampled_from(["default", "flex", "auto", None]))
    chunks: list[Json] = [
        {"model": "m", "choices": [{"delta": {"content": piece}}], "service_tier": tier}
        for piece in pieces
    ]
    chunks.extend({"choices": [], "usage": None} for _ in range(draw(st.integers(0, 2))))
    final = draw(st.integers(0, len(chunks) - 1))
    for early in draw(st.lists(st.integers(0, len(chunks) - 1), max_size=3)):
        if early < final:
            chunks[early]["usage"] = {"prompt_tokens": 1, "completion_tokens": 1}
    place = draw(st.sampled_from(["usage", "x_groq"]))
    chunks[final][place] = usage if place == "usage" else {"usage": usage}
    message = {"content": "".join(pieces)}
    whole: Json = {
        "model": "m",
        "choices": [{"message": message}],
        "usage": usage,
        "service_tier": tier,
    }
    return chunks, whole


@given(chat_stream())
def test_a_streamed_chat_is_counted_like_the_whole(case: tuple[list[Json], Json]):
    chunks, whole = case
    first = adapter_for("openai_chat").stream()
    for chunk in chunks:
        first.observe(chunk)
    second = adapter_for("openai_chat").stream()
    second.observe(whole)
    assert first.usage(AT) == second.usage(AT)
    assert isinstance(first.usage(AT), Usage)
    assert first.seen.relayed.text == second.seen.relayed.text


@given(anthropic_usage(), st.sets(st.sampled_from(["input_tokens", "cache_read_input_tokens"])))
def test_a_streamed_message_is_counted_like_the_whole(usage: Json, at_the_end: set[str]):
    start = usage | {"output_tokens": 1, "output_tokens_details": None}
    end = {key: usage[key] for key in at_the_end | {"output_tokens", "output_tokens_details"}}
    stream: list[Json] = [
        {"type": "message_start", "message": {"usage": start}},
        {"type": "ping"},
        {"type": "message_delta", "delta": {}, "usage": end},
    ]
    whole: list[Json] = [{"type": "message", "usage": usage}]
    streamed = read("anthropic_messages", stream)
    assert streamed == read("anthropic_messages", whole)
    assert isinstance(streamed, Usage)


@given(gemini_usage(), st.lists(gemini_usage(), max_size=3))
def test_a_streamed_gemini_reply_is_counted_like_the_whole(usage: Json, before: list[Json]):
    stream: list[Json] = [{"usageMetadata": each} for each in (*before, usage)]
    assert read("gemini", stream) == read("gemini", stream[-1:])


@given(openai_usage(), st.booleans())
def test_a_streamed_response_is_counted_like_the_whole(chat: Json, early: bool):  # noqa: FBT001
    usage: Json = {
        "input_tokens": chat["prompt_tokens"],
        "input_tokens_details": chat["prompt_tokens_details"],
        "output_tokens": chat["completion_tokens"],
        "output_tokens_details": chat["completion_tokens_details"],
        "total_tokens": chat["total_tokens"],
    }
    whole: Json = {"object": "response", "status": "completed", "usage": usage, "output": []}
    stream: list[Json] = [
        {"type": "response.created", "response": {"usage": usage if early else None}},
        {"type": "response.completed", "response": whole},
    ]
    assert read("openai_responses", stream) == read("openai_responses", [whole])
    assert isinstance(read("openai_responses", stream), Usage)


EVENT_KEYS = [
    "usage",
    "type",
    "message",
    "delta",
    "choices",
    "usageMetadata",
    "meta",
    "response",
    "content",
    "item",
    "output",
    "candidates",
    "x_groq",
    "results",
    "service_tier",
    "iterations",
    "billed_units",
    "server_tool_use",
]
USAGE_KEYS = [
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "prompt_tokens_details",
    "cached_tokens",
    "completion_tokens_details",
    "reasoning_tokens",
    "audio_tokens",
    "image_tokens",
    "cache_write_tokens",
    "cost",
    "cost_details",
    "is_byok",
    "cached_tokens_details",
    "cache_write_tokens_details",
    "input_tokens",
    "output_tokens",
    "cache_creation",
    "cost_in_usd_ticks",
    "prompt_cache_hit_tokens",
    "promptTokenCount",
    "thoughtsTokenCount",
    "candidatesTokenCount",
    "totalTokenCount",
    "server_side_tool_usage_details",
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 50)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from(["message", "message_start", "message_delta", "response.completed", "1e9"])
)
keys = st.sampled_from(EVENT_KEYS + USAGE_KEYS)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)
objects = st.dictionaries(keys, anything, max_size=5)
SPEAKERS = [*((dialect, "") for dialect in Dialect), *(("openai_chat", name) for name in VARIANTS)]


@pytest.mark.parametrize(("dialect", "provider"), SPEAKERS)
@settings(max_examples=40)
@given(st.lists(objects, max_size=3))
def test_no_json_whatever_makes_an_adapter_raise(
    dialect: str, provider: str, events: list[Mapping[str, object]]
):
    reading = adapter_for(dialect, provider).stream()
    for event in events:
        reading.observe(event)
    result = reading.usage(AT)
    assert result is None or isinstance(result, Usage | Quarantined)
    if isinstance(result, Quarantined):
        assert result.reason
        assert msgspec.json.decode(result.raw) is not None


strange_parts = st.dictionaries(st.sampled_from(USAGE_KEYS), scalars, max_size=4) | scalars


@pytest.mark.parametrize("provider", ["", *VARIANTS])
@given(openai_usage(), st.dictionaries(st.sampled_from(USAGE_KEYS), strange_parts, max_size=3))
def test_a_damaged_usage_is_quarantined_or_still_sums_to_its_totals(
    provider: str, usage: Json, damage: Json
):
    damaged = usage | damage
    result = read("openai_chat", [{"usage": damaged}], provider)
    if isinstance(result, Usage):
        assert result.total_input == damaged["prompt_tokens"]
        assert result.reasoning <= result.output
        if damaged["total_tokens"] is not None:
            assert result.total_tokens == damaged["total_tokens"]
    else:
        assert isinstance(result, Quarantined) or damaged["total_tokens"] is None
