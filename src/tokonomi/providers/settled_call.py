"""From an attempt that has ended to the call that is kept: its usage, its cost, what is to be said.

The gateway and the clients that are tracked without it make their rows here, so the same reply
costs the same on both ways.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

import msgspec
from msgspec.structs import replace

from tokonomi.calls import Call, Intent, Status
from tokonomi.dialects.web_search import Searched
from tokonomi.errors import TokonomiError
from tokonomi.money import Money
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.charge import Charge, Unpriced, charge
from tokonomi.pricing.names import split_suffix
from tokonomi.providers.adapter import Reading
from tokonomi.providers.json_fields import is_array, is_object
from tokonomi.providers.token_estimate import (
    bounded_estimate,
    estimated_usage,
    tokens_of_bytes,
)
from tokonomi.usage import Quarantined, Source, Usage

_ANSWERED: Final = range(200, 300)
_decode: Final = msgspec.json.Decoder().decode
DEFECTS: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TokonomiError,
    TypeError,
    ValueError,
    msgspec.MsgspecError,
)
"""What a defect of ours can raise while a call is settled; the call must have its row all the same.
"""


def _nobody_knows() -> None:
    return None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an attempt at a provider when it has ended.

    Attributes:
        intent: what was asked, by whom.
        price_as: the provider's name in the price book.
        sold_as: the name that its model was sold under, where that is not the intent's.
        searched: whether it searches the web for a fee, as its request has it.
        fields: the top level of the request's body.
        reading: what the reply has said.
        http_status: the provider's status, 0 when there was none.
        first_token_ms: milliseconds to the first content.
        duration_ms: milliseconds from the dispatch to the end.
        longest_answer: output tokens of the longest answer that the request allows, where a
            provider is taken to have written it (`Counts.WHOLE`).
        most_billed: finds the most that the provider can bill where the intent does not say it;
            None where nobody knows.
        batch: whether it went through a batch interface, which has prices of its own.
    """

    intent: Intent
    price_as: str
    sold_as: str = ""
    searched: Searched = Searched.AS_SHOWN
    fields: Mapping[str, msgspec.Raw]
    reading: Reading
    http_status: int = 0
    first_token_ms: int | None = None
    duration_ms: int = 0
    longest_answer: int = 0
    most_billed: Callable[[], Money | None] = _nobody_knows
    batch: bool = False


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


_HIDDEN_SEARCH: Final = (
    "its request allows a web search for a fee, and the reply tells neither of a search nor of a"
    " cost without one"
)
LONGEST_NAME: Final = 200
"""What is kept, in characters, of a name that a provider wrote."""


def settled(attempt: Attempt, ending: Ending, book: PriceBook) -> Call:
    """The row of an ended attempt.

    Reported usage is charged as it is. Where none was reported, a provider that had begun to answer
    is charged for an estimate, marked as such; one that had not is not charged on a guess.
    """
    intent = attempt.intent
    usage = attempt.reading.usage(intent.at, batch=attempt.batch)
    note = ending.note
    counted = attempt.http_status in _ANSWERED or ending.counts is not Counts.BEGUN
    if usage is None and counted and not ending.unknown:
        usage = estimate(attempt)
        if ending.counts is Counts.WHOLE:
            usage = replace(usage, output=max(usage.output, attempt.longest_answer))
        note = joined(note, "the provider reported no usage; this is an estimate")
    served = _served(attempt)
    cost: Charge | Unpriced
    if usage is None:
        usage = _nothing(attempt)
        cost = Unpriced(ending.unknown or "the provider reported no usage")
    elif isinstance(usage, Quarantined):
        cost = Unpriced(f"the reported usage cannot be true: {usage.reason}")
    else:
        if attempt.searched is Searched.CERTAINLY:
            usage = replace(usage, searches=max(usage.searches, 1))
        cost, remark = _priced(usage, attempt, book, served=served)
        if attempt.searched is Searched.PERHAPS and _hides_a_search(usage, cost):
            cost = Unpriced(_HIDDEN_SEARCH)
        note = joined(note, remark) if remark else note
    return _row(attempt, ending, served=served, usage=usage, cost=cost, note=note)


def _hides_a_search(usage: Usage, cost: Charge | Unpriced) -> bool:
    """Whether a call that was allowed to search may have done so without a word.

    The fee of a search that is shown is in the cost. A provider that says what the call cost, and
    says no more than its tokens do, has charged for none.
    """
    if isinstance(cost, Unpriced) or usage.searches:
        return False
    said = usage.reported_cost
    return said is None or said.currency != cost.currency or said > cost.total


def unknowable(attempt: Attempt, ending: Ending, defect: str) -> Call:
    """The row of an attempt whose cost could not be worked out, by a defect of ours."""
    usage = _nothing(attempt)
    cost = Unpriced(f"its cost could not be worked out, by a defect of Tokonomi ({defect})")
    served = _served(attempt)
    return _row(attempt, ending, served=served, usage=usage, cost=cost, note=ending.note)


