"""What one call consumed: disjoint buckets of tokens, and what else its price depends on.

Providers count in ways that overlap (cached tokens inside the prompt here, beside it there). Only
the adapter of a wire knows which; what leaves it is this record, every token in one bucket.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Final

import msgspec

from tokonomi.errors import BadInput, ImpossibleUsage
from tokonomi.money import Money


class Source(StrEnum):
    """Where the counts come from. Estimated, reported and absent never share a column."""

    REPORTED = "reported"
    ESTIMATED = "estimated"
    ABSENT = "absent"


STANDARD_TIER: Final = "standard"
UNKNOWN_TIER: Final = "unknown"
"""A reply that does not say which tier served it, such as "auto"; no price row has this tier."""

INPUT_BUCKETS: Final = (
    "uncached_input",
    "cache_read",
    "cache_read_audio",
    "cache_write_5m",
    "cache_write_1h",
    "audio_in",
    "image_in",
)
OUTPUT_BUCKETS: Final = ("output", "audio_out", "image_out")
COUNTS: Final = (
    *INPUT_BUCKETS,
    "output",
    "reasoning",
    "audio_out",
    "image_out",
    "searches",
    "requests",
)
"""Every count, in the order of the meters that price them."""

counts_of = attrgetter(*COUNTS)
"""All counts of a usage, in this order."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The canonical record of one call's consumption.

    Every count is a number of tokens, save `searches` (billable web searches observed in the reply)
    and `requests` (billable requests, 1 for a call). The input buckets and the output buckets are
    disjoint; `reasoning` is the part of `output` that was spent on hidden thinking.

    Attributes:
        at: instant of the request, in UTC; prices are looked up at it.
        tier: the service tier that *served* the call ("standard", "flex", "priority" ...), as the
            reply names it, never the one that was asked for.
        batch: whether the call went through a batch interface.
        context_basis: tokens that choose the context tier; `None` means all input tokens.
        reported_cost: what the provider itself says that the call cost.
        source: whether the counts are reported by the provider, estimated by us, or absent.
        unknown_keys: usage keys that the adapter does not know; an alarm, not a charge.

    Raises:
        ImpossibleUsage: a count is negative, or reasoning exceeds output.
        BadInput: `at` is not in UTC; that is the caller's mistake and not the provider's.

    >>> from datetime import datetime, UTC
    >>> Usage(at=datetime(2026, 1, 30, tzinfo=UTC), uncached_input=200, output=400).total_tokens
    600
    """

    at: datetime
    uncached_input: int = 0
    cache_read: int = 0
    cache_read_audio: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    audio_in: int = 0
    image_in: int = 0
    output: int = 0
    reasoning: int = 0
    audio_out: int = 0
    image_out: int = 0
    searches: int = 0
    requests: int = 1
    tier: str = STANDARD_TIER
    batch: bool = False
    context_basis: int | None = None
    reported_cost: Money | None = None
    source: Source = Source.REPORTED
    unknown_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (
            self.uncached_input < 0
            or self.cache_read < 0
            or self.cache_read_audio < 0
            or self.cache_write_5m < 0
            or self.cache_write_1h < 0
            or self.audio_in < 0
            or self.image_in < 0
            or self.output < 0
            or self.reasoning < 0
            or self.audio_out < 0
            or self.image_out < 0
            or self.searches < 0
            or self.requests < 0
            or (self.context_basis is not None and self.context_basis < 0)
        ):
            negative = {name: n for name in COUNTS if (n := getattr(self, name)) < 0}
            raise ImpossibleUsage(f"negative counts {negative or self.context_basis}")
        if self.reasoning > self.output:
            raise ImpossibleUsage(
                f"{self.reasoning} reasoning tokens inside {self.output} output tokens"
            )
        if self.at.tzinfo is not UTC and self.at.utcoffset() != timedelta(0):
            raise BadInput(f"the instant {self.at.isoformat()} of a usage is not in UTC")

    @property
    def total_input(self) -> int:
        """All input tokens, cached or not, in tokens."""
        return (
            self.uncached_input
            + self.cache_read
            + self.cache_read_audio
            + self.cache_write_5m
            + self.cache_write_1h
            + self.audio_in
            + self.image_in
        )

    @property
    def total_output(self) -> int:
        """All output tokens, reasoning among them, in tokens."""
        return self.output + self.audio_out + self.image_out

    @property
    def total_tokens(self) -> int:
        """All tokens of the call."""
        return self.total_input + self.total_output

    @property
    def tier_basis(self) -> int:
        """Tokens that choose the context tier."""
        return self.total_input if self.context_basis is None else self.context_basis


class Quarantined(msgspec.Struct, frozen=True, tag=True):
    """Usage that cannot be true, kept with the reason instead of being clamped or charged.

    `reason` states the numbers; `raw` is the provider's usage object as JSON text.
    """

    reason: str
    raw: str
