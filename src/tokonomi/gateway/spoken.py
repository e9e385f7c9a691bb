"""The dialects that a provider speaks, by what its section says."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from tokonomi.dialects.destination import EgressName
from tokonomi.routing.provider import Egress, Provider, Spoken

_NAMES: Final[Mapping[Egress | Spoken, EgressName]] = {
    "openai": "openai_chat",
    "azure": "openai_chat",
    "anthropic": "anthropic_messages",
    "gemini": "gemini",
    "chat": "openai_chat",
    "responses": "openai_responses",
    "messages": "anthropic_messages",
}


def first_spoken(provider: Provider) -> EgressName:
    """What a provider is asked in when a request must be translated.

    >>> first_spoken(Provider(base_url="https://api.anthropic.com/v1", dialect="anthropic"))
    'anthropic_messages'
    """
    return _NAMES[provider.dialect]


def all_spoken(provider: Provider) -> tuple[EgressName, ...]:
    """Everything that a provider speaks, what translated requests are asked in first."""
    return _all_spoken(provider.dialect, provider.also)


@cache
def _all_spoken(dialect: Egress, also: tuple[Spoken, ...]) -> tuple[EgressName, ...]:
    return (_NAMES[dialect], *(_NAMES[each] for each in also))
