"""Streams of a tracked client: nothing is changed or held back, and every end has its row."""

import asyncio
import contextlib
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from sdk_provider import SdkProvider

from tokonomi import sdk
from tokonomi.usage import Usage

TALK: Any = [{"role": "user", "content": "How much is the fish?"}]
Rows = Callable[[], list[dict[str, Any]]]


def stream(client: openai.OpenAI, model: str) -> Any:
    return client.chat.completions.create(model=model, messages=TALK, stream=True)


def test_a_stream_without_usage_is_estimated_and_says_so(client: openai.OpenAI, rows: Rows) -> None:
    assert len(list(stream(client, "gpt-4o-mini"))) == 7
    [row] = rows()
    assert (row["status"], row["source"], row["output"]) == ("ok", "estimated", 6)
    assert row["uncached_input"] == 12
    assert row["note"] == "the provider reported no usage; this is an estimate"
    assert row["first_token_ms"] is not None


def test_no_byte_of_a_request_or_a_reply_is_changed(
    client: openai.OpenAI, provider: SdkProvider
) -> None:
    seen: list[tuple[bytes, bytes, dict[str, str]]] = []
    plain = openai.OpenAI(base_url=provider.base_url, api_key="k", timeout=5)
    for each in (plain, client):
        for more in ({}, {"stream": True}):
            raw: Any = each.chat.completions.with_streaming_response
            body: Any = {"model": "bytewise", "messages": TALK, **more}
            with raw.create(**body) as response:
                got = b"".join(response.iter_bytes())
            request = provider.received[-1]
            seen.append((got, request.body, dict(request.headers)))
    assert seen[:2] == seen[2:]


def test_pieces_go_on_as_they_come(client: openai.OpenAI, rows: Rows) -> None:
    # This provider writes three pieces and then nothing: whoever waited for more would wait on.
    pieces = stream(client, "stall")
    got = [next(pieces).choices[0].delta.content for _ in range(3)]
    assert got == ["Hello", " there", ","]
    pieces.close()
    [row] = rows()
    assert (row["status"], row["source"], row["output"]) == ("disconnected", "estimated", 3)
    assert row["note"].startswith("the caller stopped reading in the middle of the answer")


def test_a_stream_that_is_simply_dropped_has_its_row(client: openai.OpenAI, rows: Rows) -> None:
    pieces = stream(client, "stall")
    next(pieces)
    del pieces
    gc.collect()
    assert [row["status"] for row in rows()] == ["disconnected"]


def test_a_stream_that_is_never_begun_has_its_row(client: openai.OpenAI, rows: Rows) -> None:
    with client.chat.completions.with_streaming_response.create(model="gpt-4o-mini", messages=TALK):
        pass
    with stream(client, "gpt-4o-mini"):
        pass
    unread, unbegun = rows()
    assert unread["unpriced"] == "the caller did not read the answer, which says what was used"
    assert (unbegun["status"], unbegun["source"]) == ("disconnected", "estimated")


@pytest.mark.parametrize(
    ("model", "note"),
    [
        ("cut", "the stream was cut: RemoteProtocolError"),
        ("ends-early", "the stream was cut: it ended before its last event"),
        ("breaks-off", "the stream was cut: 503"),
        ("stall", "the stream was cut: ReadTimeout"),
    ],
)
def test_a_stream_that_breaks_off_is_charged_for_what_came_of_it(
    model: str, note: str, client: openai.OpenAI, rows: Rows
) -> None:
    reading = stream(client.with_options(timeout=0.3), model)
    with contextlib.suppress(openai.APIError):
        list(reading)
    [row] = rows()
    assert (row["status"], row["source"]) == ("cut", "estimated")
    assert row["note"].startswith(note)
    assert row["amount"] > 0


def test_a_body_that_breaks_off_has_no_cost(client: openai.OpenAI, rows: Rows) -> None:
    with pytest.raises(openai.APIConnectionError):
        client.with_options(max_retries=0).chat.completions.create(model="cut", messages=TALK)
    [row] = rows()
    assert (row["status"], row["http_status"], row["amount"]) == ("failed", 200, None)
    assert "the provider may bill" in row["unpriced"]


def test_a_packed_stream_is_read_when_it_has_ended(client: openai.OpenAI, rows: Rows) -> None:
    list(stream(client, "packed-stream"))
    [row] = rows()
    assert (row["status"], row["source"]) == ("ok", "estimated")
    assert row["output"] > 0


async def read_all(pieces: Any) -> None:
    async for _ in pieces:
        pass


def test_a_task_that_is_cancelled_leaves_a_row(
    provider: SdkProvider, store: Path, rows: Rows
) -> None:
    async def cancelled() -> None:
        async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="k") as plain:
            client = sdk.track(plain, provider="openai", store=store)
            silent = client.chat.completions.create(model="silent", messages=TALK)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(silent, 0.2)
            pieces = await client.chat.completions.create(model="stall", messages=TALK, stream=True)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(read_all(pieces), 0.2)

    asyncio.run(cancelled())
    waiting, reading = rows()
    assert (waiting["status"], waiting["amount"]) == ("disconnected", None)
    assert "gave it up before an answer came (CancelledError)" in waiting["unpriced"]
    assert (reading["status"], reading["source"]) == ("disconnected", "estimated")


def test_an_async_stream_that_is_left_has_its_row(
    provider: SdkProvider, store: Path, rows: Rows
) -> None:
    async def left() -> None:
        client = sdk.track(openai.AsyncOpenAI(base_url=provider.base_url, api_key="k"), store=store)
        pieces = await client.chat.completions.create(model="stall", messages=TALK, stream=True)
        async for _ in pieces:
            break

    asyncio.run(left())
    assert [row["status"] for row in rows()] == ["disconnected"]


def test_odd_usage_is_in_quarantine_and_not_charged(client: openai.OpenAI, rows: Rows) -> None:
    client.chat.completions.create(model="odd-usage", messages=TALK)
    [row] = rows()
    assert row["amount"] is None
    assert row["quarantined"] is not None
    call = sdk.costs_of(client).last_call
    assert call is not None
    assert not isinstance(call.usage, Usage)
