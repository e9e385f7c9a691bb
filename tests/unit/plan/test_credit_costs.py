"""What packages of credits cost: mixes, worst cases, break-even, weights."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenarios import SHOP

from tokonomi.credits.package import offer_from_toml
from tokonomi.errors import BadPlan, NotFound
from tokonomi.money import Locale
from tokonomi.plan.credit_costs import Shop, tokens_of
from tokonomi.plans import Plan
from tokonomi.reports.words import note_text
from tokonomi.storage.price_files import load_book

FALLBACK = "seed-001/gpt-5.1"
shares = st.fractions(0, 1, max_denominator=100)


def shop(extra: str = "", *, weights: str = "") -> Shop:
    offer = offer_from_toml(
        f"[credit]\ntokens = 1000\n{weights}\n[[package]]\nid = 'paper'\nname = 'Paper'\n"
        "credits = 300\nprice = '80000'\ncurrency = 'IDR'\nsource = 's'\n",
        name="p.toml",
    )
    found = Plan(Plan.of(SHOP + extra).document, load_book(), offer).shop
    assert found is not None
    return found


@given(shares)
def test_no_mix_costs_more_than_the_worst_one(share: Fraction) -> None:
    sold = shop()
    [paper] = sold.packages
    assert sold.cost(paper, FALLBACK, share).total <= sold.worst(paper, FALLBACK)[1].total


@given(shares)
def test_no_mix_costs_more_than_the_worst_one_under_weights_either(share: Fraction) -> None:
    sold = shop(weights="weights = { output = '12' }")
    [paper] = sold.packages
    mix, worst = sold.worst(paper, FALLBACK)
    assert mix == 0, "output counts more than it costs, so input alone is the worst"
    assert sold.cost(paper, FALLBACK, share).total <= worst.total


def test_the_worst_case_has_the_most_hidden_tokens_and_the_usual_one_their_mean() -> None:
    sold = Plan.template("paper-credits").shop
    assert sold is not None
    paper = sold.packages[0]
    assert sold.worst(paper, "seed-001/o3")[1].total == 384_000
    mean = sold.cost(paper, "seed-001/o3", Fraction(1)).total
    assert mean == sold.cost(paper, "seed-001/o3", Fraction(1), hidden=Fraction(5)).total == 230_400


@pytest.mark.parametrize("weights", ["", "weights = { output = '2' }"])
def test_at_the_break_even_mix_a_package_costs_what_it_brings(weights: str) -> None:
    hidden = '[credits.reasoning_per_output]\n"seed-001/gpt-5.1" = 9\n'
    sold = shop(hidden, weights=weights)
    [paper] = sold.packages
    mix = sold.break_even_mix(paper, FALLBACK)
    assert mix is not None
    assert sold.cost(paper, FALLBACK, mix).total == sold.revenue(paper) == 80_000


def test_a_package_that_always_earns_has_no_break_even_mix() -> None:
    sold = shop()
    assert sold.break_even_mix(sold.packages[0], FALLBACK) is None


def test_output_that_counts_more_leaves_fewer_tokens() -> None:
    mix = tokens_of(
        300_000, shop(weights="weights = { output = '3' }").offer.weights, Fraction(1, 2)
    )
    assert (mix.input_tokens, mix.output_tokens) == (75_000, 75_000)


def test_tokens_that_use_up_no_credits_are_refused() -> None:
    weights = shop(weights="weights = { uncached_input = '0' }").offer.weights
    with pytest.raises(BadPlan, match="a package would never end"):
        tokens_of(1, weights, Fraction(0))


def test_a_price_for_a_margin_is_rounded_up_to_its_step() -> None:
    sold = shop("price_step = 500\n")
    assert sold.price_for(Fraction(27_000), Fraction(7, 10)) == 90_000
    assert sold.price_for(Fraction(27_001), Fraction(7, 10)) == 90_500


def test_a_package_that_is_not_on_sale_is_told_with_those_that_are() -> None:
    sold = shop().terms
    with pytest.raises(NotFound, match="papr"):
        _ = Shop(
            Plan.of(SHOP.replace('["paper"]', '["papr"]')).scenario,
            Plan.of(SHOP.replace('["paper"]', '["papr"]')).scenario.credits or sold,
            shop().offer,
            shop().prices,
        ).packages


def test_a_target_margin_of_the_whole_price_is_refused() -> None:
    with pytest.raises(BadPlan, match="a target margin of 100%, which no price reaches"):
        _ = Plan.of(SHOP + 'target_margin = "100%"\n').scenario


def test_tables_that_a_scenario_asks_nothing_of_are_left_out() -> None:
    sections = [*Plan.of(SHOP).sections()]
    assert sections == [
        *("summary", "rates", "packages", "margins", "mixes", "limits", "candidates"),
    ]


def test_a_package_in_the_currency_of_the_prices_has_no_exchange_rate_to_break_even() -> None:
    sold = shop()
    [paper] = sold.packages
    dollars = Plan.of(SHOP.replace('currency = "IDR"', 'currency = "USD"')).shop
    assert sold.break_even_rate(paper, FALLBACK) == Fraction(80_000, Fraction("1.6875"))
    assert dollars is not None
    assert dollars.break_even_rate(dollars.packages[0], FALLBACK) is None


@pytest.mark.parametrize(
    ("locale", "says"),
    [
        ("en", "The target is a margin of 70.0%; prices are rounded up to Rp 1,000."),
        ("id", "Targetnya margin 70,0%; harga dibulatkan ke atas per Rp 1.000."),
    ],
)
def test_prices_for_a_margin_say_which_one_and_their_step(locale: Locale, says: str) -> None:
    [note] = Plan.template("paper-credits").sections()["prices"].notes
    assert note_text(note, locale) == says
