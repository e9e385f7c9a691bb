"""What a client is told of a body whose cost has no bound, and that nothing of it leaves."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from zoneinfo import available_timezones

import openai
import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration

from tokonomi.budgets.table import budget_from_table
from tokonomi.storage import budget_store
from tokonomi.storage.engine import open_store

HELLO: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def capped(
    provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[openai.OpenAI]:
    """A client whose calls a hard budget pays for."""
    process = GatewayProcess(tmp_path_factory.mktemp("capped"), configuration(provider.base_url))
    with closing(open_store(process.store)) as database:
        stated = {"id": "all", "window": "lifetime", "currency": "USD", "amount": "5"}
        budget = budget_from_table(stated, zones=available_timezones())
        budget_store.create(database, budget, now=datetime.now(UTC))
    process.start()
    key, _ = process.make_key()
    with process.client(key) as client:
        yield client
    process.stop()


def told(client: openai.OpenAI, provider: FakeProvider, **fields: object) -> tuple[int, str, str]:
    """The status, the code and the field of a refusal."""
    before = len(provider.received)
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(
            model="gpt-4o-mini", messages=HELLO, max_tokens=7, extra_body=fields
        )
    assert len(provider.received) == before
    error = refused.value
    return error.status_code, str(error.code), str(error.param)


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"preset": "mine"}, (402, "price_unknown", "preset")),
        ({"models": ["nobody/knows"]}, (402, "price_unknown", "None")),
        ({"n": 10**30}, (400, "invalid_request", "n")),
        ({"max_tokens": 10**12}, (400, "invalid_request", "max_tokens")),
        ({"max_tokens": -1}, (400, "invalid_request", "max_tokens")),
        ({"max_tokens": 2**31 - 1, "n": 2**31 - 1}, (402, "request_too_dear", "None")),
    ],
)
def test_under_a_hard_budget_a_body_without_a_bound_is_refused_by_its_field(
    capped: openai.OpenAI,
    provider: FakeProvider,
    fields: dict[str, object],
    answer: tuple[int, str, str],
) -> None:
    assert told(capped, provider, **fields) == answer


def test_where_no_budget_binds_the_same_body_passes_as_it_is(
    gateway: GatewayProcess, key: str, provider: FakeProvider
) -> None:
    with gateway.client(key) as client:
        client.chat.completions.create(
            model="gpt-4o-mini", messages=HELLO, extra_body={"preset": "mine", "n": 8.0}
        )
    sent = json.loads(provider.received[-1].body)
    assert (sent["preset"], sent["n"]) == ("mine", 8.0)


def test_a_name_that_stands_twice_is_refused_on_any_path(
    client: openai.OpenAI, provider: FakeProvider
) -> None:
    before = len(provider.received)
    with pytest.raises(openai.BadRequestError) as refused:
        client.post(
            "/chat/completions",
            content=b'{"model":"gpt-4o-mini","messages":[],"max_tokens":1,"max_tokens":9}',
            options={"headers": {"content-type": "application/json"}},
            cast_to=object,
        )
    assert (refused.value.code, refused.value.param) == ("invalid_request", "max_tokens")
    assert len(provider.received) == before
