"""One call opened: every line of its cost, and where the price was read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

from tokonomi.errors import NotFound
from tokonomi.money import Money, currency_of, format_amount, format_number
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.names import split_suffix
from tokonomi.pricing.row import BEGINNING, FOREVER, Meter, PriceRow
from tokonomi.storage.analytics import ALWAYS, Period, fetch, literal, open_calls
from tokonomi.storage.lake_rows import LAKE_SCHEMA
from tokonomi.storage.location import Location

_PER_MILLION = 10**6


@dataclass(frozen=True, slots=True)
class Opened:
    """A stored call, by its columns in the lake, and the price row that it names.

    `price` is None when the call has no price, or its row is no longer in the book.
    """

    call: dict[str, Any]
    price: PriceRow | None


def opened_calls(location: Location, call_id: str, book: PriceBook) -> list[Opened]:
    """The call with this id, or all attempts of the request with this id, in their order.

    Raises:
        NotFound: no call has it.
    """
    # The ids alone are read first: they tell the instants, and every column of those is little.
    times = [row["at"] for row in _found(location, _IDS, call_id, ALWAYS)]
    if not times:
        raise NotFound(
            f"there is no call {call_id}",
            remedy="The gateway names it in the header x-tokonomi-request-id.",
        )
    period = Period(min(times), max(times) + timedelta(microseconds=1))
    calls = _found(location, LAKE_SCHEMA.names, call_id, period)
    return [Opened(call, _price_of(call, book)) for call in calls]


def explanation(opened: Opened) -> str:
    """The call as lines of text: who, what, each line of its cost, and the source of its price."""
    call = opened.call
    served = call["model_served"]
    asked = call["alias"] or call["model_asked"]
    named = served if asked == served else f"{served} (asked for {asked})"
    lines = [
        f"Call {call['id']} at {call['at'].isoformat().replace('+00:00', 'Z')}",
        f"{call['provider']} {named}, {call['status']}, usage {call['source']}",
        *_who(call),
        "",
        *_cost_lines(opened),
        *_exposure_lines(call),
    ]
    if call["unknown_keys"]:
        lines += ["", f"Reported but not known here, so not charged: {call['unknown_keys']}"]
    if call["note"]:
        lines += ["", f"Note: {call['note']}"]
    return "\n".join(lines) + "\n"


_IDS: Final = ("id", "request_id", "attempt")


def _found(
    location: Location, columns: Sequence[str], call_id: str, period: Period
) -> list[dict[str, Any]]:
    with open_calls(location, columns, period) as calls:
        table = calls.table
        is_wanted = (table["id"] == literal(call_id)) | (table["request_id"] == literal(call_id))
        return fetch(table.filter(is_wanted).order_by(["attempt"]))


def _price_of(call: dict[str, Any], book: PriceBook) -> PriceRow | None:
    """The row that a call names, found by any of the names that it may have been priced under.

    The model that served may have no price, and a suffix that says how a model is sold stands in
    the id of its row alone.
    """
    row_id: str | None = call["price_row_id"]
    if row_id is None:
        return None
    _, suffix = split_suffix(row_id)
    models: tuple[str, str] = (call["model_served"], call["model_asked"])
    entries = (book.find(call["provider"], m + sold) for sold in ("", suffix) for m in models)
    rows = (ranked.row for entry in entries if entry is not None for ranked in entry.rows)
    return next((row for row in rows if row.id == row_id), None)


def _who(call: dict[str, Any]) -> Iterator[str]:
    named = {name: call[name] for name in ("project", "feature", "end_user", "session", "route")}
    named |= dict(cast("Sequence[tuple[str, str]]", call["tags"]))
    said = [f"{name.removeprefix('end_')} {value}" for name, value in named.items() if value]
    if said:
        yield ", ".join(said)


def _cost_lines(opened: Opened) -> Iterator[str]:
    call = opened.call
    if call["quarantined"] is not None:
        yield f"No cost: the reported usage cannot be true: {call['quarantined']}"
        yield f"Reported was: {call['raw_usage']}"
        return
    if call["amount"] is None:
        yield f"No cost: {call['unpriced']}"
        return
    currency: str = call["currency"]
    rows = [
        (
            line["meter"],
            format_number(line["quantity"], decimals=0),
            _rate_text(line, currency),
            Money(line["amount"], currency).decimal(),
        )
        for line in call["lines"]
    ]
    total = Money(call["amount"], currency)
    rows.append(("total", "", "", total.decimal()))
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    for name, quantity, rate, amount in rows:
        times = "x" if quantity else " "
        equals = "=" if quantity else " "
        yield (
            f"  {name:<{widths[0]}}  {quantity:>{widths[1]}} {times} {rate:<{widths[2]}} "
            f"{equals} {amount:>{widths[3]}} {currency}"
        )
    yield f"Shown as {total.format()}: rounded half-up, once. The store keeps every digit."
    yield from _price_lines(opened)


def _exposure_lines(call: dict[str, Any]) -> Iterator[str]:
    if call["exposure"] is not None:
        most = Money(call["exposure"], call["exposure_currency"])
        beyond = "" if call["amount"] is None else " beyond this cost"
        yield f"Exposure: the provider may bill up to {most}{beyond}, and nobody knows."


def _price_lines(opened: Opened) -> Iterator[str]:
    call = opened.call
    yield ""
    yield f"Price row {call['price_row_id']}"
    if call["bracket_from"]:
        yield f"  rates of its context tier from {call['bracket_from']:,} input tokens on"
    price = opened.price
    if price is None:
        yield "  no longer in the price book of this version; the lines above keep its rates"
        return
    yield f"  source: {price.source}"
    yield f"  valid {_validity(price)}"
    if call["reported_amount"] is not None:
        billed = Money(call["reported_amount"], call["reported_currency"])
        yield f"The provider itself reported {billed}"


def _validity(price: PriceRow) -> str:
    begin = "" if price.valid_from == BEGINNING else f"from {price.valid_from.date()}"
    end = "" if price.valid_to == FOREVER else f"to before {price.valid_to.date()}"
    return " ".join(filter(None, (begin, end))) or "at any date: its source gives none"


def _rate_text(line: dict[str, Any], currency: str) -> str:
    """A rate exactly as a price list would say it: for a million tokens, or for one event."""
    is_event = line["meter"] in {Meter.SEARCH, Meter.REQUEST}
    rate = Money(line["rate"] * (1 if is_event else _PER_MILLION), currency)
    decimals = max(len(rate.decimal().partition(".")[2]), currency_of(currency).decimals)
    text = format_amount(rate.fraction(), currency, decimals=decimals)
    return f"{text} each" if is_event else f"{text} a million"
