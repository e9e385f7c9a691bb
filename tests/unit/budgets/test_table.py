"""Budgets as people write them."""

import tomllib
from fractions import Fraction

import pytest

from tokonomi.budgets.limit import Budget, Mode
from tokonomi.budgets.scope import Scope
from tokonomi.budgets.table import (
    budget_from_table,
    budget_to_table,
    share_from_text,
    share_to_text,
)
from tokonomi.budgets.window import Period, Window
from tokonomi.errors import BadInput
from tokonomi.money import Money

ZONES = {"UTC", "Asia/Jakarta", "Europe/Berlin"}
WRITTEN = """
id = "growth-users"
name = "Growth, per user"
scope = { feature = "growth", "tag:plan" = "pro" }
each = ["user"]
window = "month"
starts = 31
zone = "Asia/Jakarta"
currency = "IDR"
amount = "500000"
mode = "soft"
overshoot = "50000.5"
per_request = 2000
alerts = ["100%", "87.5%", "1/3"]
forecast_alerts = ["100 %"]
across_projects = true
"""
GROWTH = Budget(
    id="growth-users",
    name="Growth, per user",
    scope=Scope(only=(("feature", "growth"), ("tag:plan", "pro")), each=("user",)),
    window=Window(period=Period.MONTH, month_day=31),
    zone="Asia/Jakarta",
    currency="IDR",
    amount=Money.parse("500000", "IDR"),
    mode=Mode.SOFT,
    overshoot=Money.parse("50000.5", "IDR"),
    per_request=Money.parse("2000", "IDR"),
    alerts=(Fraction(1, 3), Fraction(7, 8), Fraction(1)),
    forecast_alerts=(Fraction(1),),
    across_projects=True,
)
SMALLEST = {"id": "team", "window": "day", "currency": "USD"}


def test_a_table_with_everything_reads_as_the_budget_it_states() -> None:
    assert budget_from_table(tomllib.loads(WRITTEN), zones=ZONES) == GROWTH


def test_a_budget_writes_itself_as_a_plain_table() -> None:
    assert budget_to_table(GROWTH) == {
        "id": "growth-users",
        "name": "Growth, per user",
        "scope": {"feature": "growth", "tag:plan": "pro"},
        "each": ["user"],
        "window": "month",
        "starts": 31,
        "zone": "Asia/Jakarta",
        "currency": "IDR",
        "amount": "500000",
        "mode": "soft",
        "overshoot": "50000.5",
        "per_request": "2000",
        "alerts": ["1/3", "87.5%", "100%"],
        "forecast_alerts": ["100%"],
        "across_projects": True,
    }


def test_the_smallest_table_has_no_limit() -> None:
    budget = budget_from_table(SMALLEST, zones=ZONES)
    assert budget == Budget(id="team", window=Window(period=Period.DAY), currency="USD")
    assert budget_to_table(budget) == {**SMALLEST, "zone": "UTC", "mode": "hard"}


def test_a_limit_of_nothing_survives_being_written() -> None:
    nothing = budget_from_table({**SMALLEST, "amount": 0}, zones=ZONES)
    assert nothing.amount == Money(0, "USD")
    assert budget_to_table(nothing)["amount"] == "0"


def test_a_week_starts_on_a_day_by_its_name() -> None:
    table = {**SMALLEST, "window": "week", "starts": "friday"}
    budget = budget_from_table(table, zones=ZONES)
    assert budget.window == Window(period=Period.WEEK, weekday=4)
    assert budget_to_table(budget)["starts"] == "friday"


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"amuont": "5"}, 'unknown field `amuont`. Did you mean "amount"?'),
        ({"window": "montly"}, 'budget team, window: there is no "montly". Did you mean "month"?'),
        ({"window": ""}, 'there is no "". Use one of hour, day, week, month, lifetime.'),
        ({"mode": "sotf"}, 'Did you mean "soft"?'),
        ({"mode": "strict"}, 'mode: there is no "strict". Use one of hard, soft, notify.'),
        ({"amount": 12.5}, 'Write amounts as text, "12.50", so that they stay exact.'),
        ({"amount": True}, "See docs/reference/budgets.md"),
        ({"amount": "much"}, "'much' is not a decimal amount"),
        ({"zone": "Asia/Jakrta"}, 'no time zone is called "Asia/Jakrta". Did you mean "Asia/Jak'),
        ({"zone": "x"}, 'Write it like "Asia/Jakarta".'),
        ({"window": "week", "starts": "fryday"}, 'is no day to start on. Did you mean "friday"?'),
        ({"window": "week", "starts": 3}, "does not begin on a chosen day"),
        ({"window": "month", "starts": 32}, "32 is no day of a month"),
        ({"scope": {"usr": "ani"}}, 'Did you mean "user"?'),
        ({"alerts": ["80"], "amount": "1"}, '"80" is not a share. Write "80%"'),
        ({"alerts": [0.8], "amount": "1"}, "budget team, alerts[0]: Expected `str`, got `float`"),
        ({"currency": 5}, "budget team, currency: Expected `str`, got `int`"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place_and_what_was_meant(
    changed: dict[str, object], text: str
) -> None:
    with pytest.raises(BadInput) as wrong:
        budget_from_table({**SMALLEST, **changed}, zones=ZONES)
    assert text in str(wrong.value)


@pytest.mark.parametrize("missing", ["id", "window", "currency"])
def test_a_table_that_leaves_a_needed_key_out_is_told_to_add_it(missing: str) -> None:
    table = {key: value for key, value in SMALLEST.items() if key != missing}
    with pytest.raises(BadInput, match=f"Add {missing}"):
        budget_from_table(table, zones=ZONES)


@pytest.mark.parametrize("text", ["80", "80 percent", "1/0", "-5%", "1e2%", "", "٨٠%"])
def test_a_text_that_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a share"):
        share_from_text(text)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(4, 5), "80%"),
        (Fraction(7, 8), "87.5%"),
        (Fraction(3, 2), "150%"),
        (Fraction(1, 3), "1/3"),
        (Fraction(1, 10**11), "0.000000001%"),
    ],
)
def test_a_share_is_written_as_a_percentage_where_that_is_short(share: Fraction, text: str) -> None:
    assert (share_to_text(share), share_from_text(text)) == (text, share)
