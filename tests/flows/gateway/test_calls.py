"""Calls of the official client through a real gateway: metered, priced, relayed."""

import asyncio
import json
import urllib.request
from typing import Any

import openai
import pytest
from fake_provider import PIECES, SERVED, USAGE, FakeProvider
from gateway_process import GatewayProcess

HELLO: Any = [{"role": "user", "content": "Say hello."}]
TEXT = "".join(PIECES)
# gpt-4o-mini: $0.15 a million uncached, $0.075 cached, $0.60 out; 16, 5 and 7 tokens.
COST = "0.000006975 USD"


def post(gateway: GatewayProcess, key: str, body: object, path: str = "/chat/completions") -> Any:
    """The raw answer: status, headers and bytes, as no client would show them."""
    request = urllib.request.Request(
        f"{gateway.url}/v1{path}",
        data=body if isinstance(body, bytes) else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {key}"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.status, dict(answer.headers), answer.read()


def test_a_chat_is_answered_metered_and_priced(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=HELLO)
    answer = raw.parse()
    assert answer.choices[0].message.content == TEXT
    assert raw.headers["x-tokonomi-cost"] == COST
    assert raw.headers["x-tokonomi-model"] == SERVED
    assert raw.headers["x-request-id"] == "req_fake"
    row = gateway.row(raw.headers["x-tokonomi-request-id"])
    assert (row["uncached_input"], row["cache_read"], row["output"]) == (16, 5, 7)
    assert (row["currency"], row["amount"], row["unpriced"]) == ("USD", 6_975_000, None)
    assert (row["status"], row["source"], row["http_status"]) == ("ok", "reported", 200)
    assert (row["alias"], row["model_asked"], row["model_served"]) == (
        "gpt-4o-mini",
        "gpt-4o-mini",
        SERVED,
    )
    assert row["price_row_id"] == raw.headers["x-tokonomi-price-row"]
    assert row["provider_request_id"] == "chatcmpl-fake"


def test_the_row_is_there_before_the_answer_is(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=HELLO)
    assert len(gateway.rows("request_id = ?", raw.headers["x-tokonomi-request-id"])) == 1
    assert gateway.in_flight() == 0


@pytest.mark.parametrize("model", ["gpt-4o-mini", "fake/bytewise", "fake/early-hints"])
def test_a_stream_costs_what_the_same_answer_costs_at_once(
    gateway: GatewayProcess, client: openai.OpenAI, model: str
) -> None:
    with client.chat.completions.with_streaming_response.create(
        model=model, messages=HELLO, stream=True
    ) as raw:
        chunks = list(raw.parse())
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)
    row = gateway.row(raw.headers["x-tokonomi-request-id"])
    assert (row["uncached_input"], row["cache_read"], row["output"]) == (16, 5, 7)
    assert (row["amount"], row["status"], row["source"]) == (6_975_000, "ok", "reported")
    assert row["first_token_ms"] <= row["duration_ms"]


