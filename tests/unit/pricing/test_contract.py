"""Discounts compile to concrete rows, dated and by meter."""

from datetime import UTC, datetime

import pytest

from tokonomi.errors import BadPrices
from tokonomi.pricing.contract import compile_contract, discounted
from tokonomi.pricing.price_file import read_contract_file
from tokonomi.pricing.row import Comparator, ContextTier, Meter, PriceRow, Rate

PER_MILLION = 1_000_000


def rate(text: str) -> Rate:
    return Rate.of(text, per=PER_MILLION, currency="USD")


BASE = PriceRow(
    "base",
    "p",
    "m",
    "USD",
    "a page",
    {Meter.INPUT: rate("1.25"), Meter.OUTPUT: rate("10")},
    context_tiers=(ContextTier(200_000, Comparator.ABOVE, {Meter.INPUT: rate("2.50")}),),
)


def discount(told: str) -> str:
    return f'[[discount]]\nprovider = "p"\nmodel = "m"\nsource = "terms"\n{told}\n'


def lowered(text: str) -> list[PriceRow]:
    contract = compile_contract("c.toml", read_contract_file(text, "c.toml"))
    return [*discounted([BASE], [d for d in contract.discounts if d.covers("p", "m")])]


def test_a_discount_lowers_the_tiers_as_well() -> None:
    (row,) = lowered(discount('off = "20%"'))
    assert row.rates[Meter.OUTPUT].text == "8"
    assert row.context_tiers[0].rates[Meter.INPUT].text == "2"


def test_a_discount_on_one_meter_leaves_the_others() -> None:
    (row,) = lowered(discount('factor = "0.5"\nmeters = ["output"]'))
    assert {meter: each.text for meter, each in row.rates.items()} == {
        Meter.INPUT: "1.25",
        Meter.OUTPUT: "5",
    }


def test_discounts_do_not_stack_and_the_last_one_in_the_file_applies() -> None:
    both = discount('off = "50%"') + discount('off = "10%"\nfrom = 2026-03-01\nto = 2026-04-01')
    rows = lowered(both)
    assert [(f"{row.valid_from:%m-%d}", row.rates[Meter.OUTPUT].text) for row in rows] == [
        ("01-01", "5"),
        ("03-01", "9"),
        ("04-01", "5"),
    ]
    assert rows[1].source == "terms, on a page"
    assert rows[0].valid_to == rows[1].valid_from == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_discounted_figure_is_exact_however_long() -> None:
    (row,) = lowered(discount('factor = "0.123456789012345678901234567890"'))
    assert row.rates[Meter.OUTPUT].text == "1.2345678901234567890123456789"
    assert row.rates[Meter.OUTPUT].exact is False


def test_without_a_valid_discount_no_row_comes_back() -> None:
    assert lowered(discount('off = "50%"').replace('"m"', '"other"')) == []
    ended = [
        row
        for row in lowered(discount('off = "5%"\nto = 2026-01-01'))
        if row.valid_to > datetime(2026, 1, 1, tzinfo=UTC)
    ]
    assert ended == []


@pytest.mark.parametrize(
    "told",
    [
        "",
        'off = "10%"\nfactor = "0.9"',
        'off = "10"',
        'off = "ten%"',
        'off = "100%"',
        'off = "-5%"',
        'factor = "1.2"',
        'factor = "0"',
        'factor = "1.1.1"',
    ],
)
def test_a_discount_that_is_none_is_refused(told: str) -> None:
    with pytest.raises(BadPrices, match="do not state one discount"):
        lowered(discount(told))


def test_a_discount_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadPrices, match="ends before it begins"):
        lowered(discount('off = "10%"\nfrom = 2026-02-01\nto = 2026-01-01'))
