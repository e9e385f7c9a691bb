"""The end of grants: an expiry is a row, booked once, and never what a clock says in passing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tokonomi.credits.grant import Ending, Grant, ending
from tokonomi.ledger.account import Sink
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.changes import change
from tokonomi.storage.database import Database
from tokonomi.storage.ledger import post
from tokonomi.storage.wallet_store import StoredGrant, book_grant, locked_grant

EXPIRED: Final = "expired/"
ROLLED_OUT: Final = "rolled_out/"


@dataclass(frozen=True, slots=True)
class Ended:
    """A grant whose time is over. `ending` is None while calls in flight still hold some of it."""

    grant: Grant
    ending: Ending | None


def end_grants(database: Database, *, now: datetime, dry_run: bool = False) -> list[Ended]:
    """The grants whose time is over: closed for new calls, and their rest booked once unheld.

    What rolls over becomes a grant of its own, which may be over too when nobody looked for long;
    a rehearsal does not see that far. Any number of processes may sweep at the same time.
    """
    found: dict[str, Ended | None] = {}
    while fresh := [each for each in _over(database, now) if each not in found]:
        for grant_id in fresh:
            with change(database, dry_run=dry_run):
                stored = locked_grant(database, grant_id)
                booked = None if stored.used.ended else _end(database, stored, now)
            # Another sweep may have been faster; then it has told of this one.
            found[grant_id] = None if stored.used.ended else Ended(stored.grant, booked)
    if not dry_run:
        _close_used_up(database, now)
    return [each for each in found.values() if each is not None]


def _over(database: Database, now: datetime) -> list[str]:
    rows = database.execute(
        "SELECT id FROM wallet_grant WHERE ended_us IS NULL AND expires_us <= ?"
        " ORDER BY expires_us, id",
        (microseconds(now),),
    )
    return [row[0] for row in rows]


def _end(database: Database, stored: StoredGrant, now: datetime) -> Ending | None:
    at_us = microseconds(now)
    database.execute(
        "UPDATE wallet_grant SET closed_us = COALESCE(closed_us, ?) WHERE id = ?",
        (at_us, stored.grant.id),
    )
    end = ending(stored.grant, stored.used, now)
    if end is None:
        return None
    rolled = end.rolled
    # What rolls over is the first stretch of the rest, and the breakage the last, as `ending` says.
    if rolled is not None:
        _withdraw(database, stored, Sink.ISSUED, rolled.amount, at_us=at_us)
        book_grant(database, rolled, at=now)
    _withdraw(database, stored, Sink.BREAKAGE, end.breakage, at_us=at_us)
    database.execute("UPDATE wallet_grant SET ended_us = ? WHERE id = ?", (at_us, stored.grant.id))
    return end


def _withdraw(
    database: Database, stored: StoredGrant, sink: Sink, amount: int, *, at_us: int
) -> None:
    if amount:
        post(
            database,
            f"{EXPIRED if sink is Sink.BREAKAGE else ROLLED_OUT}{stored.grant.id}",
            kind="withdraw",
            account=stored.account,
            sink=sink,
            amount=amount,
            at_us=at_us,
        )


def _close_used_up(database: Database, now: datetime) -> None:
    """Grants of which nothing is left or held can never have anything again: calls pass them by."""
    # An open grant is a watched one, and those have an index.
    used_up = database.execute(
        "SELECT wallet_grant.id FROM wallet_grant JOIN account ON account.id = account"
        " WHERE watched = 1 AND closed_us IS NULL"
        " AND credits_posted = debits_posted AND debits_pending = 0 AND credits_posted > 0"
        " ORDER BY account.id"
    ).fetchall()
    if used_up:
        at_us = microseconds(now)
        with database.transaction(accounts=True):
            # Used up stays used up: nothing puts credits into a grant once it is made.
            database.executemany(
                "UPDATE wallet_grant SET closed_us = ?, ended_us = ?"
                " WHERE id = ? AND closed_us IS NULL",
                [(at_us, at_us, grant) for (grant,) in used_up],
            )
