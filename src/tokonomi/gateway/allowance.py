"""What a request was allowed to spend, and how what it used is measured against that."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from tokonomi.budgets.hold_size import converted_up, rate_between
from tokonomi.budgets.rate_limit import RateClaim
from tokonomi.calls import Call, Status
from tokonomi.credits.weights import Weights, credits_used
from tokonomi.ledger.hold import Captured, Held, capture
from tokonomi.money import ExchangeRate, Money
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage.ledger import Claim
from tokonomi.usage import Source, Usage


class Allowance(msgspec.Struct, frozen=True):
    """What a request claims, and the measure by which each claim is captured.

    `rate` is what it claims of the limits of its key, where it has some.
    `worst_case` is the most that its provider can bill, None where nobody knows. Where nothing is
    claimed nobody needs it before the call has failed: `worst_case_later` finds it then.
    """

    claims: tuple[Claim, ...] = ()
    measures: "tuple[Measure, ...]" = ()
    send_max_tokens: int | None = None
    rate: RateClaim | None = None
    worst_case: Money | None = None
    worst_case_later: Callable[[], Money | None] | None = None

    @property
    def most_billed(self) -> Money | None:
        """The most that the provider can bill, None where nobody knows."""
        return self.worst_case if self.worst_case_later is None else self.worst_case_later()

    def captured(
        self, held: Sequence[Held], call: Call, delivered: Usage | None = None
    ) -> tuple[Captured, ...]:
        """How the holds of an ended call are resolved.

        `delivered` is what customers pay for, where the call counts more than they can have got.
        """
        theirs = call if delivered is None else msgspec.structs.replace(call, usage=delivered)
        return tuple(
            [
                measure.captured(hold, theirs if isinstance(measure, WalletMeasure) else call)
                for hold, measure in zip(held, self.measures, strict=True)
            ]
        )


ALLOWED: Final = Allowance()


class BudgetMeasure(msgspec.Struct, frozen=True):
    """Spend in a budget's currency, at the rates that its hold was made with."""

    currency: str
    rates: Sequence[ExchangeRate] = ()

    def captured(self, hold: Held, call: Call) -> Captured:
        """How a call resolves its hold on the budget.

        What it is known to have cost is captured. What its provider may bill besides is taken as
        exposed, up to the hold: a cap must not be passed by what nobody can count. So is the whole
        hold of an answered call whose cost is not known, or not in this currency.
        """
        cost, exposure = call.cost, call.exposure
        exposed = 0
        if exposure is not None:
            exposed = self._exposed(hold, exposure)
        elif isinstance(cost, Unpriced) and call.status in _ANSWERED:
            exposed = hold.amount
        if isinstance(cost, Unpriced):
            return capture(hold, 0, exposed=exposed)
        used: int | None = cost.sub_units
        if cost.currency != self.currency:
            used = self._converted(cost.total, round_up=False)
        if used is None:
            return capture(hold, 0, exposed=hold.amount)
        return capture(hold, used, exposed=exposed)

    def _exposed(self, hold: Held, exposure: Money) -> int:
        if exposure.currency == self.currency:
            return exposure.sub_units
        converted = self._converted(exposure, round_up=True)
        return hold.amount if converted is None else converted

    def _converted(self, money: Money, *, round_up: bool) -> int | None:
        """The amount in the budget's currency; None without a rate, and never its digits."""
        rate = rate_between(self.rates, money.currency, self.currency)
        if rate is None:
            return None
        return (converted_up(money, rate) if round_up else rate.convert(money)).sub_units


_ANSWERED: Final = (Status.OK, Status.CUT, Status.DISCONNECTED)
"""How calls end whose provider had begun to answer, or is taken to."""


class WalletMeasure(msgspec.Struct, frozen=True):
    """Milli-credits, by the weights of the wallet's rule."""

    weights: Weights

    def captured(self, hold: Held, call: Call) -> Captured:
        """How a call resolves its hold on the wallet.

        A customer pays for what was reported, or was delivered before they left; never for a guess
        about what a provider broke off.
        """
        return capture(hold, self._used(call))

    def _used(self, call: Call) -> int:
        usage = call.usage
        if not isinstance(usage, Usage) or call.status is Status.FAILED:
            return 0
        guessed = usage.source is not Source.REPORTED
        if guessed and (usage.source is Source.ABSENT or call.status is Status.CUT):
            return 0
        return credits_used(usage, self.weights)


class NothingUsed(msgspec.Struct, frozen=True):
    """A claim for another target of the chain: this attempt uses nothing of it."""

    def captured(self, hold: Held, _call: Call) -> Captured:
        """All of it is free again."""
        return capture(hold, 0)


Measure = BudgetMeasure | WalletMeasure | NothingUsed
NOTHING_USED: Final = NothingUsed()
