"""Anthropic's messages.

`input_tokens` excludes what was read from and written to the cache; `output_tokens` includes
thinking. A stream reports twice, at its start and at its end, and the counts are cumulative: for
each key the last statement holds, and they are never added.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tokonomi.errors import ImpossibleUsage
from tokonomi.providers.adapter import Dialect, Seen, UsageAdapter
from tokonomi.providers.json_fields import (
    has_values,
    is_array,
    is_object,
    not_an_object,
    object_at,
    objects_at,
    part_count,
    quarantined,
    reported_count,
    text_at,
    unknown_keys,
)
from tokonomi.providers.served_tier import served_tier
from tokonomi.providers.token_estimate import relayed_tokens
from tokonomi.usage import STANDARD_TIER, Quarantined, Source, Usage

_KNOWN: Final = frozenset(
    {
        "cache_creation",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "inference_geo",
        "input_tokens",
        "iterations",
        "output_tokens",
        "output_tokens_details",
        "server_tool_use",
        "service_tier",
        "speed",
    }
)
_KNOWN_WRITES: Final = frozenset({"ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"})
_KNOWN_TOOLS: Final = frozenset(
    {
        "code_execution_requests",
        "tool_search_requests",
        "web_fetch_requests",
        "web_search_requests",
    }
)
_NO_PRICE_OF_ITS_OWN: Final = frozenset({"", "global", "not_available"})


def anthropic_messages(provider: str = "") -> UsageAdapter:
    """The adapter of messages; every provider that speaks them speaks them alike."""
    return UsageAdapter(Dialect.ANTHROPIC_MESSAGES, provider, MessagesReading)


@dataclass(slots=True)
class MessagesReading:
    """A message being read: events of a stream, or the whole."""

    seen: Seen = field(default_factory=Seen)
    _reported: Mapping[str, object] = field(default_factory=dict[str, object])
    _strange: object = None
    _final: bool = False
    _searched: int = 0

    def observe(self, event: Mapping[str, object], /) -> None:
        """Takes note of a whole message, or of one event of its stream."""
        match event.get("type"):
            case "message_start":
                message = event.get("message")
                if is_object(message):
                    self._observe_message(message)
            case "content_block_start":
                block = event.get("content_block")
                if is_object(block):
                    self._observe_block(block)
            case "content_block_delta":
                delta = event.get("delta")
                if is_object(delta):
                    self._relay(delta)
            case "message_delta":
                delta = event.get("delta")
                if is_object(delta):
                    self._observe_end(delta)
                self._observe_usage(event.get("usage"), final=True)
            case "message" | None:
                self._observe_message(event)
                self._final = True
            case _:
                pass

    def usage(
        self, at: datetime, *, batch: bool = False, context_basis: int | None = None
    ) -> Usage | Quarantined | None:
        """The consumption that was last reported; see `Reading.usage`.

        A stream that was cut after its start has reported its input, and an output of about one
        token. Its output is then estimated from what was relayed and the whole marked as estimated.
        """
        if self._strange is not None:
            return not_an_object("usage", self._strange)
        if not self._reported:
            return None
        try:
            return self._read(at, batch=batch, context_basis=context_basis)
        except ImpossibleUsage as impossible:
            return quarantined(impossible.what, self._reported)

    def _read(self, at: datetime, *, batch: bool, context_basis: int | None) -> Usage:
        usage = self._reported
        iterations = [usage, *_compactions(usage)]
        counts = [_Counts.of(iteration) for iteration in iterations]
        output = sum(count.output for count in counts)
        if not self._final:
            output = max(output, relayed_tokens(self.seen.relayed))
        if len(counts) > 1 and context_basis is None:
            # Each iteration chooses its own context tier; the dearest possible one is taken.
            context_basis = max(count.total_input for count in counts)
        tools = object_at(usage, "server_tool_use") or {}
        searches = reported_count(tools, "web_search_requests")
        return Usage(
            at=at,
            uncached_input=sum(count.uncached for count in counts),
            cache_read=sum(count.read for count in counts),
            cache_write_5m=sum(count.write_5m for count in counts),
            cache_write_1h=sum(count.write_1h for count in counts),
            output=output,
            reasoning=sum(count.thinking for count in counts),
            searches=self._searched if searches is None else searches,
            tier=_tier(usage),
            batch=batch or usage.get("service_tier") == "batch",
            context_basis=context_basis,
            source=Source.REPORTED if self._final else Source.ESTIMATED,
            unknown_keys=_alarms(usage),
        )

    def _observe_message(self, message: Mapping[str, object]) -> None:
        seen = self.seen
        seen.model = text_at(message, "model") or seen.model
        seen.request_id = text_at(message, "id") or seen.request_id
        for block in objects_at(message, "content"):
            self._observe_block(block)
        self._observe_end(message)
        self._observe_usage(message.get("usage"), final=False)

    def _observe_block(self, block: Mapping[str, object]) -> None:
        self._relay(block)
        # A search that failed is answered by an error object instead of a list, and is not charged.
        if block.get("type") == "web_search_tool_result" and is_array(block.get("content")):
            self._searched += 1

    def _relay(self, block: Mapping[str, object]) -> None:
        relayed = self.seen.relayed
        for key in ("text", "thinking", "partial_json"):
            relayed.add(block.get(key))

    def _observe_end(self, delta: Mapping[str, object]) -> None:
        self.seen.finish_reason = text_at(delta, "stop_reason") or self.seen.finish_reason

    def _observe_usage(self, reported: object, *, final: bool) -> None:
        if reported is None or not has_values(reported):
            return
        if not is_object(reported):
            self._strange = reported
            return
        self._reported = _merged(self._reported, reported)
        self._final = self._final or final
        self.seen.service_tier = self._reported.get("service_tier")


def _merged(before: Mapping[str, object], after: Mapping[str, object]) -> Mapping[str, object]:
    """Both statements of a stream as one: for each key the later one that is not null."""
    merged = {**before, **{key: value for key, value in after.items() if value is not None}}
    key = "cache_creation_input_tokens"
    split = before.get("cache_creation")
    if (
        after.get("cache_creation") is None
        and is_object(split)
        and merged.get(key) != before.get(key)
    ):
        merged["cache_creation"] = _grown(split, merged.get(key))
    return merged


def _grown(split: Mapping[str, object], total: object) -> Mapping[str, object]:
    """The cache writes by retention after the total grew, which the end of a stream does not split.

    A conversation with the provider's own tools writes more while it runs. If all former writes
    were kept for 1 hour, so are the new ones; if none were, they are kept for the usual 5 minutes.
    A mixture stays as it was, contradicts the total, and is quarantined.
    """
    short, long = split.get("ephemeral_5m_input_tokens"), split.get("ephemeral_1h_input_tokens")
    if long and not short:
        return {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": total}
    if not long:
        return {"ephemeral_5m_input_tokens": total, "ephemeral_1h_input_tokens": 0}
    return split


@dataclass(frozen=True, slots=True)
class _Counts:
    uncached: int
    read: int
    write_5m: int
    write_1h: int
    output: int
    thinking: int

    @property
    def total_input(self) -> int:
        return self.uncached + self.read + self.write_5m + self.write_1h

    @classmethod
    def of(cls, usage: Mapping[str, object]) -> "_Counts":
        uncached = reported_count(usage, "input_tokens")
        output = reported_count(usage, "output_tokens")
        if uncached is None or output is None:
            missing = "input_tokens" if uncached is None else "output_tokens"
            raise ImpossibleUsage(f"{missing} is absent beside other counts")
        write_5m, write_1h = _writes(usage)
        details = object_at(usage, "output_tokens_details") or {}
        return cls(
            uncached=uncached,
            read=part_count(usage, "cache_read_input_tokens"),
            write_5m=write_5m,
            write_1h=write_1h,
            output=output,
            thinking=part_count(details, "thinking_tokens"),
        )


def _writes(usage: Mapping[str, object]) -> tuple[int, int]:
    """Cache writes with 5 minutes' and with 1 hour's retention; unsplit ones are the usual 5."""
    total = reported_count(usage, "cache_creation_input_tokens")
    split = object_at(usage, "cache_creation")
    if split is None or not has_values(split):
        return total or 0, 0
    short = part_count(split, "ephemeral_5m_input_tokens")
    long = part_count(split, "ephemeral_1h_input_tokens")
    if total is not None and short + long != total:
        raise ImpossibleUsage(f"{short} + {long} cache writes by retention are not {total}")
    return short, long


def _compactions(usage: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The iterations that summarised the conversation, which the counts beside them leave out."""
    return [step for step in objects_at(usage, "iterations") if step.get("type") == "compaction"]


def _tier(usage: Mapping[str, object]) -> str:
    reported = usage.get("service_tier")
    tier = STANDARD_TIER if reported == "batch" else served_tier(reported)
    if usage.get("speed") != "fast":
        return tier
    return "fast" if tier == STANDARD_TIER else f"{tier}-fast"


def _alarms(usage: Mapping[str, object]) -> tuple[str, ...]:
    found = unknown_keys(usage, _KNOWN)
    for key, known in (("cache_creation", _KNOWN_WRITES), ("server_tool_use", _KNOWN_TOOLS)):
        if is_object(fields := usage.get(key)):
            found += unknown_keys(fields, known, within=key)
    # A stated place of inference has a surcharge that no meter holds.
    if text_at(usage, "inference_geo") not in _NO_PRICE_OF_ITS_OWN:
        found += (f"inference_geo={text_at(usage, 'inference_geo')[:40]}",)
    # An adviser is another model at another price, and is not in these counts.
    kinds = {text_at(step, "type") for step in objects_at(usage, "iterations")}
    return found + tuple(
        f"iterations.{kind[:40]}" for kind in sorted(kinds - {"message", "compaction"})
    )
