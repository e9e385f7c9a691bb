"""The official client of Anthropic, tracked."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import pytest
from sdk_provider import CLAUDE, SdkProvider

from tokonomi import sdk

TALK: Any = [{"role": "user", "content": "Where is it?"}]
Rows = Callable[[], list[dict[str, Any]]]


def asked(model: str = "claude-of-the-house") -> Any:
    return {"model": model, "max_tokens": 50, "messages": TALK}


# 30 uncached and 100 cached input tokens and 9 output tokens at 3, 0.30 and 15 USD a million.
COST = 255_000_000


def through(stream: Any) -> None:
    with stream as events:
        for _ in events:
            pass


CALLS: dict[str, Callable[[Any], object]] = {
    "create": lambda it: it.messages.create(**asked()),
    "create a stream": lambda it: list(it.messages.create(**asked(), stream=True)),
    "stream": lambda it: through(it.messages.stream(**asked())),
    "beta": lambda it: it.beta.messages.create(**asked()),
    "beta stream": lambda it: through(it.beta.messages.stream(**asked())),
    "raw": lambda it: it.messages.with_raw_response.create(**asked()),
    "tools": lambda it: it.messages.create(
        **asked(), tools=[{"name": "w", "input_schema": {"type": "object"}}]
    ),
}


@pytest.mark.parametrize("method", CALLS)
def test_every_method_has_one_row_with_its_cost(
    method: str, claude: anthropic.Anthropic, rows: Rows
) -> None:
    CALLS[method](claude)
    [row] = rows()
    assert (row["status"], row["source"], row["amount"]) == ("ok", "reported", COST)
    assert (row["model_served"], row["cache_read"]) == (CLAUDE, 100)


def test_counting_tokens_is_no_call(claude: anthropic.Anthropic, rows: Rows) -> None:
    counted = claude.messages.count_tokens(model="claude-of-the-house", messages=TALK)
    assert counted.input_tokens == 30
    assert rows() == []


def test_a_stream_that_is_left_counts_its_input_as_reported(
    claude: anthropic.Anthropic, rows: Rows
) -> None:
    with claude.messages.stream(**asked("stalled-message")) as events:
        for event in events:
            if event.type == "text":
                break
    [row] = rows()
    assert (row["status"], row["source"], row["cache_read"]) == ("disconnected", "estimated", 100)


def test_an_error_in_a_stream_is_the_sdks_own_and_the_row_says_which(
    claude: anthropic.Anthropic, rows: Rows
) -> None:
    with pytest.raises(anthropic.APIStatusError):
        through(claude.messages.stream(**asked("overloaded-message")))
    [row] = rows()
    assert (row["status"], row["note"]) == ("cut", "the stream was cut: overloaded_error")


def test_attempts_are_rows_of_one_request(claude: anthropic.Anthropic, rows: Rows) -> None:
    retrying = claude.with_options(max_retries=1)
    with pytest.raises(anthropic.RateLimitError):
        retrying.messages.create(**asked("refuses-soon"))
    assert [(row["attempt"], row["http_status"]) for row in rows()] == [(1, 429), (2, 429)]
    assert len({row["request_id"] for row in rows()}) == 1


def test_the_async_client_has_the_same_rows(provider: SdkProvider, store: Path, rows: Rows) -> None:
    async def calls() -> None:
        url = provider.base_url.removesuffix("/v1")
        async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as plain:
            client = sdk.track(plain, provider="anthropic", store=store)
            await client.messages.create(**asked())
            async with client.messages.stream(**asked()) as events:
                assert await events.get_final_text() == '{"city":"Bandung"}'

    asyncio.run(calls())
    assert [row["amount"] for row in rows()] == [COST, COST]
