"""What a body asks for, summed over all of it, and what keeps it from having a bound."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from tokonomi.gateway.request_rules import RequestRules
from tokonomi.pricing.bound import Unbounded
from tokonomi.usage import STANDARD_TIER

_LONGEST_WORD: Final = 80


class Asked(msgspec.Struct):
    """What a body asks for, summed over all of it.

    Attributes:
        rules: the list that it was read by.
        top: the field of the body that is being read.
        size: its bytes, written without spaces and escapes.
        escaped: whether its names may be written with escapes.
        limit: the largest limit of the output that it states, in tokens.
        choices: answers that it wants.
        thinking: tokens of thinking that it allows beside the answer.
        predicted: tokens of a predicted answer, which are billed where they are rejected.
        unmarked: messages that a template is put around and that do not show in the body's bytes.
        added: tokens that templates and providers add, beyond the body's own bytes.
        images: images in the input.
        inline: bytes of images that stand in the body itself.
        fills: the field that can fill the model's context window, where there is one.
        heard: whether there is sound in the input.
        spoken: whether sound is wanted.
        drawn: whether images are wanted.
        tier: the service tier that is asked for, in our words.
        models: other models that may serve it.
        searches: web searches that it allows.
        engine: OpenRouter's search engine; empty where it does not say.
        results: results of a search at OpenRouter; 0 without one.
        looped: whether the provider's own tools may have the model read all again.
        tool_calls: calls of the provider's own tools that it allows.
        steered: whether it chooses among endpoints of different prices.
        prompt_price: the dearest price of a million input tokens that it accepts, as its text.
        completion_price: the dearest price of a million output tokens that it accepts.
    """

    rules: RequestRules
    top: str = ""
    size: int = 0
    escaped: bool = False
    limit: int | None = None
    choices: int = 1
    thinking: int = 0
    predicted: int = 0
    unmarked: int = 0
    added: int = 0
    images: int = 0
    inline: int = 0
    fills: str = ""
    heard: bool = False
    spoken: bool = False
    drawn: bool = False
    tier: str = STANDARD_TIER
    models: tuple[str, ...] = ()
    searches: int = 0
    engine: str = ""
    results: int = 0
    looped: bool = False
    tool_calls: int | None = None
    steered: bool = False
    prompt_price: str | None = None
    completion_price: str | None = None

    def named(self, name: str) -> str:
        """A field as people read it, with the field of the body that it stands in."""
        inside = "" if name == self.top else f" in `{word(self.top)}`"
        return f"`{word(name)}`{inside}"


Reader = Callable[[Asked, object, str], None]
"""Adds what a value asks for; the last argument is the value's name."""


class NoBound(Exception):
    """A part of a body has no bound. It ends the reading, and never leaves the gateway's rooms."""

    def __init__(self, unbounded: Unbounded) -> None:
        self.unbounded = unbounded
        super().__init__(unbounded.reason)


def word(value: object) -> str:
    """What a client wrote, fit for one line of an error."""
    text = str(value)
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= _LONGEST_WORD else f"{text[:_LONGEST_WORD]}..."


def unknown(top: str, what: str) -> NoBound:
    """The refusal of something that no list knows."""
    return NoBound(
        Unbounded(
            f"{what} is not known here, so what it may cost has no bound",
            remedy="Leave it out, or send it where no hard budget and no wallet binds.",
            param=top,
        )
    )


def no_bound(top: str, what: str, why: str, remedy: str) -> NoBound:
    """The refusal of something that is known to have no bound."""
    return NoBound(Unbounded(f"{what} {why}", remedy=remedy, param=top))


def invalid(top: str, what: str, remedy: str) -> NoBound:
    """The refusal of a value that is none."""
    return NoBound(Unbounded(what, remedy=remedy, code="invalid_request", param=top))


def listed(words: Iterable[str]) -> str:
    """Words as one list that people read."""
    return ", ".join(sorted(words))
