"""Exact money: integer sub-units of a currency, rounded once, half-up, for a reader."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache
from typing import Final, Literal

import msgspec

from tokonomi.errors import AmountTooLarge, BadMoney

Locale = Literal["en", "id"]

INT64_MAX: Final = 2**63 - 1
INT64_MIN: Final = -(2**63)


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency, its smallest stored part, and how people write it.

    Attributes:
        code: ISO 4217 code.
        exponent: a stored sub-unit is 10**-exponent of the currency (USD 12: one pico-dollar).
        symbol: what is printed beside the number.
        spaced: whether a space stands between symbol and number (`Rp 27.000`, `$8.02`).
        decimals: decimals of a printed total; small amounts show more (see `Money.format`).
    """

    code: str
    exponent: int
    symbol: str
    spaced: bool
    decimals: int

    @property
    def sub_units(self) -> int:
        """Sub-units in one whole unit of the currency."""
        return 10**self.exponent


CURRENCIES: Final = {
    currency.code: currency
    for currency in (
        Currency("USD", 12, "$", spaced=False, decimals=2),
        Currency("EUR", 12, "€", spaced=False, decimals=2),
        Currency("IDR", 8, "Rp", spaced=True, decimals=0),
    )
}


@cache
def currency_of(code: str) -> Currency:
    """The currency with this code.

    Raises:
        BadMoney: the code is not one that we keep exact sub-units for.
    """
    try:
        return CURRENCIES[code]
    except KeyError:
        known = ", ".join(CURRENCIES)
        raise BadMoney(f"unknown currency {code!r}", remedy=f"Use one of {known}.") from None


def round_half_up(value: Fraction) -> int:
    """The nearest integer; a tie goes away from zero.

    >>> round_half_up(Fraction(6625, 100)), round_half_up(Fraction(-5, 2))
    (66, -3)
    """
    doubled = 2 * abs(value.numerator) + value.denominator
    magnitude = doubled // (2 * value.denominator)
    return magnitude if value >= 0 else -magnitude


def checked_int64(sub_units: int) -> int:
    """The same number, if a 64-bit column can hold it.

    Raises:
        AmountTooLarge: it cannot; columns raise here and never wrap.
    """
    if INT64_MIN <= sub_units <= INT64_MAX:
        return sub_units
    raise AmountTooLarge(
        f"{sub_units} sub-units do not fit a 64-bit column (limit {INT64_MAX})",
        remedy="Check the token counts and the price row; totals are summed in 128 bits.",
    )


