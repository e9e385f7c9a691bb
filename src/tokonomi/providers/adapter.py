"""What every wire dialect offers: a reading of a reply, whole or event by event.

A whole reply is read as a stream of one event. So there is one reading of each dialect, and a
streamed reply cannot be counted otherwise than the same reply sent at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from tokonomi.usage import Quarantined, Usage


class Dialect(StrEnum):
    """A wire format, by the endpoint that speaks it."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_RESPONSES = "openai_responses"
    OPENAI_EMBEDDINGS = "openai_embeddings"
    ANTHROPIC_MESSAGES = "anthropic_messages"
    GEMINI = "gemini"
    COHERE_CHAT = "cohere_chat"
    COHERE_EMBED = "cohere_embed"
    COHERE_RERANK = "cohere_rerank"
    PERPLEXITY = "perplexity"


KEPT_BYTES: Final = 1 << 20
"""How much text of one reply is kept: about 250,000 tokens, more than models write at once."""
_LONGEST_CHARACTER: Final = 4


def utf8_size(text: str) -> int:
    """The length of a text in UTF-8, in bytes; a lone surrogate counts as 3."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


class Relayed(msgspec.Struct):
    """The generated text that a reply carried, so that a caller can estimate what a cut one cost.

    Thinking and the arguments of tools are generated text too. A reply has no end that we could
    rely on, so the text is kept up to `KEPT_BYTES`, and counted beyond.

    Attributes:
        pieces: the text that is kept, in order of arrival.
        utf8_bytes: length of all of it in UTF-8; a lone surrogate, which JSON can carry, is 3
            bytes.
    """

    pieces: list[str] = []
    utf8_bytes: int = 0

    def add(self, text: object) -> None:
        """Takes note of one more piece; what is no text is none."""
        if not text or not isinstance(text, str):
            return
        size = utf8_size(text)
        room = KEPT_BYTES - self.utf8_bytes
        self.utf8_bytes += size
        if size <= room:
            self.pieces.append(text)
        elif room > 0:
            self.pieces.append(text[: max(room // _LONGEST_CHARACTER, 1)])

    @property
    def text(self) -> str:
        """What is kept of it, in order of arrival."""
        return "".join(self.pieces)

    @property
    def characters(self) -> int:
        """The length of what is kept, in Unicode code points."""
        return sum(map(len, self.pieces))


class Seen(msgspec.Struct):
    """What a reply has said so far, besides its usage.

    Attributes:
        model: the model that the reply names; empty when it names none.
        request_id: the provider's id of the reply.
        finish_reason: why generation ended, in the provider's word; empty while it goes on.
        service_tier: the served tier as the reply names it; see `served_tier`.
        relayed: the generated text.
    """

    model: str = ""
    request_id: str = ""
    finish_reason: str = ""
    service_tier: object = None
    relayed: Relayed = msgspec.field(default_factory=Relayed)


class Reading(Protocol):
    """One reply being read. Events may come in any pieces; a later statement replaces a former."""

    @property
    def seen(self) -> Seen:
        """What the reply has said so far, besides its usage."""
        ...

    def observe(self, event: Mapping[str, object], /) -> None:
        """Takes note of a whole reply, or of one event of a stream. Never raises on any JSON."""
        ...

    def usage(
        self, at: datetime, *, batch: bool = False, context_basis: int | None = None
    ) -> Usage | Quarantined | None:
        """The consumption that was last reported.

        `None` when the reply carries no usage, which is not a usage of zero; `Quarantined` when
        the numbers cannot be true together.

        Args:
            at: instant of the request, in UTC.
            batch: whether the call went through a batch interface.
            context_basis: tokens that choose the context tier, when not all input tokens do.
        """
        ...


@dataclass(frozen=True, slots=True)
class UsageAdapter:
    """How one provider's replies in one dialect are read.

    >>> from datetime import UTC
    >>> from tokonomi.providers.registry import adapter_for
    >>> reply = {"usage": {"prompt_tokens": 200, "completion_tokens": 400, "total_tokens": 600}}
    >>> adapter_for("openai_chat").usage_of(reply, at=datetime(2026, 1, 30, tzinfo=UTC)).output
    400
    """

    dialect: Dialect
    provider: str
    stream: Callable[[], Reading]

    def usage_of(
        self,
        reply: Mapping[str, object],
        *,
        at: datetime,
        batch: bool = False,
        context_basis: int | None = None,
    ) -> Usage | Quarantined | None:
        """The consumption that a whole reply reports; see `Reading.usage`."""
        reading = self.stream()
        reading.observe(reply)
        return reading.usage(at, batch=batch, context_basis=context_basis)
