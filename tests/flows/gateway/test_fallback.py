"""Seed 001 as it is written: Vercel's gateway first, GPT-5.1 at OpenRouter when that fails."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
from fake_provider import (
    BEHAVIOURS,
    STREAM_HEAD,
    Answer,
    FakeProvider,
    Hangup,
    Received,
    chunk,
    chunked,
    completion,
    event,
    plain,
    refusing,
    whole,
)
from gateway_process import GatewayProcess, until

HELLO: Any = [{"role": "user", "content": "hello"}]
USAGE = {"prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28}
PATIENCE = "timeouts = { first_byte = 0.5, between_chunks = 0.5 }"


def alias_of(fault: str) -> str:
    """An alias with a first target of its own, so that no other's breaker is open."""
    return f"""
[models."{fault}"]
targets = [
  {{ provider = "vercel", model = "{fault}", {PATIENCE} }},
  {{ provider = "openrouter", model = "openai/gpt-5.1" }},
]
"""


def chain(vercel: str, openrouter: str) -> str:
    return f"""
[store]
path = "tokonomi.db"

[listen]
port = 0

[observe]
log_format = "json"

[providers.vercel]
base_url = "{vercel}"
allow_private = true

[providers.openrouter]
base_url = "{openrouter}"
allow_private = true

[providers.nobody]
base_url = "http://127.0.0.1:9/v1"
allow_private = true

[models.paper]
[[models.paper.targets]]
provider = "vercel"
model = "google/gemini-2.5-flash"
{PATIENCE}

[[models.paper.targets]]
provider = "openrouter"
model = "openai/gpt-5.1"
web_search = {{ engine = "auto", max_results = 5 }}

[models.elsewhere]
targets = [
  {{ provider = "nobody", model = "google/gemini-2.5-flash" }},
  {{ provider = "openrouter", model = "openai/gpt-5.1" }},
]
"""


@dataclass
class Setting:
    vercel: FakeProvider
    openrouter: FakeProvider
    gateway: GatewayProcess
    key: str
    client: openai.OpenAI

    def attempts(self, request_id: str) -> list[tuple[str, str, str]]:
        """Provider, route and status of each attempt of a request."""
        rows = self.gateway.rows("request_id = ?", request_id)
        return [(row["provider"], row["route"], row["status"]) for row in rows]


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(always=plain) as fake:
        yield fake


