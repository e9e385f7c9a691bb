"""The ledger opened: what a call held and captured, what a transfer moved, what an account is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec

from tokonomi.errors import NotFound
from tokonomi.ledger.account import Balance
from tokonomi.ledger.hold import Held
from tokonomi.storage.call_rows import instant
from tokonomi.storage.database import Database, Row, Value

_decode = msgspec.json.Decoder(tuple[Held, ...]).decode
_ACCOUNT: Final = (
    "SELECT id, name, asset, credits_posted, debits_posted, debits_pending, floor, withdrawn"
    " FROM account"
)
_MOVED: Final = (
    "SELECT transfer.id, kind, account.name, asset, sink, amount, call_id, at_us, seq"
    " FROM transfer JOIN account ON account.id = transfer.account"
)
NEWEST: Final = 1_000
"""The most transfers of one account that are opened, the newest of them."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account with its balance, in units of its asset."""

    name: str
    asset: str
    balance: Balance


@dataclass(frozen=True, slots=True)
class Moved:
    """One transfer, or a hold of a call in flight (kind `hold`, no sink, no instant).

    `id` is the transfer's own, empty for those of calls, which `call` names.
    """

    kind: str
    account: str
    asset: str
    amount: int
    sink: str = ""
    id: str = ""
    call: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What stands in the ledger under one name.

    Attributes:
        name: as it was asked for.
        what: `account`, `transfer` or `call`.
        moved: holds first, then transfers in the order of booking.
        accounts: those that `moved` names, in the order of their names.
        calls: how each call ended, by its id; `in flight` while it has not.
    """

    name: str
    what: Literal["account", "transfer", "call"]
    moved: tuple[Moved, ...]
    accounts: tuple[Account, ...]
    calls: dict[str, str]


def accounts(database: Database, *, prefix: str = "") -> list[Account]:
    """The accounts whose names begin with `prefix`, in the order of their names."""
    found = (_account(row) for row in database.execute(_ACCOUNT))
    return sorted(
        (each for each in found if each.name.startswith(prefix)), key=lambda each: each.name
    )


def opened(database: Database, name: str) -> Opened:
    """What an account, a transfer, a call or a request of this name did in the ledger.

    Raises:
        NotFound: nothing in the ledger has this name.
    """
    with database.snapshot():
        found = _of_account(database, name) or _of_transfer(database, name)
        found = found or _of_calls(database, name)
    if found is None:
        raise NotFound(
            f"nothing in the ledger is called {name!r}",
            remedy="Name a call, a request, a payment's grant, or an account as"
            " `tokonomi ledger accounts` lists them.",
        )
    return found


def _of_account(database: Database, name: str) -> Opened | None:
    row = database.execute(f"{_ACCOUNT} WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    rows = database.execute(
        f"{_MOVED} WHERE transfer.account = ? ORDER BY seq DESC LIMIT ?", (row[0], NEWEST)
    ).fetchall()
    held = [each for each in _holds(database) if each.account == name]
    moved = (*held, *(_moved(each) for each in reversed(rows)))
    return Opened(name, "account", moved, (_account(row),), {})


def _of_transfer(database: Database, name: str) -> Opened | None:
    rows = database.execute(f"{_MOVED} WHERE transfer.id = ?", (name,)).fetchall()
    return _opened(database, name, "transfer", [_moved(row) for row in rows]) if rows else None


def _of_calls(database: Database, name: str) -> Opened | None:
    ids = [name, *_attempts(database, name)]
    marks = ", ".join("?" * len(ids))
    ended = database.execute(
        f"SELECT id, status FROM call WHERE id IN ({marks})",  # noqa: S608 - marks only
        ids,
    ).fetchall()
    calls = {row[0]: str(row[1]) for row in ended}
    held = [each for each in _holds(database) if each.call in ids]
    flying = database.execute(
        f"SELECT id FROM attempt WHERE id IN ({marks})",  # noqa: S608 - marks only
        ids,
    ).fetchall()
    calls |= {row[0]: "in flight" for row in flying}
    rows = database.execute(f"{_MOVED} WHERE call_id IN ({marks}) ORDER BY seq", ids).fetchall()
    if not calls:
        return None
    return _opened(database, name, "call", [*held, *map(_moved, rows)], calls)


def _attempts(database: Database, request: str) -> list[str]:
    """The ids of the attempts of a request; their table has no index by it, so all are read."""
    done = database.execute("SELECT id FROM call WHERE request_id = ?", (request,)).fetchall()
    flying = [row[0] for row in database.execute("SELECT id FROM attempt").fetchall()]
    return [row[0] for row in done] + [
        each for each in flying if each.rpartition(".")[0] == request
    ]


def _opened(
    database: Database,
    name: str,
    what: Literal["transfer", "call"],
    moved: Sequence[Moved],
    calls: dict[str, str] | None = None,
) -> Opened:
    names: list[Value] = [*{each.account for each in moved}]
    marks = ", ".join("?" * len(names)) or "NULL"
    rows = database.execute(f"{_ACCOUNT} WHERE name IN ({marks})", names).fetchall()
    found = sorted((_account(row) for row in rows), key=lambda each: each.name)
    return Opened(name, what, tuple(moved), tuple(found), calls or {})


def _holds(database: Database) -> list[Moved]:
    """What all calls in flight hold: as many as there are calls in flight."""
    names = {row[0]: (row[1], row[2]) for row in database.execute(_ACCOUNT)}
    rows = database.execute("SELECT id, held FROM attempt WHERE held IS NOT NULL ORDER BY id")
    return [
        Moved("hold", *names[part.account], part.amount, call=row[0])
        for row in rows.fetchall()
        for held in _decode(bytes(row[1]))
        for part in held.parts
    ]


def _account(row: Row) -> Account:
    balance = Balance(
        credits_posted=row[3],
        debits_posted=row[4],
        debits_pending=row[5],
        floor=row[6],
        withdrawn=row[7],
    )
    return Account(row[1], row[2], balance)


def _moved(row: Row) -> Moved:
    transfer_id, kind, name, asset, sink, amount, call_id, at_us, _ = row
    return Moved(
        kind, name, asset, amount, sink, transfer_id or "", call_id or "", at=instant(at_us)
    )
