"""How single values of a body are read: counts, media, and what stands at the provider."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, TypeGuard

import msgspec

from tokonomi.gateway.request_asked import (
    Asked,
    Reader,
    invalid,
    listed,
    no_bound,
    unknown,
    word,
)
from tokonomi.providers.adapter import Dialect
from tokonomi.providers.served_tier import served_tier

MOST: Final = 2**31 - 1
"""The largest count that is read: no provider takes a larger one, and no model reaches it."""
REWRITTEN: Final = 3
"""Bytes that a template may write for one byte of JSON: it puts white space around a mark, or
escapes what is not ASCII."""

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_AN_IMAGE: Final = "data:image/"
_PRICE: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")


def output_limit(asked: Asked, value: object, name: str) -> None:
    """A limit of the output. Only Anthropic takes 0 at its word; elsewhere it may mean none."""
    smallest = 0 if asked.rules.dialect is Dialect.ANTHROPIC_MESSAGES else 1
    limit = count(asked, value, name, smallest=smallest)
    asked.limit = limit if asked.limit is None else max(asked.limit, limit)


def count(asked: Asked, value: object, name: str, *, smallest: int = 1) -> int:
    """A whole number.

    Raises:
        NoBound: it is none, or too small, or larger than any provider takes.
    """
    if type(value) is int and smallest <= value <= MOST:
        return value
    what = "no number"
    if isinstance(value, str | Decimal) or type(value) is int:
        what = f'the text "{word(value)}"' if isinstance(value, str) else word(value)
    raise invalid(
        asked.top,
        f"{asked.named(name)} is {what}, and not a whole number from {smallest} to {MOST}",
        f"Send it as plain digits, without quotes, point or sign, such as {max(smallest, 1)}.",
    )


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[object]]:
    """Whether a JSON value is an array."""
    return isinstance(value, list)


def object_of(asked: Asked, value: object, name: str) -> dict[str, object]:
    """The value as an object.

    Raises:
        NoBound: it is none.
    """
    if is_object(value):
        return value
    raise invalid(asked.top, f"{asked.named(name)} is not an object", "Send an object.")


def array_of(asked: Asked, value: object, name: str) -> list[object]:
    """The value as an array.

    Raises:
        NoBound: it is none.
    """
    if is_array(value):
        return value
    raise invalid(asked.top, f"{asked.named(name)} is not an array", "Send an array.")


def text_of(asked: Asked, value: object, name: str) -> str:
    """The value as a text.

    Raises:
        NoBound: it is none.
    """
    if isinstance(value, str):
        return value
    raise invalid(asked.top, f"{asked.named(name)} is not a text", "Send a text.")


def rewritten(asked: Asked, value: object, _name: str) -> None:
    """JSON that a template writes anew into the prompt."""
    asked.added += REWRITTEN * len(_encode(value))


def _choices(asked: Asked, value: object, name: str) -> None:
    asked.choices = max(asked.choices, count(asked, value, name))


def _thinking_budget(asked: Asked, value: object, name: str) -> None:
    asked.thinking = max(asked.thinking, count(asked, value, name, smallest=0))


def _a_count(asked: Asked, value: object, name: str) -> None:
    count(asked, value, name)


def _searches(asked: Asked, value: object, name: str) -> None:
    asked.searches += count(asked, value, name)


def _tool_calls(asked: Asked, value: object, name: str) -> None:
    asked.tool_calls = count(asked, value, name)


def _results(asked: Asked, value: object, name: str) -> None:
    asked.results = max(asked.results, count(asked, value, name))


def _engine(asked: Asked, value: object, name: str) -> None:
    if value not in ("exa", "native"):
        raise no_bound(
            asked.top,
            f"{asked.named(name)} is {word(value)}, and that engine",
            "has no price here",
            'Send "exa".',
        )
    asked.engine = text_of(asked, value, name)


def _searching(asked: Asked, value: object, name: str) -> None:
    """A model that searches by itself, of which nothing in the body says how often."""
    object_of(asked, value, name)
    asked.searches = max(asked.searches, asked.rules.searches_of_a_chat)
    asked.fills = asked.fills or name


def _stored(asked: Asked, _value: object, name: str) -> None:
    """Something whose tokens we cannot see; they have room in the context window."""
    asked.fills = asked.fills or name


def _sound(asked: Asked, _value: object, name: str) -> None:
    """Sound is billed by its length, which its bytes do not bound."""
    asked.heard = True
    asked.fills = asked.fills or name


def _voice(asked: Asked, value: object, name: str) -> None:
    object_of(asked, value, name)
    asked.spoken = True


def _modalities(asked: Asked, value: object, name: str) -> None:
    for each in array_of(asked, value, name):
        match each:
            case "text":
                pass
            case "audio":
                asked.spoken = True
            case "image":
                asked.drawn = True
            case _:
                raise unknown(asked.top, f"the modality {word(each)}")


def _prediction(asked: Asked, value: object, _name: str) -> None:
    """Rejected tokens of a prediction are billed as output, and are no more than its bytes."""
    asked.predicted += len(_encode(value))


def _tier(asked: Asked, value: object, name: str) -> None:
    asked.tier = served_tier(text_of(asked, value, name))


def _models(asked: Asked, value: object, name: str) -> None:
    asked.models = tuple(text_of(asked, each, name) for each in array_of(asked, value, name))


def _steers(asked: Asked, _value: object, _name: str) -> None:
    asked.steered = True


def _price(asked: Asked, value: object, name: str) -> str:
    text = str(value) if isinstance(value, str | Decimal) or type(value) is int else ""
    if _PRICE.fullmatch(text):
        return text
    raise invalid(
        asked.top,
        f"{asked.named(name)} is {word(value)}, and not a price of a million tokens in dollars",
        "Send it in digits, such as 1.25.",
    )


def _prompt_price(asked: Asked, value: object, name: str) -> None:
    asked.prompt_price = _price(asked, value, name)


def _completion_price(asked: Asked, value: object, name: str) -> None:
    asked.completion_price = _price(asked, value, name)


def image(asked: Asked, value: object, name: str) -> None:
    """An image by its address, which may hold all of it."""
    address = text_of(asked, value, name)
    asked.images += 1
    if address[:5].lower() != "data:":
        return
    if address[: len(_AN_IMAGE)].lower() != _AN_IMAGE:
        raise no_bound(
            asked.top,
            f"{asked.named(name)} holds {word(address[:40])}, which",
            "is no image, so its tokens have no bound",
            "Send an image, as data:image/png;base64,...",
        )
    asked.inline += len(address)


def _inline_image(asked: Asked, value: object, name: str) -> None:
    asked.images += 1
    asked.inline += len(text_of(asked, value, name))


def _remote_image(asked: Asked, value: object, name: str) -> None:
    text_of(asked, value, name)
    asked.images += 1


def _texts(asked: Asked, value: object, name: str) -> None:
    """What is embedded: a text, its tokens, or several of either."""
    if isinstance(value, str):
        return
    for each in array_of(asked, value, name):
        plain = isinstance(each, str | int) or (
            is_array(each) and all(type(token) is int for token in each)
        )
        if not plain:
            raise unknown(asked.top, f"an input that is neither text nor tokens in `{name}`")


def only(words: frozenset[str]) -> Reader:
    """A reader that takes these words and no others, since only they cost nothing more."""

    def read(asked: Asked, value: object, name: str) -> None:
        if not isinstance(value, str) or value not in words:
            raise no_bound(
                asked.top,
                f"{asked.named(name)} is {word(value)}, and what that costs",
                "is not known here",
                f"Send one of {listed(words)}, or leave it out.",
            )

    return read


def only_all(words: frozenset[str]) -> Reader:
    """The same of every word of an array."""
    one = only(words)

    def read(asked: Asked, value: object, name: str) -> None:
        for each in array_of(asked, value, name):
            one(asked, each, name)

    return read


def _searches_once(asked: Asked, value: object, name: str) -> None:
    """OpenRouter's web plugin: it searches before the model reads, or has the vendor search."""
    if object_of(asked, value, name).get("enabled") is not False:
        asked.results = asked.results or asked.rules.results_of_a_search


