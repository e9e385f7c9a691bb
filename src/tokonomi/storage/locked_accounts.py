"""Accounts under lock: where the pure rules of the room `ledger` meet fresh rows.

Groups of calls take all their locks at once, decide in memory, and write what changed once.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from msgspec.structs import replace

from tokonomi.ledger.account import Balance, Sink, grant_under
from tokonomi.ledger.hold import WALLET as OF_A_WALLET
from tokonomi.ledger.hold import (
    Captured,
    Demand,
    Held,
    Part,
    Refusal,
    authorize,
    authorize_within,
    covered,
)
from tokonomi.money import INT64_MAX
from tokonomi.storage.database import Database, Row, StoreBusy
from tokonomi.storage.ledger import CREDIT, WALLET, Claim, Funding, account_name, make_account

_COLUMNS: Final = (
    "name, id, credits_posted, debits_posted, debits_pending, floor, withdrawn, exposed, overrun,"
    " rules_version"
)
_GRANTS: Final = (
    "SELECT priority, 1 - promotional, expires_us IS NULL, expires_us, granted_us, id, wallet,"
    " account FROM wallet_grant WHERE closed_us IS NULL"
)
_UPDATE: Final = (
    "UPDATE account SET credits_posted = ?, debits_posted = ?, debits_pending = ?, withdrawn = ?,"
    " exposed = ?, overrun = ?, floor = ?, rules_version = ? WHERE id = ?"
)
_AT_ONCE: Final = 500
"""Accounts that one statement names."""
_TRANSFER: Final = ("kind", "account", "sink", "amount", "call_id", "at_us", "note")

Outcome = tuple[Held, ...] | Refusal
"""The holds of a request, or why it has none."""
Resolutions = Mapping[str, Sequence[Captured]]
"""Call id -> how each of its holds is resolved."""


class Release(NamedTuple):
    """What a call had exposed, taken back since it was not billed: `note` says who knows that."""

    call: str
    parts: Sequence[Part]
    note: str


@dataclass(slots=True)
class FreeOfAccounts:
    """What accounts had free when a group was written, for whoever changes them alone.

    Attributes:
        accounts: what claims are on, and the accounts that answer for it, in the order of burning.
        units: what each of these accounts had left, less than 0 where more was taken than it had.
    """

    accounts: dict[Funding | str, tuple[int, ...]] = field(
        default_factory=dict["Funding | str", tuple[int, ...]]
    )
    units: dict[int, int] = field(default_factory=dict[int, int])


class AccountsMade(StoreBusy):
    """Another writer has made an account that this one wanted to make; nothing was written."""


class LockedAccounts:
    """The accounts that a group of calls touches: locked, read once, and written once.

    All locks are taken here, in one statement and in rising order of id, so that two writers never
    wait for each other in a circle. `release`, `resolve`, `follow_rules` and `hold`, in this order,
    work on the balances in memory; `write` stores what changed, where the schema's CHECK is the
    backstop.

    An account that does not exist yet is decided on as its rule says it will be, under an id below
    zero. It is made only with the first hold on it: a refused request leaves no row behind.
    """

    def __init__(
        self,
        database: Database,
        claims: Iterable[Claim],
        resolutions: Resolutions,
        *,
        at_us: int,
        releases: Sequence[Release] = (),
        held: Sequence[Held] = (),
    ) -> None:
        """Locks the accounts that these claims, ends of holds, releases and holds touch.

        The holds were decided before; they stand from here on.
        """
        self._database = database
        self._at_us = at_us
        self._transfers: list[tuple[str, int, str, int, str | None, int, str]] = []
        self._own = {
            on: on if isinstance(on, Funding) else Funding(account_name(on), CREDIT, limit=0)
            for on in {claim.on for claim in claims}
        }
        self._unmade: dict[int, Funding] = {}
        self._wanted: set[int] = set()
        self._accounts: dict[Funding | str, tuple[int, ...]] = {}
        self._payers: dict[int, tuple[int, ...]] = {}
        self._stored: dict[int, Balance] = {}
        ended = [each for resolved in resolutions.values() for each in resolved]
        self._lock(ended, [part for it in (*releases, *held) for part in it.parts])
        self._balances = dict(self._stored)
        self._free: dict[int, int] = {}
        self._taken: Counter[int] = Counter()
        for hold in held:
            self._take(hold)
        self._book_holds()

    def release(self, releases: Sequence[Release]) -> None:
        """Takes back what these calls had exposed. The unique index refuses to do so twice."""
        for call, parts, note in releases:
            for part in parts:
                self._change(part.account, posted=-part.amount, exposed=-part.amount)
                self._transfer(
                    "release", part.account, Sink.EXPOSED, part.amount, call=call, note=note
                )

    def resolve(self, resolutions: Resolutions) -> None:
        """Captures what was used of these holds and frees the rest.

        What was used above a hold is taken from what is available once all of them are resolved,
        and the rest of that is booked as overrun. The unique index on (call, account, kind) makes a
        second resolution fail.
        """
        ended = [(call, each) for call, resolved in resolutions.items() for each in resolved]
        freed: Counter[int] = Counter()
        posted: Counter[int] = Counter()
        exposed: Counter[int] = Counter()
        for _, captured in ended:
            for part in captured.held.parts:
                freed[part.account] += part.amount
            for part in captured.parts:
                posted[part.account] += part.amount
            for part in captured.exposed:
                posted[part.account] += part.amount
                exposed[part.account] += part.amount
        for account in freed.keys() | posted.keys():
            self._change(
                account,
                pending=-freed[account],
                posted=posted[account],
                exposed=exposed[account],
            )
        for call, captured in ended:
            self._book(call, self._paid(captured) if captured.overrun else captured)

    def follow_rules(self) -> None:
        """Brings the accounts of budgets to the limits and floors of the newest rules claimed by.

        After `resolve`: what ends have freed may be above a limit that was lowered.
        """
        for on, funding in self._own.items():
            if isinstance(on, Funding):
                self._follow(self._accounts[on][-1], funding)
        self._free = {account: balance.free for account, balance in self._balances.items()}

    def hold(self, claims: Sequence[Claim]) -> Outcome:
        """The holds of one request on everything that it claims, or the refusal."""
        demands = [
            Demand(source=it.source, accounts=self._accounts[it.on], amount=it.amount)
            for it in claims
        ]
        holds = authorize_within(self._free, demands)
        if holds is None:
            self._book_holds()
            refusal = authorize(self._balances, demands)
            assert isinstance(refusal, Refusal), "what is free is what balances have free"
            return self._refused(refusal, claims)
        for held in holds:
            if held.home < 0:
                self._wanted.add(held.home)
            self._take(held)
        return holds

    def write(self) -> dict[int, int]:
        """The ids of the accounts that were made, by those that they were decided under.

        Stores the balances that changed and the transfers that explain them.

        Raises:
            AccountsMade: another writer was faster to make one of them: decide anew.
        """
        self._book_holds()
        made = self._make()
        changed = [
            (
                it.credits_posted,
                it.debits_posted,
                it.debits_pending,
                it.withdrawn,
                it.exposed,
                it.overrun,
                it.floor,
                it.rules_version,
                made.get(account, account),
            )
            for account, it in self._balances.items()
            if it is not self._stored[account] and (account > 0 or account in made)
        ]
        if changed:
            self._database.executemany(_UPDATE, changed)
        transfers = self._transfers
        if self._unmade:
            transfers = [
                (each[0], made.get(each[1], each[1]), *each[2:])
                for each in transfers
                if each[1] > 0 or each[1] in made
            ]
        if transfers:
            self._database.insert("transfer", _TRANSFER, transfers)
        return made

    def tell(self, free: FreeOfAccounts, made: Mapping[int, int]) -> None:
        """Notes what the accounts of these claims have left; `made` is what `write` gave.

        Not of claims by rules that are out of date: those of the store decide about them.
        """
        for on, funding in self._own.items():
            accounts = tuple([made.get(account, account) for account in self._accounts[on]])
            home = self._balances[self._accounts[on][-1]]
            if accounts[-1] > 0 and funding.version >= home.rules_version:
                free.accounts[on] = accounts
                for account, known in zip(accounts, self._accounts[on], strict=True):
                    free.units[account] = self._balances[known].headroom
                if isinstance(on, Funding) and home.floor is not None:
                    # It is granted what was taken, where that is more: what comes free of it is
                    # withdrawn.
                    free.units[accounts[-1]] -= max(home.granted - on.limit, 0)

    def _lock(self, ended: Sequence[Captured], parts: Sequence[Part]) -> None:
        """Locks and reads every account that is touched, and plans those that are not made yet."""
        held = {part.account for captured in ended for part in captured.held.parts}
        held |= {part.account for part in parts}
        exceeded = {captured.held.home for captured in ended if captured.overrun}
        owing = _wallets(self._database, exceeded) if exceeded else {}
        wallets = {on for on in self._own if isinstance(on, str)} | set(owing.values())
        grants = _open_grants(self._database, wallets)
        names = {funding.name for funding in self._own.values()}
        touched = {*held, *exceeded, *(account for _, account in grants)}
        rows = _locked(self._database, names, touched)
        ids = {row[0]: row[1] for row in rows}
        self._stored = {row[1]: _balance(row) for row in rows}
        for on, funding in self._own.items():
            home = ids.get(funding.name)
            if home is None:
                home = ids[funding.name] = -len(self._unmade) - 1
                self._unmade[home] = funding
                self._stored[home] = Balance(floor=funding.floor, rules_version=funding.version)
            self._accounts[on] = (*_of(on, grants), home)
        for home in exceeded:
            self._payers[home] = (*_of(owing.get(home), grants), home)

    def _take(self, held: Held) -> None:
        """Notes a hold; the balances of its accounts have it once holds are booked."""
        for part in held.parts:
            self._taken[part.account] += part.amount

    def _book_holds(self) -> None:
        for account, amount in self._taken.items():
            self._change(account, pending=amount)
        self._taken.clear()

    def _make(self) -> dict[int, int]:
        made: dict[int, int] = {}
        # In order of name, after every other lock: writers that make the same accounts wait in
        # line, and whoever makes accounts waits for nobody but others who do.
        for account in sorted(self._wanted, key=lambda it: self._unmade[it].name):
            funding = self._unmade[account]
            new = make_account(self._database, funding)
            if new is None:
                raise AccountsMade(
                    f"another writer has made the account {funding.name}", remedy="Try again."
                )
            made[account] = new
        return made

    def _paid(self, captured: Captured) -> Captured:
        """The resolution with what its payers have available for what is above its hold."""
        paid = covered(self._balances, captured, self._payers[captured.held.home])
        before = {part.account: part.amount for part in captured.parts}
        for part in paid.parts:
            self._change(part.account, posted=part.amount - before.get(part.account, 0))
        return paid

    def _book(self, call: str, captured: Captured) -> None:
        sink = Sink.REVENUE if captured.held.source.startswith(OF_A_WALLET) else Sink.SPENT
        for part in captured.parts:
            self._transfer("capture", part.account, sink, part.amount, call=call)
        for part in captured.exposed:
            self._transfer("expose", part.account, Sink.EXPOSED, part.amount, call=call)
        if captured.overrun:
            home = captured.held.home
            # No column holds more; the row of the call says what it really cost.
            overrun = min(captured.overrun, self._balances[home].room)
            self._change(home, overrun=overrun)
            self._transfer("overrun", home, Sink.OVERRUN, overrun, call=call)

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

    def _follow(self, account: int, funding: Funding) -> None:
        balance = self._balances[account]
        if funding.version < balance.rules_version:
            return
        if funding.version > balance.rules_version or funding.floor != balance.floor:
            self._balances[account] = replace(
                balance, floor=funding.floor, rules_version=funding.version
            )
        granted = grant_under(balance, limit=funding.limit, floor=funding.floor)
        # A limit that was raised and lowered for ever is granted as far as the column reaches.
        missing = min(granted - balance.granted, INT64_MAX - balance.credits_posted)
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
        exposed: int = 0,
        overrun: int = 0,
    ) -> None:
        balance = self._balances[account]
        self._balances[account] = replace(
            balance,
            credits_posted=balance.credits_posted + funded,
            debits_posted=balance.debits_posted + posted,
            debits_pending=balance.debits_pending + pending,
            withdrawn=balance.withdrawn + withdrawn,
            exposed=balance.exposed + exposed,
            overrun=balance.overrun + overrun,
        )

    def _transfer(
        self,
        kind: str,
        account: int,
        sink: str,
        amount: int,
        *,
        call: str | None = None,
        note: str = "",
    ) -> None:
        self._transfers.append((kind, account, sink, amount, call, self._at_us, note))


def in_store(outcome: Outcome, made: Mapping[int, int]) -> Outcome:
    """The outcome with the ids that accounts have since `LockedAccounts.write` has made them."""
    if isinstance(outcome, Refusal):
        return outcome
    return tuple(
        Held(
            held.source,
            made.get(held.home, held.home),
            tuple(Part(made.get(part.account, part.account), part.amount) for part in held.parts),
        )
        for held in outcome
    )


def follow_rules(database: Database, fundings: Sequence[Funding], *, at_us: int) -> None:
    """Brings existing accounts to what their rules say, inside the caller's transaction.

    Name them in rising order of id, as every writer takes its locks.
    """
    for first in range(0, len(fundings), _AT_ONCE):
        claims = [Claim("", 0, funding) for funding in fundings[first : first + _AT_ONCE]]
        accounts = LockedAccounts(database, claims, {}, at_us=at_us)
        accounts.follow_rules()
        accounts.write()


def _of(wallet: Funding | str | None, grants: Iterable[tuple[str, int]]) -> list[int]:
    """The accounts of a wallet's open grants, in the order in which they burn."""
    return [account for owner, account in grants if owner == wallet]


def _wallets(database: Database, accounts: Collection[int]) -> dict[int, str]:
    """The wallets whose own accounts are among these, by account."""
    rows = database.execute(
        f"SELECT id, name FROM account WHERE id IN ({_marks(accounts)})",  # noqa: S608 - marks only
        tuple(accounts),
    ).fetchall()
    return {row[0]: row[1].removeprefix(WALLET) for row in rows if row[1].startswith(WALLET)}


def _open_grants(database: Database, wallets: Collection[str]) -> list[tuple[str, int]]:
    """Wallet and account of every open grant, in the order in which they burn."""
    if not wallets:
        return []
    rows = database.execute(f"{_GRANTS} AND wallet IN ({_marks(wallets)})", tuple(wallets))
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
        exposed=row[7],
        overrun=row[8],
        rules_version=row[9],
    )
