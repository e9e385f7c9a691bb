"""What a package of credits costs the seller: tokens by mix, models, fallback and exchange rate.

All of it is exact. The tokens of a package follow from its credits and their weights; what they
cost depends on how many of them are output, and the worst of all mixes is an end: input alone or
output alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from tokonomi.credits.package import Offer, Package
from tokonomi.credits.weights import MILLI, Weights
from tokonomi.errors import BadPlan
from tokonomi.plan.numbers import Means
from tokonomi.plan.price_list import PriceList, converted
from tokonomi.plan.scenario import Credits, Scenario
from tokonomi.pricing.row import PriceRow

ALL_INPUT = Fraction(0)
ALL_OUTPUT = Fraction(1)


@dataclass(frozen=True, slots=True)
class Mixed:
    """The tokens that use up a package when a part of them is output."""

    input_tokens: Fraction
    output_tokens: Fraction

    @property
    def tokens(self) -> Fraction:
        """All of them."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Cost:
    """What the tokens of a package cost, in whole units of the plan's currency.

    Attributes:
        input_cost: of the input.
        output_cost: of the output, hidden tokens among it.
        row_cost: of both, in the currency of the price row.
        row_currency: that currency.
    """

    input_cost: Fraction
    output_cost: Fraction
    row_cost: Fraction
    row_currency: str

    @property
    def total(self) -> Fraction:
        """Of both."""
        return self.input_cost + self.output_cost


@dataclass(frozen=True)
class Shop:
    """Packages on sale with the models that answer for them; asked, it says what they cost.

    Attributes:
        scenario: whose currency and exchange rates hold.
        terms: which packages and models are meant.
        offer: the packages and what a credit is.
        prices: of the plan's date.
    """

    scenario: Scenario
    terms: Credits
    offer: Offer
    prices: PriceList

    @property
    def packages(self) -> tuple[Package, ...]:
        """The packages that are meant, in the scenario's order.

        Raises:
            NotFound: one of them is not on sale.
        """
        return tuple(self.offer.package(name) for name in self.terms.packages)

    @property
    def usual(self) -> Fraction:
        """The share of output in the usual mix."""
        return self.terms.output_share.mean

    @property
    def served(self) -> tuple[str, ...]:
        """Primary, fallback and the fallback of before, each once."""
        named = (self.terms.primary, self.terms.fallback, self.terms.previous or "")
        return tuple(name for name in dict.fromkeys(named) if name)

    @property
    def models(self) -> tuple[str, ...]:
        """Those, and the candidates."""
        return tuple(dict.fromkeys((*self.served, *self.terms.candidates)))

    def row(self, model: str) -> PriceRow:
        """The price row of a model."""
        return self.prices.row(model)

    def revenue(self, package: Package) -> Fraction:
        """The price of a package, in whole units of the plan's currency."""
        price = package.price
        return converted(price.fraction(), price.currency, self.scenario, Means())

    def mixed(self, package: Package, output_share: Fraction) -> Mixed:
        """The tokens that a package pays for when this part of them is output."""
        return tokens_of(package.amount, self.offer.weights, output_share)

    def cost(
        self,
        package: Package,
        model: str,
        output_share: Fraction,
        *,
        hidden: Fraction | None = None,
    ) -> Cost:
        """What a package costs when a model answers with such a mix.

        `hidden` are tokens of reasoning for each visible token of output: they are billed as output
        and no credits are taken for them. Without it, the mean of what the scenario states.
        """
        mix = self.mixed(package, output_share)
        if hidden is None:
            stated = self.terms.reasoning_per_output.get(model)
            hidden = Fraction(0) if stated is None else stated.mean
        row, exactly = self.row(model), Means()
        none = Fraction(0)
        made = exactly.price(row, "output", mix.output_tokens, none)
        made += exactly.price(row, "reasoning", mix.output_tokens * hidden, none)
        sent = exactly.price(row, "uncached_input", mix.input_tokens, none)
        return Cost(
            self.in_own_currency(sent, row),
            self.in_own_currency(made, row),
            sent + made,
            row.currency,
        )

    def in_own_currency(self, amount: Fraction, row: PriceRow) -> Fraction:
        """An amount of a row's currency in the plan's."""
        return converted(amount, row.currency, self.scenario, Means())

    def worst(self, package: Package, model: str) -> tuple[Fraction, Cost]:
        """The dearest mix and what it costs: an end, since the cost is monotone between them.

        A model that reasons does so as much as the scenario says that it may.
        """
        stated = self.terms.reasoning_per_output.get(model)
        hidden = None if stated is None else stated.high
        ends = (ALL_OUTPUT, ALL_INPUT)
        found = [(mix, self.cost(package, model, mix, hidden=hidden)) for mix in ends]
        return max(found, key=lambda each: each[1].total)

    def blended(
        self, package: Package, fallback_share: Fraction, output_share: Fraction
    ) -> Fraction:
        """The cost of a package of which the fallback answers a part."""
        usually = self.cost(package, self.terms.primary, output_share).total
        instead = self.cost(package, self.terms.fallback, output_share).total
        return usually * (1 - fallback_share) + instead * fallback_share

    def break_even_mix(self, package: Package, model: str) -> Fraction | None:
        """The share of output at which a package earns nothing, None where no mix reaches it.

        At the mix m a package holds T / ((1-m) w_in + m w_out) tokens, which cost
        ((1-m) c_in + m c_out) each. That equals the revenue R at
        m = (R w_in - T c_in) / (T (c_out - c_in) - R (w_out - w_in)).
        """
        revenue = self.revenue(package)
        low, high = (self.cost(package, model, mix).total for mix in (ALL_INPUT, ALL_OUTPUT))
        if not min(low, high) <= revenue <= max(low, high) or low == high:
            return None
        weights = self.offer.weights
        w_in, w_out = weights.weight("uncached_input"), weights.weight("output")
        # The costs of both ends, counted in weighted tokens, which are what a package has.
        from_input, from_output = low * w_in, high * w_out
        return (revenue * w_in - from_input) / (
            (from_output - from_input) - revenue * (w_out - w_in)
        )

    def break_even_rate(self, package: Package, model: str) -> Fraction | None:
        """Units of the plan's currency for one of the row's at which a package earns nothing."""
        cost = self.cost(package, model, self.usual)
        same = cost.row_currency == self.scenario.plan.currency
        if same or not cost.row_cost or package.price.currency == cost.row_currency:
            return None
        return self.revenue(package) / cost.row_cost

    def price_for(self, cost: Fraction, margin: Fraction) -> Fraction:
        """The lowest price, a multiple of the step, that leaves this margin over a cost."""
        step = self.terms.price_step.mean
        return ceil(cost / (1 - margin) / step) * step


