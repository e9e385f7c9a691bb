"""Whatever goes wrong with the metering, the call that it measures does not notice."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx2
import openai
import pytest
from anthropic.lib.vertex import AnthropicVertex

from tokonomi import sdk
from tokonomi.errors import BadInput
from tokonomi.sdk.border import BORDER

TALK: Any = [{"role": "user", "content": "Hello"}]
REPLY = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3},
}


def answer(_: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, json=REPLY)


@pytest.fixture(autouse=True)
def first_failure() -> Iterator[None]:
    """As in a process in which nothing has failed yet."""
    before, BORDER.failures = BORDER.failures, 0
    yield
    BORDER.failures = before


@pytest.fixture
def plain() -> Iterator[openai.OpenAI]:
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        yield openai.OpenAI(api_key="k", http_client=http)


def test_a_journal_that_cannot_be_written_is_counted_and_logged_once(
    plain: openai.OpenAI, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "store.db.journal").write_text("a file where a folder should be", encoding="utf-8")
    client = sdk.track(plain, store=tmp_path / "store.db")
    for _ in range(3):
        reply = client.chat.completions.create(model="gpt-4o-mini", messages=TALK)
        assert reply.choices[0].message.content == "Hi"
    assert sdk.costs_of(client).spend().priced == 3
    assert sdk.failures() == 6
    [told] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert told.exc_info is None, "a traceback is for a defect of ours"
    assert told.getMessage().startswith(
        "writing a call to the journal failed; the call itself is not touched: [Errno"
    )
    assert str(tmp_path) in told.getMessage()


class Failing(sdk.Costs):
    """Costs that cannot take a call."""

    def add(self, call: object) -> None:
        raise ZeroDivisionError(f"a defect in {type(call).__name__}")


def test_a_defect_of_ours_reaches_nobody(plain: openai.OpenAI, tmp_path: Path) -> None:
    client = sdk.track(plain, store=tmp_path / "store.db", costs=Failing())
    reply = client.chat.completions.create(model="gpt-4o-mini", messages=TALK)
    assert reply.usage is not None
    assert reply.usage.total_tokens == 3
    assert sdk.failures() == 1


def test_what_ends_a_process_goes_through(plain: openai.OpenAI, tmp_path: Path) -> None:
    class Interrupted(sdk.Costs):
        def add(self, call: object) -> None:
            raise KeyboardInterrupt(f"while {call} was added")

    client = sdk.track(plain, store=tmp_path / "store.db", costs=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        client.chat.completions.create(model="gpt-4o-mini", messages=TALK)


@pytest.mark.parametrize("client", [object(), openai, httpx2])
def test_what_is_no_client_is_refused_with_what_to_do(client: object) -> None:
    with pytest.raises(BadInput, match="cannot be tracked") as raised:
        sdk.track(client)
    assert "openai.OpenAI()" in raised.value.remedy


def test_a_client_whose_wire_is_a_clouds_own_is_refused() -> None:
    vertex = AnthropicVertex(region="x", project_id="p", access_token="t")
    with vertex, pytest.raises(BadInput, match="BaseVertexClient cannot be tracked"):
        sdk.track(vertex)


def test_costs_are_asked_of_a_tracked_client(plain: openai.OpenAI, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not tracked"):
        sdk.costs_of(plain)
    shared = sdk.Costs()
    client = sdk.track(plain, store=tmp_path / "store.db", costs=shared)
    assert sdk.costs_of(client.with_options(timeout=1)) is shared


def test_an_azure_client_is_tracked_under_its_deployment(tmp_path: Path) -> None:
    paths: list[str] = []

    def noted(request: httpx2.Request) -> httpx2.Response:
        paths.append(request.url.path)
        return answer(request)

    with httpx2.Client(transport=httpx2.MockTransport(noted)) as http:
        plain = openai.AzureOpenAI(
            azure_endpoint="https://us.openai.azure.com",
            api_version="2026-01-01",
            api_key="k",
            http_client=http,
        )
        client = sdk.track(plain, store=tmp_path / "store.db")
        client.chat.completions.create(model="gpt-4o-mini", messages=TALK)
    call = sdk.costs_of(client).last_call
    assert call is not None
    assert (call.intent.dimensions.provider, call.intent.model) == ("azure", "gpt-4o-mini")
    assert paths == ["/openai/deployments/gpt-4o-mini/chat/completions"]


def test_a_body_that_is_no_json_is_metered_without_a_model(tmp_path: Path) -> None:
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = sdk.track(openai.OpenAI(api_key="k", http_client=http), store=tmp_path / "s.db")
        client.post(
            "/chat/completions",
            cast_to=cast("type[Any]", object),
            content=b"[1, 2",
            options={"headers": {"content-type": "application/json"}},
        )
        client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"RIFF"))
    by_model = sdk.costs_of(client).by("model")
    assert json.loads(json.dumps({name: spend.calls for name, spend in by_model.items()})) == {
        "gpt-4o-mini": 1,
        "": 1,
    }
