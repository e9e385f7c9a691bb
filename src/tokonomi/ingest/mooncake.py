"""The Mooncake traces: one JSON object a line, with the blocks of the prompt named by numbers.

Source: kvcache-ai/Mooncake, Apache-2.0; Qin et al., FAST 2025. `timestamp` is in milliseconds since
a start that nobody told; `hash_ids` names each block of 512 prompt tokens together with all before
it, so that equal numbers at the front are a prefix that a cache could have kept.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec

from tokonomi.ingest.azure import MOST_TOKENS
from tokonomi.ingest.draft import Draft, Identity, Rejected, Target, reason_of, rejected
from tokonomi.ingest.lines import Lines
from tokonomi.usage import Source, Usage

BLOCK_TOKENS: Final = 512
LARGEST_BLOCK_ID: Final = 2**31 - 1
_TEN_YEARS_MS: Final = 10 * 366 * 86_400_000

Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
BlockId = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_BLOCK_ID)]


class _Line(msgspec.Struct, frozen=True):
    timestamp: Annotated[int, msgspec.Meta(ge=0, le=_TEN_YEARS_MS)]
    input_length: Tokens
    output_length: Tokens
    hash_ids: list[BlockId] = []


class SeenBlocks:
    """Which blocks were seen, one bit each: the numbers are given out from 0 on."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def leading(self, blocks: list[int]) -> int:
        """How many blocks at the front were seen before; all of them are seen from now on."""
        known = next((n for n, block in enumerate(blocks) if not self._has(block)), len(blocks))
        for block in blocks[known:]:
            self._add(block)
        return known

    def _has(self, block: int) -> bool:
        place = block >> 3
        return place < len(self._bits) and bool(self._bits[place] >> (block & 7) & 1)

    def _add(self, block: int) -> None:
        place = block >> 3
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 - len(self._bits) + len(self._bits) // 2))
        self._bits[place] |= 1 << (block & 7)


def read(
    lines: Lines, target: Target, *, base_time: datetime, assume_prefix_cache: bool = False
) -> Iterator[Draft | Rejected]:
    """The calls of a trace that began at `base_time`, taken to be calls of the target's model.

    With `assume_prefix_cache` the leading blocks that any earlier line had are cache reads, 512
    tokens each and never more than the prompt: a cache that forgets nothing, so an upper bound.
    Such usage is marked as estimated.
    """
    kind = "mooncake with prefix cache" if assume_prefix_cache else "mooncake"
    identity = Identity(kind, target.provider, target.model, base_time.isoformat())
    decode = msgspec.json.Decoder(_Line).decode
    seen = SeenBlocks()
    for number, raw in lines:
        if not raw.strip():
            continue
        try:
            line = decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield rejected(number, reason_of(error), raw)
            continue
        at = base_time + timedelta(milliseconds=line.timestamp)
        cached = 0
        if assume_prefix_cache:
            cached = min(seen.leading(line.hash_ids) * BLOCK_TOKENS, line.input_length)
        yield Draft(
            id=identity.of(number, raw),
            at=at,
            usage=Usage(
                at=at,
                uncached_input=line.input_length - cached,
                cache_read=cached,
                output=line.output_length,
                source=Source.ESTIMATED if assume_prefix_cache else Source.REPORTED,
            ),
            model=target.model,
            model_asked=target.asked,
            dimensions=target.dimensions,
        )
