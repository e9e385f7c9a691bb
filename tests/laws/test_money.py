"""Laws of money: writing and reading are inverses, and rounding happens once."""

from datetime import date
from fractions import Fraction
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from tokonomi.money import (
    CURRENCIES,
    ExchangeRate,
    Locale,
    Money,
    format_amount,
    parse_amount,
    round_half_up,
)

codes = st.sampled_from([*CURRENCIES])
locales = st.sampled_from(get_args(Locale))
moneys = st.builds(Money, st.integers(-(10**24), 10**24), codes)
fractions = st.fractions(max_denominator=10**6)


@given(moneys)
def test_a_decimal_string_is_read_back_as_the_same_amount(money: Money) -> None:
    assert Money.parse(money.decimal(), money.currency) == money


@given(moneys, locales)
def test_a_full_amount_is_read_back_in_each_language(money: Money, locale: Locale) -> None:
    exponent = CURRENCIES[money.currency].exponent
    text = format_amount(money.fraction(), money.currency, locale, decimals=exponent)
    assert parse_amount(text, locale) == money


@given(st.lists(st.integers(-(10**20), 10**20), min_size=1), codes)
def test_the_order_of_adding_never_matters(amounts: list[int], code: str) -> None:
    total = Money(0, code)
    for amount in sorted(amounts):
        total += Money(amount, code)
    assert total == Money(sum(amounts), code)
    assert total - total == Money(0, code)


@given(fractions)
def test_rounding_moves_by_at_most_a_half_and_mirrors_at_zero(value: Fraction) -> None:
    assert abs(round_half_up(value) - value) <= Fraction(1, 2)
    assert round_half_up(-value) == -round_half_up(value)


@given(moneys, locales)
def test_what_is_shown_is_never_zero_for_an_amount_that_is_not(
    money: Money, locale: Locale
) -> None:
    shown = money.format(locale)
    assert (money.sub_units == 0) == (not any(digit in shown for digit in "123456789"))


@given(st.lists(st.integers(-(10**18), 10**18)), st.fractions(1, 20_000, max_denominator=100))
def test_a_total_is_converted_with_one_rounding(amounts: list[int], rate: Fraction) -> None:
    exchange = ExchangeRate("USD", "IDR", rate, date(2026, 1, 30), "a law")
    exact = sum((exchange.convert_exactly(Money(each, "USD")) for each in amounts), Fraction(0))
    converted = exchange.convert(Money(sum(amounts), "USD"))
    assert abs(converted.fraction() - exact) <= Fraction(1, 2 * 10**8)
