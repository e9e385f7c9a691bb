"""A line of a batch as the call that it is: understood, sized, and made ready to be sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from tokonomi.batches.answers import reference_of
from tokonomi.batches.batch import Batch, Leg
from tokonomi.batches.line import Line, LineSplitter, WrongLine, read_line
from tokonomi.budgets.hold_size import Refused
from tokonomi.calls import LONGEST_VALUE, Dimensions, Intent
from tokonomi.gateway.aliases import Aliases, Destination, Target
from tokonomi.gateway.allowance import Allowance
from tokonomi.gateway.batches.measures import read_measures, stored_measures
from tokonomi.gateway.claims import Rules, allowance
from tokonomi.gateway.endpoints import CHAT, EMBEDDINGS, RESPONSES, Endpoint
from tokonomi.gateway.request import ParsedRequest, parse
from tokonomi.gateway.settle import Exchange
from tokonomi.gateway.spoken import all_spoken
from tokonomi.gateway.wire_errors import WireError
from tokonomi.pricing.book import PriceBook
from tokonomi.providers.adapter import Reading
from tokonomi.providers.registry import adapter_for
from tokonomi.providers.token_estimate import input_upper_bound
from tokonomi.routing.provider import Provider
from tokonomi.routing.route import PRIMARY
from tokonomi.storage.batch_holds import LineClaim, LineTerms, OpenLine, call_id
from tokonomi.storage.call_rows import instant
from tokonomi.storage.file_store import Part

ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    f"/v1{each.path}": each for each in (CHAT, RESPONSES, EMBEDDINGS)
}
"""The operations that a batch may have."""
BATCH_TAG: Final = "batch"
CUSTOM_ID_TAG: Final = "custom_id"
TAGS: Final = (BATCH_TAG, CUSTOM_ID_TAG)
"""The tags by which the call of a line is found; clients may not set them on a batch."""
FRAME_BYTES: Final = 4_096
"""What a line may have besides its body."""
_encode: Final = msgspec.json.Encoder().encode
_NO_REQUEST: Final = ParsedRequest(
    body=b"{}", fields={}, model="", stream=False, wants_usage=False, user=""
)


class ReadLine(NamedTuple):
    """A line, and the request in it."""

    line: Line
    request: ParsedRequest


def understood(number: int, text: bytes, *, body_bytes: int) -> ReadLine:
    """The request of a line, judged as a live call's body is.

    Raises:
        WrongLine: it is none that a batch can have.
    """
    line = read_line(number, text)
    endpoint = ENDPOINTS.get(line.url)
    if endpoint is None:
        raise WrongLine(
            number,
            f"its url is {line.url[:100]!r}",
            f"A batch can have {', '.join(ENDPOINTS)}.",
            param="url",
        )
    if len(line.body) > body_bytes:
        raise WrongLine(
            number,
            f"its body has {len(line.body)} bytes, and {body_bytes} are allowed",
            "Send less, or raise [limits] body_bytes.",
            param="body",
        )
    try:
        request = parse(line.body, endpoint.dialect)
    except WireError as error:
        raise WrongLine(number, error.message.rstrip("."), "", param=error.param) from None
    if request.stream:
        raise WrongLine(
            number, "`stream` asks for a stream", "A batch has none. Leave it out.", param="stream"
        )
    return ReadLine(line, request)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Where the lines of an alias go: the target, and the alias as configured."""

    target: Target
    label: str


def chosen(alias: str, endpoint: Endpoint, aliases: Aliases) -> Chosen:
    """The first target of an alias whose provider takes batches of this operation.

    Raises:
        WireError: 404 where there is no such alias, 400 where none of its providers does.
    """
    destination = aliases.resolve(alias)
    for target in destination.targets:
        if target.provider.batch == "native" and _speaks(target.provider, endpoint):
            return Chosen(target, destination.label)
    raise _no_batches(alias, endpoint, destination)


def _speaks(provider: Provider, endpoint: Endpoint) -> bool:
    return endpoint.ingress is None or endpoint.ingress in all_spoken(provider)


