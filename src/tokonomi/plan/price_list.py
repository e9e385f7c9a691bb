"""The price rows that a scenario's models have on its date, and the exchange rates between them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from tokonomi.errors import BadPlan
from tokonomi.naming import nearest
from tokonomi.plan.numbers import Arithmetic, N
from tokonomi.plan.scenario import Scenario
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import BEGINNING, FOREVER, PriceRow
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
            known = [f"{entry.provider}/{entry.model}" for entry in self.book.entries()]
            remedy = f"{nearest(model, known)} {ASIDE}".strip()
            raise BadPlan(f'no price source knows the model "{model}"', remedy=remedy)
        row = self.book.row_at("", model, self.at, tier, batch=batch)
        if isinstance(row, Unpriced):
            dated = self.validities(model, tier, batch=batch)
            reason = f"its prices hold {', '.join(dated)}" if dated else row.reason
            raise BadPlan(
                f'the model "{model}" has no price on {self.at:%Y-%m-%d}: {reason}',
                remedy=f"Change plan.at or the model. {ASIDE}",
            )
        return row

    def validities(self, model: str, tier: str, *, batch: bool) -> tuple[str, ...]:
        """When the rows of a model hold, the earliest first; none where it has no rows."""
        spans = self.book.schedule("", model, tier, batch=batch).spans
        rows = {row for span in spans for row in span.rows}
        return tuple(
            dict.fromkeys(_validity(row) for row in sorted(rows, key=lambda row: row.valid_from))
        )


def _validity(row: PriceRow) -> str:
    """When a row holds, by its days in UTC; an end is the first day on which it does not."""
    since = "" if row.valid_from == BEGINNING else f"from {row.valid_from:%Y-%m-%d}"
    until = "" if row.valid_to == FOREVER else f"to before {row.valid_to:%Y-%m-%d}"
    hours = f"in the hours {row.window.name}" if row.window else ""
    return " ".join(part for part in (since, until, hours) if part)


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
    what, remedy = no_rate(currency, wanted)
    raise BadPlan(what, remedy=remedy)


def no_rate(currency: str, wanted: str) -> tuple[str, str]:
    """What is wrong with a plan whose amounts have no rate to its currency, and what to do."""
    return (
        f"amounts in {currency} stand in a plan in {wanted}, and no rate is stated",
        f'Add [[exchange]] with base = "{currency}", quote = "{wanted}", rate, on, source.',
    )