@pytest.fixture(scope="module")
def setting(provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    vercel = FakeProvider()
    vercel.start()
    text = chain(vercel.base_url, provider.base_url) + "".join(map(alias_of, [*FAULTS, "held"]))
    gateway = GatewayProcess(tmp_path_factory.mktemp("fallback"), text)
    gateway.start()
    key, _ = gateway.make_key()
    with gateway.client(key) as client:
        yield Setting(vercel, provider, gateway, key, client)
    gateway.stop()
    vercel.stop()


async def empty(_request: Received) -> Answer:
    reply = {"choices": [{"index": 0, "message": {"content": ""}, "finish_reason": "stop"}]}
    yield whole(200, json.dumps({**reply, "usage": USAGE}).encode())


async def breaks_early(request: Received) -> Answer:
    """Hangs up, in a stream after an event without content."""
    if request.fields.get("stream"):
        yield STREAM_HEAD
        yield chunked(event(chunk("")))
    raise Hangup


FAULTS = {
    "refuses with 500": refusing(500),
    "refuses with 429": refusing(429),
    "refuses with 408": refusing(408),
    "refuses with 401": refusing(401),
    "is silent": BEHAVIOURS["silent"],
    "breaks off early": breaks_early,
    "is no HTTP": BEHAVIOURS["not-http"],
    "sends no JSON": BEHAVIOURS["not-json"],
    "sends an error under 200": BEHAVIOURS["error-inside"],
    "answers nothing": empty,
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
def test_when_the_primary_fails_the_fallback_answers(
    setting: Setting, fault: str, *, stream: bool
) -> None:
    setting.vercel.always = FAULTS[fault]
    raw: Any = setting.client.chat.completions.with_raw_response
    reply = raw.create(model=fault, messages=HELLO, stream=stream)
    request_id = reply.headers["x-tokonomi-request-id"]
    parsed = reply.parse()
    if stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in parsed if chunk.choices)
    else:
        text = parsed.choices[0].message.content
    assert text
    until(lambda: len(setting.attempts(request_id)) == 2)
    first, second = setting.attempts(request_id)
    assert first[:2] == ("vercel", "primary")
    assert first[2] in {"failed", "cut"}
    assert second == ("openrouter", "fallback", "ok")
    assert setting.gateway.in_flight() == 0
    assert setting.openrouter.received[-1].fields["model"] == "openai/gpt-5.1"


def test_an_answer_that_broke_off_after_content_is_an_error_and_nobody_continues_it(
    setting: Setting,
) -> None:
    setting.vercel.always = BEHAVIOURS["breaks-off"]
    asked = len(setting.openrouter.received)
    with pytest.raises(openai.APIError, match="overloaded"):
        list(setting.client.chat.completions.create(model="paper", messages=HELLO, stream=True))
    assert len(setting.openrouter.received) == asked


def test_a_wrong_request_is_told_and_not_sent_elsewhere(setting: Setting) -> None:
    setting.vercel.always = refusing(400)
    asked = len(setting.openrouter.received)
    with pytest.raises(openai.BadRequestError):
        setting.client.chat.completions.create(model="paper", messages=HELLO)
    assert len(setting.openrouter.received) == asked


def test_a_provider_that_nobody_reaches_is_left_for_the_next(setting: Setting) -> None:
    reply = setting.client.chat.completions.create(model="elsewhere", messages=HELLO)
    assert reply.choices[0].message.content


def test_the_log_says_it_in_the_words_of_the_seed_and_a_search_goes_online(
    setting: Setting,
) -> None:
    setting.vercel.always = refusing(503)
    setting.client.chat.completions.create(
        model="paper",
        messages=HELLO,
        web_search_options={},
    )
    assert setting.openrouter.received[-1].fields["model"] == "openai/gpt-5.1:online"
    assert "web_search_options" not in setting.openrouter.received[-1].fields
    records = [json.loads(line) for line in setting.gateway.log.splitlines()]
    told = {each["message"]: each for each in records if "message" in each}
    switched = told["[Fallback] Primary failed, switching to OpenRouter"]
    asked = setting.gateway.rows()[-1]["request_id"]
    fields = ("request_id", "alias", "failure", "http_status", "provider", "model")
    assert [switched[name] for name in fields] == [
        asked,
        "paper",
        "unavailable",
        503,
        "openrouter",
        "openai/gpt-5.1",
    ]
    searched = told['[Fallback] Web search config: { engine: "auto", maxResults: 5 }']
    assert (searched["request_id"], searched["alias"]) == (asked, "paper")


def test_a_key_that_the_provider_does_not_take_is_an_alarm_in_the_log(setting: Setting) -> None:
    setting.vercel.always = refusing(401)
    reply = setting.client.chat.completions.create(model="paper", messages=HELLO)
    assert reply.choices[0].message.content
    records = [json.loads(line) for line in setting.gateway.log.splitlines()]
    # The first request that it refused had the line; the others are counted for a minute.
    alarm = next(each for each in records if each.get("failure") == "unauthorized")
    assert alarm["level"] == "error"
    assert "does not serve us (401: the provider's key is not taken)" in alarm["message"]
    assert (alarm["failure"], alarm["http_status"], alarm["provider"]) == (
        "unauthorized",
        401,
        "vercel",
    )
    assert "provider says" not in setting.gateway.log


def test_the_log_says_it_too_where_the_primary_is_out_of_service(setting: Setting) -> None:
    for state in ("open", "close"):
        command = [sys.executable, "-m", "tokonomi", "breakers", state, "vercel/held"]
        subprocess.run(command, cwd=setting.gateway.folder, check=True, capture_output=True)
        if state == "open":
            until(lambda: went_past_the_primary(setting))
    assert "[Fallback] Primary is out of service, switching to OpenRouter" in setting.gateway.log


def went_past_the_primary(setting: Setting) -> bool:
    completions: Any = setting.client.chat.completions.with_raw_response
    reply = completions.create(model="held", messages=HELLO)
    request_id = reply.headers["x-tokonomi-request-id"]
    until(lambda: setting.attempts(request_id) != [])
    return setting.attempts(request_id) == [("openrouter", "fallback", "ok")]


def test_a_healthy_primary_answers_alone(setting: Setting) -> None:
    setting.vercel.always = plain
    reply = setting.client.chat.completions.with_raw_response.create(
        model="paper",
        messages=HELLO,
    )
    request_id = reply.headers["x-tokonomi-request-id"]
    until(lambda: setting.attempts(request_id) != [])
    assert setting.attempts(request_id) == [("vercel", "primary", "ok")]


def test_clients_of_other_dialects_are_answered_by_a_provider_of_chat(setting: Setting) -> None:
    async def chat(request: Received) -> Answer:
        if request.fields.get("stream"):
            async for part in plain(request):
                yield part
        else:
            yield whole(200, completion(USAGE))

    setting.vercel.always = chat
    with anthropic.Anthropic(base_url=setting.gateway.url, api_key=setting.key) as client:
        said = client.messages.create(
            model="paper", max_tokens=50, messages=[{"role": "user", "content": "hello"}]
        )
        assert said.content[0].type == "text"
        assert said.usage.cache_read_input_tokens is not None
        assert said.usage.input_tokens + said.usage.cache_read_input_tokens == 21
        assert said.usage.output_tokens == 7
        with client.messages.stream(
            model="paper", max_tokens=50, messages=[{"role": "user", "content": "hello"}]
        ) as stream:
            assert stream.get_final_text()
    response = setting.client.responses.create(model="paper", input="hello")
    assert response.output_text
    assert response.usage is not None
    assert response.usage.output_tokens == 7
    until(lambda: setting.gateway.in_flight() == 0)


def test_what_cannot_be_said_to_any_target_is_refused_by_name(setting: Setting) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        setting.client.responses.create(model="paper", input="hello", previous_response_id="resp_1")
    assert refused.value.param == "previous_response_id"
