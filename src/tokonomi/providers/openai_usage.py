"""The usage object of OpenAI's dialects, which chat, responses and embeddings name differently.

The input count includes what was read from and written to the cache, audio and images. The output
count includes reasoning, audio, images and rejected predictions. Details only split these counts;
they never add to them.

This runs once for every call of the gateway, so the usual reply takes few steps: the parts are read
plainly, one test sees whether all of them are integers, and only if not are they read with care.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from tokonomi.errors import ImpossibleUsage
from tokonomi.money import Money
from tokonomi.providers.input_buckets import InputBuckets, input_buckets
from tokonomi.providers.json_fields import (
    MAX_COUNT,
    object_at,
    part_count,
    reported_count,
    unknown_keys,
)
from tokonomi.usage import STANDARD_TIER, Usage

_INPUT_DETAILS: Final = frozenset(
    {
        "audio_tokens",
        "cache_write_tokens",
        "cache_write_tokens_details",
        "cached_tokens",
        "cached_tokens_details",
        "image_tokens",
        "text_tokens",
        "video_tokens",
    }
)
_OUTPUT_DETAILS: Final = frozenset(
    {
        "accepted_prediction_tokens",
        "audio_tokens",
        "image_tokens",
        "reasoning_tokens",
        "rejected_prediction_tokens",
        "text_tokens",
    }
)


_PLAIN: Final = 2
"""Input buckets of plain text: fresh, and read from the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a dialect, as one provider speaks it, names and counts.

    Attributes:
        known: the keys of the usage object that raise no alarm.
        input_key: the count of all input tokens.
        input_details: what splits it.
        output_key: the count of output tokens.
        output_details: what splits it.
        unmetered: known keys of something billed that we have no meter for: an alarm unless 0.
        output_optional: whether a reply without output is complete, as one of embeddings is.
        reasoning_beside: whether reasoning stands beside the output count instead of inside it.
        cost: reads what the provider says that the call cost.
        searches: reads the searches that the usage object counts, `None` when it counts none.
        as_openai: says the same usage as OpenAI would, where the whole object is another one.
    """

    known: frozenset[str]
    input_key: str = "prompt_tokens"
    input_details: str = "prompt_tokens_details"
    output_key: str = "completion_tokens"
    output_details: str = "completion_tokens_details"
    unmetered: frozenset[str] = frozenset()
    output_optional: bool = False
    reasoning_beside: bool = False
    cost: Callable[[Mapping[str, object]], Money | None] | None = None
    searches: Callable[[Mapping[str, object]], int | None] | None = None
    as_openai: Callable[[Mapping[str, object]], Mapping[str, object]] | None = None


def read_usage(
    usage: Mapping[str, object],
    /,
    *,
    shape: Shape,
    at: datetime,
    tier: str = STANDARD_TIER,
    searches: int = 0,
    batch: bool = False,
    context_basis: int | None = None,
    alarms: tuple[str, ...] = (),
) -> Usage | None:
    """The consumption that a usage object reports, `None` when it holds no counts.

    Args:
        usage: the decoded object.
        shape: the dialect and variant.
        at: instant of the request, in UTC.
        tier: the served tier, in our words.
        searches: searches that the rest of the reply shows; a count in `usage` goes before it.
        batch: whether the call went through a batch interface.
        context_basis: tokens that choose the context tier, when not all input tokens do.
        alarms: what the rest of the reply left unexplained.

    Raises:
        ImpossibleUsage: the counts cannot be true together.
        BadInput: `at` is not in UTC.
    """
    if shape.as_openai is not None:
        usage = shape.as_openai(usage)
    totals = _totals(usage, shape)
    if totals is None:
        return None
    prompt, completion, total = totals
    inputs = object_at(usage, shape.input_details)
    outputs = object_at(usage, shape.output_details)
    buckets = _split_input(prompt, usage, inputs)
    text, reasoning, audio_out, image_out = _split_output(completion, outputs)
    if prompt + completion != total or shape.reasoning_beside:
        text += _beside(prompt, completion, total, reasoning if shape.reasoning_beside else 0)
    usual = Usage(
        at=at,
        uncached_input=buckets[0],
        cache_read=buckets[1],
        output=text,
        reasoning=reasoning,
        tier=tier,
        batch=batch,
        context_basis=context_basis,
        unknown_keys=alarms + _alarms(usage, shape, inputs, outputs),
    )
    counted = shape.searches(usage) if shape.searches else None
    cost = shape.cost(usage) if shape.cost else None
    # Naming all fields for every call would take as long as all the rest; few replies need them.
    if searches or counted or cost:
        seen = searches if counted is None else counted
        usual = replace(usual, searches=seen, reported_cost=cost)
    if audio_out or image_out or any(buckets[_PLAIN:]):
        return _with_media(usual, buckets, audio_out=audio_out, image_out=image_out)
    return usual


def _with_media(usage: Usage, buckets: InputBuckets, *, audio_out: int, image_out: int) -> Usage:
    _, _, read_audio, write, write_long, audio, image = buckets
    return replace(
        usage,
        cache_read_audio=read_audio,
        cache_write_5m=write,
        cache_write_1h=write_long,
        audio_in=audio,
        image_in=image,
        audio_out=audio_out,
        image_out=image_out,
    )


def _totals(usage: Mapping[str, object], shape: Shape) -> tuple[int, int, int | None] | None:
    prompt, completion = usage.get(shape.input_key), usage.get(shape.output_key)
    total = usage.get("total_tokens")
    # A negative count needs no test here: a bucket would be negative, and `Usage` refuses that.
    if (
        type(prompt) is int
        and type(completion) is int
        and type(total) is int
        and prompt <= MAX_COUNT
        and completion <= MAX_COUNT
    ):
        return prompt, completion, total
    return _unusual_totals(usage, shape)


def _unusual_totals(
    usage: Mapping[str, object], shape: Shape
) -> tuple[int, int, int | None] | None:
    prompt = reported_count(usage, shape.input_key)
    completion = reported_count(usage, shape.output_key)
    total = reported_count(usage, "total_tokens")
    if prompt is not None and completion is not None:
        return prompt, completion, total
    if prompt is None and completion is None and total is None:
        return None
    if prompt is not None and shape.output_optional:
        return prompt, 0, total
    missing = shape.input_key if prompt is None else shape.output_key
    raise ImpossibleUsage(f"{missing} is absent beside other counts")


def _beside(prompt: int, completion: int, total: int | None, reasoning: int) -> int:
    """The tokens to add to the output: reasoning that stands beside it.

    Providers that leave reasoning out of the output count have also sent replies that include it,
    so the total decides where there is one.
    """
    if total is None or prompt + completion + reasoning == total:
        return reasoning
    if prompt + completion == total:
        return 0
    beside = f" + {reasoning} reasoning" if reasoning else ""
    raise ImpossibleUsage(
        f"{prompt} input + {completion} output{beside} = {prompt + completion + reasoning},"
        f" but the reply's total is {total}"
    )


def _split_input(
    prompt: int, usage: Mapping[str, object], details: Mapping[str, object] | None
) -> InputBuckets:
    read = write = audio = image = 0
    if details:
        get = details.get
        read, write = get("cached_tokens", 0), get("cache_write_tokens", 0)
        audio, image = get("audio_tokens", 0), get("image_tokens", 0)
        if not (
            type(read) is int and type(write) is int and type(audio) is int and type(image) is int
        ):
            read = part_count(details, "cached_tokens")
            write = part_count(details, "cache_write_tokens")
            audio = part_count(details, "audio_tokens")
            image = part_count(details, "image_tokens")
    if "prompt_cache_hit_tokens" in usage:
        read = _cache_hits(prompt, usage, read if details and "cached_tokens" in details else None)
    if details is None or not (write or audio or image):
        return input_buckets(prompt, read=read)
    return input_buckets(
        prompt,
        read=read,
        write=write,
        long_write=_long_writes(details, write),
        audio=audio,
        image=image,
        cached_media=_cached_media(details),
    )


def _cache_hits(prompt: int, usage: Mapping[str, object], cached: int | None) -> int:
    """DeepSeek's own count of cache reads, which must agree with the prompt and the details."""
    hits = reported_count(usage, "prompt_cache_hit_tokens")
    misses = reported_count(usage, "prompt_cache_miss_tokens")
    if hits is None:
        return cached or 0
    if cached is not None and cached != hits:
        raise ImpossibleUsage(f"{hits} cache hits, but {cached} cached tokens")
    if misses is not None and hits + misses != prompt:
        raise ImpossibleUsage(f"{hits} cache hits + {misses} misses are not {prompt} input tokens")
    return hits


