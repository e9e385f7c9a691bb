"""Every figure that a seed document states and that is right comes out of a template."""

import os
import re
import runpy
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from told_figures import SAID

from tokonomi.money import round_half_up
from tokonomi.plans import Plan

DOCS = Path(__file__).parents[2] / "docs" / "why"
WRITER = runpy.run_path(str(DOCS / "write_seed_figures.py"))
FIGURES: dict[str, Mapping[str, Any]] = {figure["id"]: figure for figure in WRITER["figures"]()}
STATED = sorted(
    name for name, figure in FIGURES.items() if figure["kind"] == "stated" and figure["agrees"]
)
WRONG = sorted(name for name, figure in FIGURES.items() if figure["agrees"] is False)
SHARED = Path(
    os.environ.get("TOKONOMI_SHARED_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")
)
MONEY = 12
"""Amounts in tables end at a sub-unit, so that a quotient agrees to that many decimals."""


def exact(name: str) -> Fraction:
    return WRITER["exact_value"](FIGURES[name])


def test_every_figure_that_is_stated_and_right_is_asked_of_a_plan() -> None:
    assert [name for name in STATED if name not in SAID] == []
    assert len(STATED) == 85


@pytest.mark.parametrize("name", STATED)
def test_a_stated_figure_comes_out_of_a_plan_after_rounding_half_up(name: str) -> None:
    stated = Decimal(FIGURES[name]["seed_value"])
    decimals = -int(stated.as_tuple().exponent)
    assert round_half_up(SAID[name]() * 10**decimals) == stated * 10**decimals


@pytest.mark.parametrize("name", sorted(SAID))
def test_a_plan_says_the_exact_value_of_a_figure(name: str) -> None:
    said, wanted = SAID[name](), exact(name)
    assert round_half_up(said * 10**MONEY) == round_half_up(wanted * 10**MONEY) or (
        abs(said / wanted - 1) < Fraction(1, 10**8)
    )


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_the_formula_of_a_figure_gives_its_exact_value(name: str) -> None:
    found, listed = exact(name), Fraction(FIGURES[name]["exact_fraction"])
    # The list made two of its quotients (003-064 and 003-065) in binary fractions.
    assert found == listed or abs(found / listed - 1) < Fraction(1, 10**15)


def test_the_page_of_wrong_figures_lists_each_of_them_and_no_other() -> None:
    page = (DOCS / "seed-figures.md").read_text("utf-8")
    assert page == WRITER["page"]()
    assert sorted(re.findall(r"^\| ([\w-]+):", page, re.MULTILINE)) == WRONG
    assert len(WRONG) == 50


def test_the_list_of_figures_is_the_one_that_was_handed_over() -> None:
    handed = SHARED / "seeds"
    if not handed.is_dir():
        pytest.skip("the data that came with the task is not here")
    for path in (Path(__file__).parent / "figures").iterdir():
        assert path.read_bytes() == (handed / path.name).read_bytes()


@pytest.mark.parametrize("users", [0, 250, 500, 1_000, 12_345])
def test_the_coaching_app_grows_with_its_users_exactly(users: int) -> None:
    plan = Plan.template("coaching-app").with_values({"volume.users": str(users)})
    assert plan.month.cost.fraction() == Fraction("8.02") * users / 500