def estimate(attempt: Attempt) -> Usage:
    """The input of a request, and what was relayed of its answer."""
    return estimated_usage(
        attempt.reading.seen,
        input_tokens=_input_estimate(attempt),
        at=attempt.intent.at,
        batch=attempt.batch,
    )


def is_estimated(call: Call) -> bool:
    """Whether the usage of a call is an estimate of ours."""
    return isinstance(call.usage, Usage) and call.usage.source is Source.ESTIMATED


def joined(*sentences: str) -> str:
    """What several sentences of a note say together; an empty one says nothing."""
    return "; ".join(sentence for sentence in sentences if sentence)


def _nothing(attempt: Attempt) -> Usage:
    """The usage of a call of which nothing is known."""
    return Usage(at=attempt.intent.at, requests=0, batch=attempt.batch, source=Source.ABSENT)


def _row(
    attempt: Attempt,
    ending: Ending,
    *,
    served: str,
    usage: Usage | Quarantined,
    cost: Charge | Unpriced,
    note: str,
) -> Call:
    uncounted = (
        isinstance(cost, Unpriced)
        and attempt.http_status in _ANSWERED
        and ending.status is not Status.FAILED
    )
    guessed = ending.may_bill and not (isinstance(usage, Usage) and usage.source is Source.REPORTED)
    return Call(
        intent=attempt.intent,
        model_served=served,
        usage=usage,
        cost=cost,
        status=ending.status,
        http_status=attempt.http_status,
        first_token_ms=attempt.first_token_ms,
        duration_ms=attempt.duration_ms,
        provider_request_id=_name(attempt.reading.seen.request_id),
        exposure=_beyond(cost, _worst_case(attempt)) if guessed or uncounted else None,
        note=note,
    )


def _worst_case(attempt: Attempt) -> Money | None:
    stated = attempt.intent.worst_case
    return attempt.most_billed() if stated is None else stated


def _beyond(cost: Charge | Unpriced, worst: Money | None) -> Money | None:
    """The most that may be billed beyond a cost that is an estimate, or not known at all."""
    if worst is None or isinstance(cost, Unpriced) or cost.currency != worst.currency:
        return worst
    beyond = worst - cost.total
    return beyond if beyond.sub_units > 0 else None


def _served(attempt: Attempt) -> str:
    """The model that the reply names, else the one that was asked for."""
    return _name(attempt.reading.seen.model) or attempt.intent.model


def _name(text: str) -> str:
    """A name that a provider wrote, of a length that fits a header; empty when it is none."""
    return text[:LONGEST_NAME] if text.isprintable() else ""


def _priced(
    usage: Usage, attempt: Attempt, book: PriceBook, *, served: str
) -> tuple[Charge | Unpriced, str]:
    """The cost at the price of the model that served, else of the one that was asked for."""
    provider, asked = attempt.price_as, attempt.sold_as or attempt.intent.model
    if ":" in asked and not served.endswith(suffix := split_suffix(asked)[1]):
        # A suffix says how the model is sold, which its name in the reply need not repeat.
        row = book.row_at(provider, served + suffix, usage.at, usage.tier, batch=usage.batch)
        if not isinstance(row, Unpriced):
            return charge(usage, row), ""
    row = book.row_at(provider, served, usage.at, usage.tier, batch=usage.batch)
    if not isinstance(row, Unpriced):
        return charge(usage, row), ""
    if served == asked:
        return row, ""
    fallback = book.row_at(provider, asked, usage.at, usage.tier, batch=usage.batch)
    if isinstance(fallback, Unpriced):
        return row, ""
    return charge(usage, fallback), f"no price for {served}; priced as {asked}, which was asked for"


def _input_estimate(attempt: Attempt) -> int:
    """About how many input tokens a request is: its texts, and what a template puts around them."""
    fields = attempt.fields
    parts = {name: fields[name] for name in _PARTS_WITH_TEXT if name in fields}
    try:
        counted = _counted_input(parts)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # The provider took what we cannot read, such as broken UTF-8 or a number beyond floats.
        counted = tokens_of_bytes(sum(len(bytes(raw)) for raw in parts.values()))
    return min(counted, attempt.intent.input_bound)


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
        messages += len(part) if name == "messages" and is_array(part) else 0
    return bounded_estimate("\n".join(texts)) + _TOKENS_AROUND_A_MESSAGE * messages


_PARTS_WITH_TEXT: Final = ("instructions", "system", "messages", "input", "prompt", "tools")
_TOKENS_AROUND_A_MESSAGE: Final = 4
_DATA_URL: Final = "data:"
_KEYS_OF_MEDIA: Final = frozenset({"data", "file_data"})


def _collect(part: object, texts: list[str]) -> None:
    """The texts of a part of the body; media that it carries are not text."""
    if isinstance(part, str):
        if not part.startswith(_DATA_URL):
            texts.append(part)
    elif is_array(part):
        for item in part:
            _collect(item, texts)
    elif is_object(part):
        for key, value in part.items():
            if key not in _KEYS_OF_MEDIA or not isinstance(value, str):
                _collect(value, texts)
