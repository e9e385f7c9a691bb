"""One group of intents and settled calls, written in one transaction."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from tokonomi.calls import Call, Intent
from tokonomi.storage.call_rows import INSERT, Value, row_of

_BEGIN: Final = "INSERT INTO attempt VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
_SETTLE: Final = f"{INSERT} ON CONFLICT (id) DO NOTHING"
_RESOLVE: Final = "DELETE FROM attempt WHERE id = ?"

_encode = msgspec.msgpack.Encoder().encode

Record = Intent | Call


class CallWriter:
    """Writes for one worker, over one connection, from one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, worker_id: int) -> None:
        self.connection = connection
        self._worker_id = worker_id
        self._synchronous = ""

    def write(self, records: Sequence[Record]) -> None:
        """Nothing; either all records are written, or none is and the error is raised.

        A group with a settled call is flushed to the disk and takes all earlier groups with it,
        because they stand before it in the same log. A group of intents alone is left to the
        operating system, which survives the death of this process.

        A call that has a row already keeps it.

        Raises:
            sqlite3.Error: the store cannot be written, or its schema refuses a row.
            AmountTooLarge, OverflowError, ValueError, TypeError: a value fits no column.
        """
        intents: list[tuple[str, int, bytes]] = []
        rows: list[tuple[Value, ...]] = []
        settled: list[tuple[str]] = []
        for record in records:
            if isinstance(record, Intent):
                intents.append((record.id, self._worker_id, _encode(record)))
            else:
                rows.append(row_of(record))
                settled.append((record.intent.id,))
        self._switch_synchronous("FULL" if rows else "NORMAL")
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            if intents:
                connection.executemany(_BEGIN, intents)
            if rows:
                connection.executemany(_SETTLE, rows)
                connection.executemany(_RESOLVE, settled)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _switch_synchronous(self, level: str) -> None:
        if level != self._synchronous:
            self.connection.execute(f"PRAGMA synchronous={level}")
            self._synchronous = level
