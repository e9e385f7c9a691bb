"""Laws of `charge`: lines add up, charges add up, and an independent oracle agrees."""

from datetime import UTC, datetime
from fractions import Fraction

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tokonomi.pricing.charge import Charge, Unpriced, charge
from tokonomi.pricing.row import (
    PARENTS,
    PER,
    Comparator,
    ContextTier,
    Meter,
    PriceRow,
    Rate,
    SearchUnit,
)
from tokonomi.usage import COUNTS, Usage

AT = datetime(2026, 1, 30, 12, tzinfo=UTC)
USAGE_NAME = {
    Meter.INPUT: "uncached_input",
    Meter.SEARCH: "searches",
    Meter.REQUEST: "requests",
}

figures = st.decimals(0, 1_000, places=6).map(lambda value: format(value, "f"))


def rate(meter: Meter, text: str) -> Rate:
    return Rate.of(text, per=PER[meter], currency="USD")


rate_tables = st.dictionaries(st.sampled_from(Meter), figures).map(
    lambda table: {meter: rate(meter, text) for meter, text in table.items()}
)


@st.composite
def rows(draw: st.DrawFn) -> PriceRow:
    stated = draw(
        st.lists(st.tuples(st.integers(1, 400_000), st.sampled_from(Comparator)), max_size=3)
    )
    tiers = {
        tier.first_tokens: tier
        for threshold, comparator in stated
        for tier in [ContextTier(threshold, comparator, draw(rate_tables))]
    }
    full = draw(st.booleans())
    plain = {meter: rate(meter, "1.25") for meter in (Meter.INPUT, Meter.OUTPUT, Meter.SEARCH)}
    return PriceRow(
        id="row",
        provider="p",
        model="m",
        currency="USD",
        source="a law",
        rates={**(plain if full else {}), **draw(rate_tables)},
        context_tiers=tuple(tiers[first] for first in sorted(tiers)),
        search_unit=draw(st.sampled_from(SearchUnit)),
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    counts = {name: draw(st.integers(0, 300_000)) for name in COUNTS if name != "reasoning"}
    counts["reasoning"] = draw(st.integers(0, counts["output"]))
    counts["requests"] = draw(st.integers(0, 3))
    counts["searches"] = draw(st.integers(0, 5))
    basis = draw(st.none() | st.integers(0, 500_000))
    return replace(Usage(at=AT), **counts, context_basis=basis)


def oracle(usage: Usage, row: PriceRow) -> Fraction | None:
    """The cost in whole units from the compiled rates; None when a price is missing."""
    rates = dict(row.rates)
    for tier in row.context_tiers:
        crossed = (
            usage.tier_basis > tier.threshold
            if tier.comparator is Comparator.ABOVE
            else usage.tier_basis >= tier.threshold
        )
        if crossed:
            rates = {**row.rates, **tier.rates}
    quantities = {m: getattr(usage, USAGE_NAME.get(m, m.value)) for m in Meter}
    quantities[Meter.OUTPUT] -= quantities[Meter.REASONING]
    if row.search_unit is SearchUnit.PROMPT:
        quantities[Meter.SEARCH] = min(usage.searches, usage.requests)
    if Meter.REQUEST not in rates:
        quantities[Meter.REQUEST] = 0
    total = Fraction(0)
    for meter, quantity in quantities.items():
        if quantity:
            named = [each for each in (meter, *PARENTS.get(meter, ())) if each in rates]
            if not named:
                return None
            total += quantity * Fraction(rates[named[0]].sub_units, 10**12)
    return total


@given(usages(), rows())
def test_a_charge_equals_an_oracle_in_fractions(usage: Usage, row: PriceRow) -> None:
    charged = charge(usage, row)
    expected = oracle(usage, row)
    if expected is None:
        assert isinstance(charged, Unpriced)
        assert charged.meters
    else:
        assert isinstance(charged, Charge)
        assert charged.total.fraction() == expected


@given(usages(), rows())
def test_the_lines_of_a_charge_sum_to_its_total(usage: Usage, row: PriceRow) -> None:
    charged = charge(usage, row)
    assume(isinstance(charged, Charge))
    assert isinstance(charged, Charge)
    assert sum(line.amount for line in charged.lines) == charged.sub_units
    assert all(line.amount == line.quantity * line.rate for line in charged.lines)
    assert all(line.quantity > 0 for line in charged.lines)


@given(usages(), usages(), rows())
def test_charges_in_one_context_tier_add_up(a: Usage, b: Usage, row: PriceRow) -> None:
    # The billing unit of a search by prompt is the request, which does not add up across requests.
    row = PriceRow(
        id=row.id,
        provider=row.provider,
        model=row.model,
        currency=row.currency,
        source=row.source,
        rates=row.rates,
        context_tiers=row.context_tiers,
    )
    a, b = replace(a, context_basis=1_000), replace(b, context_basis=1_000)
    both = replace(a, **{name: getattr(a, name) + getattr(b, name) for name in COUNTS})
    charges = [charge(each, row) for each in (a, b, both)]
    if any(isinstance(each, Unpriced) for each in charges[:2]):
        assert isinstance(charges[2], Unpriced)
        return
    parts = [each.sub_units for each in charges if isinstance(each, Charge)]
    assert parts[0] + parts[1] == parts[2]


@given(usages(), rows(), st.integers(1, 1_000))
def test_a_charge_scales_with_its_counts(usage: Usage, row: PriceRow, factor: int) -> None:
    usage = replace(usage, context_basis=usage.tier_basis)
    larger = replace(usage, **{name: factor * getattr(usage, name) for name in COUNTS})
    one, many = charge(usage, row), charge(larger, row)
    if isinstance(one, Charge):
        assert isinstance(many, Charge)
        assert many.sub_units == factor * one.sub_units
    else:
        assert isinstance(many, Unpriced)


@given(rows())
def test_a_call_that_consumed_nothing_costs_nothing_but_its_fee(row: PriceRow) -> None:
    charged = charge(Usage(at=AT, requests=0), row)
    assert charged == Charge("row", "USD", 0, ())
