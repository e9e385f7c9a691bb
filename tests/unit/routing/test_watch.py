from fractions import Fraction
from typing import Final

import pytest

from tokonomi.errors import BadMoney
from tokonomi.money import Money
from tokonomi.routing.alias import Alias, Target
from tokonomi.routing.breaker import Gate
from tokonomi.routing.chain import Facts, begin
from tokonomi.routing.provider import Timeouts
from tokonomi.routing.watch import (
    Cause,
    Level,
    Watched,
    WatchRules,
    cause_of,
    cost_level,
    rate_level,
)


def rupiah(text: str) -> Money:
    return Money.parse(text, "IDR")


RULES: Final = WatchRules(
    rate_warning=Fraction(5, 100),
    rate_critical=Fraction(15, 100),
    cost_warning=rupiah("100000"),
    cost_critical=rupiah("500000"),
    minimum_calls=200,
    actions={},
    source="seed 001",
)


@pytest.mark.parametrize(
    ("fallbacks", "level"),
    [
        (0, "ok"),
        (50, "ok"),
        (51, "warning"),
        (150, "warning"),
        (151, "critical"),
        (1000, "critical"),
    ],
)
def test_a_share_is_a_warning_above_five_percent_and_critical_above_fifteen(
    fallbacks: int, level: str
):
    assert rate_level(Watched(1000, fallbacks), RULES) == level


def test_a_share_of_few_calls_says_nothing():
    assert rate_level(Watched(199, 199), RULES) is Level.OK
    assert rate_level(Watched(200, 200), RULES) is Level.CRITICAL
    assert rate_level(Watched(0, 0), RULES) is Level.OK
    assert Watched(0, 0).rate is None


@pytest.mark.parametrize(
    ("cost", "level"),
    [
        ("100000", "ok"),
        ("100000.00000001", "warning"),
        ("500000", "warning"),
        ("500000.00000001", "critical"),
    ],
)
def test_a_day_s_cost_is_judged_to_the_last_sub_unit(cost: str, level: str):
    assert cost_level(rupiah(cost), RULES) == level


def test_a_cost_that_is_not_known_is_not_judged_and_one_of_another_currency_is_an_error():
    assert cost_level(None, RULES) is Level.OK
    with pytest.raises(BadMoney):
        cost_level(Money.parse("1", "USD"), RULES)


def test_the_extra_cost_of_a_package_of_the_seed_is_exact_and_unknown_where_a_part_is():
    whole = Watched(1, 1, {}, rupiah("27000"), rupiah("6720"))
    assert whole.extra_cost == rupiah("20280")
    assert Watched(1, 1, {}, rupiah("27000")).extra_cost is None
    assert Watched(1, 1, {}, None, rupiah("6720")).extra_cost is None


@pytest.mark.parametrize(
    ("failures", "cause"),
    [
        ({}, Cause.PRIMARY),
        ({Cause.LIMIT: 3, Cause.GATEWAY: 2}, Cause.LIMIT),
        ({Cause.LIMIT: 2, Cause.GATEWAY: 2}, Cause.GATEWAY),
        ({Cause.PRIMARY: 2, Cause.GATEWAY: 2}, Cause.PRIMARY),
    ],
)
def test_the_cause_is_what_most_failures_of_the_primary_point_to(
    failures: dict[Cause, int], cause: Cause
):
    assert Watched(9, 9, failures).cause is cause


def test_a_status_points_to_a_limit_to_the_gateway_or_to_the_primary():
    assert [cause_of(each) for each in (429, 402, 529)] == [Cause.LIMIT] * 3
    assert [cause_of(each) for each in (0, 502, 503, 504, 522)] == [Cause.GATEWAY] * 5
    assert [cause_of(each) for each in (200, 401, 500)] == [Cause.PRIMARY] * 3


def test_the_first_choice_is_the_primary_also_when_it_was_drawn_by_weight():
    targets = (Target(provider="a", weight=1), Target(provider="b", weight=1))
    facts, gates = [Facts(Timeouts())] * 2, [Gate()] * 2
    ordered = begin(Alias(targets=targets), facts, gates, now=0.0, draw=0.9)
    weighted = begin(Alias(targets=targets, choose="weighted"), facts, gates, now=0.0, draw=0.9)
    assert [ordered.route(0), ordered.route(1)] == ["primary", "fallback"]
    assert [weighted.route(0), weighted.route(1)] == ["fallback", "primary"]
