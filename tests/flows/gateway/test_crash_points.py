"""`kill -9` at each named point of a call's life, with a budget and a wallet on its path."""

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

import pytest
from crashing_gateway import LONE_POINTS, POINTS
from crashing_process import CrashingGateway
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until

from tokonomi.budgets.table import budget_from_table
from tokonomi.credits.grant import Grant
from tokonomi.credits.rule_table import rule_from_table
from tokonomi.storage import budget_store, keys, orphans, wallet_rules, wallet_store
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify

DEAD_BY_SECONDS: Final = 60
ROUNDS: Final = int(os.environ.get("TOKONOMI_KILLS_PER_POINT", "1"))
"""How often each point is killed at, on each database; 7 make more than 100 kills in all."""
CLIENTS: Final = 8
CREDITS_OF_A_CALL: Final = 28
"""Milli-credits of the provider's answer: one a token."""
NOW: Final = datetime.now(UTC)
CONTRACT: Final = """
[[prices.model]]
provider = "openai"
id = "slowly"
max_output = 1_000
source = "a price for the tests"

[[prices.model.price]]
source = "a price for the tests"
rates = { input = "0.15", cache_read = "0.075", output = "0.60" }
"""

NewStore = Callable[[], Path | str]


async def call_until_dead(url: str, key: str, *, clients: int = CLIENTS) -> list[str]:
    """Request ids of the streams that arrived whole."""
    whole: list[str] = []
    # A gateway that never comes to its point fails the test, and does not hold it up for ever.
    async with asyncio.timeout(DEAD_BY_SECONDS):
        await asyncio.gather(*(_client(url, key, whole) for _ in range(clients)))
    return whole


async def _client(url: str, key: str, whole: list[str]) -> None:
    host, port = url.removeprefix("http://").split(":")
    body = json.dumps({"model": "fake/slowly", "stream": True, "max_tokens": 50, "messages": []})
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        f"content-length: {len(body)}\r\n\r\n{body}"
    ).encode()
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return
    with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
        while True:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            assert " 200 " in head.splitlines()[0], head
            answer = await reader.readuntil(b"0\r\n\r\n")
            assert b"data: [DONE]" in answer
            whole.append(head.split("x-tokonomi-request-id: ")[1].splitlines()[0])
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


def _prepared(location: Path | str) -> str:
    """The text of a key; a hard budget and a wallet are on every call's path."""
    with closing(open_store(location)) as database:
        text, _ = keys.create(database, "crash", "tests", now=NOW)
        stated = {"id": "all", "window": "lifetime", "currency": "USD", "amount": "5"}
        budget = budget_from_table(stated, zones=available_timezones())
        budget_store.create(database, budget, now=NOW)
        wallet_rules.set_rule(database, rule_from_table({"per": "project"}), now=NOW)
        grant = Grant(
            id="promotion/1",
            wallet="project:tests",
            amount=10**9,
            granted_at=NOW,
            promotional=True,
        )
        wallet_store.promote(database, grant)
    return text


def _swept(database: Database) -> bool:
    """Whether nothing is in flight; PostgreSQL ends a dead process's session a moment later."""
    orphans.sweep(database, now=datetime.now(UTC))
    return only_row(database, "SELECT count(*) FROM attempt")[0] == 0


