"""`tokonomi report`: what calls cost, by any dimensions and period."""

import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from tokonomi.cli.store_options import DEFAULT_STORE, Place
from tokonomi.errors import WrongUsage
from tokonomi.money import ExchangeRate, Locale, currency_of
from tokonomi.reports.forms import FOR_PEOPLE, Form, rendered
from tokonomi.reports.period import period_of, reaching_back
from tokonomi.reports.query import Query
from tokonomi.reports.spend import LARGEST, spend
from tokonomi.reports.statement import Statement
from tokonomi.storage.analytics import Period
from tokonomi.storage.location import Location
from tokonomi.storage.whole_file import write_file

DEFAULT_TOP: Final = 50
"""Rows that a person is shown unless they ask for more; machines get all."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """An exchange rate that amounts are shown at.

    Attributes:
        currency: show amounts in this currency; needs --rate.
        rate: units of it that one unit of --rate-from buys.
        rate_from: the currency that is converted.
        rate_date: the day of the rate; today when not given.
        rate_source: where the rate was read.
    """

    currency: str = ""
    rate: str = ""
    rate_from: str = "USD"
    rate_date: date | None = None
    rate_source: str = "--rate"


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How the answer is written.

    Attributes:
        format: the form.
        output: a file to write to instead of the terminal.
        locale: language of tables and Markdown.
    """

    format: Form = "table"
    output: Path | None = None
    locale: Locale = "en"


NO_CONVERSION: Final = Conversion()
AS_TABLE: Final = Output()


def report(
    *,
    by: str = "model",
    since: str = "",
    until: str = "",
    last: str = "",
    where: Annotated[list[str] | None, Parameter(negative=())] = None,
    top: int | None = None,
    conversion: Conversion = NO_CONVERSION,
    output: Output = AS_TABLE,
    place: Place = DEFAULT_STORE,
) -> int:
    """Show what calls cost, by any dimensions and period, to the last digit.

    Dimensions: project, feature, user, session, key, alias, model, provider, route, status, tier,
    batch, source, month, day, hour, tag:NAME, and meter, which splits calls by what was charged.

    Args:
        by: dimensions with commas between them; "" gives the total alone.
        since: first day, or first instant, in UTC.
        until: last day, or the instant before which to end, in UTC.
        last: instead of since and until: 24h, 7d (today and six days before), 4w.
        where: a dimension and the value that it must have, such as provider=openai. Repeatable.
        top: rows to show, the dearest first; the rest is one row. People are shown 50.
        conversion: an exchange rate.
        output: how the answer is written.
        place: which store.
    """
    rate = exchange_rate(conversion)
    for_people = output.format in FOR_PEOPLE
    most = DEFAULT_TOP if for_people else LARGEST
    query = Query(
        by=tuple(name for name in by.split(",") if name),
        period=_period(since, until, last),
        where=tuple(condition(text) for text in where or ()),
        top=top if top is not None else most,
    )
    location = place.location
    if for_people and not location.begun:
        _talk(_nothing_yet(location))
        return 0
    statement = spend(location, query, rate=rate)
    if for_people and not statement.calls:
        _talk(_nothing_yet(location) if _is_empty(location) else _nothing_found(query))
        return 0
    write(statement, output)
    return 0


def write(statement: Statement, output: Output) -> None:
    """Nothing: the statement is on standard output, or in the file, whole or not at all.

    Raises:
        WrongUsage: Parquet was asked for on a terminal.
        BadInput: the file cannot be written.
    """
    on_terminal = output.output is None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if on_terminal else None
    content = rendered(statement, output.format, output.locale, width=width)
    write_bytes(content, output.output, parquet=output.format == "parquet")


def write_bytes(content: bytes, path: Path | None, *, parquet: bool = False) -> None:
    """Nothing: the content is in the file, whole or not at all, or on standard output.

    Raises:
        WrongUsage: Parquet was asked for on a terminal.
        BadInput: the file cannot be written.
    """
    if path is not None:
        write_file(path, content)
        return
    if parquet and sys.stdout.isatty():
        raise WrongUsage("Parquet is not for a terminal", remedy="Name a file with --output.")
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def exchange_rate(conversion: Conversion) -> ExchangeRate | None:
    """The exchange rate that the options state, or None where they state none.

    Raises:
        WrongUsage: a rate without a currency or a currency without a rate, or no number.
        BadMoney: a currency that is not known.
    """
    if not conversion.currency and not conversion.rate:
        return None
    if not (conversion.currency and conversion.rate):
        raise WrongUsage(
            "a conversion needs a currency and a rate",
            remedy="Write both, such as --currency IDR --rate 16000 --rate-date 2026-01-30.",
        )
    try:
        rate = Fraction(conversion.rate)
    except (ValueError, ZeroDivisionError):
        rate = Fraction()
    if rate <= 0 or "/" in conversion.rate:
        raise WrongUsage(f'"{conversion.rate}" is not a rate', remedy="Write it like 16000.")
    return ExchangeRate(
        base=currency_of(conversion.rate_from).code,
        quote=currency_of(conversion.currency).code,
        rate=rate,
        on=conversion.rate_date or datetime.now(UTC).date(),
        source=conversion.rate_source,
    )


def _period(since: str, until: str, last: str) -> Period:
    if not last:
        return period_of(since, until)
    if since or until:
        raise WrongUsage("--last stands alone, without --since and --until")
    return reaching_back(last, now=datetime.now(UTC))


def condition(text: str) -> tuple[str, str]:
    """The dimension and the value that `dimension=value` names.

    Raises:
        WrongUsage: there is no equals sign.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise WrongUsage(
            f'"{text}" is not a condition', remedy="Write it like --where provider=openai."
        )
    return name, value


def _is_empty(location: Location) -> bool:
    return not spend(location, Query()).calls


def _nothing_yet(location: Location) -> str:
    return (
        f"No calls yet in {location.name}. Make one through the gateway (`tokonomi up`), or read "
        "past ones from a file (`tokonomi import FILE`).\n"
    )


def _nothing_found(query: Query) -> str:
    conditions = " ".join(f"--where {name}={value}" for name, value in query.where)
    return f"No calls match{f' {conditions}' if conditions else ' this period'}.\n"


def _talk(text: str) -> None:
    sys.stdout.write(text)
