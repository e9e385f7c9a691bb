"""Hard budgets and wallets under load, over several gateways: not one unit too much."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import available_timezones

import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until

from tokonomi.budgets.table import budget_from_table
from tokonomi.money import Money
from tokonomi.storage import budget_store, keys
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify

GATEWAYS: Final = 4
CLIENTS: Final = 64
CALLS: Final = int(os.environ.get("TOKONOMI_LOAD_CALLS", "6400"))
CALL_COST: Final = 6_975_000
"""Pico-dollars of the provider's answer at gpt-4o-mini's price: 16 uncached input tokens at 0.15,
5 cached ones at 0.075 and 7 output tokens at 0.60 USD a million."""

NewStore = Callable[[], Path | str]


@dataclass
class Load:
    """Clients that share their calls out over all gateways."""

    gateways: list[GatewayProcess]
    key: str
    statuses: Counter[int] = field(default_factory=Counter[int])
    refusals: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def run(self, calls: int) -> None:
        share = calls // CLIENTS
        await asyncio.gather(*(self._client(number, share) for number in range(CLIENTS)))

    async def _client(self, number: int, calls: int) -> None:
        gateway = self.gateways[number % len(self.gateways)]
        host, port = gateway.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(calls):
            body = json.dumps({"model": "gpt-4o-mini", "messages": [], "max_tokens": 7}).encode()
            writer.write(
                f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.key}"
                f"\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                + body
            )
            status, answer = await _answer(reader)
            self.statuses[status] += 1
            if status == 402:
                self.refusals.append(json.loads(answer)["error"])
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    fields = dict(line.split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), await reader.readexactly(int(fields["content-length"]))


def test_four_gateways_never_spend_past_a_budget(
    provider: FakeProvider, tmp_path: Path, new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = str(new_store())
    limit = CALLS // 3 * CALL_COST
    with closing(open_store(location)) as database:
        text, _ = keys.create(database, "load", "tests", now=datetime.now(UTC))
        for name, each in (("total", []), ("by-project", ["project"])):
            stated = {
                "id": name,
                "window": "lifetime",
                "currency": "USD",
                "amount": f"0.{limit:012d}",
                "each": each,
            }
            budget = budget_from_table(stated, zones=available_timezones())
            budget_store.create(database, budget, now=datetime.now(UTC))
    monkeypatch.setenv("TOKONOMI_TEST_DSN", location)
    where = 'dsn_env = "TOKONOMI_TEST_DSN"' if "://" in location else f'path = "{location}"'
    settings = configuration(provider.base_url, patience_seconds=60.0).replace(
        'path = "tokonomi.db"', where
    )
    gateways = [GatewayProcess(tmp_path / f"gateway{n}", settings) for n in range(GATEWAYS)]
    for gateway in gateways:
        gateway.start()
    load = Load(gateways, text)
    asyncio.run(load.run(CALLS))

    answered, refused = load.statuses[200], load.statuses[402]
    with closing(open_store(location)) as database:
        until(lambda: only_row(database, "SELECT count(*) FROM attempt")[0] == 0)
        spent = [
            only_row(database, "SELECT debits_posted FROM account WHERE name LIKE ?", (name,))[0]
            for name in ("budget:total:%", "budget:by-project:%")
        ]
        pending = only_row(database, "SELECT sum(debits_pending) FROM account")[0]
        billed = only_row(database, "SELECT sum(amount) FROM call")[0]
        overruns = only_row(database, "SELECT count(*) FROM transfer WHERE kind = 'overrun'")[0]
        checked = verify(database)
    assert load.statuses.total() == answered + refused == CALLS // CLIENTS * CLIENTS
    assert spent == [answered * CALL_COST, answered * CALL_COST]
    assert int(billed) == answered * CALL_COST <= limit
    assert (int(pending), overruns, checked.imbalances) == (0, 0, ())
    # What is left would not hold one more call, so nothing that fits was refused for good.
    needed = {refusal["metadata"]["needed"] for refusal in load.refusals}
    left = limit - answered * CALL_COST
    assert len(needed) == 1
    assert left < Money.parse(needed.pop(), "USD").sub_units
    for gateway in gateways:
        assert gateway.stop() == 0
