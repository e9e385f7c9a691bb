"""A month from a sample: exact means, spreads that hold, back-tests that say when they do not."""

from datetime import UTC, date, datetime
from fractions import Fraction

import numpy as np
import pytest
from scenarios import chat

from tokonomi.errors import BadPlan
from tokonomi.plan.measure import Counted
from tokonomi.plan.predict import (
    Sample,
    Volume,
    back_test,
    mean_counts,
    sampled,
    spread_of_mean,
)
from tokonomi.plan.simulate import percentile_of
from tokonomi.plans import Plan, predict
from tokonomi.reports.plan_predict import scenario_text
from tokonomi.usage import Usage

AT = datetime(2026, 1, 30, tzinfo=UTC)
MODEL = "seed-001/gpt-5.1"
PRICES = chat().prices
VOLUME = Volume(Fraction(10_000), 30, Fraction(3, 10))


def call(given: int, made: int, model: str = MODEL) -> Counted:
    return Counted(model, Usage(at=AT, uncached_input=given, output=made))


def calls(number: int, *, seed: int = 5, times: int = 1) -> list[Counted]:
    random = np.random.default_rng(seed)
    sizes = random.lognormal(5, 1, size=(number, 2)).astype(int) * times
    return [call(int(given), int(made)) for given, made in sizes]


def test_the_mean_of_a_sample_is_exact() -> None:
    sample = sampled([call(200, 400), call(0, 400)] * 20, PRICES)
    assert sample.mean == Fraction("0.004125")
    assert (sample.currency, len(sample)) == ("USD", 40)


def test_a_month_is_the_mean_times_the_volume_with_buffer_and_engineering() -> None:
    sample = sampled([call(200, 400)] * 40, PRICES)
    hours = (Fraction(800), Fraction(1_200), Fraction(1_600))
    rows = {
        row[0]: row[1:]
        for row in predict(sample, VOLUME, first=40, engineering=hours)["forecast"].rows
    }
    tokens = 300_000 * Fraction("0.00425")
    assert rows["tokens of a month"] == (tokens,) * 3
    assert rows["buffer"] == (tokens * Fraction(3, 10),) * 3
    assert rows["month"][1] == tokens * Fraction(13, 10) + 1_200
    assert VOLUME.cost(sample.mean) + 1_200 == rows["month"][1]


def test_the_ends_of_the_mean_hold_about_as_often_as_they_say() -> None:
    truth = float(sampled(calls(40_000, seed=99), PRICES).mean)
    held = 0
    for seed in range(60):
        spread = spread_of_mean(sampled(calls(400, seed=seed), PRICES), seed=seed)
        held += float(spread.low) <= truth <= float(spread.high)
    assert held >= 51


def test_calls_that_follow_each_other_alike_make_the_ends_wider() -> None:
    mixed = [call(size, 1) for size in [100, 10_000] * 200]
    runs = [call(size, 1) for size in [*[100] * 50, *[10_000] * 50] * 4]
    alike, apart = (spread_of_mean(sampled(each, PRICES)) for each in (runs, mixed))
    assert alike.high - alike.low > 3 * (apart.high - apart.low)


def test_the_same_seed_gives_the_same_ends() -> None:
    sample = sampled(calls(100), PRICES)
    assert spread_of_mean(sample, seed=2) == spread_of_mean(sample, seed=2)
    assert spread_of_mean(sample, seed=2) != spread_of_mean(sample, seed=3)


def test_a_back_test_holds_where_the_traffic_stays_and_not_where_it_changes() -> None:
    steady = back_test(sampled(calls(2_000), PRICES), 500)
    assert steady.held
    assert steady.error is not None
    assert abs(steady.error) < Fraction(1, 5)
    changed = back_test(sampled(calls(500) + calls(1_500, times=3), PRICES), 500)
    assert not changed.held
    assert changed.predicted < changed.actual


def test_a_spread_sample_takes_calls_from_all_of_the_time() -> None:
    sample = sampled([call(place, 0) for place in range(100)], PRICES)
    spread = sample.spread_out(10)
    assert spread.inputs[:10] == (0, 10, 20, 30, 40, 50, 60, 70, 80, 90)
    assert sorted(spread.inputs) == list(range(100))
    assert spread.mean == sample.mean
    assert sample.spread_out(500).inputs == sample.inputs


def test_a_spread_sample_sees_a_change_that_the_first_calls_do_not() -> None:
    sample = sampled(calls(500) + calls(1_500, times=3), PRICES)
    first, spread = (
        predict(sample, VOLUME, first=500, spread=each)["back_test"].rows[0]
        for each in (False, True)
    )
    assert (first[-1], spread[-1]) == ("outside", "inside")


def test_a_sample_without_others_has_no_back_test() -> None:
    sample = sampled(calls(100), PRICES)
    assert [*predict(sample, VOLUME, first=100)] == ["forecast"]
    assert [row[0] for row in predict(sample, VOLUME, first=40)["back_test"].rows] == [40]


def test_free_calls_have_no_error_to_tell() -> None:
    free = Sample("USD", (Fraction(0),) * 60, (0,) * 60, (0,) * 60)
    found = back_test(free, 30)
    assert (found.error, found.held) == (None, True)


def test_few_calls_are_refused() -> None:
    with pytest.raises(BadPlan, match="a sample of 29 calls says little"):
        sampled(calls(29), PRICES)


def written(sample: Sample) -> Plan:
    return Plan.of(scenario_text(sample, VOLUME, MODEL, at=date(2026, 1, 30)))


def test_the_scenario_of_a_sample_has_its_mean_month() -> None:
    sample = sampled(calls(51), PRICES)
    expected = pytest.approx(VOLUME.cost(sample.mean), rel=1e-12)
    assert written(sample).month.cost.fraction() == expected


@pytest.mark.parametrize("tied", [False, True])
def test_the_bands_of_the_written_scenario_are_those_of_the_forecast(*, tied: bool) -> None:
    made = calls(1_000)
    if tied:
        made = [call(each.usage.uncached_input, each.usage.uncached_input // 4) for each in made]
    sample = sampled(made, PRICES)
    forecast = predict(sample, VOLUME, first=1_000)["forecast"].rows[-1]
    low, high = (float(Fraction(str(each))) for each in (forecast[1], forecast[3]))
    costs = written(sample).simulated().costs
    ends = percentile_of(costs, 2.5), percentile_of(costs, 97.5)
    width = high - low
    assert ends == (pytest.approx(low, abs=width / 25), pytest.approx(high, abs=width / 25))


def test_calls_of_one_size_make_a_scenario_without_bands() -> None:
    plan = written(sampled([call(200, 400)] * 40, PRICES))
    assert "bands" not in plan.sections()
    assert plan.month.cost.fraction() == VOLUME.cost(Fraction("0.00425"))


def test_a_count_that_is_nearly_always_zero_stays_one() -> None:
    counts = mean_counts(sampled([call(200, 0)] * 499 + [call(200, 7)], PRICES))
    assert min(counts.outputs) == 0
    assert sum(counts.outputs, Fraction()) / len(counts.outputs) == Fraction(7, 500)
    assert (counts.inputs, counts.rank) == ((Fraction(200),), 0)
