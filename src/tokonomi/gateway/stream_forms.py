"""The streams of each dialect: which of their events are content, and which are the end."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

from tokonomi.providers.adapter import Dialect


class Place(Enum):
    """What an event is in its stream."""

    CONTENT = 1
    """It goes on at once."""
    USAGE = 2
    """It carries the usage and nothing else."""
    END = 3
    """It is part of the end, and is held back."""
    STOP = 4
    """It is the last one."""
    ERROR = 5
    """The provider broke off, and says so; it goes on at once, unless it is between it and us."""


Form = Callable[[Mapping[str, object]], Place]


def _chat(event: Mapping[str, object]) -> Place:
    if event.get("error"):
        return Place.ERROR
    return Place.USAGE if event.get("usage") and not event.get("choices") else Place.CONTENT


def _messages(event: Mapping[str, object]) -> Place:
    match event.get("type"):
        case "message_delta":
            return Place.END
        case "message_stop":
            return Place.STOP
        case "error":
            return Place.ERROR
        case _:
            return Place.CONTENT


def _responses(event: Mapping[str, object]) -> Place:
    match event.get("type"):
        case "response.completed" | "response.incomplete":
            return Place.STOP
        case "error" | "response.failed":
            return Place.ERROR
        case _:
            return Place.CONTENT


def _gemini(event: Mapping[str, object]) -> Place:
    return Place.ERROR if event.get("error") else Place.CONTENT


FORMS: Final[Mapping[Dialect, Form]] = {
    Dialect.OPENAI_CHAT: _chat,
    Dialect.ANTHROPIC_MESSAGES: _messages,
    Dialect.OPENAI_RESPONSES: _responses,
    Dialect.GEMINI: _gemini,
}
"""A stream of Gemini has no event that ends it: it is over when its connection says so."""