def tokens_of(milli_credits: int, weights: Weights, output_share: Fraction) -> Mixed:
    """The tokens that so many credits pay for when this part of them is output.

    Raises:
        BadPlan: such tokens use up no credits, so there is no end of them.

    >>> tokens_of(300_000, Weights(), Fraction(1, 2))
    Mixed(input_tokens=Fraction(150000, 1), output_tokens=Fraction(150000, 1))
    """
    counted = Fraction(milli_credits * weights.tokens_per_credit, MILLI)
    each = (1 - output_share) * weights.weight("uncached_input")
    each += output_share * weights.weight("output")
    if not each:
        raise BadPlan(
            "tokens with a weight of 0 use up no credits: a package would never end",
            remedy="Give input and output a weight above 0.",
        )
    tokens = counted / each
    return Mixed(tokens * (1 - output_share), tokens * output_share)


@dataclass(frozen=True, slots=True)
class Fallback:
    """A package of which a part of the requests is answered by the fallback.

    Attributes:
        share: of the requests.
        cost: of the package.
        margin: that is left.
        extra: over all of it being answered by the primary, as a part of that.
        of_the_bill: what the fallback's part is of the cost.
    """

    share: Fraction
    cost: Fraction
    margin: Fraction
    extra: Fraction
    of_the_bill: Fraction


def at_fallback_shares(shop: Shop, package: Package) -> Iterator[Fallback]:
    """A package at each share of fallback that the scenario wants to look at."""
    revenue, usual = shop.revenue(package), shop.usual
    usually = shop.blended(package, Fraction(0), usual)
    instead = shop.blended(package, Fraction(1), usual)
    for each in shop.terms.fallback_shares:
        share = each.mean
        cost = shop.blended(package, share, usual)
        yield Fallback(
            share,
            cost,
            (revenue - cost) / revenue,
            cost / usually - 1,
            share * instead / cost,
        )


@dataclass(frozen=True, slots=True)
class Cover:
    """What a part of the budget, kept for fallback, is enough for.

    Attributes:
        buffer: that part.
        share: of the requests that may fall back.
        days: of a month in which everything may.
    """

    buffer: Fraction
    share: Fraction
    days: Fraction


def covers(shop: Shop, package: Package) -> Iterator[Cover]:
    """What each buffer of the scenario is enough for; nothing when the fallback is no dearer."""
    usually = shop.blended(package, Fraction(0), shop.usual)
    dearer = shop.blended(package, Fraction(1), shop.usual) / usually - 1
    days = shop.scenario.volume.days_per_month
    if dearer > 0:
        for each in shop.terms.buffers:
            share = min(each.mean / dearer, Fraction(1))
            yield Cover(each.mean, share, share * days)
