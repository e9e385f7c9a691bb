"""LangChain pointed at the gateway: answers, streams, tools and embeddings, each metered once."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from fake_provider import (
    STREAM_END,
    STREAM_HEAD,
    USAGE,
    Answer,
    FakeProvider,
    Received,
    chunk,
    chunked,
    completion,
    event,
    plain,
    usage_chunk,
    whole,
)
from gateway_process import GatewayProcess, until
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

CALL: Final[dict[str, Any]] = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "price_of", "arguments": '{"package":"paper"}'},
}


async def with_tools(request: Received) -> Answer:
    """Asks for the tool that it is offered, and answers in words once it has the result."""
    fields = request.fields
    if "tools" not in fields or fields["messages"][-1]["role"] == "tool":
        async for part in plain(request):
            yield part
    elif fields.get("stream"):
        yield STREAM_HEAD
        for piece in ({**CALL, "index": 0}, {"index": 0, "function": {"arguments": ""}}):
            yield chunked(event(with_delta({"role": "assistant", "tool_calls": [piece]})))
        yield chunked(event(chunk(None, finish="tool_calls")))
        yield chunked(event(usage_chunk(USAGE)))
        yield chunked(b"data: [DONE]\n\n")
        yield STREAM_END
    else:
        reply: dict[str, Any] = json.loads(completion(USAGE))
        message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
        reply["choices"] = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
        yield whole(200, json.dumps(reply).encode())


def with_delta(delta: dict[str, object]) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return {**chunk(None), "choices": [choice]}


@dataclass
class Chain:
    """A chat model of LangChain, and the gateway that it talks to."""

    gateway: GatewayProcess
    provider: FakeProvider
    chat: ChatOpenAI
    key: str

    def metered(self) -> dict[str, Any]:
        """The newest call's row, when nothing is in flight any more."""
        until(lambda: self.gateway.in_flight() == 0)
        return self.gateway.rows()[-1]


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(always=with_tools) as fake:
        yield fake


@pytest.fixture
def chain(gateway: GatewayProcess, provider: FakeProvider, key: str) -> Chain:
    chat = ChatOpenAI(
        base_url=f"{gateway.url}/v1",
        api_key=SecretStr(key),
        model="gpt-4o-mini",
        max_retries=0,
        stream_usage=True,
        default_headers={"x-tokonomi-feature": "langchain"},
    )
    return Chain(gateway, provider, chat, key)


@tool
def price_of(package: str) -> str:
    """The price of a package."""
    return f"{package}: Rp 80.000"


def test_an_answer_has_its_text_and_the_tokens_that_are_stored(chain: Chain) -> None:
    answer = chain.chat.invoke("hello")
    assert answer.text == "Hello there, my friend."
    row = chain.metered()
    assert (row["feature"], row["status"], row["source"]) == ("langchain", "ok", "reported")
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["input_tokens"] == row["uncached_input"] + row["cache_read"]
    assert answer.usage_metadata["output_tokens"] == row["output"]


def test_a_stream_arrives_in_pieces_with_its_usage_once(chain: Chain) -> None:
    pieces = list(chain.chat.stream("hello"))
    assert "".join(piece.text for piece in pieces) == "Hello there, my friend."
    counted = [piece.usage_metadata for piece in pieces if piece.usage_metadata]
    assert [each["total_tokens"] for each in counted] == [28]
    assert chain.metered()["output"] == 7


def test_calls_that_run_together_are_each_answered_and_metered(chain: Chain) -> None:
    before = len(chain.gateway.rows())

    async def together() -> list[AIMessage]:
        return await asyncio.gather(*(chain.chat.ainvoke("hello") for _ in range(8)))

    assert {answer.text for answer in asyncio.run(together())} == {"Hello there, my friend."}
    until(lambda: len(chain.gateway.rows()) == before + 8)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_tool_is_called_and_its_result_is_answered(chain: Chain, *, stream: bool) -> None:
    chat: Any = chain.chat
    bound = chat.bind_tools([price_of])
    question = HumanMessage("What does a Paper cost?")
    asked: Any
    if stream:
        first, *rest = bound.stream([question])
        asked = first
        for piece in rest:
            asked = asked + piece
    else:
        asked = bound.invoke([question])
    [wanted] = asked.tool_calls
    assert (wanted["name"], wanted["args"]) == ("price_of", {"package": "paper"})
    result: Any = price_of.invoke(wanted)
    assert isinstance(result, ToolMessage)
    assert bound.invoke([question, asked, result]).text == "Hello there, my friend."
    sent = chain.provider.received[-1].fields["messages"]
    assert (sent[-1]["role"], sent[-1]["content"]) == ("tool", "paper: Rp 80.000")
    assert chain.metered()["status"] == "ok"


def test_embeddings_of_langchain_are_metered(chain: Chain) -> None:
    embeddings = OpenAIEmbeddings(
        base_url=f"{chain.gateway.url}/v1",
        api_key=SecretStr(chain.key),
        model="text-embedding-3-small",
        check_embedding_ctx_length=False,
    )
    assert embeddings.embed_query("hello") == [0.25, -0.5]
    row = chain.metered()
    assert (row["uncached_input"], row["output"]) == (4, 0)
