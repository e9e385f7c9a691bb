"""Attempts that nobody will end any more: what they hold is resolved, and each call has its row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from tokonomi.calls import Call, Intent, Status
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import workers
from tokonomi.storage.call_groups import Settle, write_group
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import Database
from tokonomi.storage.log_recovery import bring_in_log
from tokonomi.usage import Source, Usage

_decode = msgspec.msgpack.Decoder(Intent).decode


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep found.

    Attributes:
        dead_workers: how many had died.
        orphans: the calls that they left in flight.
        overtaken: calls whose beginning was committed after their end.
    """

    dead_workers: int
    orphans: tuple[Intent, ...]
    overtaken: tuple[Intent, ...] = ()


def sweep(database: Database, *, now: datetime) -> Sweep:
    """The calls of dead workers, settled as orphans: nothing of what they held is held any more.

    Wallets have it back. Budgets take it as exposed, since the provider may bill it. A call whose
    beginning was overtaken by its end was never sent, and all that it holds is free.

    Attempts of living workers are left alone, so several gateways may share a store and any of
    them may sweep at any time; a sweep that is cut is completed by the next. A call that was
    settled before the crash keeps its row.
    """
    dead = _ended(database, now)
    overtaken = _found(database, "JOIN call ON call.id = attempt.id")
    _settle(database, [_never_sent(intent) for intent in overtaken], now)
    orphans = _found(database, "JOIN worker ON worker.id = worker_id WHERE ended_us IS NOT NULL")
    _settle(database, [orphaned(intent) for intent in orphans], now)
    for worker_id in dead:
        database.die(worker_id)
    return Sweep(len(dead), orphans, overtaken)


def _ended(database: Database, now: datetime) -> list[int]:
    """The dead workers, which are marked as ended now.

    Their logs come first: whoever sweeps at the same time takes what an ended worker left in flight
    for orphans.
    """
    with database.transaction():
        database.serialise("workers")
        found = workers.dead_workers(database)
    if not found:
        return []
    for worker_id in found:
        bring_in_log(database, worker_id)
    with database.transaction():
        database.serialise("workers")
        dead = [it for it in workers.dead_workers(database) if it in found]
        for worker_id in dead:
            workers.end(database, worker_id, now=now)
    return dead


def _found(database: Database, which: str) -> tuple[Intent, ...]:
    rows = database.execute(f"SELECT intent FROM attempt {which} ORDER BY attempt.id").fetchall()  # noqa: S608 - ours
    return tuple(_decode(bytes(row[0])) for row in rows)


def _settle(database: Database, calls: Sequence[Call], now: datetime) -> None:
    if calls:
        write_group(database, 0, [Settle(call) for call in calls], at_us=microseconds(now))


def _never_sent(intent: Intent) -> Call:
    """A call that has its row: the server committed its beginning when that had been given up.

    The answer to a commit can be lost before the commit is made. Its call does not leave and is
    settled, and what it holds appears afterwards.
    """
    return Call(
        intent=intent,
        model_served=intent.model,
        usage=Usage(at=intent.at, requests=0, source=Source.ABSENT),
        cost=Unpriced("the store was lost before the call was sent"),
        status=Status.FAILED,
    )


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
