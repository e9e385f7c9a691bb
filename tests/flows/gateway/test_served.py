"""What served a call is what it costs: the model, the tier and the size that its answer states."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import openai
import pytest
from fake_provider import (
    STREAM_END,
    STREAM_HEAD,
    Answer,
    FakeProvider,
    Received,
    chunked,
    completion,
    event,
    refusing,
    usage_chunk,
    whole,
)
from fake_provider import chunk as chunk_of
from gateway_process import GatewayProcess, until

HELLO: Final[Any] = [{"role": "user", "content": "Say hello."}]
THRESHOLD: Final = 1_000
CONFIGURATION: Final = """
[store]
path = "tokonomi.db"

[listen]
port = 0

[breaker]
minimum_calls = 100000

[providers.openrouter]
base_url = "{url}"
allow_private = true

[models.asked]
provider = "openrouter"

[models.twice]
targets = [
  {{ provider = "openrouter", model = "asked" }},
  {{ provider = "openrouter", model = "other" }},
]

[[prices.model]]
provider = "openrouter"
id = "asked"
source = "our tests"

[[prices.model.price]]
source = "our tests"
rates = {{ input = "1", output = "2" }}

[[prices.model.price.above]]
threshold = 1000
comparator = ">"
rates = {{ input = "3", output = "5" }}

[[prices.model.price]]
source = "our tests"
tier = "flex"
rates = {{ input = "0.5", output = "1" }}

[[prices.model]]
provider = "openrouter"
id = "other"
source = "our tests"

[[prices.model.price]]
source = "our tests"
rates = {{ input = "7", output = "11" }}
"""
DOLLAR_A_MILLION: Final = 1_000_000
"""Pico-dollars a token."""


@dataclass
class Setting:
    provider: FakeProvider
    gateway: GatewayProcess
    client: openai.OpenAI

    def served(
        self,
        *,
        stream: bool,
        usage: dict[str, Any] | None = None,
        alias: str = "asked",
        **terms: Any,
    ) -> list[dict[str, Any]]:
        """The rows of a request whose answer states these terms."""
        counts = {"prompt_tokens": 100, "completion_tokens": 10, **(usage or {})}
        self.provider.always = lambda request: _says(request, counts, terms)
        create: Any = self.client.chat.completions.with_raw_response.create
        reply = create(model=alias, messages=HELLO, stream=stream)
        request_id = reply.headers["x-tokonomi-request-id"]
        reply.http_response.read()
        until(lambda: not self.gateway.in_flight())
        return self.gateway.rows("request_id = ?", request_id)


async def _says(request: Received, counts: dict[str, Any], terms: dict[str, Any]) -> Answer:
    if terms.get("fails") == request.fields["model"]:
        async for part in refusing(500)(request):
            yield part
        return
    stated = {"model": request.fields["model"], **terms}
    if not request.fields.get("stream"):
        yield whole(200, json.dumps({**json.loads(completion(counts)), **stated}).encode())
        return
    yield STREAM_HEAD
    for said in (chunk_of("Hello"), chunk_of(None, finish="stop"), usage_chunk(counts)):
        yield chunked(event({**said, **stated}))
    yield chunked(b"data: [DONE]\n\n") + STREAM_END


@pytest.fixture(scope="module")
def setting(provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    text = CONFIGURATION.format(url=provider.base_url)
    gateway = GatewayProcess(tmp_path_factory.mktemp("served"), text)
    gateway.start()
    key, _ = gateway.make_key()
    with gateway.client(key) as client:
        yield Setting(provider, gateway, client)
    gateway.stop()


streamed = pytest.mark.parametrize("stream", [False, True])


@streamed
def test_a_call_costs_what_the_model_costs_that_served_it(
    setting: Setting, *, stream: bool
) -> None:
    [row] = setting.served(stream=stream, model="other")
    assert (row["model_asked"], row["model_served"]) == ("asked", "other")
    assert row["amount"] == (100 * 7 + 10 * 11) * DOLLAR_A_MILLION


@streamed
def test_each_attempt_of_a_request_costs_what_its_own_model_costs(
    setting: Setting, *, stream: bool
) -> None:
    failed, answered = setting.served(stream=stream, alias="twice", fails="asked")
    assert (failed["model_asked"], failed["amount"]) == ("asked", None)
    assert answered["model_served"] == "other"
    assert answered["amount"] == (100 * 7 + 10 * 11) * DOLLAR_A_MILLION


@streamed
def test_a_call_costs_what_the_tier_costs_that_served_it(setting: Setting, *, stream: bool) -> None:
    [row] = setting.served(stream=stream, service_tier="flex")
    assert (row["tier"], row["amount"]) == ("flex", (100 + 10 * 2) * DOLLAR_A_MILLION // 2)
    [row] = setting.served(stream=stream, service_tier="scale")
    assert row["amount"] is None
    assert "scale" in row["unpriced"]


@streamed
def test_all_tokens_cost_what_the_context_tier_says_that_the_input_reached(
    setting: Setting, *, stream: bool
) -> None:
    [row] = setting.served(stream=stream, usage={"prompt_tokens": THRESHOLD})
    assert row["amount"] == (THRESHOLD + 10 * 2) * DOLLAR_A_MILLION
    [row] = setting.served(stream=stream, usage={"prompt_tokens": THRESHOLD + 1})
    assert row["amount"] == ((THRESHOLD + 1) * 3 + 10 * 5) * DOLLAR_A_MILLION


@streamed
def test_what_the_provider_says_that_it_cost_is_kept_beside_what_we_say(
    setting: Setting, *, stream: bool
) -> None:
    [row] = setting.served(stream=stream, usage={"cost": 0.000123})
    assert (row["reported_amount"], row["reported_currency"]) == (123_000_000, "USD")
    assert row["amount"] == (100 + 10 * 2) * DOLLAR_A_MILLION
