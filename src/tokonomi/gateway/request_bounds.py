"""How much a request can consume at most, read from its body before it leaves."""

from typing import Final

import msgspec

from tokonomi.budgets.hold_size import OutputLimit, output_limit
from tokonomi.gateway.request import OUTPUT_LIMITS, ParsedRequest
from tokonomi.gateway.request_asked import Asked, word
from tokonomi.gateway.request_values import MOST
from tokonomi.pricing.book import ModelEntry
from tokonomi.pricing.bound import Bounds, Unbounded
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import TEXT, Media, Meter
from tokonomi.providers.token_estimate import TEMPLATE_TOKENS_PER_MESSAGE

_decode_count: Final = msgspec.json.Decoder(int | None).decode
_ONLINE: Final = ":online"


class Searching(msgspec.Struct, frozen=True):
    """The searches of a request, and how often their results are read.

    Attributes:
        searches: web searches that are billed.
        fees: fees of a request that are billed: OpenRouter's grows with the results.
        turns: how often the model reads all again.
        fills: what can fill the context window with results; empty without any.
    """

    searches: int = 0
    fees: int = 1
    turns: int = 1
    fills: str = ""


def bounds_of(
    asked: Asked,
    *,
    model: str,
    entry: ModelEntry,
    input_bound: int,
    output_cap: int | None,
    answers: bool = True,
) -> tuple[Bounds, OutputLimit] | Unpriced:
    """The most that a request can consume at a model, and the limit of output to send along.

    `input_bound` bounds the text of the body in tokens. `answers` is whether the endpoint produces
    output at all; embeddings do not. What makes the tokens alone endless is `Unpriced`; a field
    whose cost has no bound at any price is `Unbounded`.
    """
    searching = searching_of(asked, model)
    if isinstance(searching, Unbounded):
        return searching
    draws = Meter.IMAGE_OUT in entry.meters
    if asked.drawn and not draws:
        return _no_price(model, "images that it puts out", "modalities")
    if asked.heard or asked.spoken:
        unpriced = _sound_without_a_price(asked, model, entry)
        if unpriced is not None:
            return unpriced
    input_tokens = _input(asked, searching, entry=entry, input_bound=input_bound)
    if isinstance(input_tokens, Unpriced):
        return input_tokens
    limit = _output(asked, entry, output_cap, draws=draws) if answers else OutputLimit(0, None)
    if isinstance(limit, Unpriced):
        return limit
    bounds = Bounds(
        input_tokens=input_tokens,
        output_tokens=limit.tokens,
        choices=asked.choices * searching.turns,
        searches=searching.searches,
        requests=searching.fees,
        media=_media(asked, draws=draws),
    )
    return bounds, limit


def _media(asked: Asked, *, draws: bool) -> Media:
    if not (asked.heard or asked.images or asked.spoken or draws):
        return TEXT
    return Media(
        audio_in=asked.heard,
        image_in=asked.images > 0,
        audio_out=asked.spoken,
        image_out=draws,
    )


