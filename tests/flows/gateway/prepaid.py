"""Calls that a hard budget and a wallet pay for, and the proof that they did."""

import asyncio
import contextlib
import json
import re
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

from fake_provider import FakeProvider
from gateway_process import until

from tokonomi.budgets.table import budget_from_table
from tokonomi.credits.grant import Grant
from tokonomi.credits.rule_table import rule_from_table
from tokonomi.storage import budget_store, keys, wallet_rules, wallet_store
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify

COST_OF_A_CALL: Final = 6_975_000
"""Pico-dollars of the fake provider's answer at gpt-4o-mini's price: 16 uncached input tokens at
0.15, 5 cached ones at 0.075 and 7 output tokens at 0.60 USD a million."""
CREDITS_OF_A_CALL: Final = 28
"""Milli-credits of the same: one a token."""
_ERROR: Final = re.compile(rb'"message":("(?:[^"\\]|\\.)*")')


def prepare(location: Path | str) -> str:
    """The text of a new key in a store where a hard budget and a wallet pay for its calls."""
    now = datetime.now(UTC)
    with closing(open_store(location)) as database:
        text, _ = keys.create(database, "prepaid", "tests", now=now)
        stated = {"id": "all", "window": "lifetime", "currency": "USD", "amount": "5"}
        budget = budget_from_table(stated, zones=available_timezones())
        budget_store.create(database, budget, now=now)
        wallet_rules.set_rule(database, rule_from_table({"per": "project"}), now=now)
        grant = Grant(
            id="promotion/1",
            wallet="project:tests",
            amount=10**9,
            granted_at=now,
            promotional=True,
        )
        wallet_store.promote(database, grant)
    return text


@dataclass(frozen=True)
class Books:
    """What a store says when nothing is in flight any more; `calls` are those that left."""

    calls: int
    budget: int
    wallet: int
    overruns: int
    held: int
    imbalances: tuple[object, ...]


def books_when_quiet(location: Path | str) -> Books:
    """The books, as soon as no call is in flight; the gateway lives on meanwhile."""
    with closing(open_store(location)) as database:
        until(lambda: only_row(database, "SELECT count(*) FROM attempt")[0] == 0)
        return Books(
            calls=only_row(database, "SELECT count(*) FROM call WHERE http_status > 0")[0],
            budget=_captured(database, "budget:all:%"),
            wallet=_captured(database, "grant:%") + _captured(database, "wallet:%"),
            overruns=only_row(database, "SELECT count(*) FROM transfer WHERE kind = 'overrun'")[0],
            held=int(only_row(database, "SELECT COALESCE(SUM(debits_pending), 0) FROM account")[0]),
            imbalances=verify(database).imbalances,
        )


def _captured(database: Database, accounts: str) -> int:
    row = only_row(
        database,
        "SELECT COALESCE(SUM(amount), 0) FROM transfer JOIN account ON account.id = account"
        " WHERE kind = 'capture' AND name LIKE ?",
        (accounts,),
    )
    return int(row[0])


def paid_books(calls: int, *, withheld: int = 0) -> Books:
    """The books in which every one of so many calls was paid by the budget and by the wallet.

    A wallet does not pay for an answer that was withheld.
    """
    return Books(
        calls=calls,
        budget=calls * COST_OF_A_CALL,
        wallet=(calls - withheld) * CREDITS_OF_A_CALL,
        overruns=0,
        held=0,
        imbalances=(),
    )


@dataclass
class Callers:
    """Clients that call without a pause until they are told to stop; half of them stream.

    `answered` counts whole answers, `errors` are all others, also those inside a stream.
    """

    url: str
    key: str
    answered: int = 0
    errors: list[str] = field(default_factory=list[str])
    stop: bool = False

    @property
    def refused(self) -> int:
        """Calls that were not sent."""
        return sum("was not sent" in error for error in self.errors)

    @property
    def withheld(self) -> int:
        """Answers that could not be recorded in time."""
        return sum("is withheld" in error for error in self.errors)

    def go_on(self, count: int = 50) -> None:
        """Returns when so many more calls have been answered."""
        before = self.answered
        until(lambda: self.answered >= before + count)

    async def run(self, count: int) -> None:
        await asyncio.gather(*(self._call_on(number) for number in range(count)))

    async def _call_on(self, number: int) -> None:
        host, port = self.url.removeprefix("http://").split(":")
        asked: dict[str, object] = {
            "model": "gpt-4o-mini",
            "messages": [],
            "max_tokens": 7,
            "stream": number % 2 == 0,
        }
        body = json.dumps(asked)
        request = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.key}\r\n"
            f"content-length: {len(body)}\r\n\r\n{body}"
        ).encode()
        reader, writer = await asyncio.open_connection(host, int(port))
        with contextlib.closing(writer):
            while not self.stop:
                writer.write(request)
                self._take(*await _answer(reader))
        await writer.wait_closed()

    def _take(self, status: int, answer: bytes) -> None:
        if status == 200 and b'"code":"' not in answer:
            self.answered += 1
            return
        [error] = _ERROR.findall(answer)
        self.errors.append(f"{status} {json.loads(error)}")


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    fields = dict(line.split(": ", 1) for line in head[1:] if line)
    status = int(head[0].split()[1])
    if "content-length" in fields:
        return status, await reader.readexactly(int(fields["content-length"]))
    body = b""
    while (size := int(await reader.readuntil(b"\r\n"), 16)) > 0:
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return status, body


@contextmanager
def calling(url: str, key: str, *, clients: int = 16) -> Generator[Callers]:
    """Clients at work, in a thread of their own, while the block runs."""
    callers = Callers(url, key)
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(lambda: asyncio.run(callers.run(clients)))
        try:
            yield callers
        finally:
            callers.stop = True
        work.result()


def refused_calls(url: str, key: str, provider: FakeProvider, *, count: int = 100) -> list[str]:
    """What new clients were told, all of whose calls were refused.

    Once `count` of them have been, nobody's call reaches the provider any more.
    """
    with calling(url, key) as callers:
        until(lambda: callers.refused >= count)
        sent = len(provider.received)
        until(lambda: callers.refused >= 2 * count)
        assert len(provider.received) == sent
    assert (callers.answered, callers.refused) == (0, len(callers.errors))
    return callers.errors
