"""The ledger in the store: accounts, holds and transfers, inside the caller's transaction.

The rules are pure and live in the room `ledger`; here they meet fresh, locked rows.
"""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from tokonomi.budgets.limit import budget_window_of
from tokonomi.errors import TokonomiError
from tokonomi.ledger.account import Balance, Sink, grant_under
from tokonomi.ledger.hold import Captured, Demand, Held, Part, Refusal, authorize
from tokonomi.storage.database import Database, Row

CREDIT: Final = "CREDIT"
"""The asset of wallets, in milli-credits."""

_COLUMNS: Final = (
    "name, id, credits_posted, debits_posted, debits_pending, floor, withdrawn, rules_version"
)
_GRANTS: Final = (
    "SELECT priority, 1 - promotional, expires_us IS NULL, expires_us, granted_us, id, wallet,"
    " account FROM wallet_grant WHERE closed_us IS NULL"
)
_UPDATE: Final = (
    "UPDATE account SET credits_posted = ?, debits_posted = ?, debits_pending = ?, withdrawn = ?,"
    " floor = ?, rules_version = ? WHERE id = ?"
)
_AT_ONCE: Final = 500
"""Accounts that one statement names."""
_TRANSFER: Final = ("kind", "account", "sink", "amount", "call_id", "at_us")


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


Resolutions = Mapping[str, Sequence[Captured]]
"""Call id -> how each of its holds is resolved."""


class LockedAccounts:
    """The accounts that a group of calls touches: locked, read once, and written once.

    All locks are taken here, in one statement and in rising order of id, so that two writers never
    wait for each other in a circle. `resolve`, `follow_rules` and `hold`, in this order, work on
    the balances in memory; `write` stores what changed, where the schema's CHECK is the backstop.
    """

    def __init__(
        self,
        database: Database,
        claims: Iterable[Claim],
        resolutions: Resolutions,
        *,
        at_us: int,
        known: Container[str] = (),
    ) -> None:
        """Locks the accounts. Those that `known` names exist; others are made if need be."""
        self._database = database
        self._at_us = at_us
        self._transfers: list[tuple[str, int, str, int, str | None, int]] = []
        self._own = {
            on: on if isinstance(on, Funding) else Funding(account_name(on), CREDIT, limit=0)
            for on in {claim.on for claim in claims}
        }
        held = {
            part.account
            for resolved in resolutions.values()
            for captured in resolved
            for part in captured.held.parts
        }
        self._accounts, self._stored = self._lock(held, known)
        self._balances = dict(self._stored)

    def resolve(self, resolutions: Resolutions) -> None:
        """Captures what was used of these holds and frees the rest.

        The unique index on (call, account, kind) makes a second resolution fail.
        """
        for call, resolved in resolutions.items():
            for captured in resolved:
                sink = Sink.REVENUE if captured.held.source.startswith("wallet") else Sink.SPENT
                for part in captured.held.parts:
                    self._change(part.account, pending=-part.amount)
                for part in captured.parts:
                    self._change(part.account, posted=part.amount)
                    self._transfer("capture", part.account, sink, part.amount, call=call)
                if captured.overrun:
                    home = captured.held.home
                    self._transfer("overrun", home, Sink.OVERRUN, captured.overrun, call=call)

    def follow_rules(self) -> None:
        """Brings the accounts of budgets to the limits and floors of the newest rules claimed by.

        After `resolve`: what ends have freed may be above a limit that was lowered.
        """
        for on, funding in self._own.items():
            if isinstance(on, Funding):
                self._follow(self._accounts[on][-1], funding)

    def hold(self, claims: Sequence[Claim]) -> tuple[Held, ...] | Refusal:
        """The holds of one request on everything that it claims, or the refusal."""
        demands = [
            Demand(source=it.source, accounts=self._accounts[it.on], amount=it.amount)
            for it in claims
        ]
        outcome = authorize(self._balances, demands)
        if isinstance(outcome, Refusal):
            return self._refused(outcome, claims)
        for part in _parts(outcome):
            self._change(part.account, pending=part.amount)
        return outcome

    def write(self) -> None:
        """Stores the balances that changed and the transfers that explain them."""
        changed = [
            (
                it.credits_posted,
                it.debits_posted,
                it.debits_pending,
                it.withdrawn,
                it.floor,
                it.rules_version,
                account,
            )
            for account, it in self._balances.items()
            if it is not self._stored[account]
        ]
        if changed:
            self._database.executemany(_UPDATE, changed)
        if self._transfers:
            self._database.insert("transfer", _TRANSFER, self._transfers)

    def _lock(
        self, held: Collection[int], known: Container[str]
    ) -> tuple[dict[Funding | str, tuple[int, ...]], dict[int, Balance]]:
        wallets = [on for on in self._own if isinstance(on, str)]
        grants = _open_grants(self._database, wallets)
        names = {funding.name for funding in self._own.values()}
        self._make_missing({name for name in names if name not in known})
        rows = _locked(self._database, names, {*held, *(account for _, account in grants)})
        ids = {row[0]: row[1] for row in rows}
        accounts = {
            on: (*(account for wallet, account in grants if wallet == on), ids[funding.name])
            for on, funding in self._own.items()
        }
        return accounts, {row[1]: _balance(row) for row in rows}

    def _refused(self, refusal: Refusal, claims: Sequence[Claim]) -> Refusal:
        """The refusal with the limit that the rule states.

        The account itself may be granted more: what was spent before the limit was lowered.
        """
        on = next(it.on for it in claims if it.source == refusal.source)
        if isinstance(on, str):
            return refusal
        known = self._balances[self._accounts[on][-1]].rules_version
        if on.version < known:
            return refusal
        return replace(refusal, limit=on.limit - (on.floor or 0))

    def _make_missing(self, names: set[str]) -> None:
        if not names:
            return
        found = self._database.execute(
            f"SELECT name FROM account WHERE name IN ({_marks(names)})",  # noqa: S608 - marks only
            tuple(names),
        )
        missing = names - {row[0] for row in found}
        # In order of name: two writers that make the same accounts wait in line, not in a circle.
        for funding in sorted(self._own.values(), key=lambda it: it.name):
            if funding.name in missing:
                _open(self._database, funding)

    def _follow(self, account: int, funding: Funding) -> None:
        balance = self._balances[account]
        if funding.version < balance.rules_version:
            return
        if funding.version > balance.rules_version or funding.floor != balance.floor:
            self._balances[account] = replace(
                balance, floor=funding.floor, rules_version=funding.version
            )
        granted = grant_under(balance, limit=funding.limit, floor=funding.floor)
        missing = granted - balance.granted
        if missing > 0:
            self._change(account, funded=missing)
            self._transfer("fund", account, Sink.ISSUED, missing)
        elif missing < 0:
            self._change(account, posted=-missing, withdrawn=-missing)
            self._transfer("withdraw", account, Sink.ISSUED, -missing)

    def _change(
        self,
        account: int,
        *,
        funded: int = 0,
        posted: int = 0,
        pending: int = 0,
        withdrawn: int = 0,
    ) -> None:
        balance = self._balances[account]
        self._balances[account] = replace(
            balance,
            credits_posted=balance.credits_posted + funded,
            debits_posted=balance.debits_posted + posted,
            debits_pending=balance.debits_pending + pending,
            withdrawn=balance.withdrawn + withdrawn,
        )

    def _transfer(
        self, kind: str, account: int, sink: str, amount: int, *, call: str | None = None
    ) -> None:
        self._transfers.append((kind, account, sink, amount, call, self._at_us))


