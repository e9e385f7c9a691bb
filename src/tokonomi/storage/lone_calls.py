"""Calls that are alone in flight: decided in memory, durable in the worker's own log.

Such a call has nobody to share a transaction with, and one of its own is most of what it waits for.
So its beginning is one short write and its end one flush, and the store gets both soon after, many
calls at once. Holds are decided in memory where this worker alone changes accounts (`sole_use`).
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from tokonomi.calls import Intent
from tokonomi.ledger.hold import Captured, Demand, Held, authorize_within
from tokonomi.storage.call_groups import Begun, Record, Settle
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.ledger import Claim
from tokonomi.storage.locked_accounts import FreeOfAccounts
from tokonomi.storage.log_recovery import identity_of
from tokonomi.storage.sole_use import Bell
from tokonomi.storage.sqlite import SqliteDatabase
from tokonomi.storage.worker_log import WorkerLog

_log: Final = logging.getLogger("tokonomi.recorder")
_MOST_KNOWN: Final = 10_000
"""Budgets and wallets whose figures are kept in memory."""


def lone_calls(database: Database, worker_id: int) -> "LoneCalls | None":
    """Where calls of a worker go that are alone; None where they go to the store like all others.

    That is so on a database server, and where no pipe can be made beside the store.

    Raises:
        StoreError: the worker's log cannot be made.
    """
    if not isinstance(database, SqliteDatabase):
        return None
    try:
        bell = Bell(database.workers_folder, worker_id)
    except OSError as error:
        _log.warning(
            "no pipe can be made in %s (%s): calls that are alone wait for the store like others",
            database.workers_folder,
            error,
        )
        return None
    try:
        return LoneCalls(database, worker_id, bell)
    except BaseException:
        bell.close()
        raise


class LoneCalls:
    """The log of a worker, and what accounts have free while it alone changes them.

    Use it from the event loop.
    """

    def __init__(self, database: SqliteDatabase, worker_id: int, bell: Bell) -> None:
        """Makes the worker's log.

        Raises:
            StoreError: it cannot be made.
        """
        row = only_row(database, "SELECT started_us FROM worker WHERE id = ?", (worker_id,))
        self._log = WorkerLog(database.log_path(worker_id), identity_of(row[0]))
        self.bell = bell
        self.sole_use = database.sole_use
        self._records: list[Record] = []
        self._free: FreeOfAccounts | None = None
        self._given = 0
        self.forgotten = 0
        """How often others might change accounts: what was seen before is not known any more."""

    @property
    def is_booked(self) -> bool:
        """Whether the store has everything."""
        return not self._records and not self._given

    @property
    def newest(self) -> int:
        """The number of the newest record."""
        return self._log.number

    def begin(self, intent: Intent, claims: Sequence[Claim]) -> tuple[Held, ...] | None:
        """What a call holds that may leave now; None when a transaction must decide or write it."""
        held = self._held(claims)
        if held is None:
            return None
        record = self._log.append(Begun(intent, held), _now_us())
        if record is None:
            self.forget()
            return None
        self._records.append(record)
        return held

    def settle(self, settle: Settle) -> bool:
        """Whether the end of a call is in the log; `flush` makes it survive a power cut.

        One that used more than it held is not: what is above a hold is taken from what is free, and
        that only a transaction may do, since another worker may be alone by now.
        """
        if any(each.overrun for each in settle.captured or ()):
            return False
        record = self._log.append(settle, _now_us())
        if record is None:
            return False
        self._records.append(record)
        if self._free is not None:
            _credit(self._free, settle.captured or ())
        return True

    def flush(self) -> bool:
        """Whether all that is in the log is on the disk."""
        return self._log.flush()

    def take(self) -> list[Record]:
        """What the store does not have yet, to be given to it now; `booked` says when it has it."""
        records, self._records = self._records, []
        if records:
            if not self._given:
                self._log.turn()
            self._given += len(records)
        return records

    def booked(self, count: int) -> None:
        """The store has so many records more."""
        self._given -= count

    def know(self, free: FreeOfAccounts, *, since: int) -> None:
        """This worker alone changes accounts, and these have so much free.

        `since` is how often others might change accounts (`forgotten`) when that was asked for.
        """
        if self.forgotten != since:
            return
        if self._free is None or len(self._free.accounts) > _MOST_KNOWN:
            self._free = free
        else:
            self._free.accounts |= free.accounts
            self._free.units |= free.units

    def forget(self) -> None:
        """Others may change accounts, so only a transaction knows what they have free."""
        self._free = None
        self.forgotten += 1

    def close(self) -> None:
        """Closes the log, and the bell."""
        self._log.close()
        self.bell.close()

    def _held(self, claims: Sequence[Claim]) -> tuple[Held, ...] | None:
        if not claims:
            return ()
        free = self._free
        if free is None:
            return None
        demands: list[Demand] = []
        for claim in claims:
            accounts = free.accounts.get(claim.on)
            if accounts is None:
                return None
            demands.append(Demand(source=claim.source, accounts=accounts, amount=claim.amount))
        return authorize_within(free.units, demands)


def _credit(free: FreeOfAccounts, captured: Sequence[Captured]) -> None:
    """Gives back what the holds of a call did not use."""
    for each in captured:
        for part in each.held.parts:
            if part.account in free.units:
                free.units[part.account] += part.amount
        for part in (*each.parts, *each.exposed):
            if part.account in free.units:
                free.units[part.account] -= part.amount


def _now_us() -> int:
    return microseconds(datetime.now(UTC))
