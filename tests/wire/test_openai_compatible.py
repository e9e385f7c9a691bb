"""Replies of those who speak OpenAI's chat completions and embeddings with words of their own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from tokonomi.money import Money
from tokonomi.providers.registry import adapter_for
from tokonomi.usage import Quarantined, Usage

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


def chat(provider: str, usage: Mapping[str, object]) -> Usage | Quarantined | None:
    return adapter_for("openai_chat", provider).usage_of({"usage": usage}, at=AT)


def reason(result: Usage | Quarantined | None) -> str:
    assert isinstance(result, Quarantined)
    return result.reason


def usd(text: str) -> Money:
    return Money.parse(text, "USD")


def test_groq_reports_times_beside_counts_and_its_streams_report_under_x_groq():
    usage = {
        "queue_time": 0.04,
        "prompt_tokens": 24,
        "prompt_time": 0.002,
        "completion_tokens": 377,
        "completion_time": 0.68,
        "total_tokens": 401,
        "total_time": 0.7,
    }
    expected = Usage(at=AT, uncached_input=24, output=377)
    reading = adapter_for("openai_chat", "groq").stream()
    reading.observe({"choices": [{"delta": {"content": "hi"}}], "x_groq": {"id": "req_1"}})
    reading.observe({"choices": [{"finish_reason": "stop"}], "x_groq": {"usage": usage}})
    assert reading.usage(AT) == chat("groq", usage) == expected


def test_groqs_on_demand_is_the_standard_tier():
    reply = {
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        "service_tier": "on_demand",
    }
    expected = Usage(at=AT, uncached_input=1, output=1, tier="standard")
    assert adapter_for("openai_chat", "groq").usage_of(reply, at=AT) == expected


def test_llama_cpp_sends_timings_beside_usage_and_raises_no_alarm():
    reply = {
        "usage": {
            "completion_tokens": 16,
            "prompt_tokens": 31,
            "total_tokens": 47,
            "prompt_tokens_details": {"cached_tokens": 30},
        },
        "timings": {"prompt_n": 1, "prompt_ms": 5.2, "predicted_n": 16, "cache_n": 30},
    }
    expected = Usage(at=AT, uncached_input=1, cache_read=30, output=16)
    assert adapter_for("openai_chat", "llama.cpp").usage_of(reply, at=AT) == expected


def test_vllm_with_running_usage_is_charged_by_its_last_chunk():
    reading = adapter_for("openai_chat", "vllm").stream()
    for done in range(4):
        usage = {"prompt_tokens": 9, "completion_tokens": done, "total_tokens": 9 + done}
        reading.observe({"choices": [{"delta": {"content": "x"}}], "usage": usage})
    assert reading.usage(AT) == Usage(at=AT, uncached_input=9, output=3)


def test_azure_replies_are_openais_with_filter_results():
    reply = {
        "prompt_filter_results": [{"prompt_index": 0}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11},
    }
    expected = Usage(at=AT, uncached_input=5, output=6)
    assert adapter_for("openai_chat", "azure").usage_of(reply, at=AT) == expected


DEEPSEEK: dict[str, object] = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 20},
    "prompt_cache_hit_tokens": 64,
    "prompt_cache_miss_tokens": 36,
}


def test_deepseek_counts_hits_and_misses_inside_the_prompt():
    expected = Usage(at=AT, uncached_input=36, cache_read=64, output=50, reasoning=20)
    without_details = {k: v for k, v in DEEPSEEK.items() if k != "prompt_tokens_details"}
    no_hits = DEEPSEEK | {"prompt_cache_hit_tokens": None}
    assert chat("deepseek", DEEPSEEK) == expected
    assert chat("deepseek", without_details) == expected
    assert chat("deepseek", no_hits) == expected


def test_deepseek_counts_that_contradict_each_other_are_quarantined():
    misses = chat("deepseek", DEEPSEEK | {"prompt_cache_miss_tokens": 35})
    details = chat("deepseek", DEEPSEEK | {"prompt_tokens_details": {"cached_tokens": 63}})
    assert reason(misses) == "64 cache hits + 35 misses are not 100 input tokens"
    assert reason(details) == "64 cache hits, but 63 cached tokens"


def test_mistral_audio_seconds_are_an_alarm_only_when_there_are_any():
    usage: dict[str, object] = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
    none: dict[str, object] = {}
    silent = chat("mistral", usage | {"prompt_audio_seconds": none, "num_cached_tokens": 0})
    heard = chat("mistral", usage | {"prompt_audio_seconds": 12})
    assert silent == Usage(at=AT, uncached_input=4, output=2)
    assert isinstance(heard, Usage)
    assert heard.unknown_keys == ("prompt_audio_seconds",)


XAI: dict[str, object] = {
    "prompt_tokens": 700,
    "completion_tokens": 9,
    "total_tokens": 809,
    "prompt_tokens_details": {"text_tokens": 200, "image_tokens": 500, "cached_tokens": 640},
    "completion_tokens_details": {"reasoning_tokens": 100},
    "num_sources_used": 3,
    "cost_in_usd_ticks": 37_756_000,
}


def test_xai_chat_leaves_reasoning_out_of_the_completion_and_it_is_added():
    assert chat("xai", XAI) == Usage(
        at=AT,
        uncached_input=0,
        cache_read=640,
        image_in=60,
        output=109,
        reasoning=100,
        searches=3,
        reported_cost=usd("0.0037756"),
    )


def test_reasoning_that_a_host_already_included_is_not_doubled():
    included = XAI | {"completion_tokens": 109}
    assert chat("xai", included) == chat("xai", XAI)


def test_xai_without_a_total_adds_reasoning_and_with_a_wrong_one_is_quarantined():
    no_total = {key: value for key, value in XAI.items() if key != "total_tokens"}
    assert chat("xai", no_total) == chat("xai", XAI)
    assert reason(chat("xai", XAI | {"total_tokens": 800})) == (
        "700 input + 9 output + 100 reasoning = 809, but the reply's total is 800"
    )


def test_xai_searches_of_its_server_are_counted_by_call():
    tools = {"web_search_calls": 2, "x_search_calls": 1, "code_interpreter_calls": 0}
    result = chat("xai", XAI | {"server_side_tool_usage_details": tools})
    assert isinstance(result, Usage)
    assert (result.searches, result.unknown_keys) == (3, ())


@pytest.mark.parametrize("ticks", [-1, 2.5, "7", True, 10**16])
def test_xai_ticks_that_are_no_amount_are_quarantined(ticks: object):
    assert reason(chat("xai", XAI | {"cost_in_usd_ticks": ticks})).startswith("cost_in_usd_ticks")
    assert chat("xai", {**XAI, "cost_in_usd_ticks": None}) != chat("xai", XAI)


def test_vertex_flex_traffic_and_reasoning_beside_the_completion():
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 35,
        "completion_tokens_details": {"reasoning_tokens": 20},
        "extra_properties": {"google": {"traffic_type": "ON_DEMAND_FLEX"}},
    }
    expected = Usage(at=AT, uncached_input=10, output=25, reasoning=20, tier="flex")
    assert chat("vertex", usage) == expected
    odd = usage | {"extra_properties": {"google": None}}
    assert chat("vertex", odd) == Usage(at=AT, uncached_input=10, output=25, reasoning=20)


OPENROUTER: dict[str, object] = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "cost": 0.00014475,
    "is_byok": False,
    "cost_details": {"upstream_inference_cost": 0.00014475},
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0, "video_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0},
}


def openrouter_cost(**more: object) -> Money | None:
    result = chat("openrouter", OPENROUTER | more)
    assert isinstance(result, Usage)
    assert (result.uncached_input, result.output, result.unknown_keys) == (10, 5, ())
    return result.reported_cost


def test_openrouter_cost_is_the_bill_and_the_upstreams_is_not_added():
    assert openrouter_cost() == usd("0.00014475")


def test_openrouter_with_an_own_key_costs_the_fee_and_the_upstream():
    upstream = {"upstream_inference_cost": 0.002}
    assert openrouter_cost(is_byok=True, cost=0.0001, cost_details=upstream) == usd("0.0021")


def test_openrouter_with_an_own_key_and_no_upstream_cost_is_not_known_and_not_zero():
    assert openrouter_cost(is_byok=True, cost=0, cost_details=None) is None
    assert openrouter_cost(cost=None) is None
    assert openrouter_cost(cost=0) == usd("0")


def test_a_cost_finer_than_a_sub_unit_is_rounded_half_up_and_not_refused():
    assert openrouter_cost(cost=1.5e-12) == Money(2, "USD")
    assert openrouter_cost(cost=Decimal("0.00000000000149999")) == Money(1, "USD")
    assert openrouter_cost(cost=1e-60) == Money(0, "USD")
    assert openrouter_cost(cost="0.00000083333333333") == Money(833_333, "USD")


def test_a_decoder_that_keeps_decimals_and_one_that_makes_floats_give_the_same_cost():
    text = b'{"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":0.000123456789}}'
    adapter = adapter_for("openai_chat", "openrouter")
    floats = msgspec.json.decode(text)
    decimals = msgspec.json.Decoder(float_hook=Decimal).decode(text)
    first, second = adapter.usage_of(floats, at=AT), adapter.usage_of(decimals, at=AT)
    assert isinstance(first, Usage)
    assert first == second
    assert first.reported_cost == usd("0.000123456789")


@pytest.mark.parametrize("cost", [-0.1, True, "abc", "NaN", "1e999999999", [], 10**6])
def test_a_cost_that_is_no_amount_is_quarantined(cost: object):
    assert reason(chat("openrouter", OPENROUTER | {"cost": cost})).startswith("cost is ")


def test_openrouter_searches_are_those_that_it_counts():
    tools = {"web_search_requests": 2}
    result = chat("openrouter", OPENROUTER | {"server_tool_use": tools})
    assert isinstance(result, Usage)
    assert result.searches == 2


def test_deepinfra_reports_an_estimated_cost():
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "estimated_cost": 4.4e-06}
    expected = Usage(at=AT, uncached_input=3, output=4, reported_cost=usd("0.0000044"))
    assert chat("deepinfra", usage) == expected
    assert chat("deepinfra", usage | {"estimated_cost": None}) == Usage(
        at=AT, uncached_input=3, output=4
    )


def test_a_cost_from_a_provider_that_is_not_known_to_report_one_is_an_alarm():
    result = chat("somebody", {"prompt_tokens": 3, "completion_tokens": 4, "cost": 1})
    assert isinstance(result, Usage)
    assert (result.reported_cost, result.unknown_keys) == (None, ("cost",))


def embedded(provider: str, usage: object) -> Usage | Quarantined | None:
    reply = {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}],
        "usage": usage,
    }
    return adapter_for("openai_embeddings", provider).usage_of(reply, at=AT)


def test_embeddings_have_input_only():
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    assert embedded("openai", usage) == Usage(at=AT, uncached_input=8)
    assert embedded("vllm", usage | {"completion_tokens": 0}) == Usage(at=AT, uncached_input=8)
    assert embedded("openrouter", usage | {"cost": 1.6e-07}) == Usage(
        at=AT, uncached_input=8, reported_cost=usd("0.00000016")
    )
    assert embedded("deepinfra", usage | {"estimated_cost": 4e-08}) == Usage(
        at=AT, uncached_input=8, reported_cost=usd("0.00000004")
    )


def test_embeddings_without_usage_are_none_and_impossible_ones_are_quarantined():
    assert embedded("openai", None) is None
    assert embedded("openai", {"prompt_tokens": None}) is None
    assert reason(embedded("openai", [])) == "usage is [], not an object"
    assert reason(embedded("openai", {"prompt_tokens": 8, "total_tokens": 9})).endswith("is 9")
    assert reason(embedded("openai", {"total_tokens": 9})).startswith("prompt_tokens is absent")


def test_a_reading_of_embeddings_names_the_model():
    reading = adapter_for("openai_embeddings").stream()
    reading.observe({"model": "text-embedding-3-small", "id": "e1", "usage": None})
    assert (reading.seen.model, reading.seen.request_id) == ("text-embedding-3-small", "e1")


PERPLEXITY: dict[str, object] = {
    "prompt_tokens": 33,
    "completion_tokens": 7163,
    "total_tokens": 7196,
    "citation_tokens": 20016,
    "num_search_queries": 18,
    "reasoning_tokens": 73997,
    "search_context_size": "low",
    "cost": {"input_tokens_cost": 0.0, "total_cost": 0.409},
}


def test_perplexity_adds_citations_to_the_input_and_reasoning_to_the_output():
    expected = Usage(
        at=AT,
        uncached_input=33 + 20016,
        output=7163 + 73997,
        reasoning=73997,
        searches=18,
        reported_cost=usd("0.409"),
    )
    assert chat("perplexity", PERPLEXITY) == expected
    reply = {"usage": PERPLEXITY, "citations": ["https://example.org"]}
    assert adapter_for("perplexity").usage_of(reply, at=AT) == expected


def test_perplexity_counts_that_cannot_be_true_are_quarantined_as_they_were_sent():
    wrong = chat("perplexity", PERPLEXITY | {"total_tokens": 7})
    strange = chat("perplexity", PERPLEXITY | {"cost": {"total_cost": -1}})
    assert reason(wrong) == "33 input + 7163 output = 7196, but the reply's total is 7"
    assert isinstance(strange, Quarantined)
    assert msgspec.json.decode(strange.raw)["prompt_tokens"] == 33
    assert reason(chat("perplexity", {"completion_tokens": 1})).startswith(
        "prompt_tokens is absent"
    )


def test_perplexity_without_a_cost_reports_none():
    plain = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert chat("perplexity", plain) == Usage(at=AT, uncached_input=1, output=2)
