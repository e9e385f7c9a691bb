"""Which adapter reads the replies of a provider in a dialect."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from tokonomi.errors import NotFound
from tokonomi.providers.adapter import Dialect, UsageAdapter
from tokonomi.providers.openai_chat import openai_chat
from tokonomi.providers.openai_embeddings import openai_embeddings

_ADAPTERS: Final[Mapping[str, Callable[[str], UsageAdapter]]] = {
    Dialect.OPENAI_CHAT: openai_chat,
    Dialect.OPENAI_EMBEDDINGS: openai_embeddings,
}


@cache
def adapter_for(dialect: str, provider: str = "") -> UsageAdapter:
    """The adapter for a dialect as a provider speaks it; the same object for the same names.

    A provider without a variant of its own speaks the dialect as its inventor does.

    Raises:
        NotFound: no such dialect.
    """
    try:
        make = _ADAPTERS[dialect]
    except KeyError:
        known = ", ".join(_ADAPTERS)
        raise NotFound(f'no wire dialect "{dialect}"', remedy=f"Use one of {known}.") from None
    return make(provider.lower())