def test_a_client_that_asks_for_the_usage_of_a_stream_gets_it(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=HELLO,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == USAGE["total_tokens"]


def test_the_last_comment_of_a_stream_tells_the_cost_before_done(
    gateway: GatewayProcess, key: str
) -> None:
    _, headers, body = post(
        gateway, key, {"model": "gpt-4o-mini", "messages": HELLO, "stream": True}
    )
    comment, done = body.split(b"\n\n")[-3:-1]
    assert done == b"data: [DONE]"
    assert json.loads(comment.removeprefix(b": tokonomi ")) == {
        "request_id": headers["x-tokonomi-request-id"],
        "model": SERVED,
        "status": "ok",
        "cost": "0.000006975",
        "currency": "USD",
        "price_row": gateway.row(headers["x-tokonomi-request-id"])["price_row_id"],
    }


def test_embeddings_are_metered_by_their_input(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    raw = client.embeddings.with_raw_response.create(
        model="text-embedding-3-small", input="some text", encoding_format="float"
    )
    assert raw.parse().data[0].embedding == [0.25, -0.5]
    row = gateway.row(raw.headers["x-tokonomi-request-id"])
    assert (row["uncached_input"], row["output"], row["amount"]) == (4, 0, 80_000)


def test_the_models_are_the_configured_names(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [
        "gpt-4o-mini",
        "house-model",
        "text-embedding-3-small",
        "unreachable",
    ]


def test_an_alias_leads_to_the_providers_name_of_the_model(
    gateway: GatewayProcess, client: openai.OpenAI, provider: FakeProvider
) -> None:
    raw = client.chat.completions.with_raw_response.create(model="house-model", messages=HELLO)
    row = gateway.row(raw.headers["x-tokonomi-request-id"])
    assert (row["alias"], row["model_asked"]) == ("house-model", "gpt-4o-mini")
    assert provider.received[-1].fields["model"] == "gpt-4o-mini"


def test_a_body_that_needs_no_change_reaches_the_provider_byte_for_byte(
    gateway: GatewayProcess, key: str, provider: FakeProvider
) -> None:
    body = b'{ "x_new": {"n": 1.50, "s": "\\u00e9"},\t"model":"gpt-4o-mini", "messages":[] }\n'
    status, _, answer = post(gateway, key, body)
    assert (status, provider.received[-1].body) == (200, body)
    assert json.loads(answer)["x_unknown"] == {"kept": [1.0, "as it is"]}


def test_unknown_fields_keep_their_bytes_when_others_change(
    gateway: GatewayProcess, key: str, provider: FakeProvider
) -> None:
    odd = b'{"n": 1.50, "big": 12345678901234567890123, "s": "\\u00e9"}'
    body = (
        b'{"x_new": ' + odd + b', "model": "house-model", "messages": [], "stream": true,'
        b' "stream_options": {"x_more": 1.0}}'
    )
    post(gateway, key, body)
    assert provider.received[-1].body == (
        b'{"x_new":' + odd + b',"model":"gpt-4o-mini","messages":[],"stream":true,'
        b'"stream_options":{"x_more":1.0,"include_usage":true}}'
    )


def test_the_provider_gets_its_own_key_and_nothing_of_ours(
    client: openai.OpenAI, provider: FakeProvider, key: str
) -> None:
    client.chat.completions.create(
        model="gpt-4o-mini", messages=HELLO, extra_headers={"x-tokonomi-feature": "secret plan"}
    )
    headers = provider.received[-1].headers
    assert headers["authorization"] == "Bearer sk-of-the-provider"
    assert not [value for value in headers.values() if key in value or "secret plan" in value]
    assert headers["accept-encoding"] == "identity"


def test_calls_are_grouped_by_what_headers_say(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="gpt-4o-mini",
        messages=HELLO,
        user="from the body",
        extra_headers={
            "x-tokonomi-feature": "paper-review",
            "x-tokonomi-session": "s-1",
            "x-tokonomi-tags": "team=growth, env=test",
        },
    )
    row = gateway.row(raw.headers["x-tokonomi-request-id"])
    assert (row["project"], row["feature"], row["end_user"], row["session"]) == (
        "tests",
        "paper-review",
        "from the body",
        "s-1",
    )
    assert json.loads(row["tags"]) == {"env": "test", "team": "growth"}


def test_usage_that_cannot_be_true_is_kept_apart_and_not_charged(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    raw = client.chat.completions.with_raw_response.create(model="fake/odd-usage", messages=HELLO)
    assert raw.headers["x-tokonomi-cost"] == "unpriced"
    row = gateway.row(raw.headers["x-tokonomi-request-id"])
    assert (row["amount"], row["status"]) == (None, "ok")
    assert "500 cache read" in row["quarantined"]
    assert json.loads(row["raw_usage"])["prompt_tokens_details"] == {"cached_tokens": 500}


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_usage_is_estimated_and_says_so(
    gateway: GatewayProcess, key: str, *, stream: bool
) -> None:
    _, headers, _ = post(
        gateway, key, {"model": "fake/no-usage", "messages": HELLO, "stream": stream}
    )
    row = gateway.row(headers["x-tokonomi-request-id"])
    assert (row["source"], row["status"], row["output"]) == ("estimated", "ok", len(PIECES))
    assert 3 <= row["uncached_input"] <= 12
    assert "estimate" in row["note"]


def test_many_calls_at_once_of_the_asynchronous_client_are_each_recorded_once(
    gateway: GatewayProcess, key: str
) -> None:
    async def calls() -> list[str]:
        async with openai.AsyncOpenAI(
            base_url=f"{gateway.url}/v1", api_key=key, max_retries=0
        ) as client:
            answers = await asyncio.gather(
                *(
                    client.chat.completions.with_raw_response.create(
                        model="gpt-4o-mini", messages=HELLO
                    )
                    for _ in range(60)
                )
            )
        return [answer.headers["x-tokonomi-request-id"] for answer in answers]

    ids = asyncio.run(calls())
    found = [row["request_id"] for row in gateway.rows() if row["request_id"] in ids]
    assert sorted(found) == sorted(ids)
    assert gateway.in_flight() == 0


def test_connections_to_the_provider_are_used_again(
    client: openai.OpenAI, provider: FakeProvider
) -> None:
    client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    before = provider.connections
    for _ in range(5):
        client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
        list(client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, stream=True))
    assert provider.connections == before


@pytest.mark.parametrize("model", ["fake/closes", "fake/until-close", "fake/early-hints"])
def test_answers_of_any_framing_are_read(client: openai.OpenAI, model: str) -> None:
    contents = [
        client.chat.completions.create(model=model, messages=HELLO).choices[0].message.content
        for _ in range(3)
    ]
    assert contents == [TEXT] * 3


def test_neither_prompts_nor_answers_are_kept(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    secret = "a very private question"
    client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": secret}]
    )
    with pytest.raises(openai.APIError):
        client.chat.completions.create(
            model="fake/refuses-500", messages=[{"role": "user", "content": secret}]
        )
    assert secret not in str(gateway.rows())
    assert TEXT not in str(gateway.rows())
    assert secret not in gateway.log


def test_the_metrics_count_calls_tokens_and_cost(gateway: GatewayProcess) -> None:
    text = urllib.request.urlopen(f"{gateway.url}/metrics", timeout=20).read().decode()
    assert 'tokonomi_calls_total{model="gpt-4o-mini",provider="openai",status="ok"}' in text
    assert 'tokonomi_cost_total{currency="USD",model="gpt-4o-mini",provider="openai"}' in text
    assert 'model="fake/*"' in text
    assert "bytewise" not in text
    assert "tokonomi_requests_in_flight 0.0" in text


def test_the_log_names_the_aliases_that_have_no_price(gateway: GatewayProcess) -> None:
    assert "calls of 'unreachable' will have no cost" in gateway.log
    assert "calls of 'gpt-4o-mini'" not in gateway.log
