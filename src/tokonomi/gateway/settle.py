"""From an ended exchange to the row that is kept: its usage, its cost, and what is to be said."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeGuard

import msgspec
from msgspec.structs import replace

from tokonomi.calls import Call, Intent, Status
from tokonomi.errors import TokonomiError
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.allowance import ALLOWED, Allowance
from tokonomi.gateway.request import ParsedRequest
from tokonomi.gateway.request_bounds import bounds_of
from tokonomi.ledger.hold import Captured, Held
from tokonomi.money import Money
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.charge import Charge, Unpriced, charge
from tokonomi.pricing.listing import ModelCard
from tokonomi.providers.adapter import Reading
from tokonomi.providers.token_estimate import (
    bounded_estimate,
    estimated_usage,
    tokens_of_bytes,
)
from tokonomi.usage import Quarantined, Source, Usage

_NANOSECONDS_PER_MS: Final = 1_000_000
_ANSWERED: Final = range(200, 300)
_decode: Final = msgspec.json.Decoder().decode
_log: Final = logging.getLogger("tokonomi.gateway")
_DEFECTS: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TokonomiError,
    TypeError,
    ValueError,
    msgspec.MsgspecError,
)


@dataclass(slots=True)
class Exchange:
    """One attempt at a provider, from its intent to its end.

    Attributes:
        intent: what is durable since before the dispatch.
        target: where it goes.
        request: the client's request.
        reading: what the reply has said so far.
        begun_ns: monotonic instant of the dispatch.
        http_status: the provider's status, 0 while there is none.
        first_token_ms: milliseconds to the first content.
        settled: whether its row was handed to the recorder.
        allowance: what budgets and wallets let it claim.
        held: what it holds on them.
        answers: whether its endpoint produces output tokens.
    """

    intent: Intent
    target: Target
    request: ParsedRequest
    reading: Reading
    begun_ns: int = 0
    http_status: int = 0
    first_token_ms: int | None = None
    settled: bool = False
    allowance: Allowance = ALLOWED
    held: tuple[Held, ...] = ()
    answers: bool = True

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the dispatch."""
        return (time.monotonic_ns() - self.begun_ns) // _NANOSECONDS_PER_MS


class Counts(Enum):
    """What of a call is counted, as an estimate, when its provider reported no usage."""

    BEGUN = 1
    """Its input and what was relayed, if the provider had begun to answer; else nothing."""
    RELAYED = 2
    """Its input and what was relayed, whether or not an answer had begun."""
    WHOLE = 3
    """Its input and the longest answer that it allows: the provider is taken to finish it."""


class Ending(msgspec.Struct, frozen=True):
    """How an exchange ended.

    Attributes:
        status: what the row says.
        unknown: why there is no usage, when it cannot even be estimated; empty when it can.
        note: what else the row says.
        counts: what is counted when no usage was reported.
        may_bill: whether the provider had the request and may bill it, although no usage came.
    """

    status: Status
    unknown: str = ""
    note: str = ""
    counts: Counts = Counts.BEGUN
    may_bill: bool = False


LONGEST_NAME: Final = 200
"""What is kept, in characters, of a name that a provider wrote."""


def settled(exchange: Exchange, ending: Ending, book: PriceBook) -> Call:
    """The row of an ended exchange.

    Reported usage is charged as it is. Where none was reported, a provider that had begun to answer
    is charged for an estimate, marked as such; one that had not is not charged on a guess.
    """
    intent = exchange.intent
    usage = exchange.reading.usage(intent.at)
    note = ending.note
    counted = exchange.http_status in _ANSWERED or ending.counts is not Counts.BEGUN
    if usage is None and counted and not ending.unknown:
        usage = _estimate(exchange)
        if ending.counts is Counts.WHOLE:
            usage = replace(usage, output=max(usage.output, most_output(exchange, book) or 0))
        note = joined(note, "the provider reported no usage; this is an estimate")
    cost: Charge | Unpriced
    if usage is None:
        usage = Usage(at=intent.at, requests=0, source=Source.ABSENT)
        cost = Unpriced(ending.unknown or "the provider reported no usage")
    elif isinstance(usage, Quarantined):
        cost = Unpriced(f"the reported usage cannot be true: {usage.reason}")
    else:
        cost, remark = _priced(usage, exchange, book)
        note = joined(note, remark) if remark else note
    return _row(exchange, ending, usage=usage, cost=cost, note=note)


def row_of(
    exchange: Exchange, ending: Ending, book: PriceBook
) -> tuple[Call, tuple[Captured, ...]]:
    """The row of an ended exchange, and how its holds are resolved; whatever happens there is one.

    A defect here must cost a call its price at most, never its row: then nobody would know of it.
    """
    try:
        call = settled(exchange, ending, book)
        whole = ending.counts is Counts.WHOLE and is_estimated(call)
        delivered = _estimate(exchange) if whole else None
        return call, exchange.allowance.captured(exchange.held, call, delivered)
    except _DEFECTS as defect:
        _log.exception("call %s is recorded without a cost", exchange.intent.id)
        call = _unknowable(exchange, ending, type(defect).__name__)
        return call, exchange.allowance.captured(exchange.held, call)


def _estimate(exchange: Exchange) -> Usage:
    """The input of a request, and what was relayed of its answer."""
    return estimated_usage(
        exchange.reading.seen, input_tokens=_input_estimate(exchange), at=exchange.intent.at
    )


