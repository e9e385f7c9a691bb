"""The ledger as the admin API gives it, as JSON. Amounts are decimal strings, instants are UTC."""

from datetime import datetime
from typing import Literal

import msgspec

from tokonomi.admin.shapes import Amount, units
from tokonomi.storage.exposures import Released
from tokonomi.storage.ledger_check import Imbalance, Verified
from tokonomi.storage.ledger_history import Account, Moved, Opened


class ImbalanceView(msgspec.Struct, frozen=True):
    """A stored figure that its rows contradict, in units of the account."""

    law: str
    account: str
    stored: str
    rebuilt: str


class VerifiedView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the ledger balances."""

    balances: bool
    accounts: int
    transfers: int
    open_holds: int
    imbalances: list[ImbalanceView]


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the ledger.

    `overrun` is the part of `spent` that nothing left paid for; `exposed` may be billed for calls
    that failed.
    """

    account: str
    limit: Amount
    spent: Amount
    overrun: Amount
    exposed: Amount
    held: Amount
    available: Amount | None


class MovedView(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer, or a hold of a call in flight."""

    kind: str
    account: str
    sink: str
    amount: Amount
    transfer: str
    call: str
    at: datetime | None
    note: str


class ReleaseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That a failed call was not billed: `reason` says which bill shows it, and is kept."""

    reason: str


class ReleasedView(msgspec.Struct, frozen=True, kw_only=True):
    """What one account got back of a call's exposure; asked again, what it got the first time."""

    account: str
    amount: Amount
    at: datetime
    reason: str


class OpenedView(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the ledger under one name."""

    name: str
    what: Literal["account", "transfer", "call"]
    moved: list[MovedView]
    accounts: list[AccountView]
    calls: dict[str, str]


def verified_view(verified: Verified) -> VerifiedView:
    """What was checked as JSON has it; amounts are the integers of the store, as text."""

    def imbalance(found: Imbalance) -> ImbalanceView:
        return ImbalanceView(found.law, found.account, str(found.stored), str(found.rebuilt))

    return VerifiedView(
        balances=not verified.imbalances,
        accounts=verified.accounts,
        transfers=verified.transfers,
        open_holds=verified.open_holds,
        imbalances=[imbalance(found) for found in verified.imbalances],
    )


def account_view(account: Account) -> AccountView:
    """The account as JSON has it."""
    balance, asset = account.balance, account.asset
    available = balance.available
    return AccountView(
        account=account.name,
        limit=units(balance.limit, asset),
        spent=units(balance.spent, asset),
        overrun=units(balance.overrun, asset),
        exposed=units(balance.exposed, asset),
        held=units(balance.debits_pending, asset),
        available=None if available is None else units(available, asset),
    )


def released_view(released: Released) -> ReleasedView:
    """What was released as JSON has it."""
    return ReleasedView(
        account=released.account,
        amount=units(released.amount, released.asset),
        at=released.at,
        reason=released.reason,
    )


def opened_view(opened: Opened) -> OpenedView:
    """What was opened as JSON has it."""

    def moved(each: Moved) -> MovedView:
        return MovedView(
            kind=each.kind,
            account=each.account,
            sink=each.sink,
            amount=units(each.amount, each.asset),
            transfer=each.id,
            call=each.call,
            at=each.at,
            note=each.note,
        )

    return OpenedView(
        name=opened.name,
        what=opened.what,
        moved=[moved(each) for each in opened.moved],
        accounts=[account_view(each) for each in opened.accounts],
        calls=opened.calls,
    )
