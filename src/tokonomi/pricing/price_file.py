"""The TOML form of price files: what may stand in them, read strictly, with errors for people."""

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, TypeVar

import msgspec

from tokonomi.errors import BadPrices
from tokonomi.pricing.listing import SuffixEffect
from tokonomi.pricing.row import (
    ALL_WEEK,
    BEGINNING,
    DAY_MINUTES,
    FOREVER,
    PER,
    Comparator,
    Meter,
    Rate,
    SearchUnit,
    Window,
)
from tokonomi.toml_reading import tables_in
from tokonomi.usage import STANDARD_TIER

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
RateTable = dict[Meter, str]


class Instant:
    """A moment that a file states as a date (its midnight in UTC) or as a time with its zone."""

    __slots__ = ("at",)

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Instant) and self.at == other.at

    def __hash__(self) -> int:
        return hash(self.at)

    def __str__(self) -> str:
        midnight = self.at.time() == time()
        return self.at.date().isoformat() if midnight else self.at.isoformat()


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a price file; a key that it does not name is an error."""


class WindowTable(_Table, frozen=True, rename={"from_": "from"}):
    """Hours of the week in UTC; `closed` names a calendar of days on which they do not hold."""

    from_: str = "00:00"
    to: str = "24:00"
    weekdays: tuple[Weekday, ...] = WEEKDAYS
    closed: str = ""


class AboveTable(_Table, frozen=True):
    """Rates from a context threshold on; meters that it leaves out keep the row's own."""

    threshold: int
    comparator: Comparator
    rates: RateTable


class PriceTable(_Table, frozen=True, rename={"from_": "from"}):
    """One dated price: rates per million tokens, per thousand searches or requests, as text."""

    source: str
    rates: RateTable
    from_: Instant = Instant(BEGINNING)
    to: Instant = Instant(FOREVER)
    tier: str = STANDARD_TIER
    batch: bool = False
    currency: str = "USD"
    windows: tuple[WindowTable, ...] = ()
    above: tuple[AboveTable, ...] = ()
    search_unit: SearchUnit = SearchUnit.QUERY


class ModelTable(_Table, frozen=True):
    """A model: its card, its other names, its prices."""

    provider: str
    id: str
    source: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    context_window: int | None = None
    max_output: int | None = None
    deprecated: bool = False
    price: tuple[PriceTable, ...] = ()


class CalendarTable(_Table, frozen=True):
    """A calendar of holidays, with where it was read. A range is `2026-02-15..2026-02-23`."""

    source: str
    days: tuple[str, ...]


class SuffixTable(_Table, frozen=True):
    """What a suffix of a model's name does to its price at a provider."""

    provider: str
    suffix: str
    effect: SuffixEffect
    source: str
    rates: RateTable = {}


class ResellerTable(_Table, frozen=True):
    """A provider that sells other makers' models, written `maker/model`, at their list prices."""

    provider: str
    source: str
    aliases: tuple[str, ...] = ()


class SearchUnitTable(_Table, frozen=True):
    """What one billed search is for the catalogue's models that fit a pattern."""

    provider: str
    model: str
    unit: SearchUnit
    source: str


class PriceFile(_Table, frozen=True):
    """An overlay of dated prices over the catalogue."""

    about: str
    model: tuple[ModelTable, ...] = ()
    calendar: dict[str, CalendarTable] = {}
    suffix: tuple[SuffixTable, ...] = ()
    reseller: tuple[ResellerTable, ...] = ()
    search_unit: tuple[SearchUnitTable, ...] = ()


class DiscountTable(_Table, frozen=True, rename={"from_": "from"}):
    """A discount: `off` is a percentage such as "12.5%", `factor` what remains, such as "0.875"."""

    provider: str
    model: str
    source: str
    off: str = ""
    factor: str = ""
    meters: tuple[Meter, ...] = tuple(Meter)
    from_: Instant = Instant(BEGINNING)
    to: Instant = Instant(FOREVER)


class ContractFile(_Table, frozen=True):
    """A user's own terms: prices of their own, and discounts on what the lower sources say."""

    about: str = ""
    model: tuple[ModelTable, ...] = ()
    calendar: dict[str, CalendarTable] = {}
    discount: tuple[DiscountTable, ...] = ()


_File = TypeVar("_File", PriceFile, ContractFile)


def read_price_file(text: str, name: str) -> PriceFile:
    """The overlay in a TOML text; `name` is the file's, for errors.

    Raises:
        BadPrices: not TOML, or a key or value that may not stand there, with the nearest key.
    """
    return _decoded(text, name, PriceFile)


def read_contract_file(text: str, name: str) -> ContractFile:
    """The contract in a TOML text; `name` is the file's, for errors.

    Raises:
        BadPrices: not TOML, or a key or value that may not stand there, with the nearest key.
    """
    return _decoded(text, name, ContractFile)


