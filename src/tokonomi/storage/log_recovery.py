"""What workers have in their logs is part of the store: whoever opens it brings it in.

A log belongs to its worker, but what it says is decided. So anybody may book it, at any time and
whether its worker lives, in a transaction that counts the records: each is booked once.
"""

import logging
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from tokonomi.storage.call_groups import ROW_DEFECTS, Begun, Record, Settle, write_group
from tokonomi.storage.database import Database
from tokonomi.storage.worker_log import records_after

_number: Final = attrgetter("number")
_log: Final = logging.getLogger("tokonomi.store")


def bring_in_logs(database: Database) -> None:
    """Gives the store what all workers have in their logs, so that it has every call so far.

    Raises:
        StoreError: the store cannot be written; the logs stay.
    """
    for worker_id in sorted(database.logs()):
        bring_in_log(database, worker_id)


def bring_in_log(database: Database, worker_id: int) -> None:
    """Gives the store what a worker has in its log, whether it is alive or not.

    Raises:
        StoreError: the store cannot be written; the log stays.
    """
    path = database.logs().get(worker_id)
    found = database.execute("SELECT started_us, logged FROM worker WHERE id = ?", (worker_id,))
    row = found.fetchone()
    if path is None or row is None:
        return
    records = records_after(path, identity_of(row[0]), row[1])
    if records:
        write_log(database, worker_id, [*_unheard_of(database, records), *records])


def identity_of(started_us: int) -> int:
    """What tells a worker's log from that of one with the same id in a store that is gone."""
    return started_us & 0xFFFFFFFF


def write_log(database: Database, worker_id: int, records: Sequence[Record]) -> None:
    """Books records of a worker's log, save those that the store has already.

    A row that the schema refuses is a defect of ours: it does not keep the others out, its call
    stays in flight, and it is recorded as an orphan once its worker has ended.
    """
    at_us = records[-1].at_us
    try:
        write_group(database, worker_id, (), at_us=at_us, log=records)
    except ROW_DEFECTS:
        # What `_unheard_of` adds has the number of its end, and is booked with it.
        for number, same in groupby(sorted(records, key=_number), key=_number):
            try:
                write_group(database, worker_id, (), at_us=at_us, log=[*same])
            except ROW_DEFECTS as error:
                _log.error("the store refuses record %d of a worker's log: %s", number, error)


def _unheard_of(database: Database, records: Sequence[Record]) -> list[Record]:
    """The beginnings of calls whose end is in the log, and of which nothing else is left.

    A beginning that the store had is not flushed by itself: a power cut can have taken it.
    """
    begun = {it.entry.intent.id for it in records if isinstance(it.entry, Begun)}
    ends = {
        it.entry.call.intent.id: it
        for it in records
        if isinstance(it.entry, Settle) and it.entry.captured
    }
    wanted = [call for call in ends if call not in begun and not _stands(database, call)]
    return [_beginning_of(ends[call]) for call in wanted]


def _stands(database: Database, call: str) -> bool:
    query = "SELECT 1 FROM attempt WHERE id = ? UNION ALL SELECT 1 FROM call WHERE id = ?"
    return database.execute(query, (call, call)).fetchone() is not None


def _beginning_of(end: Record) -> Record:
    assert isinstance(end.entry, Settle), "only an end says what was held"
    held = tuple(each.held for each in end.entry.captured or ())
    return Record(end.number, end.at_us, Begun(end.entry.call.intent, held))
