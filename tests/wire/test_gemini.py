"""Replies of Google's generateContent, whole, streamed and broken."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from tokonomi.providers.adapter import Reading
from tokonomi.providers.registry import adapter_for
from tokonomi.usage import Quarantined, Usage

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


def reply(usage: object, **candidate: object) -> dict[str, object]:
    parts = [{"text": "Halo"}, {"functionCall": {"name": "cuaca", "args": {"kota": "Bogor"}}}]
    shown = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", **candidate}
    return {
        "candidates": [shown],
        "usageMetadata": usage,
        "modelVersion": "gemini-2.5-flash",
        "responseId": "r-1",
    }


def read(events: Sequence[Mapping[str, object]]) -> Reading:
    reading = adapter_for("gemini", "google").stream()
    for event in events:
        reading.observe(event)
    return reading


def counted(**usage: object) -> Usage | Quarantined | None:
    return read([reply(usage)]).usage(AT)


def refused(**usage: object) -> str:
    result = counted(**usage)
    assert isinstance(result, Quarantined)
    return result.reason


def test_gemini_thoughts_are_added_to_the_candidates():
    usage = counted(
        promptTokenCount=7, candidatesTokenCount=1, thoughtsTokenCount=91, totalTokenCount=99
    )
    assert usage == Usage(at=AT, uncached_input=7, output=92, reasoning=91)


def test_gemini_thoughts_that_a_reply_already_included_are_not_doubled():
    usage = counted(
        promptTokenCount=7, candidatesTokenCount=92, thoughtsTokenCount=91, totalTokenCount=99
    )
    assert usage == Usage(at=AT, uncached_input=7, output=92, reasoning=91)


def test_gemini_without_a_total_adds_thoughts():
    usage = counted(promptTokenCount=7, candidatesTokenCount=1, thoughtsTokenCount=91)
    assert usage == Usage(at=AT, uncached_input=7, output=92, reasoning=91)


def test_tool_tokens_stand_beside_the_prompt_unless_the_total_says_inside():
    beside = counted(
        promptTokenCount=1000,
        toolUsePromptTokenCount=50,
        cachedContentTokenCount=600,
        candidatesTokenCount=20,
        totalTokenCount=1070,
    )
    inside = counted(
        promptTokenCount=1000,
        toolUsePromptTokenCount=50,
        candidatesTokenCount=20,
        thoughtsTokenCount=10,
        totalTokenCount=1030,
    )
    assert beside == Usage(at=AT, uncached_input=450, cache_read=600, output=20)
    assert inside == Usage(at=AT, uncached_input=1000, output=30, reasoning=10)


def test_counts_that_no_reading_explains_are_quarantined_with_the_numbers():
    reason = refused(
        promptTokenCount=20, candidatesTokenCount=10, thoughtsTokenCount=5, totalTokenCount=34
    )
    assert reason == (
        "20 prompt + 0 tool + 10 candidate + 5 thought tokens"
        " have 0 readings that make the reply's total of 34"
    )


def test_counts_that_two_readings_explain_are_quarantined_and_not_guessed():
    reason = refused(
        promptTokenCount=20,
        toolUsePromptTokenCount=5,
        candidatesTokenCount=10,
        thoughtsTokenCount=5,
        totalTokenCount=35,
    )
    assert "have 2 readings" in reason


def test_zero_counts_are_left_out_of_googles_json_and_are_zero():
    blocked = counted(promptTokenCount=12, totalTokenCount=12)
    assert blocked == Usage(at=AT, uncached_input=12)


def test_a_reply_without_usage_is_none():
    assert read([reply(None)]).usage(AT) is None
    assert read([reply({})]).usage(AT) is None
    assert read([{"promptFeedback": {"blockReason": "SAFETY"}}]).usage(AT) is None


def test_a_stream_of_cumulative_counts_is_charged_by_its_last():
    final = {"promptTokenCount": 7, "candidatesTokenCount": 30, "totalTokenCount": 37}
    events = [
        reply({"promptTokenCount": 7, "totalTokenCount": 7}),
        reply({"promptTokenCount": 7, "candidatesTokenCount": 12, "totalTokenCount": 19}),
        reply(final),
        reply(None),
    ]
    streamed, whole = read(events), read([reply(final)])
    assert streamed.usage(AT) == whole.usage(AT) == Usage(at=AT, uncached_input=7, output=30)
    assert streamed.seen.model == whole.seen.model == "gemini-2.5-flash"
    assert streamed.seen.request_id == whole.seen.request_id == "r-1"
    assert streamed.seen.finish_reason == whole.seen.finish_reason == "STOP"
    assert whole.seen.relayed.text == 'Halo{"kota":"Bogor"}'


def test_modalities_are_split_and_cached_audio_has_its_own_bucket():
    usage = counted(
        promptTokenCount=1000,
        cachedContentTokenCount=400,
        promptTokensDetails=[
            {"modality": "TEXT", "tokenCount": 300},
            {"modality": "AUDIO", "tokenCount": 500},
            {"modality": "IMAGE", "tokenCount": 200},
        ],
        cacheTokensDetails=[
            {"modality": "AUDIO", "tokenCount": 250},
            {"modality": "IMAGE", "tokenCount": 50},
            {"modality": "TEXT", "tokenCount": 100},
        ],
        candidatesTokenCount=1300,
        candidatesTokensDetails=[
            {"modality": "IMAGE", "tokenCount": 1290},
            {"modality": "AUDIO"},
        ],
        totalTokenCount=2300,
    )
    assert usage == Usage(
        at=AT,
        uncached_input=200,
        cache_read=150,
        cache_read_audio=250,
        audio_in=250,
        image_in=150,
        output=10,
        image_out=1290,
    )


def test_more_cached_audio_than_audio_is_quarantined():
    reason = refused(
        promptTokenCount=100,
        cachedContentTokenCount=50,
        promptTokensDetails=[{"modality": "AUDIO", "tokenCount": 10}],
        cacheTokensDetails=[{"modality": "AUDIO", "tokenCount": 20}],
    )
    assert reason.startswith("20 of 10 audio")


def test_more_cached_than_prompt_tokens_are_quarantined():
    assert "21 cache read" in refused(promptTokenCount=20, cachedContentTokenCount=21)


@pytest.mark.parametrize("strange", [-1, 2.0, "2", False])
def test_a_count_that_is_no_integer_is_quarantined(strange: object):
    assert refused(promptTokenCount=strange).startswith("promptTokenCount is ")


def test_usage_that_is_no_object_is_quarantined():
    result = read([reply([])]).usage(AT)
    assert isinstance(result, Quarantined)
    assert result.reason == "usageMetadata is [], not an object"


@pytest.mark.parametrize(
    ("traffic", "tier"),
    [
        ("ON_DEMAND", "standard"),
        ("ON_DEMAND_FLEX", "flex"),
        ("ON_DEMAND_PRIORITY", "priority"),
        ("PROVISIONED_THROUGHPUT", "provisioned"),
        ("TRAFFIC_TYPE_UNSPECIFIED", "unknown"),
    ],
)
def test_the_traffic_type_names_the_served_tier(traffic: str, tier: str):
    usage = counted(promptTokenCount=1, totalTokenCount=1, trafficType=traffic)
    assert usage == Usage(at=AT, uncached_input=1, tier=tier)


def test_grounding_counts_unique_queries_that_are_not_empty():
    grounding = {
        "webSearchQueries": ["kurs rupiah", "kurs rupiah ", "", "  ", "kurs dolar", None],
        "groundingChunks": [{"web": {"uri": "https://example.org"}}],
    }
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}
    whole = reply(usage, groundingMetadata=grounding)
    streamed = [whole, reply(usage, groundingMetadata={"webSearchQueries": ["kurs dolar"]})]
    expected = Usage(at=AT, uncached_input=3, output=4, searches=2)
    assert read([whole]).usage(AT) == read(streamed).usage(AT) == expected


def test_maps_and_unknown_keys_are_alarms():
    grounding = {"groundingChunks": [{"maps": {"placeId": "x"}}]}
    usage = {"promptTokenCount": 3, "totalTokenCount": 3, "dreamTokenCount": 1}
    result = read([reply(usage, groundingMetadata=grounding)]).usage(AT)
    assert isinstance(result, Usage)
    assert result.unknown_keys == ("dreamTokenCount", "groundingMetadata.maps")


def test_chunks_of_nonsense_do_not_stop_the_reading():
    usage = {"promptTokenCount": 3, "totalTokenCount": 3}
    nonsense: list[Mapping[str, object]] = [
        {"candidates": [{"content": 3, "groundingMetadata": 4}, 5]},
        {"candidates": [{"content": {"parts": [{"functionCall": {"args": None}}]}}]},
        {"candidates": [{"groundingMetadata": {"webSearchQueries": "x"}}]},
    ]
    assert read([*nonsense, {"usageMetadata": usage}]).usage(AT) == Usage(at=AT, uncached_input=3)
