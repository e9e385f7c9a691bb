from datetime import UTC, datetime

from tokonomi.money import Money
from tokonomi.providers.registry import adapter_for
from tokonomi.usage import Quarantined, Usage

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


def counted(usage: object, provider: str = "openai") -> Usage | Quarantined | None:
    return adapter_for("openai_chat", provider).usage_of({"usage": usage}, at=AT)


def test_a_plain_usage_object_gives_two_buckets():
    usage = {"prompt_tokens": 200, "completion_tokens": 400, "total_tokens": 600}
    assert counted(usage) == Usage(at=AT, uncached_input=200, output=400)


def test_cached_tokens_are_taken_out_of_the_prompt_and_reasoning_stays_inside_the_output():
    usage = {
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
    assert counted(usage) == Usage(
        at=AT, uncached_input=176, cache_read=1024, output=400, reasoning=64
    )


def test_a_reply_without_usage_is_none_and_not_zero():
    assert adapter_for("openai_chat").usage_of({"choices": []}, at=AT) is None
    assert counted(None) is None
    assert counted({"prompt_tokens": None, "completion_tokens": None}) is None
    assert counted({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}) == Usage(at=AT)


def test_openrouter_reports_its_cost():
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.00014475}
    assert counted(usage, "openrouter") == Usage(
        at=AT, uncached_input=10, output=5, reported_cost=Money(144_750_000, "USD")
    )