def _no_batches(alias: str, endpoint: Endpoint, destination: Destination) -> WireError:
    names = ", ".join(dict.fromkeys(target.name for target in destination.targets))
    return WireError(
        400,
        "batch_unsupported",
        f"{alias[:200]!r} leads to {names}, which takes no batches of /v1{endpoint.path}. Name a"
        ' model whose provider does (batch = "native"), or make these calls one by one.',
        param="model",
    )


def exchange_of(batch: Batch, read: ReadLine) -> Exchange:
    """The attempt that a line of a batch becomes."""
    line, request = read
    leg, endpoint = batch.legs[request.model], ENDPOINTS[batch.endpoint]
    intent = Intent(
        id=call_id(batch.id, line.number),
        at=instant(batch.created_us),
        dimensions=_dimensions(batch, read),
        model=leg.model,
        input_bound=input_upper_bound(line.body),
    )
    return _exchange(batch, intent, request, leg, endpoint)


def settling(batch: Batch, terms: LineTerms, open_line: OpenLine) -> Exchange:
    """The attempt of a line that was sent, without its request, which is rarely needed again."""
    leg, endpoint = batch.legs[terms.alias], ENDPOINTS[batch.endpoint]
    exchange = _exchange(batch, open_line.intent, _NO_REQUEST, leg, endpoint)
    exchange.held = open_line.held
    exchange.allowance = Allowance(measures=read_measures(terms.measures))
    return exchange


def reading_of(batch: Batch) -> Reading:
    """What reads an answer to a line of a batch."""
    return adapter_for(ENDPOINTS[batch.endpoint].dialect, batch.price_as).stream()


def _exchange(
    batch: Batch, intent: Intent, request: ParsedRequest, leg: Leg, endpoint: Endpoint
) -> Exchange:
    billed = Provider(base_url="", price_as=batch.price_as)
    target = Target(batch.provider, billed, leg.model, leg.label)
    return Exchange(
        intent, target, request, reading_of(batch), answers=endpoint.answers, batch=True
    )


def _dimensions(batch: Batch, read: ReadLine) -> Dimensions:
    who, tags = batch.dimensions, dict(batch.dimensions.tags)
    tags |= {BATCH_TAG: batch.id, CUSTOM_ID_TAG: read.line.custom_id}
    return replace(
        who,
        alias=read.request.model,
        user=who.user or read.request.user[:LONGEST_VALUE],
        provider=batch.price_as,
        route=PRIMARY,
        tags=tuple(sorted(tags.items())),
    )


def claim_of(batch: Batch, read: ReadLine, rules: Rules, book: PriceBook) -> LineClaim | Refused:
    """What a line claims before it may leave, or why it may not."""
    exchange = exchange_of(batch, read)
    allowed = allowance(rules, exchange, book)
    if isinstance(allowed, Refused):
        return allowed
    terms = LineTerms(
        read.line.number,
        read.line.custom_id,
        read.request.model,
        allowed.send_max_tokens,
        stored_measures(allowed.measures),
    )
    intent = replace(exchange.intent, worst_case=allowed.most_billed)
    return LineClaim(terms, intent, allowed.claims)


def outgoing_line(batch: Batch, read: ReadLine, max_tokens: int | None) -> bytes:
    """The line as the provider gets it: our name of it, and the provider's of the model."""
    body = read.request.body_for(batch.legs[read.request.model].model, max_tokens=max_tokens)
    told = {
        "custom_id": reference_of(batch.id, read.line.number),
        "method": "POST",
        "url": batch.endpoint,
        "body": msgspec.Raw(body),
    }
    return _encode(told) + b"\n"


def lines_of(part: Part, *, body_bytes: int) -> Iterator[ReadLine]:
    """The lines of a part of a file that was accepted.

    Raises:
        WrongLine: one does not pass any more, since a limit was lowered.
    """
    splitter = LineSplitter(longest=len(part.content))
    found = splitter.feed(part.content) + splitter.rest()
    for place, text in found:
        if text is not None:
            yield understood(part.first_line + place - 1, text, body_bytes=body_bytes)