def contract_from_table(table: Mapping[str, object]) -> ContractFile:
    """The contract that a table states, as it stands in a file; dates may be text.

    Raises:
        msgspec.ValidationError: a key or value that may not stand there.
    """
    return msgspec.convert(dict(table), ContractFile, dec_hook=instant)


def _decoded(text: str, name: str, form: type[_File]) -> _File:
    tables = tables_in(text, name, error=BadPrices)
    try:
        return msgspec.convert(tables, form, dec_hook=instant)
    except msgspec.ValidationError as wrong:
        what, _, path = str(wrong).partition(" - at ")
        place = _place(path.strip("`"))
        raise BadPrices(f"{name}{place}: {what}", remedy=_remedy(what)) from None


def instant(_: type, stated: object) -> Instant:
    """The moment that a date, a time with its zone, or the text of either states."""
    if isinstance(stated, str):
        stated = _dated(stated)
    if not isinstance(stated, date):
        raise ValueError(f"Expected a date such as 2026-10-12, got {stated!r}")  # noqa: TRY004
    if not isinstance(stated, datetime):
        return Instant(datetime(stated.year, stated.month, stated.day, tzinfo=UTC))
    if stated.tzinfo is None:
        raise ValueError(f"Expected a time with its zone, such as {stated.isoformat()}Z")
    return Instant(stated.astimezone(UTC))


def _dated(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def _place(path: str) -> str:
    """`$.model[2].price[0].rates[...]` as `, in model number 3, price number 1, rates`."""
    steps = re.findall(r"\.(\w+)(?:\[(\d+)\])?", path.partition("$")[2])
    words = [f"{key} number {int(index) + 1}" if index else key for key, index in steps]
    return f", in {', '.join(words)}" if words else ""


def _remedy(what: str) -> str:
    known = sorted(_KEYS)
    if unknown := re.search(r"unknown field `(.+?)`", what):
        close = difflib.get_close_matches(unknown[1], known, n=1)
        return f"Did you mean {close[0]!r}?" if close else "Remove the key."
    if missing := re.search(r"missing required field `(.+?)`", what):
        return f"Add {missing[1]}; a price needs its source and its figures."
    if value := re.search(r"Invalid enum value '(.+?)'", what):
        words = [*Meter, *Comparator, *SearchUnit, *SuffixEffect, *WEEKDAYS]
        close = difflib.get_close_matches(value[1], words, n=1)
        return f"Did you mean {str(close[0])!r}?" if close else f"Meters are {', '.join(Meter)}."
    if "Expected `str`" in what:
        return 'Write figures as text in quotes, "1.25", so that they stay exact.'
    return "See docs/reference/prices.md for what may stand there."


_KEYS: Final = {
    field.encode_name
    for table in (
        PriceFile,
        ContractFile,
        ModelTable,
        PriceTable,
        AboveTable,
        WindowTable,
        CalendarTable,
        SuffixTable,
        ResellerTable,
        SearchUnitTable,
        DiscountTable,
    )
    for field in msgspec.structs.fields(table)
}


def rates_of(table: RateTable, currency: str) -> dict[Meter, Rate]:
    """The rates that a table states, per the customary number of units of each meter."""
    return {
        meter: Rate.of(text, per=PER[meter], currency=currency) for meter, text in table.items()
    }


def days_of(calendar: CalendarTable) -> frozenset[date]:
    """The days of a calendar, ranges opened, both ends included.

    Raises:
        BadPrices: not dates, or a range that ends before it begins.
    """
    days: set[date] = set()
    for text in calendar.days:
        first_text, _, last_text = text.partition("..")
        try:
            first, last = (
                date.fromisoformat(first_text),
                date.fromisoformat(last_text or first_text),
            )
        except ValueError:
            raise BadPrices(
                f"{text!r} is not a day", remedy="Write 2026-10-01..2026-10-07."
            ) from None
        if last < first:
            raise BadPrices(f"the range {text} ends before it begins")
        days |= {first + timedelta(days=n) for n in range((last - first).days + 1)}
    return frozenset(days)


def window_of(table: WindowTable, calendars: Mapping[str, CalendarTable]) -> Window:
    """The window that a table states.

    Raises:
        BadPrices: an hour that is none, or a calendar that the file does not have.
    """
    if table.closed and table.closed not in calendars:
        raise BadPrices(
            f"no calendar {table.closed!r}", remedy=f"Calendars here: {', '.join(calendars)}."
        )
    closed = days_of(calendars[table.closed]) if table.closed else frozenset[date]()
    weekdays = frozenset(WEEKDAYS.index(day) for day in table.weekdays) & ALL_WEEK
    return Window(weekdays, _minute(table.from_), _minute(table.to), closed)


def _minute(clock: str) -> int:
    match = re.fullmatch(r"([01]\d|2[0-4]):([0-5]\d)", clock)
    minute = int(match[1]) * 60 + int(match[2]) if match else DAY_MINUTES + 1
    if minute > DAY_MINUTES:
        raise BadPrices(f"{clock!r} is not an hour", remedy="Write 01:00 or 24:00, in UTC.")
    return minute
