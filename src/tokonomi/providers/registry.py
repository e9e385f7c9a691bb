"""Which adapter reads the replies of a provider in a dialect."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Final

from tokonomi.errors import NotFound
from tokonomi.providers.adapter import Dialect, UsageAdapter
from tokonomi.providers.anthropic_messages import anthropic_messages
from tokonomi.providers.cohere import cohere
from tokonomi.providers.gemini import gemini
from tokonomi.providers.openai_chat import openai_chat
from tokonomi.providers.openai_embeddings import openai_embeddings
from tokonomi.providers.openai_responses import openai_responses
from tokonomi.providers.perplexity import perplexity

_ADAPTERS: Final[Mapping[str, Callable[[str], UsageAdapter]]] = {
    Dialect.OPENAI_CHAT: openai_chat,
    Dialect.OPENAI_RESPONSES: openai_responses,
    Dialect.OPENAI_EMBEDDINGS: openai_embeddings,
    Dialect.ANTHROPIC_MESSAGES: anthropic_messages,
    Dialect.GEMINI: gemini,
    Dialect.COHERE_CHAT: partial(cohere, Dialect.COHERE_CHAT),
    Dialect.COHERE_EMBED: partial(cohere, Dialect.COHERE_EMBED),
    Dialect.COHERE_RERANK: partial(cohere, Dialect.COHERE_RERANK),
    Dialect.PERPLEXITY: perplexity,
}


@cache
def adapter_for(dialect: str, provider: str = "") -> UsageAdapter:
    """The adapter for a dialect as a provider speaks it; the same object for the same names.

    A provider without a variant of its own speaks the dialect as its inventor does. Perplexity's
    chat completions are a dialect of their own, and are found under both names.

    Raises:
        NotFound: no such dialect.
    """
    name = provider.lower()
    if dialect == Dialect.OPENAI_CHAT and name == Dialect.PERPLEXITY:
        return perplexity(name)
    try:
        make = _ADAPTERS[dialect]
    except KeyError:
        known = ", ".join(_ADAPTERS)
        raise NotFound(f'no wire dialect "{dialect}"', remedy=f"Use one of {known}.") from None
    return make(name)
