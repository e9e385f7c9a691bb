"""Amounts in tables: as people of a language read them, or exact for machines."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final

from tokonomi.credits.grant import credits_to_text
from tokonomi.credits.weights import MILLI
from tokonomi.money import Locale, Money, format_number
from tokonomi.reports.forms import FOR_PEOPLE, Form

CREDIT: Final = "CREDIT"


@dataclass(frozen=True, slots=True)
class Wording:
    """How the amounts of one table are written.

    Machines get plain decimals, with the currency in a column of its own; people get them as their
    language writes them, and no such column.
    """

    form: Form = "table"
    locale: Locale = "en"

    @property
    def for_people(self) -> bool:
        """Whether a person reads it."""
        return self.form in FOR_PEOPLE

    def money(self, money: Money | None) -> str | None:
        """The amount, or None where there is none.

        >>> paper = Money.parse("80000", "IDR")
        >>> Wording("table", "id").money(paper), Wording("json").money(paper)
        ('Rp 80.000', '80000')
        """
        if money is None:
            return None
        return money.format(self.locale) if self.for_people else money.decimal()

    def currency(self, code: str) -> str | None:
        """The code for a machine's column."""
        return None if self.for_people else code

    def credits(self, milli: int) -> str:
        """Milli-credits as credits.

        >>> Wording("table", "id").credits(1_234_500), Wording("csv").credits(1_234_500)
        ('1.234,5', '1234.5')
        """
        exact = credits_to_text(milli)
        if not self.for_people:
            return exact
        decimals = len(exact.partition(".")[2])
        return format_number(Fraction(milli, MILLI), decimals=decimals, locale=self.locale)

    def units(self, amount: int, asset: str) -> str:
        """An amount of a ledger account: credits, or money of a currency."""
        if asset == CREDIT:
            text = self.credits(amount)
            return f"{text} credits" if self.for_people else text
        return self.money(Money(amount, asset)) or ""


def instant_text(at: datetime | None) -> str | None:
    """An instant in UTC, to the second, or None."""
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"
