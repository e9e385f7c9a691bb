"""Replies of Anthropic's messages, whole, streamed and broken."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from tokonomi.providers.adapter import Reading
from tokonomi.providers.registry import adapter_for
from tokonomi.usage import Quarantined, Source, Usage

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
USAGE: dict[str, object] = {
    "input_tokens": 50,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 2000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    "output_tokens": 420,
    "output_tokens_details": {"thinking_tokens": 120},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    "service_tier": "standard",
    "inference_geo": "not_available",
    "speed": "standard",
    "iterations": [],
}
COUNTED = Usage(
    at=AT,
    uncached_input=50,
    cache_read=2000,
    cache_write_5m=100,
    cache_write_1h=200,
    output=420,
    reasoning=120,
    searches=2,
)
WHOLE: dict[str, object] = {
    "id": "msg_01X",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [
        {"type": "thinking", "thinking": "Hmm. ", "signature": "c2ln"},
        {"type": "text", "text": "Halo dunia"},
    ],
    "stop_reason": "end_turn",
    "usage": USAGE,
}


def events_of(start: Mapping[str, object], end: object) -> list[Mapping[str, object]]:
    message = {"id": "msg_01X", "model": "claude-sonnet-4-5-20250929", "usage": start}
    return [
        {"type": "message_start", "message": message},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
        {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "Hmm. "}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Halo "}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "dunia"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": end},
        {"type": "message_stop"},
    ]


def read(events: Sequence[Mapping[str, object]]) -> Reading:
    reading = adapter_for("anthropic_messages", "anthropic").stream()
    for event in events:
        reading.observe(event)
    return reading


def counted(**more: object) -> Usage | Quarantined | None:
    return read([WHOLE | {"usage": USAGE | more}]).usage(AT)


def refused(**more: object) -> str:
    result = counted(**more)
    assert isinstance(result, Quarantined)
    return result.reason


def test_anthropic_counts_cache_beside_the_input_and_it_is_not_charged_twice():
    assert adapter_for("anthropic_messages").usage_of(WHOLE, at=AT) == COUNTED
    assert COUNTED.total_input == 2350


def test_a_stream_that_reports_at_its_start_and_its_end_is_counted_like_the_whole():
    start = USAGE | {"output_tokens": 1, "output_tokens_details": None, "server_tool_use": None}
    streamed, whole = read(events_of(start, USAGE)), read([WHOLE])
    assert streamed.usage(AT) == whole.usage(AT) == COUNTED
    assert streamed.seen.relayed.text == whole.seen.relayed.text == "Hmm. Halo dunia"
    assert streamed.seen.finish_reason == whole.seen.finish_reason == "end_turn"
    assert streamed.seen.model == whole.seen.model == "claude-sonnet-4-5-20250929"
    assert streamed.seen.request_id == whole.seen.request_id == "msg_01X"


def test_an_end_that_only_reports_output_keeps_the_input_of_the_start():
    end = {"output_tokens": 420, "output_tokens_details": {"thinking_tokens": 120}}
    start = USAGE | {"output_tokens": 1}
    assert read(events_of(start, end)).usage(AT) == COUNTED


def test_nulls_at_the_end_of_a_stream_do_not_erase_what_its_start_reported():
    end = USAGE | {"input_tokens": None, "cache_read_input_tokens": None, "cache_creation": None}
    assert read(events_of(USAGE | {"output_tokens": 1}, end)).usage(AT) == COUNTED


def test_cumulative_counts_of_start_and_end_are_not_added():
    start = {"input_tokens": 2679, "output_tokens": 3}
    end = {"input_tokens": 10682, "output_tokens": 510}
    assert read(events_of(start, end)).usage(AT) == Usage(at=AT, uncached_input=10682, output=510)


def test_a_stream_cut_after_its_start_is_charged_for_what_was_sent_and_marked_as_estimated():
    start = USAGE | {"output_tokens": 1, "output_tokens_details": None, "server_tool_use": None}
    result = read(events_of(start, None)[:6]).usage(AT)
    assert isinstance(result, Usage)
    assert result.source is Source.ESTIMATED
    assert (result.uncached_input, result.cache_read, result.cache_write_1h) == (50, 2000, 200)
    assert 2 <= result.output <= len("Hmm. Halo ")


def test_a_stream_cut_before_any_usage_has_none():
    assert read([{"type": "ping"}, {"type": "message_start", "message": None}]).usage(AT) is None


def test_one_hour_writes_are_split_from_five_minute_writes():
    all_long = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 300}
    result = counted(cache_creation=all_long)
    assert isinstance(result, Usage)
    assert (result.cache_write_5m, result.cache_write_1h) == (0, 300)


@pytest.mark.parametrize(
    "absent", [None, {}, {"ephemeral_5m_input_tokens": None, "ephemeral_1h_input_tokens": None}]
)
def test_writes_that_are_not_split_are_the_usual_five_minutes(absent: object):
    result = counted(cache_creation=absent)
    assert isinstance(result, Usage)
    assert (result.cache_write_5m, result.cache_write_1h) == (300, 0)


def test_a_split_without_a_total_is_the_total():
    result = counted(cache_creation_input_tokens=None)
    assert isinstance(result, Usage)
    assert (result.cache_write_5m, result.cache_write_1h) == (100, 200)


def test_writes_that_do_not_make_their_total_are_quarantined():
    expected = "100 + 200 cache writes by retention are not 301"
    assert refused(cache_creation_input_tokens=301) == expected


@pytest.mark.parametrize(
    ("short", "long", "expected"), [(300, 0, (450, 0)), (0, 300, (0, 450)), (0, 0, (450, 0))]
)
def test_writes_that_grow_during_a_stream_keep_their_retention(
    short: int, long: int, expected: tuple[int, int]
):
    split = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
    start = USAGE | {"cache_creation_input_tokens": short + long, "cache_creation": split}
    end = {"cache_creation_input_tokens": 450, "output_tokens": 9}
    result = read(events_of(start | {"output_tokens_details": None}, end)).usage(AT)
    assert isinstance(result, Usage)
    assert (result.cache_write_5m, result.cache_write_1h) == expected


def test_mixed_writes_that_grow_without_a_split_are_quarantined():
    end = {"cache_creation_input_tokens": 450, "output_tokens": 420}
    result = read(events_of(USAGE, end)).usage(AT)
    assert isinstance(result, Quarantined)
    assert result.reason == "100 + 200 cache writes by retention are not 450"


@pytest.mark.parametrize("missing", ["input_tokens", "output_tokens"])
def test_half_a_usage_is_quarantined_because_absent_is_not_zero(missing: str):
    assert refused(**{missing: None}) == f"{missing} is absent beside other counts"


def test_more_thinking_than_output_is_quarantined():
    assert refused(output_tokens=5) == "120 reasoning tokens inside 5 output tokens"


@pytest.mark.parametrize("strange", [1.5, "3", True, -1])
def test_a_count_that_is_no_integer_is_quarantined(strange: object):
    assert refused(cache_read_input_tokens=strange).startswith("cache_read_input_tokens is ")


def test_usage_that_is_no_object_is_quarantined():
    result = read([WHOLE | {"usage": "none"}]).usage(AT)
    assert isinstance(result, Quarantined)
    assert result.reason == 'usage is "none", not an object'


def test_a_message_without_usage_is_none_and_a_reported_zero_is_zero():
    zero = {"input_tokens": 0, "output_tokens": 0}
    assert read([WHOLE | {"usage": None}]).usage(AT) is None
    assert read([WHOLE | {"usage": zero}]).usage(AT) == Usage(at=AT)


@pytest.mark.parametrize(
    ("reported", "tier", "batch"),
    [
        ({"service_tier": "standard"}, "standard", False),
        ({"service_tier": "priority"}, "priority", False),
        ({"service_tier": "batch"}, "standard", True),
        ({"service_tier": "auto"}, "unknown", False),
        ({"speed": "fast"}, "fast", False),
        ({"speed": "fast", "service_tier": "priority"}, "priority-fast", False),
    ],
)
def test_the_served_tier_is_read_from_the_reply(
    reported: Mapping[str, object], tier: str, *, batch: bool
):
    result = counted(**reported)
    assert isinstance(result, Usage)
    assert (result.tier, result.batch) == (tier, batch)


def test_searches_are_counted_from_their_results_when_usage_does_not_count_them():
    blocks = [
        {"type": "server_tool_use", "name": "web_search", "input": {"query": "kurs rupiah"}},
        {"type": "web_search_tool_result", "content": [{"type": "web_search_result"}]},
        {"type": "web_search_tool_result", "content": {"error_code": "max_uses_exceeded"}},
        {"type": "text", "text": "Rp"},
    ]
    silent = USAGE | {"server_tool_use": None}
    whole = read([WHOLE | {"usage": silent, "content": blocks}]).usage(AT)
    starts = [{"type": "content_block_start", "content_block": block} for block in blocks]
    streamed = read([*events_of(silent, silent)[:1], *starts, events_of(silent, silent)[-2]])
    assert isinstance(whole, Usage)
    assert whole.searches == 1
    assert streamed.usage(AT) == whole


def test_a_declared_search_tool_is_not_charged():
    result = read([WHOLE | {"usage": USAGE | {"server_tool_use": None}, "tools": ["web_search"]}])
    counted_usage = result.usage(AT)
    assert isinstance(counted_usage, Usage)
    assert counted_usage.searches == 0


def test_a_compaction_is_added_because_the_counts_beside_it_leave_it_out():
    steps = [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ]
    usage = {"input_tokens": 23_000, "output_tokens": 1_000, "iterations": steps}
    assert read([WHOLE | {"usage": usage}]).usage(AT) == Usage(
        at=AT, uncached_input=203_000, output=4_500, context_basis=180_000
    )


def test_unknown_keys_places_of_inference_and_other_models_are_alarms():
    result = counted(
        magic_tokens=1,
        inference_geo="us",
        server_tool_use={"web_search_requests": 2, "mind_reading_requests": 1},
        iterations=[{"type": "advisor_message", "input_tokens": 9, "output_tokens": 9}],
    )
    assert isinstance(result, Usage)
    assert result.unknown_keys == (
        "magic_tokens",
        "server_tool_use.mind_reading_requests",
        "inference_geo=us",
        "iterations.advisor_message",
    )


def test_events_of_nonsense_do_not_stop_the_reading():
    nonsense: list[Mapping[str, object]] = [
        {"type": "content_block_start", "content_block": 1},
        {"type": "content_block_delta", "delta": []},
        {"type": "message_delta", "delta": None, "usage": None},
        {"type": 7},
        {"type": "error", "error": {"type": "overloaded_error"}},
    ]
    assert read([*nonsense, WHOLE]).usage(AT) == COUNTED
