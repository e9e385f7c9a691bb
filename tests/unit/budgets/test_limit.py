"""Budgets that contradict themselves are refused; the others say how far they may fall."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from functools import partial

import pytest

from tokonomi.budgets.limit import Budget, Mode, account_name
from tokonomi.budgets.scope import Scope
from tokonomi.budgets.window import Period, Window
from tokonomi.errors import BadInput, BadMoney
from tokonomi.money import INT64_MAX, Money

MONTH = Window(period=Period.MONTH)
budget = partial(Budget, id="team", window=MONTH, currency="IDR")


def rupiah(text: str) -> Money:
    return Money.parse(text, "IDR")


def test_a_hard_budget_may_not_fall_below_nothing() -> None:
    hard = budget(amount=rupiah("500000"))
    assert (hard.floor, hard.can_refuse) == (0, True)


def test_a_limit_of_nothing_is_a_limit_and_no_limit_is_none() -> None:
    nothing, unlimited = budget(amount=rupiah("0")), budget()
    assert (nothing.floor, nothing.can_refuse) == (0, True)
    assert (unlimited.floor, unlimited.can_refuse) == (None, False)


def test_a_soft_budget_may_fall_by_its_overshoot_and_no_further() -> None:
    soft = budget(amount=rupiah("500000"), mode=Mode.SOFT, overshoot=rupiah("50000"))
    assert soft.floor == -rupiah("50000").sub_units


def test_a_budget_that_notifies_has_no_floor() -> None:
    told = budget(amount=rupiah("1"), mode=Mode.NOTIFY)
    assert (told.floor, told.can_refuse) == (None, False)


def test_a_cap_a_request_can_refuse_without_any_limit_of_the_window() -> None:
    capped = budget(per_request=rupiah("2000"))
    assert (capped.floor, capped.can_refuse) == (None, True)


def test_users_of_two_projects_are_counted_apart_unless_the_budget_says_they_are_one() -> None:
    users = Scope.of(each=["user"])
    assert budget(scope=users).counted == Scope.of(each=["project", "user"])
    assert budget(scope=users, across_projects=True).counted == users


@pytest.mark.parametrize(
    "scope",
    [Scope(), Scope.of(each=["model"]), Scope.of({"key": "k"}, each=["user"])],
)
def test_a_budget_of_no_client_s_names_does_not_count_across_projects(scope: Scope) -> None:
    assert budget(scope=scope).counted == scope
    with pytest.raises(BadInput, match="counts across projects, and its scope counts none apart"):
        budget(scope=scope, across_projects=True)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda: budget(id="Team A"), '"Team A" cannot name a budget'),
        (lambda: budget(id="a" * 65), "cannot name a budget"),
        (lambda: budget(amount=Money.parse("1", "USD")), "amount is in USD, the budget in IDR"),
        (lambda: budget(amount=rupiah("-1")), "amount is -1 IDR"),
        (lambda: budget(amount=rupiah("1"), mode=Mode.SOFT), "without saying how far spend may go"),
        (lambda: budget(overshoot=rupiah("1"), mode=Mode.SOFT), "without saying how far"),
        (lambda: budget(amount=rupiah("1"), overshoot=rupiah("1")), "is hard and has an overshoot"),
        (lambda: budget(mode=Mode.NOTIFY, per_request=rupiah("1")), "only notifies, and refuses"),
        (lambda: budget(alerts=(Fraction(1, 2),)), "alerts, and no amount"),
        (lambda: budget(forecast_alerts=(Fraction(1),)), "forecast_alerts, and no amount"),
        (lambda: budget(amount=rupiah("1"), alerts=(Fraction(0),)), "not rising shares"),
        (
            lambda: budget(amount=rupiah("1"), alerts=(Fraction(1), Fraction(1))),
            "not rising shares",
        ),
        (
            lambda: budget(amount=rupiah("1"), forecast_alerts=(Fraction(2), Fraction(1))),
            "forecast_alerts are not rising",
        ),
    ],
)
def test_a_budget_that_contradicts_itself_is_refused_with_what_to_do(
    wrong: Callable[[], Budget], text: str
) -> None:
    with pytest.raises(BadInput) as refused:
        wrong()
    assert text in str(refused.value)
    assert refused.value.remedy != ""


def test_a_budget_in_an_unknown_currency_is_refused() -> None:
    with pytest.raises(BadMoney, match="unknown currency"):
        budget(currency="XYZ")


def test_an_account_is_named_by_the_start_of_its_window_in_utc() -> None:
    jakarta = timezone(timedelta(hours=7))
    name = account_name("team", "user=ani", datetime(2026, 2, 1, tzinfo=jakarta))
    assert name == "budget:team:user=ani:2026-01-31T17:00:00Z"


@pytest.mark.parametrize(("amount", "overshoot"), [("9223373", None), ("9000000", "300000")])
def test_more_than_an_account_holds_is_refused_with_the_largest_amount(
    amount: str, overshoot: str | None
) -> None:
    with pytest.raises(BadInput, match="be spent in a window") as refused:
        Budget(
            id="large",
            window=Window(period=Period.MONTH),
            currency="USD",
            amount=Money.parse(amount, "USD"),
            mode=Mode.HARD if overshoot is None else Mode.SOFT,
            overshoot=None if overshoot is None else Money.parse(overshoot, "USD"),
        )
    assert "9223372.036854775807 USD" in refused.value.remedy


def test_the_largest_amount_is_a_limit() -> None:
    largest = Money(INT64_MAX, "IDR")
    made = Budget(id="large", window=Window(period=Period.MONTH), currency="IDR", amount=largest)
    assert made.amount == largest
