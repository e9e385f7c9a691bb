"""Reading decoded JSON from a provider: absent is `None`, and anything impossible raises.

Everything here takes values that `json` or `msgspec.json` made, and never trusts their types.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, TypeGuard

import msgspec

from tokonomi.errors import ImpossibleUsage
from tokonomi.usage import Quarantined

MAX_COUNT: Final = 10**10
"""The largest believable count of one call. At 900 USD a million tokens it still fits 64 bits."""

_ALARM_LENGTH: Final = 80
_AMOUNT_DIGITS: Final = 6
_encoder: Final = msgspec.json.Encoder(enc_hook=str)


def is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[object]]:
    """Whether a JSON value is an array."""
    return isinstance(value, list)


def object_at(fields: Mapping[str, object], key: str) -> Mapping[str, object] | None:
    """The object under `key`, or `None` when it is absent or null.

    Raises:
        ImpossibleUsage: something else stands there.
    """
    value = fields.get(key)
    if value is None or is_object(value):
        return value
    raise ImpossibleUsage(not_an_object(key, value).reason)


def objects_at(fields: Mapping[str, object], key: str) -> Iterable[Mapping[str, object]]:
    """The objects in the array under `key`; none when it is absent or something else.

    For the parts of a reply that carry no counts: a strange one there is the client's business.
    """
    value = fields.get(key)
    return filter(is_object, value) if value and is_array(value) else ()


def text_at(fields: Mapping[str, object], key: str) -> str:
    """The text under `key`, empty when it is absent or not a text."""
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def reported_count(fields: Mapping[str, object], key: str) -> int | None:
    """The count under `key`, or `None` when it is absent or null: absent is not zero.

    Raises:
        ImpossibleUsage: not an integer (12.0, "12" and true are none), or outside 0..`MAX_COUNT`.
    """
    value = fields.get(key)
    if value is None:
        return None
    # `type` and not `isinstance`: JSON's true would pass as the integer 1.
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    raise ImpossibleUsage(f"{key} is {shortened(value)}, not a count from 0 to {MAX_COUNT}")


def part_count(fields: Mapping[str, object], key: str) -> int:
    """The count under `key` of a part that replies leave out when there is none: absent is 0.

    Raises:
        ImpossibleUsage: as `reported_count`.
    """
    return reported_count(fields, key) or 0


def shortened(value: object) -> str:
    """The value as JSON text, short enough for one line of a reason."""
    text = json_text(value)
    return text if len(text) <= _ALARM_LENGTH else f"{text[:_ALARM_LENGTH]}..."


def json_text(value: object) -> str:
    """The value as JSON text."""
    return _encoder.encode(value).decode()


def has_values(value: object) -> bool:
    """Whether it says anything: an object of nulls, or an empty one, does not."""
    if not is_object(value):
        return True
    for field in value.values():  # noqa: SIM110 - a generator takes twice as long, on every call
        if field is not None:
            return True
    return False


def not_an_object(key: str, value: object) -> Quarantined:
    """Usage of which the provider sent something else than an object."""
    return quarantined(f"{key} is {shortened(value)}, not an object", value)


def quarantined(reason: str, raw: object) -> Quarantined:
    """Usage that cannot be true, with its raw JSON."""
    return Quarantined(reason, json_text(raw))


def unknown_keys(
    fields: Mapping[str, object], known: frozenset[str], *, within: str = ""
) -> tuple[str, ...]:
    """The keys that a dialect's table does not know, sorted, with the path to them."""
    # The common reply has none, and asking for a superset is the cheapest way to see it.
    if known.issuperset(fields):
        return ()
    prefix = f"{within}." if within else ""
    return tuple(f"{prefix}{key}"[:_ALARM_LENGTH] for key in sorted(fields.keys() - known))


def exact_number(value: object, key: str) -> Decimal | None:
    """The number that JSON text states, or `None` when it is absent or null.

    A decoder that makes `Decimal` (msgspec's `float_hook=Decimal`) keeps the text exactly. One that
    makes floats keeps every text of at most 15 significant digits, because Python prints the
    shortest text that gives the same float; a cost has about 10.

    Raises:
        ImpossibleUsage: not a number, negative, or a million and more.
    """
    if value is None:
        return None
    number = _decimal(value)
    # The exponent is looked at first: 1e999999999 must not become an integer of that many digits.
    if (
        number is not None
        and number.is_finite()
        and number.adjusted() < _AMOUNT_DIGITS
        and number >= 0
    ):
        return number
    raise ImpossibleUsage(f"{key} is {shortened(value)}, not an amount")


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return Decimal(repr(value) if not isinstance(value, str) else value)
    except ArithmeticError:
        return None
