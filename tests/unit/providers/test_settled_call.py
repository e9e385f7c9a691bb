"""What an estimate counts of a request, and what keeps a call from having a cost."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.dialects.web_search import Searched
from tokonomi.money import Money
from tokonomi.pricing.charge import Charge, Unpriced
from tokonomi.providers.adapter import UsageAdapter
from tokonomi.providers.registry import adapter_for
from tokonomi.providers.settled_call import Attempt, Ending, estimate, settled
from tokonomi.storage.price_files import load_book

AT = datetime(2026, 1, 30, tzinfo=UTC)
BOOK = load_book()
CHAT = adapter_for("openai_chat")
TEXT = "How much is the fish? " * 20


def attempt(
    body: dict[str, Any],
    *,
    reply: dict[str, Any] | None = None,
    status: int = 200,
    adapter: UsageAdapter = CHAT,
) -> Attempt:
    reading = adapter.stream()
    if reply is not None:
        reading.observe(reply)
    return Attempt(
        intent=Intent(
            id="a.1", at=AT, dimensions=Dimensions(), model="nobody-knows-it", input_bound=10_000
        ),
        price_as="openai",
        fields=msgspec.json.decode(msgspec.json.encode(body), type=dict[str, msgspec.Raw]),
        reading=reading,
        http_status=status,
    )


def tokens(body: dict[str, Any]) -> int:
    return estimate(attempt(body)).uncached_input


def test_instructions_and_system_are_input_and_media_are_not_text() -> None:
    plain = tokens({"input": TEXT})
    assert tokens({"instructions": TEXT, "input": ""}) == plain
    assert tokens({"system": [{"type": "text", "text": TEXT}]}) >= plain
    media = {"type": "base64", "media_type": "image/png", "data": "QUFB" * 5_000}
    assert tokens({"messages": [{"content": [{"source": media}]}]}) < 40
    schema = {"data": {"type": "object", "description": TEXT}}
    assert tokens({"tools": [schema], "stream": True, "count": 1}) >= plain


def call_of(each: Attempt, ending: Ending) -> Call:
    return settled(each, ending, BOOK)


def test_a_refused_call_has_no_usage_and_the_reason_that_is_known() -> None:
    refused = call_of(attempt({}, status=400), Ending(Status.FAILED))
    assert refused.cost == Unpriced("the provider reported no usage")


def test_neither_of_two_names_has_a_price_and_the_one_that_served_is_named() -> None:
    usage = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
    reply = {"model": "nor-this-one", "usage": usage}
    call = call_of(attempt({}, reply=reply), Ending(Status.OK))
    assert call.cost == Unpriced("no price source knows openai/nor-this-one")


@pytest.mark.parametrize("served", ["openai/gpt-5.1", "openai/gpt-5.1:online"])
def test_a_search_by_suffix_is_charged_for_whatever_name_the_reply_repeats(served: str) -> None:
    usage = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
    cited = {"type": "url_citation", "url_citation": {"url": "https://example.com"}}
    choice = {"index": 0, "message": {"content": "Jakarta", "annotations": [cited]}}
    reply = {"model": served, "choices": [choice], "usage": usage}
    plain = attempt({}, reply=reply)
    asked = msgspec.structs.replace(plain.intent, model="openai/gpt-5.1")
    searched = msgspec.structs.replace(
        plain, intent=asked, price_as="openrouter", sold_as="openai/gpt-5.1:online"
    )
    cost = call_of(searched, Ending(Status.OK)).cost
    assert isinstance(cost, Charge)
    # 1,000 tokens at 1.25, 100 at 10 USD a million, and 0.02 USD for the search.
    assert cost.total == Money.parse("0.02225", "USD")


@pytest.mark.parametrize(
    ("usage", "amount"),
    [
        ({}, None),
        ({"cost": 0.00225}, "0.00225"),
        ({"cost": 0.002}, "0.00225"),
        ({"cost": 0.02225}, None),
        ({"server_tool_use": {"web_search_requests": 1}}, None),
    ],
)
def test_a_search_that_a_request_allows_is_ruled_out_only_by_the_cost_that_the_reply_tells(
    usage: dict[str, Any], amount: str | None
) -> None:
    counts = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
    reply = {"model": "openai/gpt-5.1", "usage": {**counts, **usage}}
    plain = attempt({}, reply=reply, adapter=adapter_for("openai_chat", "openrouter"))
    allowed = msgspec.structs.replace(plain, price_as="openrouter", searched=Searched.PERHAPS)
    cost = call_of(allowed, Ending(Status.OK)).cost
    if amount is None:
        assert isinstance(cost, Unpriced)
        assert "search" in cost.reason
    else:
        assert isinstance(cost, Charge)
        assert cost.total == Money.parse(amount, "USD")
