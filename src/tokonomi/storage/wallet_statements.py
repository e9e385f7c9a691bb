"""The statement of a wallet, made from its transfers and nothing else."""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from tokonomi.credits.wallet import Entry, EntryKind, Statement, statement
from tokonomi.errors import BadInput
from tokonomi.ledger.account import Sink
from tokonomi.money import Money
from tokonomi.storage.call_rows import instant, microseconds
from tokonomi.storage.database import Database, Row
from tokonomi.storage.wallet_store import (
    PROMOTION,
    REFUND,
    StoredGrant,
    grants_of,
    paid_for,
)

PAYMENT: Final = "payment/"
_TAKEN: Final = {
    Sink.BREAKAGE: EntryKind.EXPIRY,
    Sink.ISSUED: EntryKind.ROLLED_OUT,
    Sink.REFUND: EntryKind.REFUND,
}
_CHANGE: Final = "CASE WHEN kind = 'fund' THEN amount ELSE -amount END"
# A clock that was set back must not put a movement before those that it follows: each is told at
# the latest instant that any had until then, which never changes once its row is written.
_MOVES: Final = (
    "(SELECT seq, kind, sink, transfer.amount AS amount, call_id, transfer.id AS id,"
    " MAX(at_us) OVER (ORDER BY seq) AS booked_us, wallet_grant.id AS grant_id"
    " FROM transfer JOIN wallet_grant ON wallet_grant.account = transfer.account WHERE wallet = ?)"
    " AS moves"
)


def statement_of(database: Database, wallet: str, *, since: datetime, until: datetime) -> Statement:
    """The statement of a wallet from `since` to `until`, the latter excluded.

    Movements are in the order of booking, and none is told to be earlier than the one before it.
    What its calls used above their holds is no entry: no grant paid for it (`wallets` tells it).

    Raises:
        BadInput: the period ends before it begins.
    """
    if until < since:
        raise BadInput(
            f"the statement would end at {until.isoformat()}, before {since.isoformat()}",
            remedy="Let --until be later than --since.",
        )
    with database.snapshot():
        before = database.execute(
            f"SELECT COALESCE(SUM({_CHANGE}), 0) FROM {_MOVES} WHERE booked_us < ?",  # noqa: S608 - ours
            (wallet, microseconds(since)),
        ).fetchone()
        assert before is not None, "a sum always has a row"
        rows = database.execute(
            "SELECT seq, kind, sink, amount, call_id, id, booked_us, grant_id"  # noqa: S608 - ours
            f" FROM {_MOVES} WHERE booked_us >= ? AND booked_us < ? ORDER BY seq",
            (wallet, microseconds(since), microseconds(until)),
        ).fetchall()
        grants = {each.grant.id: each for each in grants_of(database, wallet, ended=True)}
        entries = [_entry(database, row, grants[row[7]]) for row in rows]
    return statement(wallet, entries, since=since, until=until, before=int(before[0]))


def booked_until(database: Database, wallet: str, *, now: datetime) -> datetime:
    """The instant before which all movements of a wallet are told; later than now after a leap."""
    row = database.execute(
        "SELECT MAX(at_us) FROM transfer"
        " JOIN wallet_grant ON wallet_grant.account = transfer.account WHERE wallet = ?",
        (wallet,),
    ).fetchone()
    assert row is not None, "a maximum always has a row"
    return now if row[0] is None else max(now, instant(row[0] + 1))


def _entry(database: Database, row: Row, stored: StoredGrant) -> Entry:
    seq, kind, sink, amount, call_id, transfer_id, at_us, grant_id = row
    entry = Entry(at=instant(at_us), grant=grant_id, kind=EntryKind.BURN, amount=amount)
    if kind == "capture":
        return _with(entry, EntryKind.BURN, call_id)
    if kind == "withdraw":
        taken = _TAKEN[Sink(sink)]
        if taken is not EntryKind.REFUND:
            return _with(entry, taken, transfer_id)
        money = paid_for(database, stored.grant, account=stored.account, seq=seq, amount=amount)
        return _with(entry, taken, transfer_id.removeprefix(REFUND), money)
    if grant_id.startswith(PAYMENT):
        return _with(entry, EntryKind.PURCHASE, grant_id.removeprefix(PAYMENT), stored.grant.paid)
    came = EntryKind.PROMOTION if grant_id.startswith(PROMOTION) else EntryKind.ROLLED_IN
    return _with(entry, came, grant_id)


def _with(entry: Entry, kind: EntryKind, reference: str, money: Money | None = None) -> Entry:
    return replace(entry, kind=kind, reference=reference, money=money)
