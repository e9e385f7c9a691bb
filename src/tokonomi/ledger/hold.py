"""Holds: all demands of a request are met together, or none is; then what was used is captured."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from tokonomi.ledger.account import Balance


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks of one budget or one wallet.

    Attributes:
        source: the budget's or the wallet's name, for the refusal and the ledger.
        accounts: account ids to take from, in order: a budget has one; a wallet has one per
            grant and, last, its own, which answers for what no grant covers.
        amount: the worst case of the request, in the accounts' units, 0 or more.
    """

    source: str
    accounts: tuple[int, ...]
    amount: int


class Part(msgspec.Struct, frozen=True, array_like=True):
    """An amount held on, or captured from, one account."""

    account: int
    amount: int


class Held(msgspec.Struct, frozen=True, array_like=True):
    """A demand that was met: the parts that hold it, in the order of their capture.

    `home` is the account that answers for the demand when more is used than was held.
    """

    source: str
    home: int
    parts: tuple[Part, ...]

    @property
    def amount(self) -> int:
        """The whole hold, in the accounts' units."""
        return sum(part.amount for part in self.parts)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A demand that cannot be met, with the numbers that a person needs.

    All amounts are in the accounts' units: `needed` by the request, `available` for it,
    `reserved` by other requests in flight, `spent` already (overruns among it), `limit` put in.
    """

    source: str
    needed: int
    available: int
    reserved: int
    spent: int
    limit: int

    @property
    def only_holds_block(self) -> bool:
        """Whether the request fits once the calls in flight cost nothing: retrying may help."""
        free = min(self.available + self.reserved, self.limit - self.spent)
        return free >= self.needed


def authorize(
    balances: Mapping[int, Balance], demands: Sequence[Demand]
) -> tuple[Held, ...] | Refusal:
    """The holds that meet every demand, or the first demand that cannot be met.

    All or nothing: on a refusal nothing is held anywhere. The parts of one demand come from its
    accounts in order, each account down to its floor. Demands on the same account add up.

    >>> grants = {1: Balance(credits_posted=50), 2: Balance(credits_posted=100)}
    >>> held = authorize(grants, [Demand(source="wallet ani", accounts=(1, 2), amount=80)])
    >>> [part.amount for part in held[0].parts]
    [50, 30]
    """
    taken: dict[int, int] = {}
    holds: list[Held] = []
    for demand in demands:
        parts, missing = _parts(balances, taken, demand)
        if missing:
            return _refusal(balances, taken, demand)
        for part in parts:
            taken[part.account] = taken.get(part.account, 0) + part.amount
        holds.append(Held(demand.source, demand.accounts[-1], parts))
    return tuple(holds)


def _parts(
    balances: Mapping[int, Balance], taken: Mapping[int, int], demand: Demand
) -> tuple[tuple[Part, ...], int]:
    parts: list[Part] = []
    missing = demand.amount
    for account in demand.accounts:
        available = balances[account].available
        free = missing if available is None else available - taken.get(account, 0)
        amount = min(missing, free)
        if amount > 0:
            parts.append(Part(account, amount))
            missing -= amount
    return tuple(parts), missing


def _refusal(balances: Mapping[int, Balance], taken: Mapping[int, int], demand: Demand) -> Refusal:
    of = [balances[account] for account in demand.accounts]
    return Refusal(
        source=demand.source,
        needed=demand.amount,
        available=sum(
            max((balances[account].available or 0) - taken.get(account, 0), 0)
            for account in demand.accounts
        ),
        reserved=sum(balance.debits_pending for balance in of),
        spent=sum(balance.spent for balance in of),
        limit=sum(balance.limit for balance in of),
    )


class Captured(msgspec.Struct, frozen=True, kw_only=True):
    """How a hold is resolved: `parts` are taken, the rest of the hold is freed.

    `overrun` is what was used above that. It is taken from what is available (`covered`); what is
    then left of it goes to the overrun account, and is never dropped.
    """

    held: Held
    parts: tuple[Part, ...]
    overrun: int = 0


def capture(held: Held, used: int) -> Captured:
    """The resolution of a hold by what was really used, in the accounts' units.

    Each account gives at most what it held, in order; `used=0` frees everything (a void).

    >>> done = capture(Held("budget team", 7, (Part(7, 100),)), used=130)
    >>> done.parts, done.overrun
    ((Part(account=7, amount=100),), 30)
    """
    assert used >= 0, "usage is never negative"
    parts: list[Part] = []
    missing = used
    for part in held.parts:
        amount = min(part.amount, missing)
        if amount:
            parts.append(Part(part.account, amount))
            missing -= amount
    return Captured(held=held, parts=tuple(parts), overrun=missing)


def without_hold(captured: Captured) -> Captured:
    """The same use when the hold is gone: all of it is above it."""
    used = captured.overrun + sum(part.amount for part in captured.parts)
    return Captured(held=replace(captured.held, parts=()), parts=(), overrun=used)


def covered(balances: Mapping[int, Balance], captured: Captured, payers: Sequence[int]) -> Captured:
    """The same resolution, with what was used above the hold taken from what is available.

    `payers` are the accounts that may give more than they held, in order, each down to its floor;
    `balances` are as they are once the hold is resolved. Nothing takes an account past its floor:
    what no payer has stays `overrun`.

    >>> done = capture(Held("budget team", 7, (Part(7, 100),)), used=130)
    >>> left = {7: Balance(credits_posted=120, debits_posted=100)}
    >>> paid = covered(left, done, [7])
    >>> paid.parts, paid.overrun
    ((Part(account=7, amount=120),), 10)
    """
    taken = {part.account: part.amount for part in captured.parts}
    missing = captured.overrun
    for account in payers:
        available = balances[account].available
        amount = missing if available is None else min(missing, available)
        if amount:
            taken[account] = taken.get(account, 0) + amount
            missing -= amount
    parts = tuple(Part(account, amount) for account, amount in taken.items())
    return Captured(held=captured.held, parts=parts, overrun=missing)
