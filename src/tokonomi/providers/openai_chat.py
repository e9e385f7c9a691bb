"""OpenAI's chat completions, and everybody who speaks like it.

One dialect with declared variants. vLLM, llama.cpp, Azure, Mistral, DeepSeek and Groq differ only
in keys that they add; xAI and Vertex leave reasoning out of `completion_tokens`; OpenRouter, xAI
and DeepInfra also report what the call cost.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Final

import msgspec

from tokonomi.providers.adapter import Dialect, Seen, UsageAdapter
from tokonomi.providers.json_fields import (
    is_array,
    is_object,
    objects_at,
    part_count,
    reported_count,
    text_at,
)
from tokonomi.providers.openai_usage import Shape, read_usage
from tokonomi.providers.reported_cost import deepinfra_cost, openrouter_cost, xai_cost
from tokonomi.providers.reported_usage import last_report, read_report
from tokonomi.providers.served_tier import served_tier
from tokonomi.usage import Quarantined, Usage

CHAT_COUNTS: Final = frozenset(
    {
        "prompt_tokens",
        "prompt_tokens_details",
        "completion_tokens",
        "completion_tokens_details",
        "total_tokens",
    }
)
# Neither a count of its own nor money: Groq's times, and second names of the cached tokens.
_HARMLESS: Final = frozenset(
    {
        "completion_time",
        "num_cached_tokens",
        "prompt_cache_hit_tokens",
        "prompt_cache_miss_tokens",
        "prompt_time",
        "prompt_token_details",
        "queue_time",
        "total_time",
    }
)
_KNOWN: Final = CHAT_COUNTS | _HARMLESS


def openrouter_searches(usage: Mapping[str, object]) -> int | None:
    """The web searches that OpenRouter counts, `None` when it counts none."""
    tools = usage.get("server_tool_use")
    return reported_count(tools, "web_search_requests") if is_object(tools) else None


def xai_searches(usage: Mapping[str, object]) -> int | None:
    """Searches that xAI's server made, or the sources of its older live search: what it charges."""
    tools = usage.get("server_side_tool_usage_details")
    if is_object(tools):
        return part_count(tools, "web_search_calls") + part_count(tools, "x_search_calls")
    return reported_count(usage, "num_sources_used")


PLAIN: Final = Shape(known=_KNOWN)
VARIANTS: Final[Mapping[str, Shape]] = {
    "deepinfra": Shape(known=_KNOWN | {"estimated_cost"}, cost=deepinfra_cost),
    "mistral": Shape(
        known=_KNOWN | {"prompt_audio_seconds"}, unmetered=frozenset({"prompt_audio_seconds"})
    ),
    "openrouter": Shape(
        known=_KNOWN | {"cost", "cost_details", "is_byok", "server_tool_use"},
        cost=openrouter_cost,
        searches=openrouter_searches,
    ),
    "vertex": Shape(known=_KNOWN | {"extra_properties"}, reasoning_beside=True),
    "xai": Shape(
        known=_KNOWN
        | {
            "context_details",
            "cost_in_usd_ticks",
            "num_server_side_tools_used",
            "num_sources_used",
            "server_side_tool_usage_details",
        },
        reasoning_beside=True,
        cost=xai_cost,
        searches=xai_searches,
    ),
}


def openai_chat(provider: str = "") -> UsageAdapter:
    """The adapter of chat completions as `provider` speaks them; unknown names speak OpenAI's."""
    shape = VARIANTS.get(provider, PLAIN)
    return UsageAdapter(Dialect.OPENAI_CHAT, provider, partial(ChatReading, shape))


class ChatReading(msgspec.Struct):
    """A chat completion being read: chunks of a stream, or the whole."""

    shape: Shape
    seen: Seen = msgspec.field(default_factory=Seen)
    _reported: object = None
    _cited: bool = False

    def observe(self, event: Mapping[str, object], /) -> None:
        """Takes note of a whole reply, or of one chunk."""
        reported = event.get("usage")
        if reported is None and (groq := event.get("x_groq")) and is_object(groq):
            reported = groq.get("usage")
        if reported is not None:
            self._reported = last_report(reported, self._reported)
        seen = self.seen
        seen.model = text_at(event, "model") or seen.model
        seen.request_id = text_at(event, "id") or seen.request_id
        if (tier := event.get("service_tier")) is not None:
            seen.service_tier = tier
        for choice in objects_at(event, "choices"):
            self._observe_choice(choice)

    def usage(
        self, at: datetime, *, batch: bool = False, context_basis: int | None = None
    ) -> Usage | Quarantined | None:
        """The consumption that was last reported; see `Reading.usage`."""

        def read(reported: Mapping[str, object]) -> Usage | None:
            return read_usage(
                reported,
                shape=self.shape,
                at=at,
                tier=served_tier(self.seen.service_tier or _traffic_type(reported)),
                searches=int(self._cited),
                batch=batch,
                context_basis=context_basis,
            )

        return read_report("usage", self._reported, read)

    def _observe_choice(self, choice: Mapping[str, object]) -> None:
        seen = self.seen
        relayed = seen.relayed
        seen.finish_reason = text_at(choice, "finish_reason") or seen.finish_reason
        if text := choice.get("text"):
            relayed.add(text)
        message = choice.get("delta") or choice.get("message")
        if not is_object(message):
            return
        if content := message.get("content"):
            _relay_content(content, seen)
        # Hosts that rename the field send it under both names for a while.
        if thought := message.get("reasoning_content") or message.get("reasoning"):
            relayed.add(thought)
        if refusal := message.get("refusal"):
            relayed.add(refusal)
        for call in objects_at(message, "tool_calls"):
            if is_object(function := call.get("function")):
                relayed.add(function.get("name"))
                relayed.add(function.get("arguments"))
        # A citation proves that a search was made, not how many; a tool that was merely offered to
        # the model leaves none.
        for annotation in objects_at(message, "annotations"):
            self._cited = self._cited or annotation.get("type") == "url_citation"


def _relay_content(content: object, seen: Seen) -> None:
    if not is_array(content):
        seen.relayed.add(content)
        return
    for part in filter(is_object, content):
        seen.relayed.add(part.get("text"))
        _relay_content(part.get("thinking"), seen)


def _traffic_type(usage: Mapping[str, object]) -> object:
    """Vertex's word for the tier, which it keeps inside the usage object."""
    extra = usage.get("extra_properties")
    if extra is None:
        return None
    google = extra.get("google") if is_object(extra) else None
    return google.get("traffic_type") if is_object(google) else None