def is_estimated(call: Call) -> bool:
    """Whether the usage of a call is an estimate of ours."""
    return isinstance(call.usage, Usage) and call.usage.source is Source.ESTIMATED


def most_output(exchange: Exchange, book: PriceBook) -> int | None:
    """The most output tokens that a request can get, or None where nothing bounds them.

    Its own limit or the one that was sent along for it, else the model's longest answer, times its
    choices. A model's context window is no guess of an answer's length, so it is not asked.
    """
    if not exchange.answers:
        return 0
    entry = book.find(exchange.target.price_as, exchange.intent.model)
    found = bounds_of(
        exchange.request,
        input_bound=exchange.intent.input_bound,
        card=ModelCard(max_output=None if entry is None else entry.card.max_output),
        output_cap=exchange.allowance.send_max_tokens,
    )
    return None if isinstance(found, Unpriced) else found[0].all_output_tokens


def _unknowable(exchange: Exchange, ending: Ending, defect: str) -> Call:
    usage = Usage(at=exchange.intent.at, requests=0, source=Source.ABSENT)
    cost = Unpriced(f"its cost could not be worked out, by a defect of Tokonomi ({defect})")
    return _row(exchange, ending, usage=usage, cost=cost, note=ending.note)


def _row(
    exchange: Exchange,
    ending: Ending,
    *,
    usage: Usage | Quarantined,
    cost: Charge | Unpriced,
    note: str,
) -> Call:
    answered = exchange.http_status in _ANSWERED and ending.status is not Status.FAILED
    uncounted = answered and isinstance(cost, Unpriced)
    guessed = not isinstance(usage, Usage) or usage.source is not Source.REPORTED
    exposed = (guessed and ending.may_bill) or uncounted
    return Call(
        intent=exchange.intent,
        model_served=_served(exchange),
        usage=usage,
        cost=cost,
        status=ending.status,
        http_status=exchange.http_status,
        first_token_ms=exchange.first_token_ms,
        duration_ms=exchange.elapsed_ms,
        provider_request_id=_name(exchange.reading.seen.request_id),
        exposure=_beyond(cost, exchange.intent.worst_case) if exposed else None,
        note=note,
    )


def _beyond(cost: Charge | Unpriced, worst: Money | None) -> Money | None:
    """The most that may be billed beyond a cost that is an estimate, or not known at all."""
    if worst is None or isinstance(cost, Unpriced) or cost.currency != worst.currency:
        return worst
    beyond = worst - cost.total
    return beyond if beyond.sub_units > 0 else None


def _served(exchange: Exchange) -> str:
    """The model that the reply names, else the one that was asked for."""
    return _name(exchange.reading.seen.model) or exchange.intent.model


def _name(text: str) -> str:
    """A name that a provider wrote, of a length that fits a header; empty when it is none."""
    return text[:LONGEST_NAME] if text.isprintable() else ""


def _priced(usage: Usage, exchange: Exchange, book: PriceBook) -> tuple[Charge | Unpriced, str]:
    """The cost at the price of the model that served, else of the one that was asked for."""
    provider, asked = exchange.target.price_as, exchange.intent.model
    served = _served(exchange)
    row = book.row_at(provider, served, usage.at, usage.tier, batch=usage.batch)
    if not isinstance(row, Unpriced):
        return charge(usage, row), ""
    if served == asked:
        return row, ""
    fallback = book.row_at(provider, asked, usage.at, usage.tier, batch=usage.batch)
    if isinstance(fallback, Unpriced):
        return row, ""
    return charge(usage, fallback), f"no price for {served}; priced as {asked}, which was asked for"


def _input_estimate(exchange: Exchange) -> int:
    """About how many input tokens a request is: its texts, and what a template puts around them."""
    fields = exchange.request.fields
    parts = {name: fields[name] for name in _PARTS_WITH_TEXT if name in fields}
    try:
        counted = _counted_input(parts)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # The provider took what we cannot read, such as broken UTF-8 or a number beyond floats.
        counted = tokens_of_bytes(sum(len(bytes(raw)) for raw in parts.values()))
    return min(counted, exchange.intent.input_bound)


def _counted_input(parts: Mapping[str, msgspec.Raw]) -> int:
    """About how many tokens the parts of a body are.

    Raises:
        MsgspecError: one of them is not JSON that can be read, or (UnicodeError) not UTF-8.
        RecursionError: one of them is nested too deeply.
    """
    texts: list[str] = []
    messages = 0
    for name, raw in parts.items():
        part: object = _decode(raw)
        _collect(part, texts)
        messages += len(part) if name == "messages" and _is_array(part) else 0
    return bounded_estimate("\n".join(texts)) + _TOKENS_AROUND_A_MESSAGE * messages


_PARTS_WITH_TEXT: Final = ("messages", "input", "prompt", "tools")
_TOKENS_AROUND_A_MESSAGE: Final = 4
_DATA_URL: Final = "data:"


def _collect(part: object, texts: list[str]) -> None:
    """The texts of a part of the body; media that it carries are not text."""
    if isinstance(part, str):
        if not part.startswith(_DATA_URL):
            texts.append(part)
    elif _is_array(part):
        for item in part:
            _collect(item, texts)
    elif _is_object(part):
        for value in part.values():
            _collect(value, texts)


def _is_array(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def joined(*sentences: str) -> str:
    """What several sentences of a note say together; an empty one says nothing."""
    return "; ".join(sentence for sentence in sentences if sentence)
