"""The endpoints that reach a provider. There are no others: what is not listed is refused."""

from dataclasses import dataclass
from typing import Final

from tokonomi.providers.adapter import Dialect


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the API.

    Attributes:
        path: under our `/v1`, and under a provider's `base_url`.
        dialect: how its replies are read.
        streams: whether it can answer with a stream.
        answers: whether it produces output tokens.
        bulk: parts of a reply that carry no usage and are too large to look at.
    """

    path: str
    dialect: Dialect
    streams: bool
    answers: bool = True
    bulk: frozenset[str] = frozenset()


CHAT: Final = Endpoint("/chat/completions", Dialect.OPENAI_CHAT, streams=True)
EMBEDDINGS: Final = Endpoint(
    "/embeddings",
    Dialect.OPENAI_EMBEDDINGS,
    streams=False,
    answers=False,
    bulk=frozenset({"data"}),
)
ENDPOINTS: Final = (CHAT, EMBEDDINGS)