def _check(database: Database, whole: set[str], calls_before: int) -> int:
    """How many calls there are, when every law holds."""
    until(lambda: _swept(database))
    assert verify(database).imbalances == ()
    assert only_row(database, "SELECT sum(debits_pending) FROM account")[0] == 0
    settled = {
        row[0] for row in database.execute("SELECT request_id FROM call WHERE status = 'ok'")
    }
    assert whole - settled == set()
    spent = only_row(database, "SELECT sum(amount) FROM transfer WHERE sink = 'spent'")[0] or 0
    billed = only_row(database, "SELECT sum(amount) FROM call")[0] or 0
    burned = only_row(database, "SELECT sum(amount) FROM transfer WHERE sink = 'revenue'")[0] or 0
    assert int(spent) == int(billed)
    assert int(burned) == CREDITS_OF_A_CALL * len(settled)
    calls, requests = only_row(database, "SELECT count(*), count(DISTINCT request_id) FROM call")
    assert calls == requests >= calls_before
    return int(calls)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_point_loses_no_use_and_captures_none_twice(
    point: str, provider: FakeProvider, tmp_path: Path, new_store: NewStore
) -> None:
    location = new_store()
    key = _prepared(location)
    dsn = "://" in str(location)
    settings = configuration(
        provider.base_url, patience_seconds=60.0, more=CONTRACT.lstrip()
    ).replace('path = "tokonomi.db"', 'dsn_env = "TEST_DSN"' if dsn else f'path = "{location}"')
    calls = 0
    whole: set[str] = set()
    for number in range(ROUNDS):
        gateway = CrashingGateway(
            tmp_path / "gateway",
            settings,
            environ={"TEST_DSN": str(location)},
            point=point[:2],
            nth=9 + number,
        )
        gateway.start()
        if point.startswith("C3"):
            seen = len(provider.received)
            whole |= set(asyncio.run(_killed_when_sent(gateway, key, provider, seen + 9)))
        else:
            whole |= set(asyncio.run(call_until_dead(gateway.url, key)))
        gateway.died()
        assert gateway.process.returncode == -9, gateway.log
        with closing(open_store(location)) as database:
            calls = _check(database, whole, calls)
    assert calls >= CLIENTS


@pytest.mark.parametrize("point", LONE_POINTS)
def test_a_kill_while_a_call_is_alone_loses_no_use_and_captures_none_twice(
    point: str, provider: FakeProvider, tmp_path: Path
) -> None:
    location = tmp_path / "tokonomi.db"
    key = _prepared(location)
    settings = configuration(
        provider.base_url, patience_seconds=60.0, more=CONTRACT.lstrip()
    ).replace('path = "tokonomi.db"', f'path = "{location}"')
    calls, lost, whole = 0, 0, set[str]()
    for number in range(ROUNDS):
        gateway = CrashingGateway(tmp_path / "gateway", settings, point=point[:2], nth=3 + number)
        gateway.start()
        with _asking(location, often=point.startswith("L6")):
            whole |= set(asyncio.run(call_until_dead(gateway.url, key, clients=1)))
            gateway.died()
        assert gateway.process.returncode == -9, gateway.log
        with closing(open_store(location)) as database:
            calls = _check(database, whole, calls)
            orphaned = "SELECT count(*) FROM call WHERE status = 'orphaned'"
            lost = int(only_row(database, orphaned)[0])
    # One call was in flight when its gateway died; its end was in the log from the second point on.
    assert calls - lost >= len(whole) >= ROUNDS
    assert calls - len(whole) <= ROUNDS
    assert {"L1": lost == ROUNDS, "L2": lost == 0, "L3": lost == 0}.get(point[:2], True)


@contextlib.contextmanager
def _asking(location: Path, *, often: bool) -> Generator[None]:
    """Somebody else changes accounts all the time, if so."""
    done = threading.Event()

    def ask() -> None:
        with closing(open_store(location)) as database:
            while not done.wait(0.02):
                with database.transaction(accounts=True):
                    """A turn of its own."""

    asking = threading.Thread(target=ask)
    if often:
        asking.start()
    try:
        yield
    finally:
        done.set()
        if often:
            asking.join()


async def _killed_when_sent(
    gateway: GatewayProcess, key: str, provider: FakeProvider, count: int
) -> list[str]:
    calling = asyncio.create_task(call_until_dead(gateway.url, key))
    await asyncio.to_thread(until, lambda: len(provider.received) >= count)
    gateway.process.kill()
    return await calling
