"""No usage within the bounds of a request costs more than its upper bound, and some costs it."""

from datetime import UTC, datetime

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from tokonomi.pricing.bound import Bounds, upper_bound
from tokonomi.pricing.charge import Charge, Unpriced, charge
from tokonomi.pricing.row import Comparator, ContextTier, Media, Meter, PriceRow, Rate, SearchUnit
from tokonomi.usage import Usage

NOON = datetime(2026, 1, 30, 12, tzinfo=UTC)

counts = st.integers(0, 40)
prices = st.integers(0, 60).map(lambda cents: f"{cents}e-2")
rates = st.dictionaries(
    st.sampled_from(Meter),
    st.builds(Rate.of, prices, per=st.just(1), currency=st.just("USD")),
    max_size=len(Meter),
)
PRICED = {
    meter: Rate.of("0.2", per=1, currency="USD")
    for meter in (Meter.INPUT, Meter.OUTPUT, Meter.SEARCH)
}
tiers = st.lists(st.tuples(st.integers(1, 30), st.sampled_from(Comparator), rates), max_size=3).map(
    lambda stated: tuple(
        sorted(
            {
                tier.first_tokens: tier
                for threshold, comparator, changed in stated
                for tier in [ContextTier(threshold, comparator, changed)]
            }.values(),
            key=lambda tier: tier.first_tokens,
        )
    )
)
rows = st.builds(
    PriceRow,
    id=st.just("row"),
    provider=st.just("provider"),
    model=st.just("model"),
    currency=st.just("USD"),
    source=st.just("a law"),
    # Most rows price what a request needs, so that the law is seldom about unknown prices.
    rates=st.one_of(rates, *[rates.map(lambda stated: {**PRICED, **stated})] * 4),
    context_tiers=tiers,
    search_unit=st.sampled_from(SearchUnit),
)
bounds_of_requests = st.builds(
    Bounds,
    input_tokens=counts,
    output_tokens=counts,
    choices=st.integers(1, 3),
    searches=st.integers(0, 3),
    requests=st.integers(0, 2),
    media=st.builds(
        Media,
        audio_in=st.booleans(),
        image_in=st.booleans(),
        audio_out=st.booleans(),
        image_out=st.booleans(),
    ),
)


def usage_of(tokens: dict[str, int], **others: int | None) -> Usage:
    return msgspec.convert({"at": NOON, **tokens, **others}, Usage)


@st.composite
def usages_within(draw: st.DrawFn, bounds: Bounds) -> Usage:
    """Any usage that a request with these bounds can have."""

    def split(total: int, names: list[str]) -> dict[str, int]:
        left = draw(st.integers(0, total))
        shares: dict[str, int] = {}
        for name in draw(st.permutations(names)):
            shares[name] = draw(st.integers(0, left))
            left -= shares[name]
        return shares

    inputs = ["uncached_input", "cache_read", "cache_write_5m", "cache_write_1h"]
    media = bounds.media
    inputs += ["audio_in", "cache_read_audio"] * media.audio_in + ["image_in"] * media.image_in
    outputs = ["output"] + ["audio_out"] * media.audio_out + ["image_out"] * media.image_out
    consumed = split(bounds.input_tokens, inputs) | split(bounds.all_output_tokens, outputs)
    return usage_of(
        consumed,
        reasoning=draw(st.integers(0, consumed["output"])),
        searches=draw(st.integers(0, bounds.searches)),
        requests=draw(st.integers(0, bounds.requests)),
        context_basis=draw(st.none() | st.integers(0, bounds.input_tokens)),
    )


@given(st.data(), rows, bounds_of_requests)
def test_no_usage_within_the_bounds_costs_more_than_the_upper_bound(
    data: st.DataObject, row: PriceRow, bounds: Bounds
) -> None:
    bound = upper_bound(row, bounds)
    assume(not isinstance(bound, Unpriced))
    made = charge(data.draw(usages_within(bounds)), row)
    assert isinstance(made, Charge)
    assert isinstance(bound, int)
    assert made.sub_units <= bound


def dearest_usages(bounds: Bounds, first_tokens: int) -> list[Usage]:
    """Usages that put all tokens of a kind into one bucket, in one context tier."""
    inputs = ["uncached_input", "cache_read", "cache_write_5m", "cache_write_1h"]
    media = bounds.media
    inputs += ["audio_in", "cache_read_audio"] * media.audio_in + ["image_in"] * media.image_in
    outputs = ["output"] + ["audio_out"] * media.audio_out + ["image_out"] * media.image_out
    kinds = [(name, False) for name in outputs] + [("output", True)]
    return [
        usage_of(
            {bucket: bounds.input_tokens, kind: bounds.all_output_tokens},
            context_basis=first_tokens,
            searches=bounds.searches,
            requests=bounds.requests,
            reasoning=bounds.all_output_tokens if thinks else 0,
        )
        for bucket in inputs
        for kind, thinks in kinds
    ]


@given(rows, bounds_of_requests)
def test_some_usage_within_the_bounds_costs_exactly_the_upper_bound_or_has_no_price_either(
    row: PriceRow, bounds: Bounds
) -> None:
    made = [
        charge(usage, row)
        for bracket in row.brackets
        if bracket.first_tokens <= bounds.input_tokens
        for usage in dearest_usages(bounds, bracket.first_tokens)
    ]
    unpriced = [each for each in made if isinstance(each, Unpriced)]
    dearest = max((each.sub_units for each in made if isinstance(each, Charge)), default=0)
    bound = upper_bound(row, bounds)
    assert isinstance(bound, Unpriced) if unpriced else bound == dearest


@given(rows, bounds_of_requests, st.integers(0, 20), st.integers(0, 20))
def test_a_request_that_may_consume_more_never_has_a_smaller_bound(
    row: PriceRow, bounds: Bounds, more_input: int, more_output: int
) -> None:
    larger = Bounds(
        input_tokens=bounds.input_tokens + more_input,
        output_tokens=bounds.output_tokens + more_output,
        choices=bounds.choices + 1,
        searches=bounds.searches,
        requests=bounds.requests,
    )
    smaller = Bounds(
        input_tokens=bounds.input_tokens,
        output_tokens=bounds.output_tokens,
        choices=bounds.choices,
        searches=bounds.searches,
        requests=bounds.requests,
    )
    small, large = upper_bound(row, smaller), upper_bound(row, larger)
    if isinstance(large, int):
        assert isinstance(small, int)
        assert small <= large
    else:
        assert large.meters != ()
