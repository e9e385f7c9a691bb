"""`kill -9` with 200 calls in flight, again and again: nothing lost, nothing twice."""

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until

from tokonomi.storage.engine import open_store

CLIENTS = 200
MODELS = ("gpt-4o-mini", "fake/slowly")


@dataclass
class Crowd:
    """Clients that call without a pause until their gateway is gone."""

    gateway: GatewayProcess
    key: str
    answered: list[str] = field(default_factory=list[str])
    """Request ids of the answers that arrived in full."""

    async def call_until_killed(self, *, after: int) -> None:
        """Kills the gateway when `after` answers have arrived; every call in flight breaks."""
        self._after, self._enough = after, asyncio.Event()
        calls = [asyncio.create_task(self._call_on(number)) for number in range(CLIENTS)]
        async with asyncio.timeout(60):
            await self._enough.wait()
        self.gateway.kill()
        await asyncio.gather(*calls)

    async def _call_on(self, number: int) -> None:
        host, port = self.gateway.url.removeprefix("http://").split(":")
        model, stream = MODELS[number % 2], number % 4 < 2
        body = json.dumps({"model": model, "messages": [], "stream": stream}).encode()
        request = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.key}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body
        reader, writer = await asyncio.open_connection(host, int(port))
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                writer.write(request)
                self.answered.append(await _full_answer(reader))
                if len(self.answered) >= self._after:
                    self._enough.set()
        writer.close()


async def _full_answer(reader: asyncio.StreamReader) -> str:
    """The request id of an answer, when all of it has arrived."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    assert " 200 " in head[0], head
    fields = dict(line.split(": ", 1) for line in head[1:] if line)
    if "content-length" in fields:
        await reader.readexactly(int(fields["content-length"]))
        return fields["x-tokonomi-request-id"]
    while (size := int(await reader.readuntil(b"\r\n"), 16)) > 0:
        await reader.readexactly(size + 2)
    await reader.readexactly(2)
    return fields["x-tokonomi-request-id"]


@pytest.fixture
def process(provider: FakeProvider, tmp_path: Path) -> GatewayProcess:
    return GatewayProcess(
        tmp_path / "crash", configuration(provider.base_url, patience_seconds=60.0)
    )


def test_no_kill_loses_a_settled_call_or_records_one_twice(
    process: GatewayProcess, provider: FakeProvider
) -> None:
    chance = random.Random(20_261_122)
    process.start()
    key, _ = process.make_key()
    answered: list[str] = []
    orphans = 0
    for _ in range(5):
        crowd = Crowd(process, key)
        asyncio.run(crowd.call_until_killed(after=chance.randint(30, 1_200)))
        in_flight = process.in_flight()
        process.start()
        answered += crowd.answered
        orphans += in_flight
        assert process.in_flight() == 0
        assert len(process.rows("status = 'orphaned'")) == orphans

    rows = process.rows()
    ids = [row["request_id"] for row in rows]
    assert len(ids) == len(set(ids))
    settled = {row["request_id"]: row for row in rows if row["status"] == "ok"}
    assert set(answered) - settled.keys() == set()
    assert {(row["output"], row["uncached_input"]) for row in settled.values()} == {(7, 16)}
    assert orphans > 0
    for row in process.rows("status = 'orphaned'"):
        assert (row["source"], row["amount"]) == ("absent", None)
        assert "may bill up to" in row["unpriced"]
    # Whatever reached the provider has a row, settled or orphaned.
    assert len(provider.received) <= len(rows)
    assert process.stop() == 0


def test_a_start_leaves_the_calls_of_a_living_gateway_alone(
    process: GatewayProcess, provider: FakeProvider
) -> None:
    process.start()
    key, _ = process.make_key()
    other = GatewayProcess(process.folder, process.configuration)
    before = provider.hangups
    with process.client(key) as client:
        stream = client.chat.completions.create(
            model="fake/stall", messages=[{"role": "user", "content": "x"}], stream=True
        )
        next(stream)
        other.start()
        assert process.in_flight() == 1
        stream.close()
    assert until(lambda: provider.hangups > before and process.in_flight() == 0)
    assert [row["status"] for row in process.rows()] == ["disconnected"]
    assert (other.stop(), process.stop()) == (0, 0)


def test_two_gateways_share_a_store_without_losing_a_call(
    process: GatewayProcess, provider: FakeProvider
) -> None:
    process.start()
    key, _ = process.make_key()
    other = GatewayProcess(process.folder, process.configuration)
    other.start()
    crowds = [Crowd(process, key), Crowd(other, key)]
    until(lambda: other.accepts(key))

    async def both() -> None:
        await asyncio.gather(
            crowds[0].call_until_killed(after=400), crowds[1].call_until_killed(after=600)
        )

    before = len(provider.received)
    asyncio.run(both())
    open_store(process.store).close()
    in_flight = process.in_flight()
    process.start()
    rows = process.rows()
    settled = {row["request_id"] for row in rows if row["status"] == "ok"}
    answered = {*crowds[0].answered, *crowds[1].answered}
    assert len(answered) >= 1_000
    assert answered - settled == set()
    assert len([row for row in rows if row["status"] == "orphaned"]) == in_flight
    assert len(provider.received) - before <= len(rows)
    assert process.in_flight() == 0
    assert process.stop() == 0
