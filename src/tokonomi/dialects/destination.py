"""Where a translated request goes, and what it becomes there."""

from dataclasses import dataclass
from typing import Literal

from tokonomi.dialects.refusal import Dropped
from tokonomi.dialects.web_search import SearchSettings

IngressName = Literal["openai_chat", "openai_responses", "anthropic_messages"]
EgressName = Literal["openai_chat", "openai_responses", "anthropic_messages", "gemini"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a request goes.

    Attributes:
        dialect: what the provider speaks.
        model: the provider's name of the model.
        provider: who it is, where providers of one dialect differ (`openai`, `openrouter` ...);
            empty for a server of one's own.
        max_tokens: the limit of output that is sent when the client gave none, where the dialect
            demands one.
        output_limit: the most output that may be asked for; a larger limit of the client is
            lowered to it, and without one it is sent.
        search: how this destination searches the web.
        azure_api_version: for Azure's addresses with the deployment in the path; empty for its
            v1 addresses, and for everybody else.
        azure: whether the addresses are Azure's.
    """

    dialect: EgressName
    model: str
    provider: str = ""
    max_tokens: int = 4096
    output_limit: int | None = None
    search: SearchSettings | None = None
    azure: bool = False
    azure_api_version: str = ""

    def limit(self, asked: int | None) -> int | None:
        """The limit of output to send, given what the client asked for."""
        if asked is None or self.output_limit is None:
            return self.output_limit if asked is None else asked
        return min(asked, self.output_limit)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request in the provider's dialect.

    Attributes:
        path: below the provider's base address, with its query.
        body: JSON.
        dropped: what was left out because it says nothing about the answer.
    """

    path: str
    body: bytes
    dropped: tuple[Dropped, ...] = ()
