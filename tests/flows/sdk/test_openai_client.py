"""The official client of OpenAI, tracked: every method that a provider bills has a row."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel
from sdk_provider import SdkProvider

from tokonomi import sdk
from tokonomi.money import Money
from tokonomi.pricing.charge import Charge, Unpriced

TALK: Any = [{"role": "user", "content": "Where is it?"}]
Rows = Callable[[], list[dict[str, Any]]]
# 16 uncached, 5 cached and 7 output tokens of gpt-4o-mini at 0.15, 0.075 and 0.60 USD a million.
COST = 6_975_000


class Place(BaseModel):
    city: str


def test_a_call_has_its_exact_cost_here_and_its_row_in_the_store(
    client: openai.OpenAI, rows: Rows
) -> None:
    reply = client.chat.completions.create(model="gpt-4o-mini", messages=TALK, user="ani")
    assert reply.choices[0].message.content == "Hello there, my friend."
    costs = sdk.costs_of(client)
    assert costs.total() == Money(COST, "USD")
    assert isinstance(costs.last, Charge)
    assert [(line.meter, line.quantity) for line in costs.last.lines] == [
        ("input", 16),
        ("cache_read", 5),
        ("output", 7),
    ]
    [row] = rows()
    assert (row["amount"], row["currency"], row["source"]) == (COST, "USD", "reported")
    assert (row["feature"], row["end_user"], row["provider"]) == ("draft", "ani", "openai")
    assert (row["model_asked"], row["model_served"]) == ("gpt-4o-mini", "gpt-4o-mini-2024-07-18")
    assert (row["status"], row["http_status"], row["attempt"]) == ("ok", 200, 1)
    assert row["provider_request_id"] == "chatcmpl-fake"


CALLS: dict[str, Callable[[Any], object]] = {
    "parse": lambda it: it.chat.completions.parse(
        model="structured", messages=TALK, response_format=Place
    ),
    "tools": lambda it: it.chat.completions.create(model="calls-a-tool", messages=TALK),
    "completions": lambda it: it.completions.create(model="old-completions", prompt="Hello"),
    "embeddings": lambda it: it.embeddings.create(model="text-embedding-3-small", input="Hello"),
    "responses": lambda it: it.responses.create(model="gpt-4o-mini", input="Where?"),
    "responses parse": lambda it: it.responses.parse(
        model="gpt-4o-mini", input="Where?", text_format=Place
    ),
    "responses stream": lambda it: drained(it.responses.create, input="Where?"),
    "responses stream helper": lambda it: through(
        it.responses.stream(model="gpt-4o-mini", input="Where?", text_format=Place)
    ),
    "chat stream": lambda it: drained(
        it.chat.completions.create, messages=TALK, stream_options={"include_usage": True}
    ),
    "chat stream helper": lambda it: through(
        it.chat.completions.stream(
            model="gpt-4o-mini", messages=TALK, stream_options={"include_usage": True}
        )
    ),
    "raw": lambda it: it.chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=TALK
    ).parse(),
    "streaming raw": lambda it: read_raw(it.chat),
    "options": lambda it: it.with_options(timeout=4).chat.completions.create(
        model="gpt-4o-mini", messages=TALK
    ),
    "packed": lambda it: it.chat.completions.create(model="packed", messages=TALK),
}


def drained(create: Callable[..., Any], **options: Any) -> None:
    for _ in create(model="gpt-4o-mini", stream=True, **options):
        pass


def through(stream: Any) -> None:
    with stream as events:
        for _ in events:
            pass


def read_raw(chat: Any) -> None:
    raw = chat.completions.with_streaming_response
    with raw.create(model="gpt-4o-mini", messages=TALK) as response:
        assert b"friend" in b"".join(response.iter_bytes())


@pytest.mark.parametrize("method", CALLS)
def test_every_method_has_one_row_with_reported_usage(
    method: str, client: openai.OpenAI, rows: Rows
) -> None:
    CALLS[method](client)
    [row] = rows()
    assert (row["status"], row["source"], row["note"]) == ("ok", "reported", "")
    assert row["uncached_input"] > 0


def test_a_parsed_answer_and_a_tool_call_come_through_as_without_us(client: openai.OpenAI) -> None:
    parsed = client.chat.completions.parse(model="structured", messages=TALK, response_format=Place)
    assert parsed.choices[0].message.parsed == Place(city="Bandung")
    called = client.chat.completions.create(model="calls-a-tool", messages=TALK)
    assert called.choices[0].finish_reason == "tool_calls"


def test_the_async_client_has_the_same_rows(provider: SdkProvider, store: Path, rows: Rows) -> None:
    async def calls() -> None:
        async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="k") as plain:
            client = sdk.track(plain, provider="openai", store=store)
            await client.chat.completions.create(model="gpt-4o-mini", messages=TALK)
            options: Any = {"include_usage": True}
            stream = await client.chat.completions.create(
                model="gpt-4o-mini", messages=TALK, stream=True, stream_options=options
            )
            pieces = [event.choices[0].delta.content async for event in stream if event.choices]
            assert "".join(piece or "" for piece in pieces) == "Hello there, my friend."
            raw = client.chat.completions.with_streaming_response
            async with raw.create(model="gpt-4o-mini", messages=TALK) as response:
                await response.read()
            with pytest.raises(openai.AuthenticationError):
                await client.chat.completions.create(model="refuses-401", messages=TALK)

    asyncio.run(calls())
    assert [(row["status"], row["amount"]) for row in rows()] == [
        ("ok", COST),
        ("ok", COST),
        ("ok", COST),
        ("failed", None),
    ]


def test_a_refusal_is_the_sdks_own_error_and_a_row_without_a_cost(
    client: openai.OpenAI, provider: SdkProvider, rows: Rows
) -> None:
    plain = openai.OpenAI(base_url=provider.base_url, api_key="k")
    errors: list[openai.AuthenticationError] = []
    for each in (plain, client):
        with pytest.raises(openai.AuthenticationError) as raised:
            each.chat.completions.create(model="refuses-401", messages=TALK)
        errors.append(raised.value)
    without, with_us = errors
    assert (str(with_us), with_us.body) == (str(without), without.body)
    assert type(with_us.__cause__) is type(without.__cause__)
    [row] = rows()
    assert (row["status"], row["http_status"], row["amount"]) == ("failed", 401, None)
    assert row["unpriced"] == "the provider refused the request (HTTP 401) and reported no usage"
    assert isinstance(sdk.costs_of(client).total(), Unpriced)


def test_each_attempt_of_the_sdk_is_a_row_of_the_same_request(
    client: openai.OpenAI, rows: Rows
) -> None:
    with pytest.raises(openai.RateLimitError):
        client.with_options(max_retries=2).chat.completions.create(
            model="refuses-soon", messages=TALK
        )
    client.chat.completions.create(model="gpt-4o-mini", messages=TALK)
    *refused, fine = rows()
    assert [(row["attempt"], row["http_status"]) for row in refused] == [
        (1, 429),
        (2, 429),
        (3, 429),
    ]
    assert len({row["request_id"] for row in refused}) == 1
    assert (fine["attempt"], fine["status"]) == (1, "ok")
    assert fine["request_id"] != refused[0]["request_id"]


def test_nobody_at_the_address_is_a_row_that_says_so(store: Path, rows: Rows) -> None:
    plain = openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0)
    with pytest.raises(openai.APIConnectionError):
        sdk.track(plain, store=store).chat.completions.create(model="m", messages=TALK)
    [row] = rows()
    assert (row["status"], row["provider"]) == ("failed", "127.0.0.1")
    assert row["unpriced"].startswith("the provider could not be reached and got nothing")


def test_what_no_adapter_reads_has_a_row_without_a_cost(client: openai.OpenAI, rows: Rows) -> None:
    client.images.generate(model="an-image-model", prompt="a fish")
    client.responses.create(model="gpt-4o-mini", input="Where?", background=True)
    image, background = rows()
    assert image["unpriced"] == "no adapter reads what /images/generations used"
    assert background["unpriced"] == "the response goes on in the background, where nobody sees it"


def test_a_client_over_the_older_http_package_is_tracked_too(
    provider: SdkProvider, store: Path, rows: Rows
) -> None:
    older: Any = httpx.Client()
    with older:
        plain = openai.OpenAI(base_url=provider.base_url, api_key="k", http_client=older)
        client = sdk.track(plain, provider="openai", store=store)
        client.chat.completions.create(model="gpt-4o-mini", messages=TALK)
        drained(client.chat.completions.create, messages=TALK)
    assert [row["status"] for row in rows()] == ["ok", "ok"]


def test_a_reply_that_a_hook_has_read_already_is_metered(
    provider: SdkProvider, store: Path, rows: Rows
) -> None:
    def read(response: httpx.Response) -> None:
        response.read()

    hooked: Any = httpx.Client(event_hooks={"response": [read]})
    with hooked:
        plain = openai.OpenAI(base_url=provider.base_url, api_key="k", http_client=hooked)
        client = sdk.track(plain, provider="openai", store=store)
        client.chat.completions.create(model="packed", messages=TALK)
    assert [row["amount"] for row in rows()] == [COST]


def test_the_client_that_was_given_stays_as_it_is_and_a_tracked_one_is_metered_once(
    client: openai.OpenAI, provider: SdkProvider, store: Path, rows: Rows
) -> None:
    plain = openai.OpenAI(base_url=provider.base_url, api_key="k")
    sdk.track(plain, store=store)
    plain.chat.completions.create(model="gpt-4o-mini", messages=TALK)
    again = sdk.track(client, provider="openai", feature="summary", store=store)
    again.chat.completions.create(model="gpt-4o-mini", messages=TALK)
    client.chat.completions.create(model="gpt-4o-mini", messages=TALK)
    assert [row["feature"] for row in rows()] == ["summary", "draft"]
    assert (type(again), again.base_url) == (openai.OpenAI, client.base_url)


def test_a_client_whose_first_form_is_gone_works_on(
    provider: SdkProvider, store: Path, rows: Rows
) -> None:
    client = sdk.track(openai.OpenAI(base_url=provider.base_url, api_key="k"), store=store)
    client.chat.completions.create(model="gpt-4o-mini", messages=TALK)
    assert len(rows()) == 1
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.chat.completions.create(model="gpt-4o-mini", messages=TALK)
