"""Own machines against an interface: intervals over steps, scales, fine-tuning."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenarios import chat

from tokonomi.plan.build_or_buy import (
    End,
    Machines,
    at_scale,
    crossovers,
    machines_at,
    reduction_for,
    tuned,
)
from tokonomi.plan.quantity import Factor, Natural, Positive, Share
from tokonomi.plan.scenario import FineTune, SelfHost
from tokonomi.plans import Plan
from tokonomi.reports.plan_figures import shown_requests

PRICE = Fraction("0.006")
amounts = st.fractions(0, 20_000, max_denominator=4)


def machines(
    replica: int | Fraction = 2_000,
    sustained: int | Fraction = 100,
    engineering: int | Fraction = 0,
    *,
    each: Fraction = Fraction(0),
    most: int = 8,
) -> Machines:
    return Machines(Fraction(replica), Fraction(sustained), Fraction(engineering), each, most, 30)


def test_the_document_s_machine_pays_from_seven_requests_a_minute_on_rent_alone() -> None:
    [found] = crossovers(machines(), PRICE)
    assert found.low == Fraction(2_000) / (Fraction("259.2"))
    assert (found.high, found.replicas, found.open_ended) == (800, 1, True)


def test_no_crossover_is_an_answer() -> None:
    assert crossovers(machines(each=PRICE), PRICE) == ()
    assert crossovers(machines(sustained=5), PRICE) == ()


def test_a_step_can_make_the_interface_cheaper_again() -> None:
    first, second, *_ = crossovers(machines(2_000, 10), PRICE)
    assert (first.high, first.open_ended) == (10, False)
    assert second.low == Fraction(4_000) / Fraction("259.2")
    assert second.replicas == 2


@given(amounts, st.fractions(1, 300, max_denominator=4), amounts, st.fractions(0, 900))
def test_machines_are_cheaper_within_the_intervals_and_not_beside_them(
    replica: Fraction, sustained: Fraction, engineering: Fraction, rate: Fraction
) -> None:
    own = machines(replica, sustained, engineering, most=4)
    if rate == 0 or rate > 4 * sustained:
        return
    inside = [each for each in crossovers(own, PRICE) if each.low <= rate <= each.high]
    by_interface = rate * own.requests_of_a_minute * PRICE
    if inside and rate > inside[0].low:
        assert own.cost(rate) <= by_interface
    if not inside:
        assert own.cost(rate) > by_interface


def test_the_ends_of_the_numbers_are_the_best_and_the_worst_for_machines() -> None:
    stated = SelfHost(
        replica_cost=Natural.parse("1000..3000"),
        requests_per_minute=Positive.parse("100..200"),
        engineering=Natural.parse("2000..8000"),
        peak_factor=Positive.parse("1..2"),
    )
    best, mean, worst = (machines_at(stated, end, days=30) for end in End)
    assert (best.replica, best.sustained, best.engineering) == (1_000, 200, 2_000)
    assert (mean.replica, mean.sustained, mean.engineering) == (2_000, 100, 5_000)
    assert (worst.replica, worst.sustained, worst.engineering) == (3_000, 50, 8_000)


def test_a_scale_takes_the_replicas_that_it_needs() -> None:
    found = at_scale(machines(), PRICE, Fraction(500_000))
    assert (found.replicas, found.machines, found.interface) == (4, 8_000, 90_000)
    assert found.cheaper == "machines"
    assert at_scale(machines(), PRICE, Fraction(1_000)).cheaper == "interface"
    assert at_scale(machines(), PRICE, Fraction(0)).replicas == 1


def fine_tune(reduction: str) -> FineTune:
    return FineTune(
        price_multiplier=Factor.parse("1.5..2"),
        token_reduction=Share.parse(reduction),
        training_cost=Natural.of(1_200),
        upkeep=Natural.of(100),
    )


def test_a_fine_tuned_model_pays_from_the_requests_that_cover_its_training() -> None:
    cheap, _, dear = tuned(fine_tune("60%"), PRICE, days=30)
    assert (cheap.saved, dear.saved) == (Fraction(2, 5), Fraction(1, 5))
    assert cheap.fixed == 200
    assert cheap.break_even_per_day == 200 / (PRICE * 30 * Fraction(2, 5))


def test_a_fine_tuned_model_that_saves_nothing_never_pays() -> None:
    assert [each.break_even_per_day for each in tuned(fine_tune("10%"), PRICE, days=30)] == [
        *[None] * 3
    ]


@pytest.mark.parametrize(
    ("multiplier", "saving", "percent"),
    [("3/2", "1/5", "46.7"), ("3/2", "3/10", "53.3"), ("2", "1/5", "60.0"), ("2", "3/10", "65.0")],
)
def test_a_dearer_model_must_lose_tokens_to_save(
    multiplier: str, saving: str, percent: str
) -> None:
    found = reduction_for(Fraction(multiplier), Fraction(saving))
    assert f"{float(100 * found):.1f}" == percent


def test_the_tables_say_where_the_model_does_not_fit_and_where_nothing_crosses() -> None:
    sections = Plan.template("build-or-buy").sections()
    notes = [str(note.figures["en"]) for note in sections["crossover"].notes]
    assert notes == ["The model does not fit: 140 GB of weights, 80 GB in a replica."]
    hosting = "[self_host]\nreplica_cost = 50000\nrequests_per_minute = 1\nmost_replicas = 1\n"
    nothing = chat(hosting).sections()
    assert [row[-1] for row in nothing["crossover"].rows] == ["no crossover"] * 3
    assert "scales" not in nothing


def test_a_page_draws_the_crossover() -> None:
    page = Plan.template("build-or-buy").page()
    assert "over requests a minute" in page


def test_the_picture_reaches_from_before_the_crossover_to_several_replicas() -> None:
    stated = Plan.template("build-or-buy").scenario.self_host
    assert stated is not None
    every = [machines_at(stated, end, days=30) for end in End]
    low, high = shown_requests(every, PRICE)
    for each in every:
        assert low < crossovers(each, PRICE)[0].low < high
        assert each.needed(high) >= 4


def test_the_picture_reaches_to_the_last_time_that_machines_become_cheaper() -> None:
    late = machines(2_000, 8, 500, most=40)
    last = crossovers(late, PRICE)[-1:]
    low, high = shown_requests([late], PRICE)
    assert all(low < each.low < high for each in last)
    assert high <= 40 * 8


def test_stairs_go_through_every_step_and_cost_what_machines_cost() -> None:
    three = machines(2_000, 100, 500, most=3)
    found = list(three.stairs(Fraction(20), Fraction(300)))
    assert {rate for rate, _ in found} > {Fraction(20), Fraction(100), Fraction(200), Fraction(300)}
    for rate, cost in found:
        assert cost in {three.cost(rate), three.cost(rate + Fraction(1, 100))}
