"""Exposures in the store: what failed calls may have cost, and their release.

A provider may bill a call that failed, and nobody knows how much. Budgets take the worst case of
it, as `expose` rows. When the provider's bill shows that it was not charged, it is released by rows
of their own, once, with the reason that somebody gave.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tokonomi.errors import BadInput, NotFound
from tokonomi.ledger.hold import Part
from tokonomi.storage.call_rows import instant, microseconds
from tokonomi.storage.changes import change, for_update
from tokonomi.storage.database import Database
from tokonomi.storage.locked_accounts import LockedAccounts, Release

_LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Released:
    """What was given back to one account, when, and why; `at` is the first time, if asked again."""

    account: str
    asset: str
    amount: int
    at: datetime
    reason: str


def exposed_parts(database: Database, calls: Sequence[str]) -> dict[str, list[Part]]:
    """What each of these calls exposes on accounts, where that was not released.

    Ask in the transaction that releases it.
    """
    marks = ", ".join("?" * len(calls)) or "NULL"
    rows = database.execute(
        "SELECT call_id, account, amount FROM transfer WHERE kind = 'expose'"  # noqa: S608 - marks only
        f" AND call_id IN ({marks}) AND NOT EXISTS (SELECT 1 FROM transfer AS back"
        " WHERE back.call_id = transfer.call_id AND back.account = transfer.account"
        " AND back.kind = 'release') ORDER BY call_id, account",
        list(calls),
    ).fetchall()
    found: dict[str, list[Part]] = {}
    for call, account, amount in rows:
        found.setdefault(call, []).append(Part(account, amount))
    return found


def release_exposure(
    database: Database, call_id: str, *, reason: str, now: datetime, dry_run: bool = False
) -> list[Released]:
    """What the budgets got back that a failed call was counted against, in the order of accounts.

    Asked again it changes nothing and answers what was released the first time.

    Raises:
        NotFound: the call exposes nothing: there is no such call, or all that it cost is known.
        BadInput: no reason, or one that is too long.
    """
    if not reason.strip() or len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise BadInput(
            f"the reason for the release of {call_id} has {len(reason)} characters",
            remedy=f"Say in 1 to {_LONGEST_REASON} printable characters which bill shows it.",
        )
    with change(database, dry_run=dry_run):
        _lock(database, call_id)
        parts = exposed_parts(database, [call_id]).get(call_id)
        if parts:
            releases = [Release(call_id, parts, reason)]
            accounts = LockedAccounts(database, (), {}, at_us=microseconds(now), releases=releases)
            accounts.release(releases)
            accounts.write()
        released = _released(database, call_id)
    if not released:
        raise NotFound(
            f"no budget counts an exposure of call {call_id}",
            remedy="`tokonomi ledger explain BUDGET_ACCOUNT` lists the `expose` rows with their"
            " calls.",
        )
    return released


def _lock(database: Database, call_id: str) -> None:
    """Two releases of one call wait in line here: the second finds what the first has written."""
    database.execute(
        "SELECT id FROM account WHERE id IN"  # noqa: S608 - ours
        " (SELECT account FROM transfer WHERE call_id = ? AND kind = 'expose')"
        f" ORDER BY id{for_update(database)}",
        (call_id,),
    ).fetchall()


def _released(database: Database, call_id: str) -> list[Released]:
    rows = database.execute(
        "SELECT name, asset, amount, at_us, note FROM transfer"
        " JOIN account ON account.id = transfer.account"
        " WHERE call_id = ? AND kind = 'release' ORDER BY account.id",
        (call_id,),
    )
    return [
        Released(name, asset, amount, instant(at), note) for name, asset, amount, at, note in rows
    ]
