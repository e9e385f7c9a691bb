"""Laws of plans: a measured mix is the bill, months add up, and more of anything costs no less."""

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tokonomi.errors import BadPlan
from tokonomi.plan.evaluate import month_of, total_cost
from tokonomi.plan.measure import Counted, measured_mix
from tokonomi.plan.numbers import Means
from tokonomi.plan.price_list import PriceList
from tokonomi.plan.quantity import Natural, Positive, Share
from tokonomi.plan.scenario import Feature, ModelShare, Plan, Scenario, Volume
from tokonomi.pricing.charge import Charge, charge
from tokonomi.storage.price_files import load_book
from tokonomi.usage import Usage

AT = datetime(2026, 11, 1, tzinfo=UTC)
PLAN = Plan(name="t", at=date(2026, 11, 1))
PRICES = PriceList.of(Scenario(plan=PLAN), load_book())
MODELS = (
    "seed-001/gpt-5.1",
    "anthropic/claude-sonnet-4-5",
    "google/gemini-2.5-pro",
    "openai/gpt-5-mini",
)
counts = st.integers(0, 400_000)


@st.composite
def calls(draw: st.DrawFn) -> Counted:
    output = draw(counts)
    usage = Usage(
        at=AT,
        uncached_input=draw(counts),
        cache_read=draw(counts),
        cache_write_5m=draw(st.integers(0, 50_000)),
        output=output,
        reasoning=draw(st.integers(0, output)),
        batch=draw(st.booleans()),
    )
    return Counted(draw(st.sampled_from(MODELS)), usage, draw(st.sampled_from(["a", "b"])))


def bill(made: list[Counted]) -> int:
    total = 0
    for call in made:
        try:
            row = PRICES.row(call.model, call.usage.tier, batch=call.usage.batch)
        except BadPlan:
            assume(condition=False)
            raise
        charged = charge(call.usage, row)
        assume(isinstance(charged, Charge))
        assert isinstance(charged, Charge)
        total += charged.sub_units
    return total


@settings(max_examples=150)
@given(st.lists(calls(), min_size=1, max_size=30))
def test_a_plan_fed_with_the_measured_mix_of_calls_costs_what_their_bill_says(
    made: list[Counted],
) -> None:
    billed = bill(made)
    scenario = Scenario(plan=PLAN, measured=measured_mix(made, PRICES))
    month = month_of(scenario, PRICES)
    assert month.cost.sub_units == billed
    assert month.scale.calls == len(made)


@given(st.lists(calls(), min_size=1, max_size=8), st.lists(calls(), min_size=1, max_size=8))
def test_the_bills_of_two_traces_add_up_to_the_bill_of_both(
    some: list[Counted], others: list[Counted]
) -> None:
    billed = bill(some) + bill(others)
    both = Scenario(plan=PLAN, measured=measured_mix([*some, *others], PRICES))
    assert month_of(both, PRICES).cost.sub_units == billed


NUMBERS: dict[str, Any] = {
    "turns": Positive.of(3),
    "uses": Natural.of(2),
    "system_tokens": Natural.of(100),
    "input_tokens": Natural.of(50),
    "rag_chunks": Natural.of(2),
    "chunk_tokens": Natural.of(40),
    "tool_tokens": Natural.of(10),
    "output_tokens": Natural.of(80),
    "reasoning_tokens": Natural.of(20),
    "attempts": Positive.of(1),
}


def feature(name: str = "f", /, **changed: Any) -> Feature:
    models = (
        ModelShare(model="seed-001/gpt-5.1", share=Share.parse("60%")),
        ModelShare(model="seed-001/gpt-4o"),
    )
    return Feature(name=name, models=models, **{**NUMBERS, **changed})


def cost(*features: Feature, sessions: int = 100) -> Fraction:
    volume = Volume(sessions_per_month=Natural.of(sessions))
    scenario = Scenario(plan=PLAN, volume=volume, feature=features)
    return total_cost(scenario, PRICES, Means())


fractions = st.fractions(0, 500, max_denominator=8)


@given(st.sampled_from(sorted(NUMBERS)), fractions, fractions)
def test_more_of_any_number_never_costs_less(name: str, one: Fraction, other: Fraction) -> None:
    low, high = sorted((one, other))
    kind = Positive if isinstance(NUMBERS[name], Positive) else Natural
    few, many = (kind.of(each + (kind.least or 0)) for each in (low, high))
    assert cost(feature(**{name: few})) <= cost(feature(**{name: many}))


@given(fractions, fractions)
def test_the_costs_of_features_add_up(one: Fraction, other: Fraction) -> None:
    first = feature("a", input_tokens=Natural.of(one))
    second = feature("b", output_tokens=Natural.of(other))
    assert cost(first, second) == cost(first) + cost(second)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_costs_of_sessions_add_up(one: int, other: int) -> None:
    made = feature()
    assert cost(made, sessions=one + other) == cost(made, sessions=one) + cost(made, sessions=other)


@given(st.fractions(0, 1, max_denominator=100))
def test_a_mix_costs_what_its_models_cost_by_their_shares(share: Fraction) -> None:
    models = ("seed-001/gpt-5.1", "seed-001/gpt-4o")
    alone = [
        cost(msgspec.structs.replace(feature(), models=(ModelShare(model=each),)))
        for each in models
    ]
    mixed = (ModelShare(model=models[0], share=Share.of(share)), ModelShare(model=models[1]))
    both = cost(msgspec.structs.replace(feature(), models=mixed))
    assert both == share * alone[0] + (1 - share) * alone[1]


@given(st.sampled_from(MODELS), st.integers(1, 5))
def test_searches_that_are_billed_once_a_prompt_are_limited_before_they_add_up(
    model: str, searches: int
) -> None:
    made = [
        Counted(model, Usage(at=AT, uncached_input=10, searches=each)) for each in (0, searches)
    ]
    priced = [charge(call.usage, PRICES.row(model)) for call in made]
    assume(all(isinstance(each, Charge) for each in priced))
    scenario = Scenario(plan=PLAN, measured=measured_mix(made, PRICES))
    assert month_of(scenario, PRICES).cost.sub_units == sum(
        each.sub_units for each in priced if isinstance(each, Charge)
    )
