"""The ledger in the store: accounts, holds and transfers, inside the caller's transaction.

The rules are pure and live in the room `ledger`; here they meet fresh, locked rows. Every function
expects an open write transaction, and touches accounts in rising order of id, so that two writers
never wait for each other in a circle.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from tokonomi.errors import TokonomiError
from tokonomi.ledger.account import Balance, Sink
from tokonomi.ledger.hold import (
    Captured,
    Demand,
    Held,
    Part,
    Refusal,
    authorize,
    totals_by_account,
)
from tokonomi.storage.database import Database, Row

_ACCOUNT_COLUMNS: Final = (
    "name, id, credits_posted, debits_posted, debits_pending, floor, withdrawn"
)


class Conflict(TokonomiError):
    """The same id was used before for something else."""

    code = "conflict"


class Funding(msgspec.Struct, frozen=True):
    """An account that a claim needs, and the limit that it is funded to.

    `limit` and `floor` are in units of `asset`. An account that does not exist is made; one whose
    funding differs from `limit` (the budget was changed) is funded or drawn down to it, never
    below what is spent and held.
    """

    name: str
    asset: str
    limit: int
    floor: int | None = 0


class Claim(msgspec.Struct, frozen=True):
    """What a request claims of one budget (`on` is its account) or of one wallet (`on` its id)."""

    source: str
    amount: int
    on: Funding | str


def hold(
    database: Database, requests: Sequence[Sequence[Claim]], *, at_us: int
) -> list[tuple[Held, ...] | Refusal]:
    """For each request the holds on everything that it claims, or the refusal, in order.

    Requests of one group are decided one after the other on the same balances, which are read
    under lock and written once: no other writer can come between.
    """
    claimed = {claim.on for claims in requests for claim in claims}
    accounts, balances = _claimed_accounts(database, claimed)
    for on in claimed:
        if isinstance(on, Funding):
            account = accounts[on][-1]
            balances[account] = _converged(database, account, balances[account], on, at_us=at_us)
    outcomes: list[tuple[Held, ...] | Refusal] = []
    for claims in requests:
        demands = [
            Demand(source=it.source, accounts=accounts[it.on], amount=it.amount) for it in claims
        ]
        outcome = authorize(balances, demands)
        outcomes.append(outcome)
        if not isinstance(outcome, Refusal):
            for part in _parts(outcome):
                balances[part.account] = balances[part.account].held(part.amount)
    granted = [part for it in outcomes if not isinstance(it, Refusal) for part in _parts(it)]
    database.executemany(
        "UPDATE account SET debits_pending = debits_pending + ? WHERE id = ?",
        [(amount, account) for account, amount in totals_by_account(granted).items()],
    )
    return outcomes


def resolve(database: Database, calls: Mapping[str, Sequence[Captured]], *, at_us: int) -> None:
    """Resolves the holds of these calls: captures are posted, what was not used is free again.

    The unique index on (call, account, kind) makes a second resolution fail.
    """
    every = [captured for resolved in calls.values() for captured in resolved]
    freed = totals_by_account(_parts([captured.held for captured in every]))
    taken = totals_by_account([part for captured in every for part in captured.parts])
    database.executemany(
        "INSERT INTO transfer (kind, account, sink, amount, call_id, at_us)"
        " VALUES ('capture', ?, ?, ?, ?, ?)",
        [
            (part.account, _sink_of(captured.held), part.amount, call, at_us)
            for call, resolved in calls.items()
            for captured in resolved
            for part in captured.parts
        ],
    )
    database.executemany(
        "INSERT INTO transfer (kind, account, sink, amount, call_id, at_us)"
        " VALUES ('overrun', ?, ?, ?, ?, ?)",
        [
            (captured.held.home, Sink.OVERRUN, captured.overrun, call, at_us)
            for call, resolved in calls.items()
            for captured in resolved
            if captured.overrun
        ],
    )
    database.executemany(
        "UPDATE account SET debits_pending = debits_pending - ?, debits_posted = debits_posted + ?"
        " WHERE id = ?",
        [(amount, taken.get(account, 0), account) for account, amount in freed.items()],
    )


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
    body_hash = blake2b(f"{kind}|{account}|{sink}|{amount}".encode(), digest_size=16).digest()
    inserted = database.execute(
        "INSERT INTO transfer (id, body_hash, kind, account, sink, amount, at_us, note)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
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
    _move(database, kind, account, amount)
    return True


def open_account(database: Database, name: str, asset: str, *, floor: int | None = 0) -> int:
    """The id of the account of this name, which is made when it does not exist."""
    database.execute(
        "INSERT INTO account (name, asset, floor) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
        (name, asset, floor),
    )
    row = database.execute("SELECT id FROM account WHERE name = ?", (name,)).fetchone()
    assert row is not None, "the account was just made"
    return int(row[0])


CREDIT: Final = "CREDIT"
"""The asset of wallets, in milli-credits."""


def _claimed_accounts(
    database: Database, claimed: Iterable[Funding | str]
) -> tuple[dict[Funding | str, tuple[int, ...]], dict[int, Balance]]:
    """The accounts of every claim in burn order, and their balances, locked in order of id."""
    own = {on: on if isinstance(on, Funding) else _wallet_account(on) for on in claimed}
    grants = _open_grants(database, [on for on in own if isinstance(on, str)])
    names = {funding.name for funding in own.values()}
    rows = _locked(database, names, [account for _, account in grants])
    missing = names - {row[0] for row in rows}
    # In order of name: two writers that make the same accounts wait in line, not in a circle.
    for funding in sorted(own.values(), key=lambda it: it.name):
        if funding.name in missing:
            open_account(database, funding.name, funding.asset, floor=funding.floor)
    if missing:
        rows = _locked(database, names, [account for _, account in grants])
    ids = {row[0]: row[1] for row in rows}
    accounts = {
        on: (*(account for wallet, account in grants if wallet == on), ids[funding.name])
        for on, funding in own.items()
    }
    return accounts, {row[1]: _balance(row) for row in rows}


def _wallet_account(wallet: str) -> Funding:
    return Funding(f"wallet:{wallet}", CREDIT, limit=0)


def _open_grants(database: Database, wallets: Sequence[str]) -> list[tuple[str, int]]:
    """Wallet and account of every open grant, in the order in which they burn."""
    if not wallets:
        return []
    rows = database.execute(
        f"SELECT wallet, account FROM wallet_grant WHERE wallet IN ({_marks(wallets)})"  # noqa: S608 - marks only
        " AND closed_us IS NULL ORDER BY priority, promotional DESC,"
        " expires_us IS NULL, expires_us, granted_us, id",
        wallets,
    )
    return [(row[0], row[1]) for row in rows]


def _locked(database: Database, names: Collection[str], ids: Collection[int]) -> list[Row]:
    lock = " FOR UPDATE" if database.dialect == "postgresql" else ""
    return database.execute(
        f"SELECT {_ACCOUNT_COLUMNS} FROM account"  # noqa: S608 - marks only
        f" WHERE name IN ({_marks(names)}) OR id IN ({_marks(ids)}) ORDER BY id{lock}",
        (*names, *ids),
    ).fetchall()


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values)) or "NULL"


def _converged(
    database: Database, account: int, balance: Balance, funding: Funding, *, at_us: int
) -> Balance:
    """The balance, funded to its limit or drawn down as far as spend and holds allow."""
    missing = funding.limit - (balance.credits_posted - balance.withdrawn)
    if missing > 0:
        _post_change(database, account, "fund", missing, at_us=at_us)
        return replace(balance, credits_posted=balance.credits_posted + missing)
    available = -missing if balance.available is None else balance.available
    spare = min(-missing, max(available, 0))
    if spare == 0:
        return balance
    _post_change(database, account, "withdraw", spare, at_us=at_us)
    return replace(
        balance,
        debits_posted=balance.debits_posted + spare,
        withdrawn=balance.withdrawn + spare,
    )


def _post_change(
    database: Database, account: int, kind: Literal["fund", "withdraw"], amount: int, *, at_us: int
) -> None:
    database.execute(
        "INSERT INTO transfer (kind, account, sink, amount, at_us) VALUES (?, ?, ?, ?, ?)",
        (kind, account, Sink.ISSUED, amount, at_us),
    )
    _move(database, kind, account, amount)


def _move(database: Database, kind: str, account: int, amount: int) -> None:
    if kind == "fund":
        change, values = "credits_posted = credits_posted + ?", (amount, account)
    else:
        change = "debits_posted = debits_posted + ?, withdrawn = withdrawn + ?"
        values = (amount, amount, account)
    database.execute(f"UPDATE account SET {change} WHERE id = ?", values)  # noqa: S608 - ours


def _balance(row: Row) -> Balance:
    return Balance(
        credits_posted=row[2],
        debits_posted=row[3],
        debits_pending=row[4],
        floor=row[5],
        withdrawn=row[6],
    )


def _parts(holds: Iterable[Held]) -> list[Part]:
    return [part for held in holds for part in held.parts]


def _sink_of(held: Held) -> Sink:
    return Sink.REVENUE if held.source.startswith("wallet") else Sink.SPENT
