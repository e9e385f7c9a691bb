"""Calls that a recorder writes, and what the store has of them."""

import asyncio
import resource
import sqlite3
from collections.abc import Callable, Coroutine, Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.ledger.hold import Captured, Held, Refusal, capture
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import workers
from tokonomi.storage.call_groups import Outcome
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.recorder import Limits, Recorder
from tokonomi.usage import Usage

SLOW_FLUSH_SECONDS: Final = 1.0
"""What is slow for a test, which is not to depend on a disk that others use."""
ALL_BOOKED: Final = "SELECT count(*) FROM call"
FREE: Final = (
    "SELECT credits_posted - debits_posted - debits_pending - overrun FROM account"
    " WHERE name = 'budget a'"
)
AT = datetime(2026, 1, 30, 12, tzinfo=UTC)


def intent(name: str, *, attempt: str = "1") -> Intent:
    return Intent(id=f"{name}.{attempt}", at=AT, dimensions=Dimensions(project="p"), model="m")


def call(of: Intent, *, output: int = 7, note: str = "") -> Call:
    return Call(
        intent=of,
        model_served="m",
        usage=Usage(at=AT, uncached_input=21, output=output),
        cost=Unpriced("no price"),
        status=Status.OK,
        note=note,
    )


def rows(store: Path | str, query: str) -> list[tuple[object, ...]]:
    with closing(open_store(store)) as database:
        return database.execute(query).fetchall()


def attempts(store: Path | str) -> list[object]:
    return [name for (name,) in rows(store, "SELECT id FROM attempt ORDER BY id")]


def settled(store: Path | str) -> list[object]:
    return [name for (name,) in rows(store, "SELECT id FROM call ORDER BY seq")]


async def opened(store: Path | str, limits: Limits | None = None) -> Recorder:
    with closing(open_store(store)) as database:
        worker = workers.register(database, now=AT)
    return Recorder(store, worker, limits=limits)


def run(test: Coroutine[object, object, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test

    asyncio.run(bounded())


@contextmanager
def full_disk(store: Path) -> Generator[None]:
    """No file of this process can grow: writes fail as they do on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(open_store(store)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def on_budget(amount: int, *, limit: int = 100, version: int = 0) -> tuple[Claim, ...]:
    """A claim on a hard budget."""
    return (Claim("budget", amount, Funding("budget a", "USD", limit, 0, version)),)


def held_by(outcome: Outcome) -> tuple[Held, ...]:
    """What a call that may leave holds."""
    assert not isinstance(outcome, Refusal)
    return outcome


def used(outcome: Outcome, amount: int) -> tuple[Captured, ...]:
    """How all that a call holds is resolved when it used so much of each."""
    return tuple(capture(each, amount) for each in held_by(outcome))


def booked(file: Path, query: str) -> list[tuple[object, ...]]:
    """What the store itself has, without what logs hold."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


async def until(condition: Callable[[], bool]) -> None:
    """Lets the event loop turn until something is so that no event tells of."""
    while not condition():  # noqa: ASYNC110 - it comes to be so in a file, or in another thread
        await asyncio.sleep(0)


def assert_balanced(store: Path | str) -> None:
    with closing(open_store(store)) as database:
        assert verify(database).imbalances == ()


async def alone(file: Path, *, limit: int = 100, limits: Limits | None = None) -> Recorder:
    """A recorder whose worker alone changes accounts, and knows what the budget has free."""
    recorder = await opened(file, limits)
    held_by(await recorder.begin(intent("first"), on_budget(0, limit=limit), alone=True))
    return recorder


def is_in_log_alone(file: Path, name: str) -> bool:
    """Whether the store itself knows nothing of a call."""
    both = "SELECT id FROM attempt UNION ALL SELECT id FROM call"
    return (f"{name}.1",) not in booked(file, both)
