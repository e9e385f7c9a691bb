"""Many calls over one gateway, with chains, breakers, budgets and alarms on: it does not grow.

The long form, with its figures:

    TOKONOMI_SOAK_CALLS=200000 pytest --log-cli-level=INFO tests/flows/gateway/test_soak.py
"""

import asyncio
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until

from tokonomi.budgets.table import budget_from_table
from tokonomi.storage import budget_store, keys
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify

_log: Final = logging.getLogger(__name__)
CALLS: Final = int(os.environ.get("TOKONOMI_SOAK_CALLS", "2000"))
CLIENTS: Final = 32
ABORTED_EVERY: Final = 20
STREAMED_EVERY: Final = 4
FALLING_EVERY: Final = 50
SAMPLES: Final = 40
NOISE_BYTES: Final = 4 * 2**20
"""What the memory of a process that does the same again and again may still move."""
BYTES_A_CALL: Final = 16
"""Less than any object that would be kept for a call."""

CHAIN: Final = """
[models.chain]
targets = [
  {provider = "openai", model = "gpt-4o-mini"},
  {provider = "second", model = "gpt-4o-mini"},
]

[models.falls]
targets = [
  {provider = "second", model = "refuses-500"},
  {provider = "openai", model = "gpt-4o-mini"},
]

[models.left]
targets = [
  {provider = "openai", model = "stall"},
  {provider = "second", model = "gpt-4o-mini"},
]
"""


@dataclass(frozen=True)
class Sample:
    """What a gateway had of its system after some calls."""

    calls: int
    resident_bytes: int
    descriptors: int


@dataclass
class Soak:
    """Clients that keep calling, and what became of their calls."""

    gateway: GatewayProcess
    key: str
    calls: Counter[str] = field(default_factory=Counter[str])
    samples: list[Sample] = field(default_factory=list[Sample])

    async def run(self) -> None:
        numbers = iter(range(CALLS))
        await asyncio.gather(*(self._client(numbers) for _ in range(CLIENTS)))

    async def _client(self, numbers: Iterator[int]) -> None:
        connection: _Connection | None = None
        for number in numbers:
            if number % (CALLS // SAMPLES) == 0:
                self.samples.append(self._sample(number))
            connection = connection or await _Connection.open(self.gateway)
            if number % ABORTED_EVERY == 0:
                await connection.leave(self._request("left", stream=True))
                connection = None
                self.calls["left"] += 1
                continue
            stream = number % STREAMED_EVERY == 1
            model = "falls" if number % FALLING_EVERY == 1 else "chain"
            status = await connection.whole(self._request(model, stream=stream))
            self.calls[f"{'stream' if stream else 'json'} {status}"] += 1
        if connection is not None:
            connection.close()

    def _request(self, model: str, *, stream: bool) -> bytes:
        fields: dict[str, object] = {
            "model": model,
            "messages": [],
            "max_tokens": 7,
            "stream": stream,
        }
        body = json.dumps(fields).encode()
        return (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.key}"
            f"\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )

    def _sample(self, calls: int) -> Sample:
        of_process = Path(f"/proc/{self.gateway.process.pid}")
        pages = int((of_process / "statm").read_text(encoding="ascii").split()[1])
        descriptors = sum(1 for _ in (of_process / "fd").iterdir())
        return Sample(calls, pages * os.sysconf("SC_PAGE_SIZE"), descriptors)


class _Connection:
    """A client's connection, used for one call after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, gateway: GatewayProcess) -> "_Connection":
        host, port = gateway.url.removeprefix("http://").split(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def whole(self, request: bytes) -> int:
        """The status of an answer that is read to its end."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        if "transfer-encoding: chunked" in head:
            await self._reader.readuntil(b"0\r\n\r\n")
        else:
            length = next(line for line in head.splitlines() if line.startswith("content-length"))
            await self._reader.readexactly(int(length.split(":")[1]))
        return int(head.split()[1])

    async def leave(self, request: bytes) -> None:
        """Leaves in the middle of a stream, once some of it has come."""
        self._writer.write(request)
        await self._reader.readuntil(b"data: ")
        self.close()

    def close(self) -> None:
        self._writer.transport.abort()


def settings_of(provider: FakeProvider) -> str:
    second = f'[providers.second]\nbase_url = "{provider.base_url}"\nallow_private = true\n'
    priced = "".join(
        f'[[prices.model]]\nprovider = "{name}"\nid = "{model}"\nsource = "our tests"\n'
        '[[prices.model.price]]\nsource = "our tests"\n'
        'rates = { input = "0.15", cache_read = "0.075", output = "0.60" }\n'
        for name, model in (
            ("openai", "stall"),
            ("second", "gpt-4o-mini"),
            ("second", "refuses-500"),
        )
    )
    return configuration(
        provider.base_url, provider="", more=f"{priced}{second}{CHAIN}", patience_seconds=30.0
    )


def limit(location: Path) -> str:
    """Puts a budget with an alarm on the path of every call; the text of a key."""
    now = datetime.now(UTC)
    stated = {
        "id": "team",
        "window": "month",
        "currency": "USD",
        "amount": "100",
        "alerts": ["1%", "80%"],
    }
    with closing(open_store(location)) as database:
        budget_store.create(
            database, budget_from_table(stated, zones=available_timezones()), now=now
        )
        text, _ = keys.create(database, "soak", "tests", now=now)
    return text


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system shows no /proc")
def test_many_calls_with_aborted_streams_leave_memory_and_descriptors_as_they_were(
    provider: FakeProvider, tmp_path: Path
) -> None:
    gateway = GatewayProcess(tmp_path / "gateway", settings_of(provider))
    text = limit(gateway.store)
    gateway.start()
    soak = Soak(gateway, text)
    asyncio.run(soak.run())

    left = -(-CALLS // ABORTED_EVERY)
    until(lambda: gateway.in_flight() == 0)
    with closing(open_store(gateway.store)) as database:
        requests, disconnected, ok, failed = only_row(
            database,
            "SELECT count(DISTINCT request_id), sum(status = 'disconnected'), sum(status = 'ok'),"
            " sum(status = 'failed') FROM call",
        )
        pending = only_row(database, "SELECT sum(debits_pending) FROM account")[0]
        checked = verify(database)
    assert (requests, disconnected, ok) == (CALLS, left, CALLS - left), soak.calls
    assert 0 < failed <= CALLS // FALLING_EVERY
    assert (pending, checked.imbalances) == (0, ())
    warm = soak.samples[len(soak.samples) // 2 :]
    grown = _mean(warm[len(warm) // 2 :]) - _mean(warm[: len(warm) // 2])
    _log.info("%s; %.2f MiB more; %s ... %s", dict(soak.calls), grown / 2**20, warm[0], warm[-1])
    assert grown <= NOISE_BYTES + BYTES_A_CALL * (warm[-1].calls - warm[0].calls) // 2
    assert max(each.descriptors for each in warm) <= warm[0].descriptors + 2 * CLIENTS


def _mean(samples: Sequence[Sample]) -> float:
    return sum(each.resident_bytes for each in samples) / len(samples)
