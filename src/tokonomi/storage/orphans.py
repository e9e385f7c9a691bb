"""Calls whose gateway died while they were in flight: each becomes a row that says so."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from tokonomi.calls import Call, Intent, Status
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import workers
from tokonomi.storage.call_rows import INSERT, row_of
from tokonomi.storage.engine import transaction
from tokonomi.usage import Source, Usage

_decode = msgspec.msgpack.Decoder(Intent).decode


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep found: workers that had died, and the calls that they left in flight."""

    dead_workers: int
    orphans: tuple[Intent, ...]


def sweep(connection: sqlite3.Connection, store: Path, *, now: datetime) -> Sweep:
    """The calls of dead workers, settled as orphans in one transaction.

    Attempts of living workers are left alone, so several gateways may share a store and any of
    them may sweep at any time. A call that was settled before the crash keeps its row.
    """
    with transaction(connection):
        dead = workers.dead_workers(connection, store)
        for worker_id in dead:
            workers.end(connection, worker_id, now=now)
        rows = connection.execute(
            "SELECT intent FROM attempt JOIN worker ON worker.id = worker_id"
            " WHERE ended_us IS NOT NULL ORDER BY attempt.id"
        ).fetchall()
        orphans = tuple(_decode(intent) for (intent,) in rows)
        connection.executemany(
            f"{INSERT} ON CONFLICT (id) DO NOTHING", [row_of(orphaned(it)) for it in orphans]
        )
        connection.executemany("DELETE FROM attempt WHERE id = ?", [(it.id,) for it in orphans])
    for worker_id in dead:
        workers.forget_lock(store, worker_id)
    return Sweep(len(dead), orphans)


def orphaned(intent: Intent) -> Call:
    """The settled form of a call whose gateway died: no usage, no cost, and what it may cost."""
    reason = (
        "the gateway died with this call in flight;"
        f" the provider may bill up to {intent.input_bound} input tokens, and its output"
    )
    return Call(
        intent=intent,
        model_served=intent.model,
        usage=Usage(at=intent.at, requests=0, source=Source.ABSENT),
        cost=Unpriced(reason),
        status=Status.ORPHANED,
    )
