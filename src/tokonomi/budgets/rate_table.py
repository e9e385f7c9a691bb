"""An exchange rate as people write it, and back."""

import re
from datetime import date
from fractions import Fraction
from typing import Final

from tokonomi.errors import BadInput
from tokonomi.money import ExchangeRate

_RATE: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


def rate_from_text(base: str, quote: str, text: str, *, on: date, source: str) -> ExchangeRate:
    """The rate that a person states: 1 `base` is `text` `quote`.

    Raises:
        BadInput: not a decimal number above 0, one currency twice, or no source.
    """
    if not _RATE.fullmatch(text) or Fraction(text) == 0 or base == quote:
        raise BadInput(
            f"1 {base} = {text} {quote} is no exchange rate",
            remedy="Name two currencies and a number above 0, as USD IDR 16000.",
        )
    if not source.strip():
        raise BadInput(
            f"the rate {base}/{quote} has no source", remedy="Say where you read it, with --source."
        )
    return ExchangeRate(base, quote, Fraction(text), on, source)


def decimal_text(rate: Fraction) -> str:
    """A rate as the decimal that stated it.

    >>> decimal_text(Fraction("16712.5"))
    '16712.5'
    """
    scaled = rate * 10**12
    whole, part = divmod(scaled.numerator // scaled.denominator, 10**12)
    digits = f"{part:012d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