def _cached_media(details: Mapping[str, object]) -> tuple[int, int] | None:
    """The audio and the image tokens that were read from the cache, when the reply says so."""
    split = object_at(details, "cached_tokens_details")
    if split is None:
        return None
    return part_count(split, "audio_tokens"), part_count(split, "image_tokens")


def _long_writes(details: Mapping[str, object], write: int) -> int:
    """The cache writes with the longer of two retentions, when the reply tells them apart."""
    split = object_at(details, "cache_write_tokens_details")
    if split is None:
        return 0
    short, long = part_count(split, "ttl_30m_tokens"), part_count(split, "ttl_12h_tokens")
    if short + long != write:
        raise ImpossibleUsage(f"{short} + {long} cache writes by retention are not {write}")
    return long


def _split_output(
    completion: int, details: Mapping[str, object] | None
) -> tuple[int, int, int, int]:
    """Text, reasoning inside the text, audio and image; text, audio and image sum to the output."""
    if not details:
        return completion, 0, 0, 0
    get = details.get
    reasoning, audio = get("reasoning_tokens", 0), get("audio_tokens", 0)
    image = get("image_tokens", 0)
    if not (type(reasoning) is int and type(audio) is int and type(image) is int):
        reasoning = part_count(details, "reasoning_tokens")
        audio = part_count(details, "audio_tokens")
        image = part_count(details, "image_tokens")
    if audio + image > completion:
        raise ImpossibleUsage(f"{audio} audio + {image} image inside {completion} output tokens")
    return completion - audio - image, reasoning, audio, image


def _alarms(
    usage: Mapping[str, object],
    shape: Shape,
    inputs: Mapping[str, object] | None,
    outputs: Mapping[str, object] | None,
) -> tuple[str, ...]:
    # The common reply has none, and asking for supersets is the cheapest way to see it.
    if (
        shape.known.issuperset(usage)
        and not shape.unmetered
        and (not inputs or _INPUT_DETAILS.issuperset(inputs))
        and (not outputs or _OUTPUT_DETAILS.issuperset(outputs))
    ):
        return ()
    found = unknown_keys(usage, shape.known)
    if shape.unmetered:
        found += tuple(key for key in sorted(shape.unmetered) if usage.get(key))
    if inputs:
        found += unknown_keys(inputs, _INPUT_DETAILS, within=shape.input_details)
    if outputs:
        found += unknown_keys(outputs, _OUTPUT_DETAILS, within=shape.output_details)
    return found
