"""Money at its edges: other currencies, other spellings, other languages."""

from datetime import date
from fractions import Fraction

import pytest

from tokonomi.errors import AmountTooLarge, BadMoney
from tokonomi.money import (
    INT64_MAX,
    ExchangeRate,
    Locale,
    Money,
    checked_int64,
    currency_of,
    format_amount,
    format_number,
    format_percent,
    parse_amount,
    round_half_up,
)


@pytest.mark.parametrize(
    ("value", "rounded"), [("0.5", 1), ("-0.5", -1), ("66.25", 66), ("1.4999", 1), ("-1.5", -2)]
)
def test_half_is_rounded_away_from_zero(value: str, rounded: int) -> None:
    assert round_half_up(Fraction(value)) == rounded


def test_a_sub_unit_of_the_dollar_is_a_pico_dollar_and_of_the_rupiah_a_hundred_millionth() -> None:
    assert [currency_of(code).sub_units for code in ("USD", "EUR", "IDR")] == [
        10**12,
        10**12,
        10**8,
    ]


def test_a_currency_that_we_do_not_keep_is_refused_with_those_we_do() -> None:
    with pytest.raises(BadMoney, match=r"unknown currency 'JPY'\. Use one of USD, EUR, IDR"):
        currency_of("JPY")


def test_an_amount_that_fits_no_column_raises_and_does_not_wrap() -> None:
    assert checked_int64(INT64_MAX) == INT64_MAX
    assert checked_int64(-INT64_MAX - 1) == -INT64_MAX - 1
    for wide in (INT64_MAX + 1, -INT64_MAX - 2):
        with pytest.raises(AmountTooLarge, match="do not fit a 64-bit column"):
            checked_int64(wide)


@pytest.mark.parametrize("text", ["", "abc", "NaN", "Infinity", "1,5", "0.0000000000001"])
def test_what_is_no_decimal_of_sub_units_is_refused(text: str) -> None:
    with pytest.raises(BadMoney):
        Money.parse(text, "USD")


def test_two_currencies_are_never_added_or_compared() -> None:
    dollar, rupiah = Money.parse("1", "USD"), Money.parse("16000", "IDR")
    for operation in (Money.__add__, Money.__sub__, Money.__lt__, Money.__le__):
        with pytest.raises(BadMoney, match="cannot be added or compared"):
            operation(dollar, rupiah)


def test_amounts_of_one_currency_add_scale_and_compare() -> None:
    cheap, dear = Money.parse("3.52", "USD"), Money.parse("4.50", "USD")
    assert str(cheap + dear) == "8.02 USD"
    assert str(cheap - dear) == "-0.98 USD"
    assert str(-cheap) == "-3.52 USD"
    assert cheap * 2 == Money.parse("7.04", "USD")
    assert cheap < dear
    assert cheap <= Money.parse("3.520", "USD")


def test_an_exchange_rate_converts_a_total_and_refuses_another_currency() -> None:
    rate = ExchangeRate("USD", "IDR", Fraction(16_000), date(2026, 1, 30), "seed 001")
    assert rate.convert(Money.parse("0.42", "USD")).format("id") == "Rp 6.720"
    assert rate.convert_exactly(Money(1, "USD")) == Fraction(16_000, 10**12)
    with pytest.raises(BadMoney, match="cannot convert EUR"):
        rate.convert(Money.parse("1", "EUR"))


def test_an_exchange_rate_of_nothing_is_refused() -> None:
    with pytest.raises(BadMoney, match="an exchange rate of 0 USD/IDR"):
        ExchangeRate("USD", "IDR", Fraction(0), date(2026, 1, 30), "nowhere")


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "text"),
    [
        ("8.02", "USD", "en", "$8.02"),
        ("1250.5", "USD", "en", "$1,250.50"),
        ("1250.5", "USD", "id", "$1.250,50"),
        ("0.00088", "USD", "en", "$0.00088"),
        ("0.00088", "USD", "id", "$0,00088"),
        ("0", "USD", "en", "$0.00"),
        ("0.1", "USD", "en", "$0.10"),
        ("0.999999", "USD", "en", "$1.00"),
        ("-0.5", "USD", "en", "-$0.50"),
        ("12.5", "EUR", "en", "€12.50"),
        ("27000", "IDR", "id", "Rp 27.000"),
        ("27000.5", "IDR", "id", "Rp 27.001"),
        ("0.25", "IDR", "id", "Rp 0,25"),
        ("0.0000001", "IDR", "id", "Rp 0,0000001"),
    ],
)
def test_an_amount_is_written_as_its_reader_writes_it(
    amount: str, currency: str, locale: Locale, text: str
) -> None:
    assert Money.parse(amount, currency).format(locale) == text


def test_a_rate_column_has_a_fixed_number_of_decimals() -> None:
    assert format_amount(Fraction(20), "IDR", "id", decimals=2) == "Rp 20,00"
    assert format_amount(Fraction("-0.001"), "USD", decimals=2) == "$0.00"


def test_numbers_and_shares_are_rounded_half_up() -> None:
    assert format_percent(Fraction("0.6625"), locale="id") == "66,3%"
    assert format_number(-1_234_567, decimals=0, locale="id") == "-1.234.567"
    assert format_number(Fraction("-0.4"), decimals=0) == "0"


@pytest.mark.parametrize(
    ("text", "locale", "currency", "decimal", "code"),
    [
        ("Rp 27.000", "id", None, "27000", "IDR"),
        ("Rp27.000,50", "id", None, "27000.5", "IDR"),
        ("$1,250.50", "en", None, "1250.5", "USD"),
        ("-$0.00088", "en", None, "-0.00088", "USD"),
        ("16000 IDR", "en", None, "16000", "IDR"),
        ("1.250", "id", "EUR", "1250", "EUR"),
        ("1.250", "en", "EUR", "1.25", "EUR"),
        ("Rp\u00a080.000", "id", "IDR", "80000", "IDR"),
    ],
)
def test_a_written_amount_is_read_in_its_language(
    text: str, locale: Locale, currency: str | None, decimal: str, code: str
) -> None:
    money = parse_amount(text, locale, currency=currency)
    assert (money.decimal(), money.currency) == (decimal, code)


@pytest.mark.parametrize(
    ("text", "locale", "example"),
    [
        ("12.50", "en", r"\$1,250\.50"),
        ("$ 12 Rp", "en", r"\$1,250\.50"),
        ("Rp abc", "id", "Rp 27"),
        ("$1,25", "en", r"\$1,250\.50"),
        ("$12.3.4", "en", r"\$1,250\.50"),
    ],
)
def test_what_is_no_amount_of_one_currency_is_refused(
    text: str, locale: Locale, example: str
) -> None:
    with pytest.raises(BadMoney, match=example):
        parse_amount(text, locale)
