"""Names that stand twice in one JSON object: parsers differ in which of the values they take."""

import json
import re
from collections.abc import Mapping
from typing import Final

import msgspec

_decode_text: Final = msgspec.json.Decoder(str).decode
_NAME: Final = re.compile(rb'[\s,{]*("(?:[^"\\]|\\.)*")\s*:\s*')
_BRACES: Final = 1
_MARKS_OF_A_FIELD: Final = 4
"""Two quotes, a colon, and a comma or a brace."""
UNNAMED: Final = "a field"


def repeated_field(body: bytes, fields: Mapping[str, msgspec.Raw]) -> str | None:
    """The name that stands twice at the top of a body that was decoded to `fields`, or None.

    A body without spaces is as long as its fields if and only if none stands twice. With spaces,
    the fields must follow one another in it.
    """
    length = _BRACES + _MARKS_OF_A_FIELD * len(fields)
    length += sum(map(len, fields)) + sum(map(len, fields.values()))
    if length == len(body) or _in_order(body, fields):
        return None
    return _first_twice(_names(body))


def repeated_within(text: bytes) -> str | None:
    """A name that stands twice in one object of a JSON text, at any depth, or None.

    Raises:
        RecursionError: it is nested too deeply.
        ValueError: Python cannot read it.
    """
    try:
        json.loads(text, object_pairs_hook=_once)
    except _Twice as twice:
        return twice.name
    return None


class _Twice(Exception):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


def _once(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Twice(_first_twice([name for name, _ in pairs]) or UNNAMED)


def _in_order(body: bytes, fields: Mapping[str, msgspec.Raw]) -> bool:
    """Whether the body is these fields and nothing else, one after another."""
    at = 0
    for name, value in fields.items():
        found = _NAME.match(body, at)
        if found is None or _decode_text(found[1]) != name:
            return False
        raw = bytes(value)
        if not body.startswith(raw, found.end()):
            return False
        at = found.end() + len(raw)
    return body[at:].strip() in {b"}", b"{}"}


def _names(body: bytes) -> list[str]:
    try:
        pairs: list[tuple[str, object]] = json.loads(body, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return [UNNAMED, UNNAMED]
    return [name for name, _ in pairs]


def _first_twice(names: list[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
