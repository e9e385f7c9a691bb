"""Calls whose process died while they were in flight: each becomes a row that says so."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from tokonomi.calls import Call, Intent, Status
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import workers
from tokonomi.storage.call_groups import Settle, write_group
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import Database
from tokonomi.usage import Source, Usage

_decode = msgspec.msgpack.Decoder(Intent).decode


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep found: workers that had died, and the calls that they left in flight."""

    dead_workers: int
    orphans: tuple[Intent, ...]


def sweep(database: Database, *, now: datetime) -> Sweep:
    """The calls of dead workers, settled as orphans: nothing of what they held is held any more.

    Wallets have it back. Budgets take it as exposed, since the provider may bill it.

    Attempts of living workers are left alone, so several gateways may share a store and any of
    them may sweep at any time; a sweep that is cut is completed by the next. A call that was
    settled before the crash keeps its row.
    """
    with database.transaction():
        database.serialise("workers")
        dead = workers.dead_workers(database)
        for worker_id in dead:
            workers.end(database, worker_id, now=now)
    rows = database.execute(
        "SELECT intent FROM attempt JOIN worker ON worker.id = worker_id"
        " WHERE ended_us IS NOT NULL ORDER BY attempt.id"
    ).fetchall()
    orphans = tuple(_decode(bytes(row[0])) for row in rows)
    settles = [Settle(orphaned(intent)) for intent in orphans]
    if settles:
        write_group(database, 0, settles, at_us=microseconds(now))
    for worker_id in dead:
        database.die(worker_id)
    return Sweep(len(dead), orphans)


def orphaned(intent: Intent) -> Call:
    """The settled form of a call whose process died: no usage, no cost, and what it may cost."""
    worst = intent.worst_case
    most = f"{intent.input_bound} input tokens, and its output" if worst is None else worst.format()
    reason = f"its process died with this call in flight; the provider may bill up to {most}"
    return Call(
        intent=intent,
        model_served=intent.model,
        usage=Usage(at=intent.at, requests=0, source=Source.ABSENT),
        cost=Unpriced(reason),
        exposure=worst,
        status=Status.ORPHANED,
    )
