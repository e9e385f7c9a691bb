"""Replies of Cohere's chat, embed and rerank, in both forms, whole, streamed and broken."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from tokonomi.providers.adapter import Reading
from tokonomi.providers.registry import adapter_for
from tokonomi.usage import Quarantined, Source, Usage

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
USAGE: dict[str, object] = {
    "billed_units": {"input_tokens": 17, "output_tokens": 12},
    "tokens": {"input_tokens": 215, "output_tokens": 12},
}
COUNTED = Usage(at=AT, uncached_input=17, output=12)
WHOLE: dict[str, object] = {
    "id": "c-1",
    "message": {
        "role": "assistant",
        "tool_plan": "Cari. ",
        "content": [{"type": "text", "text": "Halo"}],
        "tool_calls": [{"id": "t", "function": {"name": "cari", "arguments": "{}"}}],
    },
    "finish_reason": "COMPLETE",
    "usage": USAGE,
}
STREAM: list[Mapping[str, object]] = [
    {"id": "c-1", "type": "message-start", "delta": {"message": {"role": "assistant"}}},
    {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "Cari. "}}},
    {"type": "content-delta", "delta": {"message": {"content": {"text": "Halo"}}}},
    {
        "type": "tool-call-delta",
        "delta": {"message": {"tool_calls": {"function": {"arguments": "{}"}}}},
    },
    {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}},
]


def read(events: Sequence[Mapping[str, object]], dialect: str = "cohere_chat") -> Reading:
    reading = adapter_for(dialect, "cohere").stream()
    for event in events:
        reading.observe(event)
    return reading


def counted(usage: object, dialect: str = "cohere_chat") -> Usage | Quarantined | None:
    return read([{"usage": usage}], dialect).usage(AT)


def refused(usage: object, dialect: str = "cohere_chat") -> str:
    result = counted(usage, dialect)
    assert isinstance(result, Quarantined)
    return result.reason


def test_cohere_bills_its_billed_units_and_not_its_tokens():
    assert adapter_for("cohere_chat", "cohere").usage_of(WHOLE, at=AT) == COUNTED


def test_a_stream_is_counted_like_the_whole():
    streamed, whole = read(STREAM), read([WHOLE])
    assert streamed.usage(AT) == whole.usage(AT) == COUNTED
    assert streamed.seen.relayed.text == "Cari. Halo{}"
    assert whole.seen.relayed.text == "Cari. Halo{}"
    assert streamed.seen.finish_reason == whole.seen.finish_reason == "COMPLETE"
    assert streamed.seen.request_id == whole.seen.request_id == "c-1"


def test_the_first_form_reports_in_meta():
    whole: dict[str, object] = {
        "generation_id": "g-1",
        "text": "Halo",
        "finish_reason": "COMPLETE",
        "meta": USAGE | {"api_version": {"version": "1"}},
    }
    streamed = read(
        [
            {"event_type": "text-generation", "text": "Ha"},
            {"event_type": "text-generation", "text": "lo"},
            {"event_type": "stream-end", "response": whole},
        ]
    )
    assert read([whole]).usage(AT) == streamed.usage(AT) == COUNTED
    assert streamed.seen.relayed.text == read([whole]).seen.relayed.text == "Halo"
    assert streamed.seen.finish_reason == "COMPLETE"
    assert read([whole]).seen.request_id == "g-1"


def test_a_cut_stream_has_no_usage():
    assert read(STREAM[:-1]).usage(AT) is None
    assert counted({}) is None


def test_billed_units_are_doubles_by_cohere_s_own_account():
    units = {"billed_units": {"input_tokens": 17.0, "output_tokens": 12.0}}
    halves = {"billed_units": {"input_tokens": 17.5, "output_tokens": 12}}
    assert counted(units) == COUNTED
    assert refused(halves).startswith("input_tokens is 17.5")


def test_cached_tokens_are_taken_out_of_the_billed_input():
    assert counted(USAGE | {"cached_tokens": 16}) == Usage(
        at=AT, uncached_input=1, cache_read=16, output=12
    )


def test_cached_tokens_of_the_template_cannot_be_split_and_are_an_alarm():
    result = counted(USAGE | {"cached_tokens": 200})
    assert result == Usage(at=AT, uncached_input=17, output=12, unknown_keys=("cached_tokens",))


def test_more_cached_than_prompt_tokens_are_quarantined():
    assert refused(USAGE | {"cached_tokens": 216}) == "216 cached tokens inside 215 input tokens"
    no_tokens = USAGE | {"cached_tokens": 18, "tokens": None}
    assert refused(no_tokens) == "18 cached tokens inside 17 input tokens"


@pytest.mark.parametrize("missing", ["input_tokens", "output_tokens"])
def test_half_a_chats_usage_is_quarantined(missing: str):
    units = {"input_tokens": 1, "output_tokens": 2, missing: None}
    assert refused({"billed_units": units}) == f"{missing} is absent from billed_units"


def test_tokens_without_billed_units_are_quarantined():
    assert refused({"tokens": {"input_tokens": 3}}).startswith("billed_units is absent")
    assert refused("x") == 'usage is "x", not an object'


def test_unknown_and_unmetered_units_are_alarms():
    units = {"input_tokens": 1, "output_tokens": 2, "classifications": 3, "wishes": 1}
    result = counted({"billed_units": units, "stars": 1})
    assert isinstance(result, Usage)
    assert result.unknown_keys == ("stars", "billed_units.wishes", "billed_units.classifications")


def test_embeddings_of_text_and_of_images():
    meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 9}}
    image = {"billed_units": {"image_tokens": 258, "images": 0}}
    text = read([{"id": "e", "embeddings": [[0.1]], "meta": meta}], "cohere_embed")
    assert text.usage(AT) == Usage(at=AT, uncached_input=9)
    assert counted(image, "cohere_embed") == Usage(at=AT, image_in=258)


def rerank(**more: object) -> Usage | Quarantined | None:
    results = [{"index": 0, "relevance_score": 0.9}]
    return read([{"id": "r", "results": results, **more}], "cohere_rerank").usage(AT)


def test_a_rerank_is_billed_by_search_units_and_not_by_tokens():
    assert rerank(meta={"billed_units": {"search_units": 2}}) == Usage(at=AT, searches=2)


@pytest.mark.parametrize("meta", [None, {}, {"api_version": {"version": "2"}}])
def test_a_rerank_that_is_silent_is_one_search_marked_as_estimated(meta: object):
    assert rerank(meta=meta) == Usage(at=AT, searches=1, source=Source.ESTIMATED)


def test_a_rerank_that_failed_has_no_usage():
    assert read([{"message": "invalid request"}], "cohere_rerank").usage(AT) is None


def test_a_rerank_with_units_but_no_searches_is_quarantined():
    result = rerank(meta={"billed_units": {"input_tokens": 2}})
    assert isinstance(result, Quarantined)
    assert result.reason == "search_units is absent from billed_units"
