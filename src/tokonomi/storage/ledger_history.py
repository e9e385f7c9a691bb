"""The ledger opened: what a call held and captured, what a transfer moved, what an account is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec

from tokonomi.calls import Status
from tokonomi.errors import NotFound
from tokonomi.ledger.account import Balance
from tokonomi.ledger.hold import Held
from tokonomi.storage.call_groups import LATE
from tokonomi.storage.call_rows import instant
from tokonomi.storage.database import Database, Row, Value, begins_with

_decode = msgspec.json.Decoder(tuple[Held, ...]).decode
_ACCOUNT: Final = (
    "SELECT id, name, asset, credits_posted, debits_posted, debits_pending, floor, withdrawn,"
    " exposed, overrun FROM account"
)
_MOVED: Final = (
    "SELECT transfer.id, kind, account.name, asset, sink, amount, call_id, at_us, note, seq"
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
    """One transfer, or a hold, which has no sink and no instant.

    A hold's kind is `hold` while its call is in flight, and `held` when it has ended. `id` is the
    transfer's own, empty for those of calls, which `call` names.
    """

    kind: str
    account: str
    asset: str
    amount: int
    sink: str = ""
    id: str = ""
    call: str = ""
    at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """What stands in the ledger under one name.

    Attributes:
        name: as it was asked for.
        what: `account`, `transfer` or `call`.
        moved: holds first, then transfers in the order of booking.
        accounts: those that `moved` names, in the order of their names.
        calls: how each call ended, by its id, and how its hold was resolved; `in flight` while it
            has not.
    """

    name: str
    what: Literal["account", "transfer", "call"]
    moved: tuple[Moved, ...]
    accounts: tuple[Account, ...]
    calls: dict[str, str]


def accounts(database: Database, *, prefix: str = "") -> list[Account]:
    """The accounts whose names begin with `prefix`, in the order of their names."""
    begins, values = begins_with("name", prefix)
    rows = database.execute(f"{_ACCOUNT} WHERE {begins} ORDER BY name", values)
    return [_account(row) for row in rows]


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
    held = _holds(database, on=row[0])
    moved = (*held, *(_moved(each) for each in reversed(rows)))
    return Opened(name, "account", moved, (_account(row),), {})


def _of_transfer(database: Database, name: str) -> Opened | None:
    rows = database.execute(f"{_MOVED} WHERE transfer.id = ?", (name,)).fetchall()
    return _opened(database, name, "transfer", [_moved(row) for row in rows]) if rows else None


def _of_calls(database: Database, name: str) -> Opened | None:
    ids = [name, *_attempts(database, name)]
    marks = _marks(ids)
    ended = database.execute(
        f"SELECT id, status, held FROM call WHERE id IN ({marks}) ORDER BY id",  # noqa: S608 - marks only
        ids,
    ).fetchall()
    flying = database.execute(
        f"SELECT id FROM attempt WHERE id IN ({marks})",  # noqa: S608 - marks only
        ids,
    ).fetchall()
    rows = database.execute(f"{_MOVED} WHERE call_id IN ({marks}) ORDER BY seq", ids).fetchall()
    moved = [_moved(row) for row in rows]
    moved_by: dict[str, set[str]] = {}
    for each in moved:
        moved_by.setdefault(each.call, set()).add(each.kind)
    calls = {call: _ended(status, held, moved_by.get(call, set())) for call, status, held in ended}
    calls |= {row[0]: "in flight" for row in flying}
    if not calls:
        return None
    held = _named(database, "held", [(row[0], row[2]) for row in ended if row[2] is not None])
    return _opened(database, name, "call", [*_holds(database, of=ids), *held, *moved], calls)


def _ended(status: str, held: bytes | None, moved: Collection[str]) -> str:
    """How a call ended. Its row is what resolves its hold; captures are rows of their own."""
    if held is None:
        return status
    if "capture" in moved or "overrun" in moved:
        also = " and what else may be billed is exposed" if "expose" in moved else ""
        return f"{status}, its hold was captured{also}"
    if "expose" in moved:
        since = ", and was released since" if "release" in moved else ", since it may be billed"
        return f"{status}, its hold is exposed{since}"
    return f"{status}, its hold {'expired' if status == Status.ORPHANED else 'was void'}"


def _attempts(database: Database, request: str) -> list[str]:
    """The ids of the attempts of a request, ended or in flight: they begin with its own."""
    found: set[str] = set()
    for owner in (request, f"{request}{LATE}"):
        begins, values = begins_with("id", f"{owner}.")
        for table in ("call", "attempt"):
            rows = database.execute(f"SELECT id FROM {table} WHERE {begins}", values)  # noqa: S608 - ours
            found |= {row[0] for row in rows if row[0].rpartition(".")[0] == owner}
    return sorted(found)


def _opened(
    database: Database,
    name: str,
    what: Literal["transfer", "call"],
    moved: Sequence[Moved],
    calls: dict[str, str] | None = None,
) -> Opened:
    names: list[Value] = [*{each.account for each in moved}]
    rows = database.execute(f"{_ACCOUNT} WHERE name IN ({_marks(names)})", names).fetchall()
    found = sorted((_account(row) for row in rows), key=lambda each: each.name)
    return Opened(name, what, tuple(moved), tuple(found), calls or {})


def _holds(
    database: Database, *, on: int | None = None, of: Sequence[str] | None = None
) -> list[Moved]:
    """What calls in flight hold: all that is held on an account, or all that these calls hold."""
    which = "held IS NOT NULL" if of is None else f"held IS NOT NULL AND id IN ({_marks(of)})"
    rows = database.execute(f"SELECT id, held FROM attempt WHERE {which} ORDER BY id", of or ())  # noqa: S608 - marks only
    return _named(database, "hold", rows.fetchall(), on=on)


def _named(
    database: Database, kind: str, rows: Sequence[Row], *, on: int | None = None
) -> list[Moved]:
    """What these calls hold or held, given the id and the encoded holds of each."""
    held = [
        (row[0], part)
        for row in rows
        for each in _decode(bytes(row[1]))
        for part in each.parts
        if on in (None, part.account)
    ]
    touched = {part.account for _, part in held}
    named = database.execute(f"{_ACCOUNT} WHERE id IN ({_marks(touched)})", tuple(touched))
    names = {row[0]: (row[1], row[2]) for row in named.fetchall()}
    return [Moved(kind, *names[part.account], part.amount, call=call) for call, part in held]


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values)) or "NULL"


def _account(row: Row) -> Account:
    balance = Balance(
        credits_posted=row[3],
        debits_posted=row[4],
        debits_pending=row[5],
        floor=row[6],
        withdrawn=row[7],
        exposed=row[8],
        overrun=row[9],
    )
    return Account(row[1], row[2], balance)


def _moved(row: Row) -> Moved:
    transfer_id, kind, name, asset, sink, amount, call_id, at_us, note, _ = row
    return Moved(
        kind,
        name,
        asset,
        amount,
        sink,
        transfer_id or "",
        call_id or "",
        at=instant(at_us),
        note=note,
    )
