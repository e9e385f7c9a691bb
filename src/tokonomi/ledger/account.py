"""Accounts: what was put in, what was spent, what is held, and the floor that nothing may break."""

from enum import StrEnum

import msgspec


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an account, in units of its asset (sub-units of money, or milli-credits).

    Attributes:
        credits_posted: all that was ever put in.
        debits_posted: all that was ever taken out.
        debits_pending: all that open holds may still take out.
        floor: what `available` is counted down to; None has no floor.
        withdrawn: the part of `debits_posted` that was not spent: limits lowered, grants expired.

    >>> Balance(credits_posted=500, debits_posted=120, debits_pending=80, floor=0).available
    300
    """

    credits_posted: int = 0
    debits_posted: int = 0
    debits_pending: int = 0
    floor: int | None = 0
    withdrawn: int = 0

    @property
    def spent(self) -> int:
        """What calls took."""
        return self.debits_posted - self.withdrawn

    @property
    def limit(self) -> int:
        """What may be spent in all: what was put in and left in, and the overshoot below zero."""
        return self.credits_posted - self.withdrawn - (self.floor or 0)

    @property
    def available(self) -> int | None:
        """What a new hold may take, or None where nothing limits it."""
        if self.floor is None:
            return None
        return self.credits_posted - self.debits_posted - self.debits_pending - self.floor

    def held(self, amount: int) -> "Balance":
        """The balance with `amount` more (or, negative, less) on hold."""
        return msgspec.structs.replace(self, debits_pending=self.debits_pending + amount)


class Sink(StrEnum):
    """Accounts that only take in: their balance is the fold of their transfers."""

    ISSUED = "issued"
    """Where budgets and grants come from; it is debited when they are funded."""
    SPENT = "spent"
    """What calls captured from budgets."""
    REVENUE = "revenue"
    """What calls captured from wallets."""
    OVERRUN = "overrun"
    """What a provider billed above the hold: never dropped, counted and alerted."""
    BREAKAGE = "breakage"
    """Credits that expired unspent."""
    REFUND = "refund"
    """Credits that were paid back."""