def searching_of(asked: Asked, model: str) -> Searching | Unbounded:
    """The most that a request can search."""
    rules = asked.rules
    if asked.looped:
        if rules.turns_of_server_tools:
            return Searching(asked.searches, 1, rules.turns_of_server_tools, asked.fills)
        if asked.tool_calls is None:
            return Unbounded(
                "`tools` holds one of the provider's own, and nothing says how often it runs",
                remedy="Send `max_tool_calls`.",
                param="tools",
            )
        return Searching(asked.tool_calls, 1, 1 + asked.tool_calls, asked.fills)
    if not asked.results and not model.endswith(_ONLINE):
        return Searching(searches=asked.searches, fills=asked.fills)
    fees = -(-max(asked.results, 1) // rules.results_of_a_search)
    if asked.engine == "exa":
        return Searching(max(fees, asked.searches), fees, fills="plugins")
    native = asked.engine == "native" or model.startswith(rules.native_search)
    turns = rules.turns_of_native_search if native else 1
    return Searching(max(fees, rules.searches_of_a_chat), fees, turns, _ONLINE)


def longest_output(
    request: ParsedRequest, *, model_maximum: int | None, cap: int | None
) -> int | None:
    """The most output tokens of all choices of a request that has left, or None without a bound.

    Unlike a bound it takes what it can read, since no budget needs to stand on it.
    """
    limit = readable_limit(request, model_maximum=model_maximum, cap=cap)
    return None if isinstance(limit, Unpriced) else limit.tokens


def readable_limit(
    request: ParsedRequest, *, model_maximum: int | None, cap: int | None
) -> OutputLimit | Unpriced:
    """The most output of all choices by what can be read of a request, and what to send along."""
    stated = [_count(request, name) for name in OUTPUT_LIMITS[request.dialect]]
    asked = max((each for each in stated if each is not None), default=None)
    limit = output_limit(asked, model_maximum=model_maximum, cap=cap)
    if isinstance(limit, Unpriced):
        return limit
    return OutputLimit(limit.tokens * (_count(request, "n") or 1), limit.send)


def _count(request: ParsedRequest, name: str) -> int | None:
    raw = request.fields.get(name)
    try:
        count = None if raw is None else _decode_count(raw)
    except msgspec.MsgspecError:
        return None
    return count if count is not None and 0 <= count <= MOST else None


def _sound_without_a_price(asked: Asked, model: str, entry: ModelEntry) -> Unbounded | None:
    for wanted, meter, what in (
        (asked.heard, Meter.AUDIO_IN, "sound in the input"),
        (asked.spoken, Meter.AUDIO_OUT, "sound that it puts out"),
    ):
        # Sound costs several times what text does, so the price of text is no bound of it.
        if wanted and meter not in entry.meters and not all(each.row.free for each in entry.rows):
            return _no_price(model, what, None)
    return None


def _no_price(model: str, what: str, param: str | None) -> Unbounded:
    return Unbounded(
        f"{word(model)} has no price for {what}",
        remedy="Add one to the prices, or send text.",
        param=param,
    )


def _input(
    asked: Asked, searching: Searching, *, entry: ModelEntry, input_bound: int
) -> int | Unpriced:
    """The most input tokens, over all turns that a provider's own tools may take."""
    window = entry.card.context_window
    # A provider that took an image for text would still read no more than the window holds.
    inline = asked.inline
    if inline and window is not None:
        inline = min(inline, window)
    tokens = (
        input_bound
        - asked.inline
        + inline
        + asked.images * asked.rules.tokens_of_an_image
        + asked.added
        + TEMPLATE_TOKENS_PER_MESSAGE * asked.unmarked
    )
    fills = asked.fills or searching.fills
    if not fills:
        return tokens * searching.turns
    if window is None:
        return Unpriced(
            f"`{fills}` can fill the context window of {entry.model}, whose size is not known"
        )
    return max(tokens, window) * searching.turns


def _output(
    asked: Asked, entry: ModelEntry, cap: int | None, *, draws: bool
) -> OutputLimit | Unpriced:
    """The most output tokens of one choice.

    Thinking and a prediction count within the limit, unless they are larger than it allows; an
    image is not cut off at it.
    """
    card = entry.card
    # No model writes more than its context window holds, where its own limit is not known.
    longest = card.max_output or card.context_window
    limit = output_limit(asked.limit, model_maximum=longest, cap=cap)
    if isinstance(limit, Unpriced):
        return limit
    if not (draws or asked.thinking or asked.predicted):
        return limit
    tokens = limit.tokens
    if draws:
        if longest is None:
            return Unpriced(f"the longest answer of {entry.model} with its images is not known")
        tokens = max(tokens, longest)
    if asked.thinking >= tokens:
        tokens += asked.thinking
    return OutputLimit(tokens + asked.predicted, limit.send)
