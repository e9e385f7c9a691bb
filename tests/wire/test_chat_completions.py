"""Replies of OpenAI's chat completions, whole, streamed and broken."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from tokonomi.errors import BadInput
from tokonomi.providers.adapter import Reading
from tokonomi.providers.registry import adapter_for
from tokonomi.usage import Quarantined, Source, Usage

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
USAGE: dict[str, object] = {
    "prompt_tokens": 1200,
    "completion_tokens": 400,
    "total_tokens": 1600,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 64,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
COUNTED = Usage(at=AT, uncached_input=176, cache_read=1024, output=400, reasoning=64)
WHOLE: dict[str, object] = {
    "id": "chatcmpl-C1",
    "object": "chat.completion",
    "created": 1795163400,
    "model": "gpt-5.1-2025-11-13",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Selamat pagi, dunia",
                "refusal": None,
                "annotations": [],
            },
            "finish_reason": "stop",
        }
    ],
    "usage": USAGE,
    "service_tier": "default",
    "system_fingerprint": None,
}


def chunk(delta: Mapping[str, object] | None, **more: object) -> Mapping[str, object]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": None}]
    return {
        "id": "chatcmpl-C1",
        "object": "chat.completion.chunk",
        "model": "gpt-5.1-2025-11-13",
        "service_tier": "default",
        "choices": choices,
        **more,
    }


def stream_of(usage_on: str) -> list[Mapping[str, object]]:
    """The same reply in chunks, with its usage where the name says."""
    end: dict[str, object] = {"index": 0, "delta": {}, "finish_reason": "stop"}
    beside = USAGE if usage_on == "a chunk with choices" else None
    first = USAGE if usage_on == "the first chunk" else None
    events = [
        chunk({"role": "assistant", "content": ""}, usage=first),
        chunk({"content": "Selamat pagi, "}, usage=None),
        chunk({"content": "dunia"}, usage=None),
        chunk(None, choices=[end], usage=beside),
    ]
    return [*events, chunk(None, usage=USAGE)] if usage_on == "a last chunk" else events


def read(events: Sequence[Mapping[str, object]], provider: str = "openai") -> Reading:
    reading = adapter_for("openai_chat", provider).stream()
    for event in events:
        reading.observe(event)
    return reading


def counted(usage: object, provider: str = "openai") -> Usage | Quarantined | None:
    return read([{"usage": usage}], provider).usage(AT)


def refused(usage: object) -> str:
    result = counted(usage)
    assert isinstance(result, Quarantined)
    assert msgspec.json.decode(result.raw) == usage
    return result.reason


def test_openai_counts_cached_tokens_inside_the_prompt_and_they_are_taken_out_of_it():
    assert adapter_for("openai_chat", "openai").usage_of(WHOLE, at=AT) == COUNTED


@pytest.mark.parametrize("place", ["a last chunk", "a chunk with choices", "the first chunk"])
def test_a_stream_is_counted_like_the_whole_wherever_its_usage_stands(place: str):
    streamed, whole = read(stream_of(place)), read([WHOLE])
    assert streamed.usage(AT) == whole.usage(AT) == COUNTED
    assert streamed.seen.model == whole.seen.model == "gpt-5.1-2025-11-13"
    assert streamed.seen.request_id == whole.seen.request_id == "chatcmpl-C1"
    assert streamed.seen.finish_reason == whole.seen.finish_reason == "stop"
    assert streamed.seen.relayed.text == whole.seen.relayed.text == "Selamat pagi, dunia"


def test_usage_that_comes_twice_is_replaced_and_not_added():
    running = {"prompt_tokens": 1200, "completion_tokens": 7, "total_tokens": 1207}
    events = [chunk({"content": "a"}, usage=running), chunk(None, usage=USAGE)]
    assert read(events).usage(AT) == COUNTED


@pytest.mark.parametrize("empty", [None, {}, {"prompt_tokens": None, "total_tokens": None}])
def test_a_null_usage_after_the_real_one_does_not_erase_it(empty: object):
    assert read([chunk(None, usage=USAGE), chunk(None, usage=empty)]).usage(AT) == COUNTED


def test_a_reply_without_usage_is_none_and_a_reported_zero_is_zero():
    zero = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert read([chunk({"content": "a"})]).usage(AT) is None
    assert counted(None) is None
    assert counted(zero) == Usage(at=AT, source=Source.REPORTED)


def test_a_cut_stream_without_usage_keeps_what_was_relayed():
    reading = read(
        [
            chunk({"role": "assistant", "content": "日本"}),
            chunk({"reasoning_content": "hm", "reasoning": "hm"}),
            chunk({"refusal": "no"}),
            chunk({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]}),
            chunk({"content": [{"type": "text", "text": "x"}, {"thinking": [{"text": "y"}]}]}),
            {"choices": [{"index": 0, "text": "z"}]},
        ]
    )
    assert reading.usage(AT) is None
    assert reading.seen.relayed.text == "日本hmnof{}xyz"
    assert (reading.seen.relayed.characters, reading.seen.relayed.utf8_bytes) == (12, 16)


def test_counts_that_do_not_make_the_reported_total_are_quarantined_with_the_numbers():
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 16}
    assert refused(usage) == "10 input + 5 output = 15, but the reply's total is 16"


def test_more_cached_than_prompt_tokens_are_quarantined_and_not_clamped():
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 1,
        "total_tokens": 11,
        "prompt_tokens_details": {"cached_tokens": 20},
    }
    assert "20 cache read + 0 cache write" in refused(usage)
    assert "inside 10 input tokens" in refused(usage)


def test_more_reasoning_than_output_is_quarantined():
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "completion_tokens_details": {"reasoning_tokens": 6},
    }
    assert refused(usage) == "6 reasoning tokens inside 5 output tokens"


@pytest.mark.parametrize("strange", [12.0, 12.5, "12", True, [12], {"n": 12}, 10**11])
@pytest.mark.parametrize("key", ["prompt_tokens", "completion_tokens", "total_tokens"])
def test_a_count_that_is_no_integer_is_quarantined(key: str, strange: object):
    usage = {"prompt_tokens": 12, "completion_tokens": 0, "total_tokens": 12, key: strange}
    assert key in refused(usage) or "total" in refused(usage)


@pytest.mark.parametrize("key", ["prompt_tokens", "completion_tokens"])
def test_a_count_that_no_call_can_have_is_quarantined_although_the_total_agrees(key: str):
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 10**11, key: 10**11}
    assert refused(usage) == f"{key} is 100000000000, not a count from 0 to 10000000000"


@pytest.mark.parametrize("strange", [12.0, "12", True])
def test_a_detail_that_is_no_integer_is_quarantined(strange: object):
    usage = {"prompt_tokens": 20, "completion_tokens": 20, "total_tokens": 40}
    inputs = usage | {"prompt_tokens_details": {"cached_tokens": strange}}
    outputs = usage | {"completion_tokens_details": {"audio_tokens": strange}}
    assert refused(inputs).startswith("cached_tokens is ")
    assert refused(outputs).startswith("audio_tokens is ")


@pytest.mark.parametrize("part", ["cached_tokens", "cache_write_tokens", "audio_tokens"])
def test_a_negative_part_of_the_prompt_is_quarantined(part: str):
    usage = {"prompt_tokens": 20, "completion_tokens": 1, "total_tokens": 21}
    assert refused(usage | {"prompt_tokens_details": {part: -5}})


def test_negative_totals_are_quarantined():
    prompt = {"prompt_tokens": -20, "completion_tokens": 30, "total_tokens": 10}
    completion = {"prompt_tokens": 20, "completion_tokens": -5, "total_tokens": 15}
    assert refused(prompt).endswith("inside -20 input tokens")
    assert refused(completion) == "negative counts {'output': -5}"


def test_null_details_are_absent_details():
    usage = {
        "prompt_tokens": 20,
        "completion_tokens": 3,
        "total_tokens": 23,
        "prompt_tokens_details": {"cached_tokens": None},
        "completion_tokens_details": {"reasoning_tokens": None, "audio_tokens": 1},
    }
    plain = usage | {"prompt_tokens_details": None}
    assert counted(usage) == Usage(at=AT, uncached_input=20, output=2, audio_out=1)
    assert counted(plain) == counted(usage)


def test_details_that_are_no_object_are_quarantined():
    usage = {"prompt_tokens": 2, "completion_tokens": 3, "prompt_tokens_details": [1]}
    assert refused(usage) == "prompt_tokens_details is [1], not an object"


def test_usage_that_is_no_object_is_quarantined():
    assert refused([1, 2]) == "usage is [1,2], not an object"
    assert refused("x" * 100) == f'usage is "{"x" * 79}..., not an object'


@pytest.mark.parametrize("missing", ["prompt_tokens", "completion_tokens"])
def test_half_a_usage_is_quarantined_because_absent_is_not_zero(missing: str):
    usage = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    del usage[missing]
    assert refused(usage) == f"{missing} is absent beside other counts"


def test_a_usage_object_without_any_count_is_none():
    assert counted({"queue_time": 0.1}) is None


def test_a_usage_without_a_total_is_counted():
    assert counted({"prompt_tokens": 2, "completion_tokens": 3}) == Usage(
        at=AT, uncached_input=2, output=3
    )


def test_openai_cache_write_tokens_are_not_dropped():
    details: dict[str, object] = {"cached_tokens": 100, "cache_write_tokens": 300}
    usage = {"prompt_tokens": 1000, "completion_tokens": 1, "prompt_tokens_details": details}
    written = Usage(at=AT, uncached_input=600, cache_read=100, cache_write_5m=300, output=1)
    assert counted(usage) == written
    details["cache_write_tokens_details"] = {"ttl_30m_tokens": 100, "ttl_12h_tokens": 200}
    longer = Usage(
        at=AT,
        uncached_input=600,
        cache_read=100,
        cache_write_5m=100,
        cache_write_1h=200,
        output=1,
    )
    assert counted(usage) == longer
    details["cache_write_tokens_details"] = {"ttl_30m_tokens": 100, "ttl_12h_tokens": 100}
    assert refused(usage) == "100 + 100 cache writes by retention are not 300"


def test_audio_and_images_are_taken_out_of_input_and_output():
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 80,
        "total_tokens": 180,
        "prompt_tokens_details": {"audio_tokens": 30, "image_tokens": 20, "text_tokens": 50},
        "completion_tokens_details": {"audio_tokens": 40, "image_tokens": 10, "text_tokens": 30},
    }
    assert counted(usage) == Usage(
        at=AT,
        uncached_input=50,
        audio_in=30,
        image_in=20,
        output=30,
        audio_out=40,
        image_out=10,
    )


def test_audio_that_a_reply_says_was_cached_is_in_the_bucket_of_cached_audio():
    details: dict[str, object] = {
        "cached_tokens": 60,
        "audio_tokens": 50,
        "cached_tokens_details": {"audio_tokens": 20, "text_tokens": 40},
    }
    usage = {"prompt_tokens": 100, "completion_tokens": 0, "prompt_tokens_details": details}
    assert counted(usage) == Usage(
        at=AT, uncached_input=10, cache_read=40, cache_read_audio=20, audio_in=30
    )
    details["cached_tokens_details"] = {"audio_tokens": 70}
    assert refused(usage).startswith("70 of 50 audio")


def test_more_audio_than_tokens_is_quarantined():
    usage = {"prompt_tokens": 10, "completion_tokens": 10}
    inputs = usage | {"prompt_tokens_details": {"audio_tokens": 8, "image_tokens": 3}}
    outputs = usage | {"completion_tokens_details": {"audio_tokens": 8, "image_tokens": 3}}
    assert "8 audio + 3 image inside 10 input tokens" in refused(inputs)
    assert refused(outputs) == "8 audio + 3 image inside 10 output tokens"


def test_unknown_usage_keys_are_an_alarm_and_known_ones_are_not():
    usage = {
        "prompt_tokens": 2,
        "completion_tokens": 3,
        "thinking_credits": 9,
        "prompt_tokens_details": {"frozen_tokens": 1},
        "completion_tokens_details": {"dream_tokens": 1},
    }
    result = counted(usage)
    assert isinstance(result, Usage)
    assert result.unknown_keys == (
        "thinking_credits",
        "prompt_tokens_details.frozen_tokens",
        "completion_tokens_details.dream_tokens",
    )
    assert COUNTED.unknown_keys == ()


@pytest.mark.parametrize(
    ("reported", "served"),
    [
        ("default", "standard"),
        (None, "standard"),
        ("flex", "flex"),
        ("priority", "priority"),
        ("auto", "unknown"),
        (7, "unknown"),
    ],
)
def test_the_tier_is_the_one_that_served_and_auto_is_not_a_tier(reported: object, served: str):
    result = read([WHOLE | {"service_tier": reported}]).usage(AT)
    assert isinstance(result, Usage)
    assert result.tier == served


def test_a_search_is_charged_for_its_citations_and_not_for_the_declared_tool():
    citation = {"type": "url_citation", "url_citation": {"url": "https://example.org"}}
    cited = chunk({"annotations": [citation, citation]})
    searched = read([cited, chunk(None, usage=USAGE)]).usage(AT)
    declared = read([WHOLE | {"tools": [{"type": "web_search"}]}]).usage(AT)
    assert isinstance(searched, Usage)
    assert searched.searches == 1
    assert declared == COUNTED


def test_batch_and_context_basis_are_the_callers_to_say():
    result = adapter_for("openai_chat").usage_of(WHOLE, at=AT, batch=True, context_basis=300_000)
    assert isinstance(result, Usage)
    assert (result.batch, result.tier_basis) == (True, 300_000)


def test_an_instant_that_is_not_utc_is_the_callers_mistake_and_no_quarantine():
    with pytest.raises(BadInput, match="is not in UTC"):
        adapter_for("openai_chat").usage_of(WHOLE, at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_chunks_of_nonsense_do_not_stop_the_reading():
    nonsense: list[Mapping[str, object]] = [
        {"choices": 7},
        {"choices": [None, {"delta": "x"}, {"delta": {"tool_calls": [{"function": 3}]}}]},
        {"model": 3, "id": None, "x_groq": "?"},
    ]
    assert read([*nonsense, chunk(None, usage=USAGE)]).usage(AT) == COUNTED
