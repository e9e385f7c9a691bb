"""The ledger in the store: what is claimed of accounts, and single transfers between them.

The rules are pure and live in the room `ledger`; accounts are locked and changed by groups of calls
in `locked_accounts`.
"""

from hashlib import blake2b
from typing import Final, Literal

import msgspec

from tokonomi.budgets.limit import budget_window_of
from tokonomi.errors import TokonomiError
from tokonomi.ledger.account import Sink
from tokonomi.storage.database import Database

CREDIT: Final = "CREDIT"
"""The asset of wallets, in milli-credits."""
WALLET: Final = "wallet:"
"""What the names of wallets' accounts begin with."""


class Conflict(TokonomiError):
    """The same id was used before for something else."""

    code = "conflict"


class Funding(msgspec.Struct, frozen=True):
    """An account that a claim needs, and the limit and floor that its rule sets.

    `limit` and `floor` are in units of `asset`. An account that does not exist is made; one that
    stands otherwise (the budget was changed) is brought to them, never below what is spent and
    held. `version` is that of the rules that say so: an older one than the account follows already
    changes nothing, so a gateway that has not heard of a change yet does not undo it.
    """

    name: str
    asset: str
    limit: int
    floor: int | None = 0
    version: int = 0


class Claim(msgspec.Struct, frozen=True):
    """What a request claims of one budget (`on` is its account) or of one wallet (`on` its id)."""

    source: str
    amount: int
    on: Funding | str


def account_name(on: Funding | str) -> str:
    """The name of the account that answers for a claim: the budget's, or the wallet's own."""
    return f"{WALLET}{on}" if isinstance(on, str) else on.name


def post(
    database: Database,
    transfer_id: str,
    *,
    kind: Literal["fund", "withdraw"],
    account: int,
    sink: Sink,
    amount: int,
    at_us: int,
    note: str = "",
) -> bool:
    """Whether this transfer was posted now; False when the same one stands already.

    Raises:
        Conflict: the id was used for another transfer; nothing was written.
    """
    body = f"{kind}|{account}|{sink}|{amount}|{note}"
    body_hash = blake2b(body.encode(), digest_size=16).digest()
    inserted = database.execute(
        "INSERT INTO transfer (id, body_hash, kind, account, sink, amount, at_us, note)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) WHERE id IS NOT NULL DO NOTHING",
        (transfer_id, body_hash, kind, account, sink, amount, at_us, note),
    )
    if inserted.rowcount == 0:
        found = database.execute("SELECT body_hash FROM transfer WHERE id = ?", (transfer_id,))
        row = found.fetchone()
        if row is None or bytes(row[0]) != body_hash:
            raise Conflict(
                f"the id {transfer_id!r} was used for another transfer",
                remedy="Send the first one again unchanged, or use a new id.",
            )
        return False
    columns = ("credits_posted",) if kind == "fund" else ("debits_posted", "withdrawn")
    changes = ", ".join(f"{column} = {column} + ?" for column in columns)
    database.execute(
        f"UPDATE account SET {changes} WHERE id = ?",  # noqa: S608 - our own column names
        (*(amount for _ in columns), account),
    )
    return True


def open_account(database: Database, name: str, asset: str) -> int:
    """The id of the account of this name with a floor of 0, which is made when there is none."""
    made = make_account(database, Funding(name, asset, limit=0))
    if made is not None:
        return made
    row = database.execute("SELECT id FROM account WHERE name = ?", (name,)).fetchone()
    assert row is not None, "the account stood already"
    return int(row[0])


def make_account(database: Database, funding: Funding) -> int | None:
    """The id of the account, made just now and not funded yet; None when there is one already."""
    row = database.execute(
        "INSERT INTO account (name, asset, floor, rules_version, budget_window)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING id",
        (
            funding.name,
            funding.asset,
            funding.floor,
            funding.version,
            budget_window_of(funding.name),
        ),
    ).fetchone()
    return None if row is None else int(row[0])
