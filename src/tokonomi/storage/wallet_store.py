"""Wallets in the store: grants that payments and promotions make, and refunds.

Each move is one transaction under the lock of the account that it touches, and is known by an id
that the caller gives: the same id with the same request is answered again, with another is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from tokonomi.credits.grant import (
    DEFAULT_PRIORITY,
    Grant,
    Used,
    burns_before,
    credits_to_text,
    worth,
)
from tokonomi.credits.grant import refund as refund_of
from tokonomi.credits.package import Package, purchase
from tokonomi.credits.wallet import wallet_name
from tokonomi.errors import BadInput, NotFound
from tokonomi.ledger.account import Sink
from tokonomi.money import Money
from tokonomi.storage.call_rows import instant, microseconds
from tokonomi.storage.changes import change, for_update
from tokonomi.storage.database import Database, Row
from tokonomi.storage.ledger import CREDIT, Conflict, open_account, post

PROMOTION: Final = "promotion/"
REFUND: Final = "refund/"
_LONGEST_ID: Final = 200


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant, its ledger account, and what became of it so far.

    `closed` is whether no new call may use it: it is over, or nothing of it is left.
    """

    grant: Grant
    account: int
    used: Used
    closed: bool

    @property
    def left(self) -> int:
        """Milli-credits that a new call may take."""
        return 0 if self.closed else self.used.left(self.grant)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A refund as it was booked: milli-credits taken back, and the money paid for them."""

    id: str
    grant: str
    wallet: str
    amount: int
    money: Money
    at: datetime


@dataclass(frozen=True, slots=True)
class WalletBalance:
    """What a wallet holds, in milli-credits.

    Attributes:
        wallet: its id.
        project: whose it is.
        balance: all that was not yet used, holds among it.
        held: on hold for calls in flight.
        grants: how many grants a new call may use.
        overrun: what calls used above their holds, which no grant has paid for.
    """

    wallet: str
    project: str
    balance: int
    held: int
    grants: int
    overrun: int

    @property
    def available(self) -> int:
        """What a new call may take."""
        return self.balance - self.held


def buy(
    database: Database,
    package: Package,
    *,
    wallet: str,
    payment_id: str,
    now: datetime,
    dry_run: bool = False,
) -> Grant:
    """The grant of a payment: made now, or as it was made when the payment was told before.

    A package that was changed in the meantime does not change what a payment has bought.

    Raises:
        Conflict: the payment id was used for another wallet or another package.
        BadInput: no payment id, or one that is too long.
    """
    _check_id(payment_id)
    grant = purchase(package, wallet=wallet, payment_id=payment_id, at=_in_microseconds(now))

    def same(stored: Grant) -> bool:
        return (stored.wallet, stored.package) == (wallet, package.id)

    return _granted(database, grant, same, dry_run=dry_run)


def promotion(
    gift: str,
    *,
    wallet: str,
    amount: int,
    now: datetime,
    days: int | None = None,
    priority: int = DEFAULT_PRIORITY,
    rollover_cap: int = 0,
) -> Grant:
    """The promotional grant of a gift, for `promote`; it lasts `days`, for ever when None.

    Raises:
        BadInput: no calendar reaches so far, or the grant is none.
    """
    try:
        expires_at = None if days is None else now + timedelta(days=days)
    except OverflowError:
        raise BadInput(
            f"{days} days are more than a calendar has", remedy="Leave them out for no end."
        ) from None
    return Grant(
        id=f"{PROMOTION}{gift}",
        wallet=wallet,
        amount=amount,
        granted_at=now,
        expires_at=expires_at,
        priority=priority,
        promotional=True,
        rollover_cap=rollover_cap,
    )


def promote(database: Database, grant: Grant, *, dry_run: bool = False) -> Grant:
    """The promotional grant: made now, or as it was made when its id was used before.

    `grant.id` begins with `promotion/`. A repeated request may come later: it is the same when
    wallet, amount, priority and duration are.

    Raises:
        Conflict: the id was used for another grant.
        BadInput: the grant is not promotional, or its id is of another kind.
    """
    _check_id(grant.id.removeprefix(PROMOTION))
    if not grant.promotional or not grant.id.startswith(PROMOTION):
        raise BadInput(
            f"{grant.id} is no promotional grant", remedy="Sold credits come from a payment."
        )
    return _granted(
        database, grant, lambda stored: _terms(stored) == _terms(grant), dry_run=dry_run
    )


def refund(
    database: Database,
    refund_id: str,
    grant_id: str,
    *,
    amount: int | None = None,
    now: datetime,
    dry_run: bool = False,
) -> Receipt:
    """The refund of milli-credits of a grant, all that is left without an `amount`.

    Booked now, or as it was booked when its id was used before. Only credits that were paid for
    and that nothing has used or holds are paid back, at the price that was paid for them.

    Raises:
        NotFound: no grant has this id.
        Conflict: the refund id was used for another grant or amount.
        BadInput: fewer credits are left, or nothing was paid for them; nothing was written.
    """
    _check_id(refund_id)
    with change(database, dry_run=dry_run):
        stored = locked_grant(database, grant_id)
        if (receipt := _receipt(database, refund_id)) is not None:
            if receipt.grant != grant_id or amount not in (None, receipt.amount):
                raise Conflict(
                    f"refund {refund_id} was {credits_to_text(receipt.amount)} credits of"
                    f" {receipt.grant}",
                    remedy="Send that again unchanged, or use a new id.",
                )
            return receipt
        # The rest of a grant that is over goes to breakage, at once or when its last hold ends.
        used = replace(stored.used, ended=stored.closed)
        wanted = used.left(stored.grant) if amount is None else amount
        paid_back = refund_of(stored.grant, used, wanted)
        post(
            database,
            f"{REFUND}{refund_id}",
            kind="withdraw",
            account=stored.account,
            sink=Sink.REFUND,
            amount=paid_back.amount,
            at_us=microseconds(now),
        )
        return Receipt(
            refund_id,
            grant_id,
            stored.grant.wallet,
            paid_back.amount,
            paid_back.money,
            _in_microseconds(now),
        )


def grants_of(database: Database, wallet: str, *, ended: bool = False) -> list[StoredGrant]:
    """The grants of a wallet that calls may use, in the order in which they burn.

    With `ended` the others follow, in the order in which they were granted.
    """
    found = [_read(row) for row in database.execute(f"{_SELECT} WHERE wallet = ?", (wallet,))]
    usable = [each for each in found if not each.closed]
    rest = [each for each in found if each.closed and ended]
    return [
        *sorted(usable, key=lambda each: burns_before(each.grant)),
        *sorted(rest, key=lambda each: (each.grant.granted_at, each.grant.id)),
    ]


def wallets(
    database: Database, wallet: str | None = None, *, project: str = ""
) -> list[WalletBalance]:
    """What every wallet holds that was ever granted something, of a project where one is named.

    With `wallet` only the one of this id.
    """
    only = "" if wallet is None else " WHERE wallet = ?"
    values = () if wallet is None else (wallet,)
    rows = database.execute(
        "SELECT wallet, SUM(credits_posted - debits_posted), SUM(debits_pending),"  # noqa: S608 - ours
        " SUM(CASE WHEN closed_us IS NULL THEN 1 ELSE 0 END)"
        " FROM wallet_grant JOIN account ON account.id = wallet_grant.account"
        f"{only} GROUP BY wallet",
        values,
    ).fetchall()
    overruns = {
        row[0].removeprefix("wallet:"): int(row[1])
        for row in database.execute(
            "SELECT account.name, SUM(transfer.amount) FROM transfer"
            " JOIN account ON account.id = transfer.account"
            " WHERE transfer.kind = 'overrun' AND asset = ? GROUP BY account.name",
            (CREDIT,),
        )
    }
    found = [
        WalletBalance(
            wallet=row[0],
            project=wallet_name(row[0]).project,
            balance=int(row[1]),
            held=int(row[2]),
            grants=int(row[3]),
            overrun=overruns.get(row[0], 0),
        )
        for row in sorted(rows)
    ]
    return [each for each in found if project in ("", each.project)]


def locked_grant(database: Database, grant_id: str) -> StoredGrant:
    """The grant with this id, its account locked until the end of the caller's transaction.

    Raises:
        NotFound: there is none.
    """
    database.execute(
        "SELECT id FROM account WHERE id = (SELECT account FROM wallet_grant WHERE id = ?)"  # noqa: S608 - ours
        f"{for_update(database)}",
        (grant_id,),
    ).fetchall()
    found = _find(database, grant_id)
    if found is None:
        raise NotFound(
            f"there is no grant {grant_id}",
            remedy="`tokonomi credits show WALLET --ended` lists those of a wallet.",
        )
    return found


def book_grant(database: Database, grant: Grant, *, at: datetime | None = None) -> None:
    """Nothing: the grant's account is made and funded, in the caller's transaction.

    It is booked at the instant from which the grant may be used, or `at` a later one: a statement
    tells when credits moved, and what rolls over moves when the old grant is ended.

    Raises:
        Conflict: its id was used for another one.
    """
    account = open_account(database, grant.account, CREDIT)
    post(
        database,
        grant.id,
        kind="fund",
        account=account,
        sink=Sink.ISSUED,
        amount=grant.amount,
        at_us=microseconds(at or grant.granted_at),
    )
    paid = grant.paid
    database.execute(
        "INSERT INTO wallet_grant (id, wallet, account, amount, priority, promotional, granted_us,"
        " expires_us, paid_amount, paid_currency, rollover_cap, package)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            grant.id,
            grant.wallet,
            account,
            grant.amount,
            grant.priority,
            int(grant.promotional),
            microseconds(grant.granted_at),
            None if grant.expires_at is None else microseconds(grant.expires_at),
            None if paid is None else paid.sub_units,
            None if paid is None else paid.currency,
            grant.rollover_cap,
            grant.package,
        ),
    )


def paid_for(database: Database, grant: Grant, *, account: int, seq: int, amount: int) -> Money:
    """What was paid for the milli-credits that the transfer with this `seq` took from a grant."""
    row = database.execute(
        "SELECT COALESCE(SUM(amount), 0) FROM transfer"
        " WHERE account = ? AND seq < ? AND kind IN ('capture', 'withdraw')",
        (account, seq),
    ).fetchone()
    assert row is not None, "a sum always has a row"
    first = int(row[0])
    return worth(grant, first, first + amount)


def _granted(
    database: Database, grant: Grant, same: Callable[[Grant], bool], *, dry_run: bool
) -> Grant:
    with change(database, dry_run=dry_run):
        # The account's name has wallet and id in it. Making it first puts two tellers of one
        # payment in line, so that the second finds the grant of the first.
        open_account(database, grant.account, CREDIT)
        stored = _find(database, grant.id)
        if stored is None:
            book_grant(database, grant)
            return grant
        if same(stored.grant):
            return stored.grant
        was = stored.grant
        raise Conflict(
            f"{was.id} granted {credits_to_text(was.amount)} credits to {was.wallet}",
            remedy="Send that again unchanged, or use a new id.",
        )


def _terms(grant: Grant) -> tuple[object, ...]:
    lasts = None if grant.expires_at is None else grant.expires_at - grant.granted_at
    return (grant.wallet, grant.amount, grant.priority, lasts, grant.rollover_cap)


def _receipt(database: Database, refund_id: str) -> Receipt | None:
    row = database.execute(
        "SELECT wallet_grant.id, transfer.amount, seq, at_us FROM transfer"
        " JOIN wallet_grant ON wallet_grant.account = transfer.account WHERE transfer.id = ?",
        (f"{REFUND}{refund_id}",),
    ).fetchone()
    if row is None:
        return None
    grant_id, amount, seq, at_us = row
    stored = _find(database, grant_id)
    assert stored is not None, "the row was just joined"
    grant = stored.grant
    money = paid_for(database, grant, account=stored.account, seq=seq, amount=amount)
    return Receipt(refund_id, grant_id, grant.wallet, amount, money, instant(at_us))


_SELECT: Final = (
    "SELECT wallet_grant.id, wallet, account, amount, priority, promotional, granted_us,"
    " expires_us, paid_amount, paid_currency, rollover_cap, package, debits_posted, debits_pending,"
    " closed_us, ended_us FROM wallet_grant JOIN account ON account.id = wallet_grant.account"
)


def _find(database: Database, grant_id: str) -> StoredGrant | None:
    row = database.execute(
        f"{_SELECT} WHERE wallet_grant.id = ?",
        (grant_id,),
    ).fetchone()
    return None if row is None else _read(row)


def _read(row: Row) -> StoredGrant:
    grant = Grant(
        id=row[0],
        wallet=row[1],
        amount=row[3],
        priority=row[4],
        promotional=bool(row[5]),
        granted_at=instant(row[6]),
        expires_at=None if row[7] is None else instant(row[7]),
        paid=None if row[8] is None else Money(row[8], row[9]),
        rollover_cap=row[10],
        package=row[11],
    )
    used = Used(settled=row[12], held=row[13], ended=row[15] is not None)
    return StoredGrant(grant, row[2], used, closed=row[14] is not None)


def _check_id(text: str) -> None:
    if not text or len(text) > _LONGEST_ID or not text.isprintable():
        raise BadInput(
            f"{text!r} cannot be the id of a payment, promotion or refund",
            remedy=f"Use 1 to {_LONGEST_ID} printable characters, the same in every retry.",
        )


def _in_microseconds(at: datetime) -> datetime:
    """The instant as the store keeps it, so that an answer is the same now and later."""
    return instant(microseconds(at))
