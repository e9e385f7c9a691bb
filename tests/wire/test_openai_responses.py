"""Replies of OpenAI's responses, whole, streamed and broken."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from tokonomi.money import Money
from tokonomi.providers.adapter import Reading
from tokonomi.providers.registry import adapter_for
from tokonomi.usage import Quarantined, Usage

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
USAGE: dict[str, object] = {
    "input_tokens": 900,
    "input_tokens_details": {"cached_tokens": 512, "cache_write_tokens": 0},
    "output_tokens": 300,
    "output_tokens_details": {"reasoning_tokens": 128},
    "total_tokens": 1200,
}
OUTPUT: list[Mapping[str, object]] = [
    {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hmm. "}]},
    {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "queries": ["kurs rupiah", "kurs dolar"]},
    },
    {
        "id": "ws_2",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "open_page", "url": "https://example.org"},
    },
    {"id": "ws_3", "type": "web_search_call", "status": "failed", "action": {"type": "search"}},
    {
        "id": "msg_1",
        "type": "message",
        "content": [{"type": "output_text", "text": "Rp 16.000"}],
    },
]
WHOLE: dict[str, object] = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-5.1-2025-11-13",
    "service_tier": "default",
    "output": OUTPUT,
    "tools": [{"type": "web_search"}],
    "usage": USAGE,
}
COUNTED = Usage(at=AT, uncached_input=388, cache_read=512, output=300, reasoning=128, searches=1)


def stream_of(last: Mapping[str, object]) -> list[Mapping[str, object]]:
    begun = WHOLE | {"status": "in_progress", "service_tier": "auto", "output": None, "usage": None}
    items = [
        {"type": "response.output_item.done", "output_index": index, "item": item}
        for index, item in enumerate(OUTPUT)
    ]
    return [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.reasoning_summary_text.delta", "delta": "Hmm. "},
        *items[:-1],
        {"type": "response.output_text.delta", "delta": "Rp "},
        {"type": "response.output_text.delta", "delta": "16.000"},
        {"type": "response.audio.delta", "delta": "UklGRg=="},
        items[-1],
        {"type": "response.completed", "response": last},
    ]


def read(events: Sequence[Mapping[str, object]], provider: str = "openai") -> Reading:
    reading = adapter_for("openai_responses", provider).stream()
    for event in events:
        reading.observe(event)
    return reading


def test_responses_are_counted_under_their_own_names():
    assert adapter_for("openai_responses", "openai").usage_of(WHOLE, at=AT) == COUNTED


@pytest.mark.parametrize("repeated", [OUTPUT, []])
def test_a_stream_is_counted_like_the_whole(repeated: list[Mapping[str, object]]):
    streamed, whole = read(stream_of(WHOLE | {"output": repeated})), read([WHOLE])
    assert streamed.usage(AT) == whole.usage(AT) == COUNTED
    assert streamed.seen.relayed.text == whole.seen.relayed.text == "Hmm. Rp 16.000"
    assert streamed.seen.model == whole.seen.model == "gpt-5.1-2025-11-13"
    assert streamed.seen.request_id == whole.seen.request_id == "resp_1"
    assert streamed.seen.finish_reason == whole.seen.finish_reason == "completed"


def test_the_tier_that_a_stream_begins_with_is_not_the_one_that_served_it():
    reading = read(stream_of(WHOLE | {"service_tier": "flex"}))
    result = reading.usage(AT)
    assert isinstance(result, Usage)
    assert result.tier == "flex"


def test_an_incomplete_response_says_why_and_is_charged():
    last = WHOLE | {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
    }
    reading = read(stream_of(last))
    assert reading.seen.finish_reason == "max_output_tokens"
    assert reading.usage(AT) == COUNTED


def test_a_cut_stream_has_no_usage_and_keeps_what_was_relayed():
    reading = read(stream_of(WHOLE)[:-1])
    assert reading.usage(AT) is None
    assert reading.seen.finish_reason == ""
    assert reading.seen.relayed.text == "Hmm. Rp 16.000"


def test_a_declared_tool_that_was_not_used_is_not_charged():
    result = read([WHOLE | {"output": OUTPUT[-1:]}]).usage(AT)
    assert isinstance(result, Usage)
    assert result.searches == 0


def test_items_without_ids_are_counted_once_each():
    search = {"type": "web_search_call"}
    streamed: list[Mapping[str, object]] = [
        {"type": "response.output_item.done", "output_index": 0, "item": search},
        {"type": "response.output_item.done", "output_index": 1, "item": search},
        {"type": "response.completed", "response": WHOLE | {"output": [search, search]}},
    ]
    result = read(streamed).usage(AT)
    assert isinstance(result, Usage)
    assert result.searches == 2


def test_tools_that_are_charged_beside_tokens_are_alarms():
    output = [
        {"id": "fs", "type": "file_search_call"},
        {"id": "f", "type": "function_call", "arguments": "{}"},
        {"id": "ci", "type": "code_interpreter_call"},
    ]
    reading = read([WHOLE | {"output": output}])
    result = reading.usage(AT)
    assert isinstance(result, Usage)
    assert result.unknown_keys == ("output.code_interpreter_call", "output.file_search_call")
    assert reading.seen.relayed.text == "{}"


def test_impossible_counts_are_quarantined():
    wrong = read([WHOLE | {"usage": USAGE | {"total_tokens": 1}}]).usage(AT)
    strange = read([WHOLE | {"usage": 5}]).usage(AT)
    assert isinstance(wrong, Quarantined)
    assert wrong.reason == "900 input + 300 output = 1200, but the reply's total is 1"
    assert isinstance(strange, Quarantined)


def test_openrouter_and_xai_report_their_cost_in_responses_too():
    routed = read([WHOLE | {"usage": USAGE | {"cost": 0.5, "is_byok": False}}], "openrouter")
    ticks = {
        "cost_in_usd_ticks": 318_319_000,
        "num_sources_used": 0,
        "num_server_side_tools_used": 3,
        "server_side_tool_usage_details": {"web_search_calls": 0, "x_search_calls": 3},
        "context_details": {"input_tokens": 762},
    }
    grok = read([WHOLE | {"usage": USAGE | ticks}], "xai")
    first, second = routed.usage(AT), grok.usage(AT)
    assert isinstance(first, Usage)
    assert (first.reported_cost, first.unknown_keys) == (Money.parse("0.5", "USD"), ())
    assert isinstance(second, Usage)
    assert (second.reported_cost, second.output) == (Money.parse("0.0318319", "USD"), 300)
    assert (second.searches, second.unknown_keys) == (3, ())


def test_events_of_nonsense_do_not_stop_the_reading():
    nonsense: list[Mapping[str, object]] = [
        {"type": "error", "message": "x"},
        {"type": "response.output_text.delta", "delta": 3},
        {"type": "response.completed", "response": {"output": [7], "incomplete_details": 3}},
    ]
    assert read([*nonsense, WHOLE]).usage(AT) == COUNTED
