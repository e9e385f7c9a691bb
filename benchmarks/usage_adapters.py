"""How long it takes to read usage from a decoded reply. Checks the results first.

Run: python benchmarks/usage_adapters.py
"""

import timeit
from collections.abc import Callable
from datetime import UTC, datetime

from tokonomi.providers.openai_chat import PLAIN
from tokonomi.providers.openai_usage import read_usage
from tokonomi.providers.registry import adapter_for
from tokonomi.usage import Usage

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
TARGET_US = 3.0
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
REPLY: dict[str, object] = {
    "id": "chatcmpl-C1",
    "model": "gpt-5.1-2025-11-13",
    "choices": [{"message": {"content": "Halo dunia. " * 40}, "finish_reason": "stop"}],
    "usage": USAGE,
    "service_tier": "default",
}
MESSAGE: dict[str, object] = {
    "type": "message",
    "usage": {
        "input_tokens": 176,
        "cache_read_input_tokens": 1024,
        "cache_creation_input_tokens": 0,
        "output_tokens": 400,
        "output_tokens_details": {"thinking_tokens": 64},
    },
}
GEMINI: dict[str, object] = {
    "usageMetadata": {
        "promptTokenCount": 1200,
        "cachedContentTokenCount": 1024,
        "candidatesTokenCount": 336,
        "thoughtsTokenCount": 64,
        "totalTokenCount": 1600,
    }
}


def microseconds(call: Callable[[], object], *, runs: int = 2_000, rounds: int = 200) -> float:
    """The fastest of many short rounds, which a busy machine disturbs least."""
    return min(timeit.repeat(call, number=runs, repeat=rounds)) / runs * 1e6


def main() -> None:
    chat = adapter_for("openai_chat", "openai")
    messages = adapter_for("anthropic_messages", "anthropic")
    gemini = adapter_for("gemini", "google")
    chunk: dict[str, object] = {"choices": [{"index": 0, "delta": {"content": "Halo"}}]}
    stream = chat.stream()
    cases: dict[str, Callable[[], object]] = {
        "OpenAI usage object -> Usage": lambda: read_usage(USAGE, shape=PLAIN, at=AT),
        "OpenAI whole reply -> Usage": lambda: chat.usage_of(REPLY, at=AT),
        "Anthropic whole reply -> Usage": lambda: messages.usage_of(MESSAGE, at=AT),
        "Gemini whole reply -> Usage": lambda: gemini.usage_of(GEMINI, at=AT),
    }
    for name, call in cases.items():
        assert call() == COUNTED, name
    for name, call in cases.items():
        print(f"{name:34} {microseconds(call):6.2f} us")
    print(f"{'OpenAI chunk observed':34} {microseconds(lambda: stream.observe(chunk)):6.2f} us")
    plain = microseconds(
        lambda: Usage(at=AT, uncached_input=176, cache_read=1024, output=400, reasoning=64)
    )
    print(f"{'(a bare Usage, for scale)':34} {plain:6.2f} us")
    print(f"target for a usage object: {TARGET_US} us")


if __name__ == "__main__":
    main()
