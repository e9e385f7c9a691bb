"""Everywhere that one attempt may be served, and the most that it can cost there."""

from datetime import datetime
from typing import Final

import msgspec

from tokonomi.budgets.hold_size import Target
from tokonomi.gateway.request import ParsedRequest
from tokonomi.gateway.request_asked import Asked, word
from tokonomi.gateway.request_bounds import bounds_of, searching_of
from tokonomi.gateway.request_reading import asked_of
from tokonomi.pricing.book import ModelEntry, PriceBook
from tokonomi.pricing.bound import Bounds, Unbounded
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import PER, Meter, PriceRow, Rate
from tokonomi.usage import STANDARD_TIER, UNKNOWN_TIER

_HOUR_OF_CACHE: Final = 2
"""An endpoint's dearest input: writing an hour's cache costs twice its price of input."""

_EVENTS: Final = (Meter.SEARCH, Meter.REQUEST)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request goes.

    Attributes:
        target: the provider's name in the configuration.
        provider: its name in the price book.
        model: its name of the model.
        at: when, in UTC.
        input_bound: a bound of the tokens of the body's text.
        output_cap: the most output tokens of a request that names no limit.
        answers: whether the endpoint produces output at all.
        batch: whether it goes through a batch interface, which has prices of its own.
    """

    target: str
    provider: str
    model: str
    at: datetime
    input_bound: int
    output_cap: int | None = None
    answers: bool = True
    batch: bool = False


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Everywhere that one attempt may be served, and the most that it consumes there.

    Attributes:
        models: the models that may serve it, the first one first.
        targets: the same with their bounds and every price that may apply.
        send_max_tokens: the limit of output to send along for the bounds to hold.
        endless: why the tokens have no bound, where they are free: such a request costs no money,
            but nobody knows how many credits it uses.
    """

    models: tuple[str, ...]
    targets: tuple[Target, ...]
    send_max_tokens: int | None = None
    endless: Unpriced | None = None


def reach_of(request: ParsedRequest, attempt: Attempt, book: PriceBook) -> Reach | Unpriced:
    """The bounds and prices of all models that may serve a request, or what leaves one open.

    Every field of the body must stand in its dialect's list (`catalogue/requests`), as one that
    costs nothing more or with its bound. The model and every one of the body's `models` must be
    known.
    """
    asked = asked_of(request)
    if isinstance(asked, Unbounded):
        return asked
    reach = _at(attempt.model, request, asked, attempt=attempt, book=book)
    for model in asked.models:
        if isinstance(reach, Unpriced):
            return reach
        if model not in reach.models:
            found = _at(model, request, asked, attempt=attempt, book=book)
            reach = found if isinstance(found, Unpriced) else _joined(reach, found)
    return reach


def _joined(reach: Reach, more: Reach) -> Reach:
    send = reach.send_max_tokens
    return Reach(
        models=reach.models + more.models,
        targets=reach.targets + more.targets,
        send_max_tokens=more.send_max_tokens if send is None else send,
        endless=reach.endless or more.endless,
    )


def _at(
    model: str, request: ParsedRequest, asked: Asked, *, attempt: Attempt, book: PriceBook
) -> Reach | Unpriced:
    """Where the request may be served if one model does."""
    entry = book.find(attempt.provider, model)
    if entry is None:
        return Unpriced(f"no price source knows {word(model)}")
    rows = _rows(request, asked, entry, attempt=attempt, model=model, book=book)
    if isinstance(rows, Unpriced):
        return rows
    name = f"{attempt.target}/{model}"
    found = bounds_of(
        asked,
        model=model,
        entry=entry,
        input_bound=attempt.input_bound,
        output_cap=attempt.output_cap,
        answers=attempt.answers,
    )
    if not isinstance(found, Unpriced):
        bounds, limit = found
        target = Target(name=name, rows=rows, bounds=bounds)
        return Reach(models=(model,), targets=(target,), send_max_tokens=limit.send)
    searching = searching_of(asked, model)
    if isinstance(found, Unbounded) or isinstance(searching, Unbounded) or not _free(rows):
        return found
    events = Bounds(
        input_tokens=0,
        output_tokens=0,
        searches=searching.searches,
        requests=searching.fees,
    )
    target = Target(name=name, rows=rows, bounds=events)
    return Reach(models=(model,), targets=(target,), endless=found)


def _free(rows: tuple[PriceRow, ...]) -> bool:
    return bool(rows) and all(row.free for row in rows)


def _rows(
    request: ParsedRequest,
    asked: Asked,
    entry: ModelEntry,
    *,
    attempt: Attempt,
    model: str,
    book: PriceBook,
) -> tuple[PriceRow, ...] | Unpriced:
    """Every row that may price the reply; the tier that serves is the reply's to say."""
    provider, at, batch = attempt.provider, attempt.at, attempt.batch
    if "service_tier" not in request.fields:
        row = book.row_at(provider, model, at, batch=batch)
        if isinstance(row, Unpriced):
            return row
        return _under_cap((row,), asked) if asked.steered else (row,)
    tiers = {each.row.tier for each in entry.rows if each.row.batch is batch}
    if asked.tier not in tiers | {STANDARD_TIER, UNKNOWN_TIER}:
        return Unbounded(
            f"{word(model)} has no price for the service tier {word(asked.tier)}",
            remedy='Leave out `service_tier`, or send "default".',
            param="service_tier",
        )
    found = (book.row_at(provider, model, at, tier, batch=batch) for tier in sorted(tiers))
    rows = tuple(row for row in found if not isinstance(row, Unpriced))
    return _under_cap(rows, asked) if asked.steered else rows


def _under_cap(rows: tuple[PriceRow, ...], asked: Asked) -> tuple[PriceRow, ...] | Unbounded:
    """The rows, and one more for the dearest endpoint that a request lets OpenRouter choose."""
    if asked.prompt_price is None or asked.completion_price is None:
        return Unbounded(
            "`provider` chooses among endpoints whose prices differ",
            remedy="Send `provider.max_price` with `prompt` and `completion`.",
            param="provider",
        )
    if asked.heard or asked.spoken or asked.drawn:
        return Unbounded(
            "`provider.max_price` does not bound the price of sound and images",
            remedy="Leave out what chooses an endpoint in `provider`.",
            param="provider",
        )
    return (*rows, *(_capped(row, asked.prompt_price, asked.completion_price) for row in rows))


def _capped(row: PriceRow, prompt: str, completion: str) -> PriceRow:
    per = PER[Meter.INPUT]
    read = Rate.of(prompt, per=per, currency="USD")
    written = Rate(prompt, per, read.sub_units * _HOUR_OF_CACHE, read.exact)
    events = {meter: row.rates[meter] for meter in _EVENTS if meter in row.rates}
    return PriceRow(
        id=f"{row.id} at provider.max_price",
        provider=row.provider,
        model=row.model,
        currency="USD",
        source="the request's own provider.max_price",
        rates={
            **events,
            Meter.INPUT: written,
            Meter.OUTPUT: Rate.of(completion, per=per, currency="USD"),
        },
    )
