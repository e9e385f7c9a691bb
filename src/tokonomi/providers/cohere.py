"""Cohere's chat, embed and rerank.

What is billed stands in `billed_units`; `tokens` beside it also counts the template and is not
billed. A rerank is billed by search units: one query over at most 100 documents.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from tokonomi.errors import ImpossibleUsage
from tokonomi.providers.adapter import Dialect, Seen, UsageAdapter
from tokonomi.providers.json_fields import (
    is_array,
    is_object,
    object_at,
    objects_at,
    part_count,
    reported_count,
    text_at,
    unknown_keys,
)
from tokonomi.providers.reported_usage import last_report, read_report
from tokonomi.usage import Quarantined, Source, Usage

_KNOWN: Final = frozenset({"billed_units", "cached_tokens", "tokens"})
_KNOWN_META: Final = frozenset({"api_version", "warnings"})
_KNOWN_UNITS: Final = frozenset(
    {"classifications", "image_tokens", "images", "input_tokens", "output_tokens", "search_units"}
)
_UNMETERED: Final = ("classifications", "images")


def cohere(dialect: Dialect, provider: str = "") -> UsageAdapter:
    """The adapter of one of Cohere's three dialects; every provider speaks them alike."""
    return UsageAdapter(dialect, provider, partial(CohereReading, dialect))


@dataclass(slots=True)
class CohereReading:
    """A reply of Cohere's being read: events of a stream, or the whole."""

    dialect: Dialect
    seen: Seen = field(default_factory=Seen)
    _reported: object = None
    _answered: bool = False

    def observe(self, event: Mapping[str, object], /) -> None:
        """Takes note of a whole reply, or of one event of a stream, in the first or second form."""
        seen = self.seen
        seen.model = text_at(event, "model") or seen.model
        seen.request_id = text_at(event, "id") or text_at(event, "generation_id") or seen.request_id
        self._answered = self._answered or is_array(event.get("results"))
        delta = event.get("delta")
        response = event.get("response")
        for part in (event, delta, response):
            if is_object(part):
                self._observe_part(part)
        message = (delta if is_object(delta) else event).get("message")
        if is_object(message):
            self._relay(message)
        elif not is_object(response):
            # The first form streams bare texts, and repeats all of them in its last event.
            seen.relayed.add(event.get("text"))

    def usage(
        self, at: datetime, *, batch: bool = False, context_basis: int | None = None
    ) -> Usage | Quarantined | None:
        """The consumption that was last reported; see `Reading.usage`.

        A rerank that answers without billed units is billed as one search, marked as estimated.
        """
        silent = self._reported is None and self._answered
        if silent and self.dialect is Dialect.COHERE_RERANK:
            return Usage(at=at, searches=1, batch=batch, source=Source.ESTIMATED)
        read = partial(self._read, at=at, batch=batch, context_basis=context_basis)
        return read_report("usage", self._reported, read)

    def _read(
        self,
        usage: Mapping[str, object],
        /,
        *,
        at: datetime,
        batch: bool,
        context_basis: int | None,
    ) -> Usage:
        units = object_at(usage, "billed_units")
        if units is None:
            raise ImpossibleUsage("billed_units is absent beside other counts")
        units = {key: _whole(value) for key, value in units.items()}
        required = {
            Dialect.COHERE_CHAT: ("input_tokens", "output_tokens"),
            Dialect.COHERE_RERANK: ("search_units",),
        }.get(self.dialect, ())
        for key in required:
            if reported_count(units, key) is None:
                raise ImpossibleUsage(f"{key} is absent from billed_units")
        billed = part_count(units, "input_tokens")
        read, alarms = _cache_read(usage, billed)
        return Usage(
            at=at,
            uncached_input=billed - read,
            cache_read=read,
            image_in=part_count(units, "image_tokens"),
            output=part_count(units, "output_tokens"),
            searches=part_count(units, "search_units"),
            batch=batch,
            context_basis=context_basis,
            unknown_keys=alarms
            + unknown_keys(usage, _KNOWN | _KNOWN_META)
            + unknown_keys(units, _KNOWN_UNITS, within="billed_units")
            + tuple(f"billed_units.{key}" for key in _UNMETERED if units.get(key)),
        )

    def _observe_part(self, part: Mapping[str, object]) -> None:
        self.seen.finish_reason = text_at(part, "finish_reason") or self.seen.finish_reason
        for key in ("usage", "meta"):
            if _is_usage(reported := part.get(key)):
                self._reported = last_report(reported, self._reported)

    def _relay(self, message: Mapping[str, object]) -> None:
        relayed = self.seen.relayed
        relayed.add(message.get("tool_plan"))
        content = message.get("content")
        for part in [content] if is_object(content) else objects_at(message, "content"):
            relayed.add(part.get("text"))
            relayed.add(part.get("thinking"))
        calls = message.get("tool_calls")
        for call in [calls] if is_object(calls) else objects_at(message, "tool_calls"):
            if is_object(function := call.get("function")):
                relayed.add(function.get("arguments"))


def _is_usage(reported: object) -> bool:
    """Whether it holds counts; `meta` also comes with nothing but the version of the interface."""
    return not is_object(reported) or bool(reported.keys() & _KNOWN)


def _whole(value: object) -> object:
    """The integer that a float without a fraction is: Cohere documents its units as doubles."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _cache_read(usage: Mapping[str, object], billed: int) -> tuple[int, tuple[str, ...]]:
    """The billed input that came from the cache, and an alarm if that cannot be told.

    Cached tokens are counted in the whole prompt, template included. When they exceed the billed
    input, which of the billed ones were cached is not known, and all are taken as uncached.
    """
    cached = part_count(usage, "cached_tokens")
    tokens = object_at(usage, "tokens") or {}
    prompt = reported_count({"tokens": _whole(tokens.get("input_tokens"))}, "tokens")
    if cached > (billed if prompt is None else prompt):
        raise ImpossibleUsage(f"{cached} cached tokens inside {prompt or billed} input tokens")
    if cached > billed:
        return 0, ("cached_tokens",)
    return cached, ()
