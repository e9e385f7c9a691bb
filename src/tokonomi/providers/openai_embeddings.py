"""OpenAI's embeddings, and everybody who speaks like it: input tokens only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from tokonomi.providers.adapter import Dialect, Seen, UsageAdapter
from tokonomi.providers.json_fields import text_at
from tokonomi.providers.openai_chat import CHAT_COUNTS
from tokonomi.providers.openai_usage import Shape, read_usage
from tokonomi.providers.reported_cost import deepinfra_cost, openrouter_cost
from tokonomi.providers.reported_usage import last_report, read_report
from tokonomi.usage import Quarantined, Usage

PLAIN: Final = Shape(known=CHAT_COUNTS, output_optional=True)
VARIANTS: Final[Mapping[str, Shape]] = {
    "deepinfra": Shape(
        known=CHAT_COUNTS | {"estimated_cost"}, output_optional=True, cost=deepinfra_cost
    ),
    "openrouter": Shape(
        known=CHAT_COUNTS | {"cost", "cost_details", "is_byok"},
        output_optional=True,
        cost=openrouter_cost,
    ),
}


def openai_embeddings(provider: str = "") -> UsageAdapter:
    """The adapter of embeddings as `provider` speaks them; unknown names speak OpenAI's."""
    shape = VARIANTS.get(provider, PLAIN)
    return UsageAdapter(Dialect.OPENAI_EMBEDDINGS, provider, partial(EmbeddingsReading, shape))


@dataclass(slots=True)
class EmbeddingsReading:
    """A reply with embeddings being read; it is never streamed."""

    shape: Shape
    seen: Seen = field(default_factory=Seen)
    _reported: object = None

    def observe(self, event: Mapping[str, object], /) -> None:
        """Takes note of a whole reply."""
        self._reported = last_report(event.get("usage"), self._reported)
        self.seen.model = text_at(event, "model") or self.seen.model
        self.seen.request_id = text_at(event, "id") or self.seen.request_id

    def usage(
        self, at: datetime, *, batch: bool = False, context_basis: int | None = None
    ) -> Usage | Quarantined | None:
        """The consumption that was reported; see `Reading.usage`."""
        read = partial(
            read_usage, shape=self.shape, at=at, batch=batch, context_basis=context_basis
        )
        return read_report("usage", self._reported, read)
