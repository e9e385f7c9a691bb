"""OpenAI's responses, and everybody who speaks like it: OpenRouter, xAI, Azure.

Counts as in chat completions under other names; reasoning is inside the output everywhere. A
search is charged for each search that the model made, so they are counted from the output items,
and neither pages that it opened nor tools that it was only offered are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from tokonomi.providers.adapter import Dialect, Seen, UsageAdapter
from tokonomi.providers.json_fields import is_object, objects_at, text_at
from tokonomi.providers.openai_chat import openrouter_searches, xai_searches
from tokonomi.providers.openai_usage import Shape, read_usage
from tokonomi.providers.reported_cost import openrouter_cost, xai_cost
from tokonomi.providers.reported_usage import last_report, read_report
from tokonomi.providers.served_tier import served_tier
from tokonomi.usage import Quarantined, Usage

_KNOWN: Final = frozenset(
    {"input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details"}
    | {"total_tokens"}
)
_shape = partial(
    Shape,
    input_key="input_tokens",
    input_details="input_tokens_details",
    output_key="output_tokens",
    output_details="output_tokens_details",
)
PLAIN: Final = _shape(known=_KNOWN)
VARIANTS: Final[Mapping[str, Shape]] = {
    "openrouter": _shape(
        known=_KNOWN | {"cost", "cost_details", "is_byok", "server_tool_use"},
        cost=openrouter_cost,
        searches=openrouter_searches,
    ),
    "xai": _shape(
        known=_KNOWN
        | {
            "context_details",
            "cost_in_usd_ticks",
            "num_server_side_tools_used",
            "num_sources_used",
            "server_side_tool_usage_details",
        },
        cost=xai_cost,
        searches=xai_searches,
    ),
}
# Tools of the provider's own that it charges beside the tokens, and that we have no meter for.
_CHARGED_ITEMS: Final = frozenset(
    {"code_interpreter_call", "file_search_call", "image_generation_call"}
)
_RUNNING: Final = frozenset({"queued", "in_progress"})


def openai_responses(provider: str = "") -> UsageAdapter:
    """The adapter of responses as `provider` speaks them; unknown names speak OpenAI's."""
    shape = VARIANTS.get(provider, PLAIN)
    return UsageAdapter(Dialect.OPENAI_RESPONSES, provider, partial(ResponsesReading, shape))


@dataclass(slots=True)
class ResponsesReading:
    """A response being read: events of a stream, or the whole."""

    shape: Shape
    seen: Seen = field(default_factory=Seen)
    _reported: object = None
    _items: dict[str, Mapping[str, object]] = field(default_factory=dict[str, Mapping[str, object]])

    def observe(self, event: Mapping[str, object], /) -> None:
        """Takes note of a whole response, or of one event of its stream."""
        kind = text_at(event, "type")
        if kind.endswith(".delta") and kind != "response.audio.delta":
            self.seen.relayed.add(event.get("delta"))
        elif is_object(item := event.get("item")):
            self._items[_item_key(item, event.get("output_index"))] = item
        response = event.get("response")
        if is_object(response):
            self._observe_response(response)
        elif not kind:
            self._observe_response(event)

    def usage(
        self, at: datetime, *, batch: bool = False, context_basis: int | None = None
    ) -> Usage | Quarantined | None:
        """The consumption that was last reported; see `Reading.usage`."""
        charged = {text_at(item, "type") for item in self._items.values()} & _CHARGED_ITEMS
        read = partial(
            read_usage,
            shape=self.shape,
            at=at,
            tier=served_tier(self.seen.service_tier),
            searches=sum(map(_is_search, self._items.values())),
            batch=batch,
            context_basis=context_basis,
            alarms=tuple(f"output.{kind}" for kind in sorted(charged)),
        )
        return read_report("usage", self._reported, read)

    def _observe_response(self, response: Mapping[str, object]) -> None:
        self._reported = last_report(response.get("usage"), self._reported)
        seen = self.seen
        seen.model = text_at(response, "model") or seen.model
        seen.request_id = text_at(response, "id") or seen.request_id
        # A stream begins by repeating the tier that was asked for, often "auto"; its last event
        # names the one that served.
        if (tier := response.get("service_tier")) is not None:
            seen.service_tier = tier
        status = text_at(response, "status")
        details = response.get("incomplete_details")
        reason = text_at(details, "reason") if is_object(details) else ""
        if status not in _RUNNING:
            seen.finish_reason = reason or status or seen.finish_reason
        streamed = bool(seen.relayed.pieces)
        for index, item in enumerate(objects_at(response, "output")):
            self._items[_item_key(item, index)] = item
            if not streamed:
                self._relay_item(item)

    def _relay_item(self, item: Mapping[str, object]) -> None:
        relayed = self.seen.relayed
        relayed.add(item.get("arguments"))
        for key in ("summary", "content"):
            for part in objects_at(item, key):
                relayed.add(part.get("text"))
                relayed.add(part.get("refusal"))


def _item_key(item: Mapping[str, object], index: object) -> str:
    return text_at(item, "id") or f"#{index}"


def _is_search(item: Mapping[str, object]) -> bool:
    """Whether the item is a search that was carried out, and not a page that was opened."""
    if item.get("type") != "web_search_call" or item.get("status", "completed") != "completed":
        return False
    action = item.get("action")
    return not is_object(action) or action.get("type", "search") == "search"
