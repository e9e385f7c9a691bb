"""Calls that a recorder writes, and what the store has of them."""

import asyncio
import resource
from collections.abc import Coroutine, Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import workers
from tokonomi.storage.engine import open_store
from tokonomi.storage.recorder import Limits, Recorder
from tokonomi.usage import Usage

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
