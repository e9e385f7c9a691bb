"""The order of things: in the store before it leaves, in the store before the last byte."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from typing import Any

import openai
from fake_provider import PIECES, FakeProvider
from gateway_process import GatewayProcess, until

from tokonomi.storage.call_groups import Begun, Settle
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.log_recovery import identity_of
from tokonomi.storage.worker_log import records_after

HELLO: Any = [{"role": "user", "content": "Say hello."}]
A_WHILE_SECONDS = 0.5


@contextmanager
def locked(gateway: GatewayProcess) -> Generator[Database]:
    """Nobody else can write the store."""
    with closing(open_store(gateway.store)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("ROLLBACK")


@contextmanager
def company(gateway: GatewayProcess, client: openai.OpenAI) -> Generator[None]:
    """Another call is in flight all the while: a call that is alone goes to a log first."""
    before = gateway.in_flight()
    with client.chat.completions.create(model="fake/slowly:700", messages=HELLO, stream=True):
        until(lambda: gateway.in_flight() == before + 1)
        yield
    until(lambda: gateway.in_flight() == before)


def test_a_call_does_not_leave_before_its_attempt_is_in_the_store(
    gateway: GatewayProcess, client: openai.OpenAI, provider: FakeProvider
) -> None:
    with ThreadPoolExecutor(1) as pool, company(gateway, client):
        before = len(provider.received)
        with locked(gateway):
            call = pool.submit(client.chat.completions.create, model="gpt-4o-mini", messages=HELLO)
            wait([call], timeout=A_WHILE_SECONDS)
            assert not call.done()
            assert len(provider.received) == before
        assert call.result().choices[0].message.content == "".join(PIECES)


def test_an_answer_is_not_released_before_its_row_is_in_the_store(
    gateway: GatewayProcess, client: openai.OpenAI, provider: FakeProvider
) -> None:
    with ThreadPoolExecutor(1) as pool, company(gateway, client):
        before = len(provider.received)
        call = pool.submit(client.chat.completions.create, model="fake/slowly:700", messages=HELLO)
        until(lambda: gateway.in_flight() == 2)
        with locked(gateway):
            until(lambda: len(provider.received) > before)
            wait([call], timeout=A_WHILE_SECONDS)
            assert not call.done()
        assert call.result().choices[0].message.content == "".join(PIECES)


def test_the_end_of_a_stream_is_not_released_before_its_row_is_in_the_store(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    with ThreadPoolExecutor(1) as pool, company(gateway, client):
        stream = client.chat.completions.create(
            model="fake/slowly:100",
            messages=HELLO,
            stream=True,
            stream_options={"include_usage": True},
        )
        contents = [next(stream).choices[0].delta.content]
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


def test_a_call_that_is_alone_is_in_the_log_before_it_leaves_and_before_its_last_byte(
    gateway: GatewayProcess, client: openai.OpenAI, provider: FakeProvider
) -> None:
    """Also while nobody can write the store, which gets it when it can be written again."""
    before = len(provider.received)
    with ThreadPoolExecutor(1) as pool:
        with locked(gateway) as database:
            call = pool.submit(_request_id_of_a_call, client)
            until(lambda: len(provider.received) > before)
            (begun,) = _logged(database)
            assert isinstance(begun, Begun)
            request_id = call.result()
            _, ended = _logged(database)
        assert isinstance(ended, Settle)
        assert ended.call.intent == begun.intent
        assert gateway.row(request_id)["id"] == begun.intent.id
    assert gateway.in_flight() == 0


def _request_id_of_a_call(client: openai.OpenAI) -> str:
    answer = client.chat.completions.with_raw_response.create(
        model="fake/slowly:100", messages=HELLO
    )
    return answer.headers["x-tokonomi-request-id"]


def _logged(database: Database) -> list[Begun | Settle]:
    """What the gateway's log says that the store does not have."""
    found: list[Begun | Settle] = []
    for worker, path in database.logs().items():
        row = database.execute("SELECT started_us, logged FROM worker WHERE id = ?", (worker,))
        started_us, logged = row.fetchall()[0]
        found += [it.entry for it in records_after(path, identity_of(started_us), logged)]
    return found