def account_name(on: Funding | str) -> str:
    """The name of the account that answers for a claim: the budget's, or the wallet's own."""
    return f"wallet:{on}" if isinstance(on, str) else on.name


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


def follow_rules(database: Database, fundings: Sequence[Funding], *, at_us: int) -> None:
    """Brings existing accounts to what their rules say, inside the caller's transaction.

    Name them in rising order of id, as every writer takes its locks.
    """
    for first in range(0, len(fundings), _AT_ONCE):
        part = fundings[first : first + _AT_ONCE]
        names = {funding.name for funding in part}
        claims = [Claim("", 0, funding) for funding in part]
        accounts = LockedAccounts(database, claims, {}, at_us=at_us, known=names)
        accounts.follow_rules()
        accounts.write()


def open_account(database: Database, name: str, asset: str) -> int:
    """The id of the account of this name with a floor of 0, which is made when there is none."""
    _open(database, Funding(name, asset, limit=0))
    row = database.execute("SELECT id FROM account WHERE name = ?", (name,)).fetchone()
    assert row is not None, "the account was just made"
    return int(row[0])


def _open(database: Database, funding: Funding) -> None:
    database.execute(
        "INSERT INTO account (name, asset, floor, rules_version, budget_window)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
        (
            funding.name,
            funding.asset,
            funding.floor,
            funding.version,
            budget_window_of(funding.name),
        ),
    )


def _open_grants(database: Database, wallets: Sequence[str]) -> list[tuple[str, int]]:
    """Wallet and account of every open grant, in the order in which they burn."""
    if not wallets:
        return []
    rows = database.execute(f"{_GRANTS} AND wallet IN ({_marks(wallets)})", wallets)
    # Sorted here, and not by the database: two databases may not agree on the order of texts.
    return [(row[-2], row[-1]) for row in sorted(rows)]


def _locked(database: Database, names: Collection[str], ids: Collection[int]) -> list[Row]:
    if not names and not ids:
        return []
    lock = " FOR UPDATE" if database.dialect == "postgresql" else ""
    return database.execute(
        f"SELECT {_COLUMNS} FROM account"  # noqa: S608 - marks only
        f" WHERE name IN ({_marks(names)}) OR id IN ({_marks(ids)}) ORDER BY id{lock}",
        (*names, *ids),
    ).fetchall()


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values)) or "NULL"


def _balance(row: Row) -> Balance:
    return Balance(
        credits_posted=row[2],
        debits_posted=row[3],
        debits_pending=row[4],
        floor=row[5],
        withdrawn=row[6],
        rules_version=row[7],
    )


def _parts(holds: Iterable[Held]) -> list[Part]:
    return [part for held in holds for part in held.parts]
