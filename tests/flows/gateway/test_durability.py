"""The order of things: in the store before it leaves, in the store before the last byte."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from typing import Any

import openai
from fake_provider import PIECES, FakeProvider
from gateway_process import GatewayProcess, until

from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store

HELLO: Any = [{"role": "user", "content": "Say hello."}]
A_WHILE_SECONDS = 0.5


@contextmanager
def locked(gateway: GatewayProcess) -> Generator[Database]:
    """Nobody else can write the store."""
    with closing(open_store(gateway.store)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("ROLLBACK")


def test_a_call_does_not_leave_before_its_attempt_is_in_the_store(
    gateway: GatewayProcess, client: openai.OpenAI, provider: FakeProvider
) -> None:
    before = len(provider.received)
    with ThreadPoolExecutor(1) as pool:
        with locked(gateway):
            call = pool.submit(client.chat.completions.create, model="gpt-4o-mini", messages=HELLO)
            wait([call], timeout=A_WHILE_SECONDS)
            assert not call.done()
            assert len(provider.received) == before
        assert call.result().choices[0].message.content == "".join(PIECES)


def test_an_answer_is_not_released_before_its_row_is_in_the_store(
    gateway: GatewayProcess, client: openai.OpenAI, provider: FakeProvider
) -> None:
    before = len(provider.received)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(client.chat.completions.create, model="fake/slowly:700", messages=HELLO)
        until(lambda: gateway.in_flight() == 1)
        with locked(gateway):
            until(lambda: len(provider.received) > before)
            wait([call], timeout=A_WHILE_SECONDS)
            assert not call.done()
        assert call.result().choices[0].message.content == "".join(PIECES)


def test_the_end_of_a_stream_is_not_released_before_its_row_is_in_the_store(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    stream = client.chat.completions.create(
        model="fake/slowly:100",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
    )
    contents = [next(stream).choices[0].delta.content]
    with ThreadPoolExecutor(1) as pool:
        with locked(gateway):
            # The content goes on at once; the usage, which is the end, waits.
            contents += [next(stream).choices[0].delta.content for _ in PIECES]
            assert contents == [*PIECES, None]
            last = pool.submit(next, stream)
            wait([last], timeout=A_WHILE_SECONDS)
            assert not last.done()
        usage = last.result().usage
    assert usage is not None
    assert usage.total_tokens == 28
    assert list(stream) == []
    assert gateway.in_flight() == 0
