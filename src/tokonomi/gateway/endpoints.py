"""The endpoints that reach a provider. There are no others: what is not listed is refused."""

from dataclasses import dataclass
from typing import Final

from tokonomi.dialects.destination import IngressName
from tokonomi.providers.adapter import Dialect


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One operation of the API.

    Attributes:
        path: under our `/v1`, and under a provider's `base_url`.
        dialect: how its replies are read.
        ingress: what its clients speak, where a provider of another dialect can answer them.
        streams: whether it can answer with a stream.
        answers: whether it produces output tokens.
        bulk: parts of a reply that carry no usage and are too large to look at.
    """

    path: str
    dialect: Dialect
    ingress: IngressName | None
    streams: bool
    answers: bool = True
    bulk: frozenset[str] = frozenset()


CHAT: Final = Endpoint("/chat/completions", Dialect.OPENAI_CHAT, "openai_chat", streams=True)
EMBEDDINGS: Final = Endpoint(
    "/embeddings",
    Dialect.OPENAI_EMBEDDINGS,
    None,
    streams=False,
    answers=False,
    bulk=frozenset({"data"}),
)
RESPONSES: Final = Endpoint(
    "/responses", Dialect.OPENAI_RESPONSES, "openai_responses", streams=True
)
MESSAGES: Final = Endpoint(
    "/messages", Dialect.ANTHROPIC_MESSAGES, "anthropic_messages", streams=True
)
ENDPOINTS: Final = (CHAT, RESPONSES, MESSAGES, EMBEDDINGS)
