"""The price rows that a scenario's models have on its date, and the exchange rates between them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from tokonomi.errors import BadPlan
from tokonomi.plan.numbers import Arithmetic, N
from tokonomi.plan.scenario import Scenario
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import PriceRow
from tokonomi.usage import STANDARD_TIER

ASIDE = "Find one with `tokonomi prices find`, or state its price in a contract file (--contract)."


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices of one date. It is made once and asked by name."""

    book: PriceBook
    at: datetime

    @classmethod
    def of(cls, scenario: Scenario, book: PriceBook) -> "PriceList":
        """The prices at the beginning of the scenario's date, in UTC."""
        on = scenario.plan.at
        return cls(book, datetime(on.year, on.month, on.day, tzinfo=UTC))

    def row(self, model: str, tier: str = STANDARD_TIER, *, batch: bool = False) -> PriceRow:
        """The row that prices a model's calls.

        Raises:
            BadPlan: no source knows the model, or none prices it on this date.
        """
        if self.book.find("", model) is None:
            raise BadPlan(f'no price source knows the model "{model}"', remedy=ASIDE)
        row = self.book.row_at("", model, self.at, tier, batch=batch)
        if isinstance(row, Unpriced):
            raise BadPlan(
                f'the model "{model}" has no price on {self.at:%Y-%m-%d}: {row.reason}',
                remedy=f"Change plan.at or the model. {ASIDE}",
            )
        return row


def converted(amount: N, currency: str, scenario: Scenario, numbers: Arithmetic[N]) -> N:
    """An amount in the plan's currency, exactly.

    Raises:
        BadPlan: the scenario states no rate between the two.
    """
    wanted = scenario.plan.currency
    if currency == wanted:
        return amount
    for exchange in scenario.exchange:
        if (exchange.base, exchange.quote) == (currency, wanted):
            return amount * numbers.of(exchange.rate)
        if (exchange.quote, exchange.base) == (currency, wanted):
            return amount / numbers.of(exchange.rate)
    raise BadPlan(
        f"amounts in {currency} stand in a plan in {wanted}, and no rate is stated",
        remedy=f'Add [[exchange]] with base = "{currency}", quote = "{wanted}", rate, on, source.',
    )
