"""Google's generateContent, of Gemini and of Vertex.

`promptTokenCount` includes what came from the cache; `candidatesTokenCount` excludes thoughts, and
`toolUsePromptTokenCount` stands beside the prompt. Replies have also included thoughts, or tool
tokens, in the count beside them, so the total decides how each reply is meant. A count of zero is
left out of the JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import product
from typing import Final

from tokonomi.errors import ImpossibleUsage
from tokonomi.providers.adapter import Dialect, Seen, UsageAdapter
from tokonomi.providers.input_buckets import input_buckets
from tokonomi.providers.json_fields import (
    is_array,
    is_object,
    json_text,
    objects_at,
    part_count,
    reported_count,
    text_at,
    unknown_keys,
)
from tokonomi.providers.reported_usage import last_report, read_report
from tokonomi.providers.served_tier import served_tier
from tokonomi.usage import Quarantined, Usage

_KNOWN: Final = frozenset(
    {
        "cacheTokensDetails",
        "cachedContentTokenCount",
        "candidatesTokenCount",
        "candidatesTokensDetails",
        "promptTokenCount",
        "promptTokensDetails",
        "serviceTier",
        "thoughtsTokenCount",
        "toolUsePromptTokenCount",
        "toolUsePromptTokensDetails",
        "totalTokenCount",
        "trafficType",
    }
)


def gemini(provider: str = "") -> UsageAdapter:
    """The adapter of generateContent; the Gemini API and Vertex speak it alike."""
    return UsageAdapter(Dialect.GEMINI, provider, GeminiReading)


@dataclass(slots=True)
class GeminiReading:
    """A generateContent reply being read: chunks of a stream, or the whole."""

    seen: Seen = field(default_factory=Seen)
    _reported: object = None
    _queries: set[str] = field(default_factory=set[str])
    _maps: bool = False

    def observe(self, event: Mapping[str, object], /) -> None:
        """Takes note of a whole reply, or of one chunk; counts in chunks are cumulative."""
        self._reported = last_report(event.get("usageMetadata"), self._reported)
        seen = self.seen
        seen.model = text_at(event, "modelVersion") or seen.model
        seen.request_id = text_at(event, "responseId") or seen.request_id
        for candidate in objects_at(event, "candidates"):
            seen.finish_reason = text_at(candidate, "finishReason") or seen.finish_reason
            content = candidate.get("content")
            if is_object(content):
                self._relay(content)
            grounding = candidate.get("groundingMetadata")
            if is_object(grounding):
                self._observe_grounding(grounding)

    def usage(
        self, at: datetime, *, batch: bool = False, context_basis: int | None = None
    ) -> Usage | Quarantined | None:
        """The consumption that was last reported; see `Reading.usage`."""
        read = partial(self._read, at=at, batch=batch, context_basis=context_basis)
        return read_report("usageMetadata", self._reported, read)

    def _read(
        self,
        usage: Mapping[str, object],
        /,
        *,
        at: datetime,
        batch: bool,
        context_basis: int | None,
    ) -> Usage:
        total_input, total_output = _totals(usage)
        read = part_count(usage, "cachedContentTokenCount")
        asked = _modalities(usage, "promptTokensDetails")
        tools = _modalities(usage, "toolUsePromptTokensDetails")
        cached = _modalities(usage, "cacheTokensDetails")
        made = _modalities(usage, "candidatesTokensDetails")
        uncached, read_text, read_audio, _, _, audio, image = input_buckets(
            total_input,
            read=read,
            audio=asked.get("AUDIO", 0) + tools.get("AUDIO", 0),
            image=asked.get("IMAGE", 0) + tools.get("IMAGE", 0),
            cached_media=(cached.get("AUDIO", 0), cached.get("IMAGE", 0)) if cached else None,
        )
        audio_out, image_out = made.get("AUDIO", 0), made.get("IMAGE", 0)
        return Usage(
            at=at,
            uncached_input=uncached,
            cache_read=read_text,
            cache_read_audio=read_audio,
            audio_in=audio,
            image_in=image,
            output=total_output - audio_out - image_out,
            reasoning=part_count(usage, "thoughtsTokenCount"),
            audio_out=audio_out,
            image_out=image_out,
            searches=len(self._queries),
            tier=served_tier(usage.get("trafficType") or usage.get("serviceTier")),
            batch=batch,
            context_basis=context_basis,
            unknown_keys=unknown_keys(usage, _KNOWN)
            + (("groundingMetadata.maps",) if self._maps else ()),
        )

    def _relay(self, content: Mapping[str, object]) -> None:
        for part in objects_at(content, "parts"):
            self.seen.relayed.add(part.get("text"))
            call = part.get("functionCall")
            if is_object(call) and call.get("args"):
                self.seen.relayed.add(json_text(call["args"]))

    def _observe_grounding(self, grounding: Mapping[str, object]) -> None:
        # The same query is listed once for each part that it grounds, and some are empty.
        queries = grounding.get("webSearchQueries")
        if is_array(queries):
            self._queries.update(q.strip() for q in queries if isinstance(q, str) and q.strip())
        # Grounding in maps has a fee of its own, for which there is no meter.
        self._maps = self._maps or any(
            "maps" in chunk for chunk in objects_at(grounding, "groundingChunks")
        )


def _totals(usage: Mapping[str, object]) -> tuple[int, int]:
    """All input and all output tokens, in the one reading that agrees with the reply's total.

    Raises:
        ImpossibleUsage: no reading agrees, or two different ones do.
    """
    prompt = part_count(usage, "promptTokenCount")
    tools = part_count(usage, "toolUsePromptTokenCount")
    candidates = part_count(usage, "candidatesTokenCount")
    thoughts = part_count(usage, "thoughtsTokenCount")
    total = reported_count(usage, "totalTokenCount")
    beside = (prompt + tools, candidates + thoughts)
    if total is None or sum(beside) == total:
        return beside
    inputs = {prompt + tools, prompt} if tools <= prompt else {prompt + tools}
    outputs = {candidates + thoughts, candidates} if thoughts <= candidates else {beside[1]}
    readings = [pair for pair in product(inputs, outputs) if sum(pair) == total]
    if len(readings) == 1:
        return readings[0]
    raise ImpossibleUsage(
        f"{prompt} prompt + {tools} tool + {candidates} candidate + {thoughts} thought tokens"
        f" have {len(readings)} readings that make the reply's total of {total}"
    )


def _modalities(usage: Mapping[str, object], key: str) -> dict[str, int]:
    """Tokens by kind of content (TEXT, AUDIO, IMAGE, VIDEO, DOCUMENT); video is priced as text."""
    tokens: dict[str, int] = {}
    for part in objects_at(usage, key):
        kind = text_at(part, "modality")
        tokens[kind] = tokens.get(kind, 0) + part_count(part, "tokenCount")
    return tokens
