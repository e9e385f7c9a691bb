"""Draws of a scenario: their distributions, and that their arithmetic is that of exact figures."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenarios import chat

from tokonomi.errors import BadPlan
from tokonomi.plan.draws import Draws
from tokonomi.plan.evaluate import total_cost, total_revenue
from tokonomi.plan.influence import Influence
from tokonomi.plan.inputs import quantities_of, uncertain_costs
from tokonomi.plan.numbers import Means
from tokonomi.plan.quantity import Natural, Quantity, Share
from tokonomi.plan.sampling import Array, Sampler, below, percentile, quantile
from tokonomi.plan.simulate import BLOCK, percentile_of, simulate
from tokonomi.plan.tornado import tornado
from tokonomi.plan.variance import influences
from tokonomi.plans import Chance, Plan
from tokonomi.storage.plan_files import template_names

MANY = 100_000
SHAPES = [
    Natural.parse("100..400"),
    Natural.parse("100..200..400"),
    Natural.parse("100..100..400"),
    Natural.parse("100..400..400"),
    Natural.parse({"p10": 90, "p50": 200, "p90": 700}),
    Natural.parse({"values": [120, 80, 310, 80]}),
    Natural.of(5),
]


def uniform(number: int = MANY) -> Array:
    return (np.arange(number) + 0.5) / number


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.text)
def test_draws_have_the_exact_mean_of_their_distribution(shape: Quantity) -> None:
    assert float(quantile(shape, uniform()).mean()) == pytest.approx(float(shape.mean), rel=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.text)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_a_higher_probability_never_has_a_lower_value(
    shape: Quantity, probabilities: list[float]
) -> None:
    found = quantile(shape, np.asarray(sorted(probabilities)))
    assert np.all(np.diff(found) >= 0)
    assert found.min() >= float(shape.low) - 1e-9
    assert found.max() <= float(shape.high) + 1e-9


def test_stated_percentiles_are_those_of_the_draws() -> None:
    stated = Natural.parse({"p10": 90, "p50": 200, "p90": 700})
    assert [percentile(stated, each) for each in (0.1, 0.5, 0.9)] == [90, 200, 700]


def test_percentiles_beyond_the_stated_ones_keep_to_what_the_number_can_be() -> None:
    stated = Share.parse({"p10": "1%", "p90": "99%"})
    assert (stated.low, stated.high) == (0, 1)


def test_normal_probabilities_are_near_the_exact_ones() -> None:
    found = below(np.asarray([-1.959964, 0.0, 1.0, 12.0]))
    assert found == pytest.approx([0.025, 0.5, 0.8413447461, 1.0], abs=1e-6)


@pytest.mark.parametrize("name", template_names())
def test_draws_that_all_stand_at_the_mean_cost_what_the_exact_month_costs(name: str) -> None:
    plan = Plan.template(name)
    drawn = {
        quantity: np.full(3, float(quantity.mean))
        for _, quantity in quantities_of(plan.scenario)
        if quantity.uncertain
    }
    exact = total_cost(plan.scenario, plan.prices, Means())
    found = total_cost(plan.scenario, plan.prices, Draws(drawn))
    assert np.asarray(found) == pytest.approx(float(exact), rel=1e-9)
    revenue = total_revenue(plan.scenario, Means())
    assert np.asarray(total_revenue(plan.scenario, Draws(drawn))) == pytest.approx(float(revenue))


TIERED = """
[plan]
name = "t"
at = 2026-11-01
[volume]
sessions_per_month = 100
[[feature]]
name = "f"
system_tokens = "{tokens}"
searches = 3
output_tokens = 10
models = [{{ model = "google/gemini-2.5-pro" }}]
"""


@pytest.mark.parametrize("tokens", [1_000, 199_999, 200_001, 900_000])
def test_each_draw_is_priced_in_the_context_tier_that_it_falls_in(tokens: int) -> None:
    plan = Plan.of(TIERED.format(tokens=f"0..{2 * tokens}"))
    [(_, quantity)] = uncertain_costs(plan.scenario).items()
    exact = Plan.of(TIERED.format(tokens=tokens)).month.cost.fraction()
    drawn = Draws({quantity: np.asarray([float(tokens), 1.0])})
    assert np.asarray(total_cost(plan.scenario, plan.prices, drawn))[0] == pytest.approx(
        float(exact), rel=1e-9
    )


def test_a_missing_price_is_an_error_in_draws_too() -> None:
    plan = chat().with_values(
        {"feature.chat.models.0.model": "seed-003/sonnet", "feature.chat.output_tokens": "1..2"}
    )
    with pytest.raises(BadPlan, match="has no price for output"):
        simulate(plan.scenario, plan.prices, draws=10)
    searching = chat('searches = "0..2"\n')
    with pytest.raises(BadPlan, match="no price for search"):
        simulate(searching.scenario, searching.prices, draws=10)


CORRELATED = """
[[correlation]]
a = "feature.chat.input_tokens"
b = "feature.chat.output_tokens"
rank = "{rank}"
"""


def ranks(values: Array) -> Array:
    return np.argsort(np.argsort(values)).astype(np.float64)


@pytest.mark.parametrize("rank", [-0.9, -0.3, 0.0, 0.6])
def test_numbers_that_move_together_have_the_stated_rank_correlation(rank: float) -> None:
    scenario = (
        chat(CORRELATED.format(rank=rank))
        .with_values(
            {"feature.chat.input_tokens": "1..5..90", "feature.chat.output_tokens": "10..400"}
        )
        .scenario
    )
    inputs = uncertain_costs(scenario)
    drawn = Sampler(inputs, scenario.correlation).draw(MANY, np.random.default_rng(7))
    one, other = (drawn[inputs[f"feature.chat.{name}_tokens"]] for name in ("input", "output"))
    assert np.corrcoef(ranks(one), ranks(other))[0, 1] == pytest.approx(rank, abs=0.01)
    assert float(one.mean()) == pytest.approx(32, rel=0.01)


def test_correlations_that_contradict_each_other_are_refused() -> None:
    names = ("feature.chat.input_tokens", "feature.chat.output_tokens", "feature.chat.turns")
    text = "".join(
        f'[[correlation]]\na = "{a}"\nb = "{b}"\nrank = -0.9\n'
        for a, b in zip(names, (*names[1:], names[0]), strict=True)
    )
    plan = chat("turns = 2\n" + text).with_values(dict.fromkeys(names, "2..4"))
    with pytest.raises(BadPlan, match="the correlations contradict each other"):
        plan.simulated(draws=10)


@pytest.mark.parametrize(("value", "remedy"), [("200", "a distribution"), ("1..2", "Did you mean")])
def test_a_correlation_of_a_number_that_is_certain_is_refused(value: str, remedy: str) -> None:
    plan = chat(
        '[[correlation]]\na = "feature.chat.input_token"\nb = "feature.chat.turns"\nrank = 0.5\n'
    ).with_values({"feature.chat.input_tokens": value})
    simulated = plan.with_values({"plan.budget": "5"})
    with pytest.raises(BadPlan, match="which is no uncertain number of the cost") as raised:
        simulated.simulated(draws=10)
    assert remedy in str(raised.value)


def test_the_same_seed_gives_the_same_draws_and_another_one_others() -> None:
    plan = Plan.template("chat-assistant")
    one, same = (plan.simulated(draws=BLOCK + 10, seed=3).costs for _ in range(2))
    other = plan.simulated(draws=BLOCK + 10, seed=4).costs
    assert len(one) == BLOCK + 10
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_plan_without_uncertain_numbers_has_one_cost_in_every_draw() -> None:
    costs = chat().simulated(draws=10).costs
    assert costs == pytest.approx([4.25] * 10)
    assert "bands" not in chat().sections()


def test_a_uniform_cost_has_the_percentiles_of_its_number() -> None:
    plan = chat().with_values({"volume.sessions_per_month": "0..1000", "plan.budget": "3.4"})
    simulation = plan.simulated(draws=MANY)
    for percent in (10, 50, 90):
        wanted = 4.25 * percent / 100
        assert percentile_of(simulation.costs, percent) == pytest.approx(wanted, rel=0.02)
    assert simulation.chance_above(3.4) == pytest.approx(0.2, abs=0.01)
    assert simulation.profits is None
    [row] = plan.sections()["chances"].rows
    assert row[:2] == ("over the budget", Fraction("3.4"))


def test_a_loss_is_as_probable_as_the_draws_say() -> None:
    revenue = '[[revenue]]\nname = "r"\nprice = "0..8.5"\nper = "month"\n'
    plan = chat(revenue)
    [row] = plan.sections(Chance(MANY, 2))["chances"].rows
    assert row[0] == "at a loss"
    assert isinstance(row[2], Fraction)
    assert float(row[2]) == pytest.approx(0.5, abs=0.01)


def test_no_draws_leave_out_what_is_estimated() -> None:
    plan = Plan.template("chat-assistant")
    assert {"bands", "chances", "months_ahead"} <= plan.sections().keys()
    assert not {"bands", "chances", "months_ahead"} & plan.sections(Chance(0)).keys()


def test_a_tornado_is_exact_and_has_the_strongest_number_first() -> None:
    values = {
        "feature.chat.input_tokens": "100..300",
        "feature.chat.output_tokens": "300..500",
        "volume.growth_per_month": "1%..2%",
    }
    plan = chat().with_values(values)
    first, second = tornado(plan.scenario, plan.prices)
    assert (first.path, second.path) == ("feature.chat.output_tokens", "feature.chat.input_tokens")
    assert (first.low, first.high) == (320, 480)
    assert first.cost_at_low == Fraction("0.25") + 3 * Fraction("1.0666666") + Fraction("0.0000002")


def test_the_variance_of_a_sum_is_shared_as_its_parts_have_it() -> None:
    costs = "".join(
        f'[[cost]]\nname = "{name}"\namount = "0..{high}"\n' for name, high in (("a", 1), ("b", 2))
    )
    plan = chat(costs)
    strong, weak = influences(plan.scenario, plan.prices)
    assert (strong.path, weak.path) == ("cost.b.amount", "cost.a.amount")
    assert strong.alone == pytest.approx(0.8, abs=0.02)
    assert weak.in_all == pytest.approx(0.2, abs=0.02)
    assert influences(chat().scenario, chat().prices) == ()


def test_a_number_that_alone_is_uncertain_has_all_of_the_variance() -> None:
    plan = chat().with_values({"volume.sessions_per_month": "100..300"})
    assert influences(plan.scenario, plan.prices) == (
        Influence("volume.sessions_per_month", 1.0, 1.0),
    )
