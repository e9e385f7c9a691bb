"""A scenario sells packages of its own; what is wrong with them is told by line."""

from fractions import Fraction
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from scenarios import SHOP

from tokonomi.errors import BadPlan
from tokonomi.plan.credit_costs import Shop
from tokonomi.plan.json_schema import json_schema
from tokonomi.plans import Plan

SCHEMA: Any = Draft202012Validator(json_schema())
PACKAGE: dict[str, str | int] = {
    "id": "starter",
    "name": "Starter",
    "credits": 40,
    "price": "10000",
    "currency": "IDR",
    "source": "our list",
}
OWN = SHOP.replace('["paper"]', '["starter"]')
NO_CREDITS = SHOP.partition("[credits]")[0] + "[[cost]]\nname = 'Rent'\namount = 1\n"


def package(**changed: str | int) -> str:
    stated = PACKAGE | changed
    return "[[package]]\n" + "".join(f"{key} = {value!r}\n" for key, value in stated.items())


def shop(text: str) -> Shop:
    found = Plan.of(text).shop
    assert found is not None
    return found


def told(text: str) -> str:
    with pytest.raises(BadPlan) as raised:
        _ = Plan.of(text).scenario
    return str(raised.value)


def test_a_scenario_sells_its_own_packages() -> None:
    sold = shop(OWN + package())
    [starter] = sold.packages
    assert (starter.name, sold.revenue(starter)) == ("Starter", 10_000)
    assert sold.mixed(starter, Fraction(1, 2)).tokens == 40_000
    rows = Plan.of(OWN + package()).sections()["margins"].rows
    assert {row[0] for row in rows} == {"Starter"}


def test_a_credit_of_ones_own_holds_for_bundled_packages_and_own_ones() -> None:
    credit = '[credit]\ntokens = 500\nweights = { output = "4" }\n'
    for text in (SHOP + credit, OWN + package(credits=300) + credit):
        sold = shop(text)
        [sole] = sold.packages
        assert sold.mixed(sole, Fraction(0)).tokens == 150_000
        assert sold.mixed(sole, Fraction(1)).tokens == 37_500


def test_a_price_of_ones_own_is_tried_out_by_its_path() -> None:
    plan = Plan.of(OWN + package()).with_values({"package.starter.price": "25000"})
    assert plan.shop is not None
    assert plan.shop.packages[0].price.decimal() == "25000"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            OWN + package(prise=5),
            'scenario.toml:25: unknown key "prise". Did you mean "price"?',
        ),
        (
            OWN + "[credit]\nwieghts = {}\n",
            'scenario.toml:19: unknown key "wieghts". Did you mean "weights"?',
        ),
        (
            OWN + package().replace("credits = 40\n", ""),
            'scenario.toml:18: package[0] lacks "credits". Add credits.',
        ),
        (
            OWN + package(credits=0),
            'scenario.toml:18: [[package]]: package "starter" of 0 credits for 10000 IDR',
        ),
        (OWN + package(price="dear"), "scenario.toml:18: 'dear' is not a decimal amount"),
        (
            OWN + package(price=0),
            'scenario.toml:18: package "starter" is free, so it has no margin. Give it a price',
        ),
        (OWN + "[credit]\ntokens = 0\n" + package(), "scenario.toml:18: "),
        (OWN + package() * 2, "scenario.toml:25: [[package]] has two packages starter"),
        (
            OWN + package() + "[credit]\nweights = { output = 'heavy' }\n",
            "scenario.toml:25: the weight of output is 'heavy'",
        ),
        (
            OWN.replace("starter", "startr") + package(),
            'scenario.toml:15: no package is called "startr". Did you mean "starter"?',
        ),
        (NO_CREDITS + package(), "scenario.toml:17: package is stated, and nothing sells it"),
        (NO_CREDITS + "[credit]\n", "scenario.toml:17: credit is stated, and nothing sells it"),
    ],
)
def test_what_is_wrong_with_own_packages_is_told_by_line(text: str, says: str) -> None:
    assert told(text).startswith(f"bad_plan: {says}")


def test_the_schema_knows_own_packages() -> None:
    plan = {"plan": {"name": "t", "at": "2026-01-30"}, "credit": {"weights": {"output": "8"}}}
    assert list(SCHEMA.iter_errors(plan | {"package": [PACKAGE]})) == []
    [wrong] = SCHEMA.iter_errors(plan | {"package": [PACKAGE | {"prise": 5}]})
    assert "'prise' was unexpected" in wrong.message
