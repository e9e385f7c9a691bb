"""Which value of a number takes a month to a target."""

from fractions import Fraction

import pytest
from scenarios import chat

from tokonomi.errors import BadPlan
from tokonomi.money import Money
from tokonomi.plan.required import measured_at, required
from tokonomi.plans import Plan


def test_a_straight_line_reaches_its_target_exactly() -> None:
    plan = Plan.template("coaching-app")
    found = required(plan.scenario, plan.prices, "volume.users", Fraction("802"))
    assert (found.now, found.value, found.exact) == (500, 50_000, True)
    assert found.reached == 802


def test_a_curve_comes_near_its_target_and_does_not_pass_it() -> None:
    plan = chat("turns = 4\n")
    found = required(plan.scenario, plan.prices, "feature.chat.turns", Fraction(100))
    assert not found.exact
    assert found.reached <= 100
    more = found.value + Fraction(1, 10**6)
    assert measured_at(plan.scenario, plan.prices, found.path, more) > 100


def test_a_cost_that_falls_with_a_number_reaches_its_target_too() -> None:
    plan = Plan.template("chat-assistant")
    path = "feature.chat.cached_share"
    target = measured_at(plan.scenario, plan.prices, path, Fraction(1, 2))
    found = required(plan.scenario, plan.prices, path, target)
    assert found.value == Fraction(1, 2)
    found = required(plan.scenario, plan.prices, path, target + Fraction(1, 3))
    assert found.reached == pytest.approx(target + Fraction(1, 3))


def test_profit_has_a_break_even() -> None:
    revenue = '[[revenue]]\nname = "r"\nprice = 1\nper = "session"\n'
    revenue += '[[cost]]\nname = "c"\namount = 995.75\n'
    plan = chat(revenue)
    found = required(
        plan.scenario, plan.prices, "volume.sessions_per_month", Fraction(0), measure="profit"
    )
    assert (found.value, found.exact) == (1_000, True)


@pytest.mark.parametrize(
    ("path", "target", "says"),
    [
        ("volume.users", "5", 'the scenario has no number "volume.users"'),
        ("plan.budget", "5", 'the scenario has no number "plan.budget"'),
        ("volume.growth_per_month", "5", "no value of volume.growth_per_month takes the cost"),
        ("volume.sessions_per_month", "-5", "it is 0.00 at 0, and however high"),
        ("feature.chat.share", "5000", "it is 0.00 at 0 and 4.25 at 1"),
    ],
)
def test_a_target_that_cannot_be_reached_is_refused(path: str, target: str, says: str) -> None:
    plan = chat()
    with pytest.raises(BadPlan) as raised:
        required(plan.scenario, plan.prices, path, Fraction(target))
    assert says in str(raised.value)


def test_a_number_that_the_file_does_not_state_changes_alone() -> None:
    plan = chat('[[cost]]\nname = "c"\namount = 1\n')
    found = required(plan.scenario, plan.prices, "feature.chat.share", Fraction("3.125"))
    assert (found.now, found.value) == (1, Fraction(1, 2))


def test_the_table_of_a_required_value_has_the_whole_number_below_it() -> None:
    plan = Plan.template("coaching-app")
    table = plan.required("volume.users", Money.parse("500", "USD"))["required"]
    now, at, whole = table.rows
    assert now == ("now", Fraction(500), None)
    assert at[2] == 500
    assert whole[1] == 31_172