def _server_tool(asked: Asked, _value: object, name: str) -> None:
    """A tool of the provider's own: its results are read, and all that stood before once more."""
    asked.looped = True
    asked.fills = asked.fills or name


def _stored_unless_encrypted(asked: Asked, value: object, name: str) -> None:
    if not object_of(asked, value, name).get("encrypted_content"):
        asked.fills = asked.fills or name


WAYS: Final[Mapping[str, Reader]] = {
    "choices": _choices,
    "completion_price": _completion_price,
    "count": _a_count,
    "engine": _engine,
    "image": image,
    "inline_image": _inline_image,
    "modalities": _modalities,
    "models": _models,
    "prediction": _prediction,
    "prompt_price": _prompt_price,
    "remote_image": _remote_image,
    "results": _results,
    "rewritten": rewritten,
    "searches": _searches,
    "searching": _searching,
    "sound": _sound,
    "steers": _steers,
    "stored": _stored,
    "texts": _texts,
    "thinking_budget": _thinking_budget,
    "tier": _tier,
    "tool_calls": _tool_calls,
    "voice": _voice,
}
"""How the lists name the ways of reading a value."""

WAYS_WITH_WORDS: Final[Mapping[str, Callable[[frozenset[str]], Reader]]] = {
    "only": only,
    "only_all": only_all,
}

MEANINGS: Final[Mapping[str, Reader]] = {
    "": lambda _asked, _value, _name: None,
    "searches_once": _searches_once,
    "server_tool": _server_tool,
    "stored_unless_encrypted": _stored_unless_encrypted,
}
"""How the lists name what a whole object means beside its fields."""
