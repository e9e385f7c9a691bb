"""Accounts: what was put in, what was spent, what is held, and the floor that nothing may break."""

from enum import StrEnum

import msgspec

from tokonomi.money import INT64_MAX


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an account, in units of its asset (sub-units of money, or milli-credits).

    Attributes:
        credits_posted: all that was ever put in.
        debits_posted: all that was ever taken out.
        debits_pending: all that open holds may still take out.
        floor: what `available` is counted down to; None has no floor.
        withdrawn: the part of `debits_posted` that was not spent: limits lowered, grants expired.
        exposed: the part of `debits_posted` that nobody knows: what failed calls may have cost.
        overrun: what calls used and nothing that was available paid for. It counts as spent.
        rules_version: of the rules that its limit and floor follow; 0 where none sets them.

    >>> Balance(credits_posted=500, debits_posted=120, debits_pending=80, floor=0).available
    300
    """

    credits_posted: int = 0
    debits_posted: int = 0
    debits_pending: int = 0
    floor: int | None = 0
    withdrawn: int = 0
    exposed: int = 0
    overrun: int = 0
    rules_version: int = 0

    @property
    def granted(self) -> int:
        """What was put in and left in."""
        return self.credits_posted - self.withdrawn

    @property
    def captured(self) -> int:
        """What calls took out for what they are known to have used."""
        return self.debits_posted - self.withdrawn - self.exposed

    @property
    def spent(self) -> int:
        """What calls used: what they took out, and what was not there to be taken."""
        return self.captured + self.overrun

    @property
    def gone(self) -> int:
        """All that counts against a limit: what was spent, may be billed, or is held."""
        return self.spent + self.exposed + self.debits_pending

    @property
    def limit(self) -> int:
        """What may be spent in all: what was put in and left in, and the overshoot below zero."""
        return self.granted - (self.floor or 0)

    @property
    def headroom(self) -> int:
        """What is left, less than 0 where more was taken than there is.

        What comes free makes up for that first.
        """
        if self.floor is None:
            return self.room
        taken = self.debits_posted + self.debits_pending + self.overrun
        return self.credits_posted - taken - self.floor

    @property
    def available(self) -> int | None:
        """What a new hold may take, 0 or more, or None where nothing limits it.

        An overrun is made up for by whatever comes free: a lower cost, a raised limit.
        """
        return None if self.floor is None else max(self.headroom, 0)

    @property
    def room(self) -> int:
        """What may still be taken or held before the account's figures exceed 64 bits."""
        return INT64_MAX - self.debits_posted - self.debits_pending - self.overrun

    @property
    def free(self) -> int:
        """What a new hold may take, 0 or more: up to the floor, or to what 64 bits hold."""
        available = self.available
        return self.room if available is None else available

    def held(self, amount: int) -> "Balance":
        """The balance with `amount` more (or, negative, less) on hold."""
        return msgspec.structs.replace(self, debits_pending=self.debits_pending + amount)


def grant_under(balance: Balance, *, limit: int, floor: int | None) -> int:
    """What an account is to be granted in all, for it to follow a rule with this limit and floor.

    It is the limit, unless more than the rule allows is taken and held already: then it is just
    that, so that nothing is available and the floor still holds. What is available afterwards
    depends on the rule, the spend and the holds alone, and on no rule before.

    >>> spent = Balance(credits_posted=100, debits_posted=80)
    >>> grant_under(spent, limit=90, floor=0), grant_under(spent, limit=50, floor=0)
    (90, 80)
    """
    if floor is None:
        return limit
    taken = balance.captured + balance.exposed + balance.debits_pending
    return max(limit, taken + floor)


class Sink(StrEnum):
    """Accounts that only take in: their balance is the fold of their transfers."""

    ISSUED = "issued"
    """Where budgets and grants come from; it is debited when they are funded."""
    SPENT = "spent"
    """What calls captured from budgets."""
    REVENUE = "revenue"
    """What calls captured from wallets."""
    EXPOSED = "exposed"
    """What providers may bill for calls that failed: released once a bill shows otherwise."""
    OVERRUN = "overrun"
    """What was used above the hold and above all that was available: counted and alerted."""
    BREAKAGE = "breakage"
    """Credits that expired unspent."""
    REFUND = "refund"
    """Credits that were paid back."""
