"""Which requests of a client are metered, and how their replies are read."""

import re
from dataclasses import dataclass
from typing import Final

from tokonomi.providers.adapter import Dialect


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An operation that a provider bills.

    Attributes:
        path: how its address ends.
        dialect: how its replies are read; None where we have no reading of them.
        bulk: parts of a reply that carry no usage and are too large to look at.
    """

    path: str
    dialect: Dialect | None
    bulk: frozenset[str] = frozenset()


_READ: Final = (
    Endpoint("/chat/completions", Dialect.OPENAI_CHAT),
    Endpoint("/completions", Dialect.OPENAI_CHAT),
    Endpoint("/responses", Dialect.OPENAI_RESPONSES),
    Endpoint("/responses/compact", Dialect.OPENAI_RESPONSES),
    Endpoint("/embeddings", Dialect.OPENAI_EMBEDDINGS, bulk=frozenset({"data"})),
    Endpoint("/messages", Dialect.ANTHROPIC_MESSAGES),
)
_NOT_READ: Final = re.compile(
    r"/(?:audio/(?:speech|transcriptions|translations)|decisions|images/\w+"
    r"|videos(?:/edits|/extensions|/\w+/remix)?"
    r"|threads/(?:\w+/)?runs(?:/\w+/submit_tool_outputs)?)$"
)
"""Billed in ways that no adapter reads: such a call has a row that says so."""
_NO_CALL: Final = re.compile(r"/threads/\w+/messages$")


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """The endpoint of a request; None for what bills nothing, such as lists, files and counts.

    >>> endpoint_of("POST", "/openai/deployments/small/chat/completions").path
    '/chat/completions'
    >>> endpoint_of("POST", "/v1/messages/count_tokens") is None
    True
    """
    if method != "POST" or _NO_CALL.search(path):
        return None
    for endpoint in _READ:
        if path.endswith(endpoint.path):
            return endpoint
    unread = _NOT_READ.search(path)
    return Endpoint(unread[0], None) if unread else None


_HOSTS: Final = {
    "ai-gateway.vercel.sh": "vercel",
    "aiplatform.googleapis.com": "vertex",
    "anthropic.com": "anthropic",
    "api.cerebras.ai": "cerebras",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.deepinfra.com": "deepinfra",
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.moonshot.ai": "moonshotai",
    "api.openai.com": "openai",
    "api.perplexity.ai": "perplexity",
    "api.together.xyz": "together",
    "api.x.ai": "xai",
    "cognitiveservices.azure.com": "azure",
    "generativelanguage.googleapis.com": "google",
    "openai.azure.com": "azure",
    "openrouter.ai": "openrouter",
    "services.ai.azure.com": "azure",
}
"""End of a host name -> the provider's name in the price book, and to the adapters."""


def provider_of(host: str) -> str:
    """The provider that answers at a host: its name in the price book, else the host itself.

    >>> provider_of("api.openai.com"), provider_of("europe-west4-aiplatform.googleapis.com")
    ('openai', 'vertex')
    >>> provider_of("127.0.0.1")
    '127.0.0.1'
    """
    for end, name in _HOSTS.items():
        if host == end or host.endswith((f".{end}", f"-{end}")):
            return name
    return host
