"""Batches of embeddings and of responses, made and read with the official client."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import openai
import pytest
from batch_gateway import (
    SETTINGS,
    BatchProvider,
    check_ledger,
    content,
    ended,
    gateway_of,
    jsonl,
    limited,
)
from fake_batches import Line, failure
from openai.types import CreateEmbeddingResponse
from openai.types.responses import Response

from tokonomi.storage.engine import open_store

NewStore = Callable[[], Path | str]
COLUMNS: Final = "amount, batch, status, source, model_served"


@dataclass(frozen=True)
class Form:
    """The batches of one endpoint.

    Attributes:
        endpoint: what a batch and its lines name.
        body: of a line.
        reply: the body of its answer.
        amount: what that costs, in pico-dollars, at half of the usual price.
        read: what the official client makes of an answer, down to a part of it.
        said: that part.
    """

    endpoint: Literal["/v1/embeddings", "/v1/responses"]
    body: Line
    reply: Line
    amount: int
    read: Callable[[Line], object]
    said: object


def _first_vector(body: Line) -> list[float]:
    return CreateEmbeddingResponse.model_validate(body).data[0].embedding


def _output_text(body: Line) -> str:
    return Response.model_validate(body).output_text


EMBEDDINGS: Final = Form(
    endpoint="/v1/embeddings",
    body={"model": "text-embedding-3-small", "input": ["Selamat pagi.", "Apa kabar?"]},
    reply={
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}],
        "usage": {"prompt_tokens": 11, "total_tokens": 11},
    },
    amount=11 * 10_000,
    read=_first_vector,
    said=[0.25, -0.5],
)
RESPONSES: Final = Form(
    endpoint="/v1/responses",
    body={"model": "gpt-4o-mini", "input": "Hi.", "max_output_tokens": 50},
    reply={
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-4o-mini-2024-07-18",
        "status": "completed",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "output": [
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Hello there.", "annotations": []}],
            }
        ],
        "usage": {
            "input_tokens": 20,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 10,
            "output_tokens_details": {"reasoning_tokens": 4},
            "total_tokens": 30,
        },
    },
    amount=20 * 75_000 + 10 * 300_000,
    read=_output_text,
    said="Hello there.",
)
PRICE_OF_EMBEDDINGS: Final = """
[[prices.model]]
provider = "openai"
id = "text-embedding-3-small"
source = "our tests"

[[prices.model.price]]
source = "our tests"
batch = true
rates = { input = "0.01" }
"""
"""The catalogue has none for batches."""
FORMS: Final = {form.endpoint: form for form in (EMBEDDINGS, RESPONSES)}


@dataclass
class Setting:
    """A gateway whose provider takes batches of every endpoint, and its store."""

    provider: BatchProvider
    client: openai.OpenAI
    location: Path | str

    def rows(self, batch_id: str) -> list[dict[str, Any]]:
        """The settled calls of a batch, in the order of its lines."""
        with closing(open_store(self.location)) as database:
            check_ledger(database)
            rows = database.execute(
                f"SELECT {COLUMNS} FROM call WHERE request_id LIKE ? ORDER BY request_id",
                (f"{batch_id}%",),
            ).fetchall()
        return [dict(zip(COLUMNS.split(", "), row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def setting(new_store: NewStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    provider, location = BatchProvider(), new_store()
    provider.start()
    key = limited(location)
    settings = provider.configuration(more=SETTINGS + PRICE_OF_EMBEDDINGS).replace(
        'batch = "native"', 'batch = "native"\nalso = ["responses"]'
    )
    gateway = gateway_of(tmp_path_factory.mktemp("gateway") / "one", settings, location)
    gateway.start()
    with gateway.client(key) as client:
        yield Setting(provider, client, location)
    gateway.stop()
    provider.stop()


def lines_of(form: Form, *names: str) -> list[Line]:
    common = {"method": "POST", "url": form.endpoint, "body": form.body}
    return [{"custom_id": name, **common} for name in names]


def answer(form: Form, line: Line) -> Line:
    response = {"status_code": 200, "request_id": "req_fake", "body": form.reply}
    return {"id": "br_1", "custom_id": line["custom_id"], "response": response, "error": None}


@pytest.mark.parametrize("endpoint", FORMS)
def test_each_line_is_answered_and_charged_once_at_the_batch_price(
    setting: Setting, endpoint: str
) -> None:
    form, client = FORMS[endpoint], setting.client

    def answered(lines: list[Line]) -> tuple[list[Line], list[Line]]:
        first, second, third = lines
        # In another order, one of them twice, and one with an error of its own.
        return [answer(form, second), answer(form, first), answer(form, first)], [failure(third)]

    setting.provider.fake.outputs = answered
    file = client.files.create(file=jsonl(lines_of(form, "a", "b", "c")), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint=form.endpoint, completion_window="24h"
    )
    done = ended(client, batch.id)
    assert (done.status, done.endpoint) == ("completed", endpoint)
    assert done.request_counts is not None
    assert (done.request_counts.completed, done.request_counts.failed) == (2, 1)
    answers = content(client, done.output_file_id)
    assert [each["custom_id"] for each in answers] == ["b", "a"]
    assert [form.read(each["response"]["body"]) for each in answers] == [form.said] * 2
    [error] = content(client, done.error_file_id)
    assert error["custom_id"] == "c"
    rows = setting.rows(batch.id)
    assert [row["amount"] for row in rows[:2]] == [form.amount] * 2
    assert [row["status"] for row in rows] == ["ok", "ok", "failed"]
    assert all(row["batch"] == 1 for row in rows)
    assert [row["source"] for row in rows[:2]] == ["reported"] * 2


@pytest.mark.parametrize("endpoint", FORMS)
def test_what_leaves_is_the_line_with_our_name_for_it_and_the_providers_for_its_model(
    setting: Setting, endpoint: str
) -> None:
    form, client = FORMS[endpoint], setting.client
    setting.provider.fake.outputs = lambda lines: ([answer(form, each) for each in lines], [])
    file = client.files.create(file=jsonl(lines_of(form, "only")), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint=form.endpoint, completion_window="24h"
    )
    assert ended(client, batch.id).status == "completed"
    remote = [*setting.provider.fake.batches.values()][-1]
    assert remote["endpoint"] == endpoint
    [sent] = setting.provider.fake.lines_of(remote["input_file_id"])
    assert sent == {
        "custom_id": f"{batch.id}-1",
        "method": "POST",
        "url": endpoint,
        "body": form.body,
    }
    [row] = setting.rows(batch.id)
    assert row["amount"] == form.amount
    assert row["model_served"] == form.reply["model"]
