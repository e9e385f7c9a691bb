"""What a request was allowed to spend, and how what it used is measured against that."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from tokonomi.budgets.rate_limit import RateClaim
from tokonomi.calls import Call, Status
from tokonomi.credits.weights import Weights, credits_used
from tokonomi.ledger.hold import Captured, Held, capture
from tokonomi.money import ExchangeRate, Money
from tokonomi.pricing.charge import Charge, Unpriced
from tokonomi.storage.ledger import Claim
from tokonomi.usage import Source, Usage


class Allowance(msgspec.Struct, frozen=True):
    """What a request claims, and the measure by which each claim is captured.

    `rate` is what it claims of the limits of its key, where it has some.
    """

    claims: tuple[Claim, ...] = ()
    measures: "tuple[Measure, ...]" = ()
    send_max_tokens: int | None = None
    rate: RateClaim | None = None

    def captured(
        self, held: Sequence[Held], call: Call, delivered: Usage | None = None
    ) -> tuple[Captured, ...]:
        """How the holds of an ended call are resolved.

        `delivered` is what customers pay for, where the call counts more than they can have got.
        """
        theirs = call if delivered is None else msgspec.structs.replace(call, usage=delivered)
        return tuple(
            capture(
                hold,
                measure.used(theirs if isinstance(measure, WalletMeasure) else call, hold.amount),
            )
            for hold, measure in zip(held, self.measures, strict=True)
        )


ALLOWED: Final = Allowance()


@dataclass(frozen=True, slots=True)
class BudgetMeasure:
    """Spend in a budget's currency, at the rate that its hold was made with."""

    rate: ExchangeRate | None = field(default=None)

    def used(self, call: Call, held: int) -> int:
        """Sub-units of the budget's currency that a call used.

        A provider that was reached and whose charge cannot be known is taken at the whole hold: a
        cap must not be passed by what nobody can count. A call that failed before it answered is
        taken at nothing.
        """
        if isinstance(call.cost, Unpriced):
            answered = call.status not in (Status.FAILED, Status.ORPHANED)
            return held if answered else 0
        return self._converted(call.cost)

    def _converted(self, cost: Charge) -> int:
        if self.rate is None:
            return cost.sub_units
        return self.rate.convert(Money(cost.sub_units, cost.currency)).sub_units


@dataclass(frozen=True, slots=True)
class WalletMeasure:
    """Milli-credits, by the weights of the wallet's rule."""

    weights: Weights

    def used(self, call: Call, _held: int) -> int:
        """Milli-credits that a call used.

        A customer pays for what was reported, or was delivered before they left; never for a guess
        about what a provider broke off.
        """
        if not isinstance(call.usage, Usage) or call.usage.source is Source.ABSENT:
            return 0
        if call.status is Status.FAILED:
            return 0
        if call.status is Status.CUT and call.usage.source is Source.ESTIMATED:
            return 0
        return credits_used(call.usage, self.weights)


@dataclass(frozen=True, slots=True)
class NothingUsed:
    """A claim for another target of the chain: this attempt uses nothing of it."""

    def used(self, _call: Call, _held: int) -> int:
        """Always 0."""
        return 0


Measure = BudgetMeasure | WalletMeasure | NothingUsed
NOTHING_USED: Final = NothingUsed()