class Money(msgspec.Struct, frozen=True):
    """An exact amount: `sub_units` of 10**-exponent of `currency` each.

    >>> Money.parse("0.00088", "USD").sub_units
    880000000
    >>> str(Money.parse("3.52", "USD") + Money.parse("4.50", "USD"))
    '8.02 USD'
    """

    sub_units: int
    currency: str

    @classmethod
    def parse(cls, text: str, currency: str) -> "Money":
        """The amount that a decimal string states, such as `"0.00088"`.

        Raises:
            BadMoney: not a decimal number, or finer than a sub-unit, or an unknown currency.
        """
        unit = currency_of(currency)
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            raise BadMoney(f"{text!r} is not a decimal amount", remedy="Write it like 12.50.")
        scaled = Fraction(value) * unit.sub_units
        if scaled.denominator != 1:
            raise BadMoney(f"{text} {currency} is finer than 1e-{unit.exponent}")
        return cls(scaled.numerator, currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.sub_units + self._same(other).sub_units, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.sub_units - self._same(other).sub_units, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.sub_units, self.currency)

    def __mul__(self, count: int) -> "Money":
        return Money(self.sub_units * count, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.sub_units < self._same(other).sub_units

    def __le__(self, other: "Money") -> bool:
        return self.sub_units <= self._same(other).sub_units

    def __str__(self) -> str:
        return f"{self.decimal()} {self.currency}"

    def _same(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise BadMoney(
                f"{self.currency} and {other.currency} cannot be added or compared",
                remedy="Convert one of them at a dated exchange rate first.",
            )
        return other

    def fraction(self) -> Fraction:
        """The amount in whole units of the currency, exactly."""
        return Fraction(self.sub_units, currency_of(self.currency).sub_units)

    def decimal(self) -> str:
        """The exact amount as a plain decimal string without trailing zeros: the form on wires.

        >>> Money(880_000_000, "USD").decimal(), Money(27_000 * 10**8, "IDR").decimal()
        ('0.00088', '27000')
        """
        unit = currency_of(self.currency)
        digits = str(abs(self.sub_units)).zfill(unit.exponent + 1)
        whole, part = digits[: -unit.exponent], digits[-unit.exponent :].rstrip("0")
        sign = "-" if self.sub_units < 0 else ""
        return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"

    def format(self, locale: Locale = "en") -> str:
        """The amount as a person reads it, rounded once, half-up.

        Totals have the currency's usual decimals; an amount smaller than that shows its first
        significant digits instead of a false zero (see `format_amount`).

        >>> Money.parse("27000", "IDR").format("id"), Money.parse("0.00088", "USD").format()
        ('Rp 27.000', '$0.00088')
        """
        return format_amount(self.fraction(), self.currency, locale)


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """How many units of `quote` one unit of `base` buys on a day, with where that was read.

    >>> rate = ExchangeRate("USD", "IDR", Fraction(16_000), date(2026, 1, 30), "seed 001")
    >>> rate.convert(Money.parse("1.6875", "USD")).format("id")
    'Rp 27.000'
    """

    base: str
    quote: str
    rate: Fraction
    on: date
    source: str

    def __post_init__(self) -> None:
        currency_of(self.base)
        currency_of(self.quote)
        if self.rate <= 0:
            raise BadMoney(f"an exchange rate of {self.rate} {self.base}/{self.quote}")

    def convert_exactly(self, money: Money) -> Fraction:
        """The amount in whole units of `quote`, exactly; sum these, then round once.

        Raises:
            BadMoney: the amount is not in `base`.
        """
        if money.currency != self.base:
            raise BadMoney(f"a {self.base}/{self.quote} rate cannot convert {money.currency}")
        return money.fraction() * self.rate

    def convert(self, money: Money) -> Money:
        """The amount in `quote`, rounded half-up to its sub-unit.

        For one total; converting parts and adding them would round each of them.
        """
        exact = self.convert_exactly(money) * currency_of(self.quote).sub_units
        return Money(round_half_up(exact), self.quote)


SIGNIFICANT_DIGITS: Final = 3
_SEPARATORS: Final = {"en": (",", "."), "id": (".", ",")}


def _grouped(value: Fraction, decimals: int, locale: Locale) -> str:
    thousands, point = _SEPARATORS[locale]
    scaled = round_half_up(abs(value) * 10**decimals)
    whole, part = divmod(scaled, 10**decimals)
    text = f"{whole:,}".replace(",", thousands)
    return f"{text}{point}{part:0{decimals}d}" if decimals else text


def format_number(value: Fraction | int, *, decimals: int, locale: Locale = "en") -> str:
    """A number with grouped thousands, rounded half-up to `decimals`.

    >>> format_number(Fraction("1234.5"), decimals=0, locale="id")
    '1.235'
    """
    exact = Fraction(value)
    text = _grouped(exact, decimals, locale)
    return f"-{text}" if exact < 0 and round_half_up(exact * 10**decimals) else text


def format_percent(ratio: Fraction, *, decimals: int = 1, locale: Locale = "en") -> str:
    """A ratio as a percentage, rounded half-up: 0.6625 is 66.3 %, not Python's 66.2.

    >>> format_percent(Fraction("0.6625"), locale="id"), format_percent(Fraction("0.6625"))
    ('66,3%', '66.3%')
    """
    return f"{format_number(ratio * 100, decimals=decimals, locale=locale)}%"


def format_amount(
    value: Fraction, currency: str, locale: Locale = "en", *, decimals: int | None = None
) -> str:
    """An exact amount as a person reads it.

    With `decimals` the number of decimals is fixed (a rate column, an invoice). Without it, an
    amount shows the currency's own decimals, and one that is smaller than one whole unit shows as
    many as its first three significant digits need, so that $0.00088 never reads $0.00.

    >>> format_amount(Fraction("8.02"), "USD"), format_amount(Fraction("0.0000005"), "USD")
    ('$8.02', '$0.0000005')
    >>> format_amount(Fraction(20), "IDR", "id", decimals=2)
    'Rp 20,00'
    """
    unit = currency_of(currency)
    readable = decimals is None
    text = _readable(value, unit, locale) if readable else _grouped(value, decimals, locale)
    sign = "-" if value < 0 and re.search(r"[1-9]", text) else ""
    return f"{sign}{unit.symbol}{' ' if unit.spaced else ''}{text}"


def _readable(value: Fraction, unit: Currency, locale: Locale) -> str:
    magnitude = abs(value)
    if magnitude == 0 or magnitude >= 1:
        return _grouped(value, unit.decimals, locale)
    leading_zeros = 0
    while magnitude * 10 ** (leading_zeros + 1) < 1:
        leading_zeros += 1
    decimals = max(unit.decimals, leading_zeros + SIGNIFICANT_DIGITS)
    text = _grouped(value, decimals, locale)
    spare = len(text) - len(text.rstrip("0"))
    trimmed = text[: len(text) - min(spare, decimals - unit.decimals)]
    return trimmed.rstrip(",.")


_GROUPS: Final = {
    "en": re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?"),
    "id": re.compile(r"(\d{1,3}(?:\.\d{3})+|\d+)(?:,(\d+))?"),
}


def parse_amount(text: str, locale: Locale = "en", *, currency: str | None = None) -> Money:
    """The amount that a person wrote: `Rp 27.000`, `$0.00088`, `-$1,250.50`, `16000 IDR`.

    The currency comes from the symbol or the code in the text, else from `currency`. The
    separators are those of `locale`: `1.250` is a thousand and more in Indonesian, and one and a
    quarter in English.

    Raises:
        BadMoney: no number, no currency, two currencies, or finer than a sub-unit.

    >>> parse_amount("Rp 27.000", "id").decimal(), parse_amount("$0.00088").decimal()
    ('27000', '0.00088')
    """
    rest = text.replace("\u00a0", " ").strip()
    negative = rest.startswith("-")
    rest = rest.removeprefix("-").strip()
    named: set[str] = set()
    for unit in CURRENCIES.values():
        for mark in (unit.code, unit.symbol):
            if rest.startswith(mark):
                rest, named = rest.removeprefix(mark).strip(), named | {unit.code}
            elif rest.endswith(mark):
                rest, named = rest.removesuffix(mark).strip(), named | {unit.code}
    if currency is not None:
        named.add(currency_of(currency).code)
    match = _GROUPS[locale].fullmatch(rest)
    if match is None or len(named) != 1:
        raise _no_amount(text, locale, currency)
    thousands, _ = _SEPARATORS[locale]
    whole, part = match[1].replace(thousands, ""), match[2] or "0"
    return Money.parse(f"{'-' if negative else ''}{whole}.{part}", named.pop())


def _no_amount(text: str, locale: Locale, currency: str | None) -> BadMoney:
    """What is told of a text that is no amount, or none in the currency that it must be in."""
    if currency is None:
        example = "Rp 27.000 or $ 0,00088" if locale == "id" else "$1,250.50 or 27000 IDR"
        return BadMoney(f"{text!r} is not an amount of one currency", remedy=f"Write {example}.")
    amount = format_amount(Fraction(1250), currency, locale)
    return BadMoney(f"{text!r} is not an amount in {currency}", remedy=f'Write it like "{amount}".')
