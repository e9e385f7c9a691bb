"""Holds: all demands of a request are met together, or none is; then what was used is captured."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from tokonomi.ledger.account import Balance

WALLET: Final = "wallet "
"""What the source of a demand on a wallet begins with; any other is a budget's."""


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
    `reserved` by other requests in flight, `spent` already (overruns among it), `exposed` by calls
    that failed and may be billed, `limit` put in.
    """

    source: str
    needed: int
    available: int
    reserved: int
    spent: int
    limit: int
    exposed: int = 0

    @property
    def only_holds_block(self) -> bool:
        """Whether the request fits once the calls in flight cost nothing: retrying may help."""
        return self._unspent - self.exposed >= self.needed

    @property
    def exposure_blocks(self) -> bool:
        """Whether it fits once what failed calls may have cost turns out not to be billed too."""
        return not self.only_holds_block and self._unspent >= self.needed

    @property
    def _unspent(self) -> int:
        free = self.available + self.reserved + self.exposed
        return min(free, self.limit - self.spent)


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
    free = {account: balances[account].free for it in demands for account in it.accounts}
    holds, unmet = _met(free, demands)
    return holds if unmet is None else _refusal(balances, _taken(holds), unmet)


def authorize_within(free: dict[int, int], demands: Sequence[Demand]) -> tuple[Held, ...] | None:
    """The holds that `authorize` gives where each account has so much free; None if it refuses.

    What they take is taken from `free`, of which every account of the demands is part.

    >>> free = {7: 100}
    >>> authorize_within(free, [Demand(source="budget team", accounts=(7,), amount=30)])
    (Held(source='budget team', home=7, parts=(Part(account=7, amount=30),)),)
    >>> free
    {7: 70}
    """
    holds, unmet = _met(free, demands)
    if unmet is not None:
        return None
    for account, amount in _taken(holds).items():
        free[account] -= amount
    return holds


def _met(
    free: Mapping[int, int], demands: Sequence[Demand]
) -> tuple[tuple[Held, ...], Demand | None]:
    """The holds of the demands before the first one that cannot be met, and that one."""
    taken: dict[int, int] = {}
    holds: list[Held] = []
    for demand in demands:
        parts: list[Part] = []
        missing = demand.amount
        for account in demand.accounts:
            amount = min(missing, free[account] - taken.get(account, 0))
            if amount > 0:
                parts.append(Part(account, amount))
                missing -= amount
        if missing:
            return tuple(holds), demand
        for part in parts:
            taken[part.account] = taken.get(part.account, 0) + part.amount
        holds.append(Held(demand.source, demand.accounts[-1], tuple(parts)))
    return tuple(holds), None


def _taken(holds: Sequence[Held]) -> dict[int, int]:
    taken: dict[int, int] = {}
    for held in holds:
        for part in held.parts:
            taken[part.account] = taken.get(part.account, 0) + part.amount
    return taken


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
        exposed=sum(balance.exposed for balance in of),
    )


class Captured(msgspec.Struct, frozen=True, kw_only=True):
    """How a hold is resolved: `parts` and `exposed` are taken, the rest of the hold is freed.

    `parts` are known to be used; `exposed` may be billed as well, and nobody knows. `overrun` is
    what was used above the hold. It is taken from what is available (`covered`); what is then left
    of it goes to the overrun account, and is never dropped.
    """

    held: Held
    parts: tuple[Part, ...]
    overrun: int = 0
    exposed: tuple[Part, ...] = ()


def capture(held: Held, used: int, *, exposed: int = 0) -> Captured:
    """The resolution of a hold by what was really used, in the accounts' units.

    Each account gives at most what it held, in order; `used=0` frees everything (a void). `exposed`
    is what may have been used besides: it takes of the hold what is left, and never more, since
    nobody pays above a hold on a guess.

    >>> done = capture(Held("budget team", 7, (Part(7, 100),)), used=130)
    >>> done.parts, done.overrun
    ((Part(account=7, amount=100),), 30)
    """
    assert used >= 0, "usage is never negative"
    assert exposed >= 0, "exposure is never negative"
    taken: list[Part] = []
    doubtful: list[Part] = []
    for part in held.parts:
        amount = min(part.amount, used)
        if amount:
            taken.append(Part(part.account, amount))
            used -= amount
        unknown = min(part.amount - amount, exposed) if exposed else 0
        if unknown:
            doubtful.append(Part(part.account, unknown))
            exposed -= unknown
    return Captured(held=held, parts=tuple(taken), overrun=used, exposed=tuple(doubtful))


def without_hold(captured: Captured) -> Captured:
    """The same use when the hold is gone: all that is known of it is above it.

    What is not known of it was taken when the hold went (`lost`).
    """
    used = captured.overrun + sum(part.amount for part in captured.parts)
    return Captured(held=replace(captured.held, parts=()), parts=(), overrun=used)


def lost(held: Held) -> Captured:
    """The resolution of a hold whose call may have been billed, and nobody will ever know.

    A budget takes all of it as exposed: a cap must not be passed by what nobody can count. A wallet
    gives everything back: a customer never pays on a guess.
    """
    return capture(held, 0, exposed=0 if held.source.startswith(WALLET) else held.amount)


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
        amount = min(missing, balances[account].free)
        if amount:
            taken[account] = taken.get(account, 0) + amount
            missing -= amount
    parts = tuple(Part(account, amount) for account, amount in taken.items())
    return replace(captured, parts=parts, overrun=missing)
