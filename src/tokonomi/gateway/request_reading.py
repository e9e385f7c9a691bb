"""A body read strictly by the list of its dialect: every name is known, or the body is refused."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Final

import msgspec

from tokonomi.gateway.duplicates import repeated_within
from tokonomi.gateway.request import OUTPUT_LIMITS, ParsedRequest
from tokonomi.gateway.request_asked import Asked, NoBound, Reader, invalid, no_bound, unknown, word
from tokonomi.gateway.request_rules import (
    ALTERNATIVE,
    KindRules,
    ObjectRule,
    RequestRules,
    rules_of,
)
from tokonomi.gateway.request_values import (
    MEANINGS,
    REWRITTEN,
    WAYS,
    WAYS_WITH_WORDS,
    array_of,
    image,
    is_array,
    object_of,
    output_limit,
)
from tokonomi.pricing.bound import Unbounded
from tokonomi.providers.adapter import Dialect

# A number with a fraction keeps its digits, for an error or as an exact price.
_decode: Final = msgspec.json.Decoder(float_hook=Decimal).decode
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
_ESCAPE: Final = rb"\u"
_CONTAINERS: Final = (dict, list)
_CONTENT: Final = "content:"
"""The way to read what is a text, or parts of several kinds."""
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError)


def asked_of(request: ParsedRequest) -> Asked | Unbounded:
    """What a request asks for, or the first of its fields that keeps it from having a bound."""
    reading = _reading_of(request.dialect)
    asked = Asked(reading.rules)
    free, readers = reading.body.free, reading.body.readers
    try:
        for name, raw in request.fields.items():
            if name in free:
                continue
            asked.top = name
            reader = readers.get(name)
            if reader is None:
                raise _unknown_field(reading.rules, name)
            value = _decoded(raw, asked)
            if value is not None:
                reader(asked, value, name)
    except NoBound as found:
        return found.unbounded
    return asked


def _unknown_field(rules: RequestRules, name: str) -> NoBound:
    what = f"the field `{word(name)}`"
    refusal = rules.refusal_of(name)
    if refusal is None:
        return unknown(name, what)
    return no_bound(name, what, refusal.why, refusal.remedy)


def _decoded(raw: msgspec.Raw, asked: Asked) -> object:
    """The value of a field, in which no name stands twice: so every parser reads the same."""
    name = asked.top
    try:
        value: object = _decode(raw)
        repeated = _repeated(raw, value, asked) if type(value) in _CONTAINERS else None
    except _UNREADABLE:
        raise no_bound(
            name, f"`{word(name)}`", "cannot be read, so what it holds has no bound", "Send JSON."
        ) from None
    if repeated is None:
        return value
    raise invalid(
        name, f"`{word(repeated)}` stands twice in an object of `{word(name)}`", "Send it once."
    )


def _repeated(raw: msgspec.Raw, value: object, asked: Asked) -> str | None:
    text, ours = bytes(raw), _encode(value)
    asked.size = len(ours)
    # Whoever writes JSON as we do has no name twice and none escaped, and that is soon seen.
    same = ours == text
    asked.escaped = not same and _ESCAPE in text
    return None if same else repeated_within(text)


class _Shape(msgspec.Struct, frozen=True):
    """An object rule with its readers.

    Attributes:
        rule: the rule.
        readers: what reads each field that may ask for something.
        means: what reads the whole object, where its fields mean something together.
        free: fields that ask for nothing.
        texts: fields that ask for nothing where they are texts.
    """

    rule: ObjectRule
    readers: Mapping[str, Reader]
    means: Reader | None = None
    free: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()

    def refuse_without_needs(self, asked: Asked, fields: dict[str, object], what: str) -> None:
        """Nothing: the fields are there that bound the object, which errors call `what`."""
        for needed in self.rule.needs:
            either = needed.split(ALTERNATIVE)
            if all(fields.get(name) is None for name in either):
                raise no_bound(
                    asked.top,
                    what,
                    f"has no bound without `{'` or `'.join(either)}`",
                    f"Send `{either[0]}`.",
                )

    def read(self, asked: Asked, fields: dict[str, object]) -> None:
        """Adds what an object asks for."""
        free, texts, readers = self.free, self.texts, self.readers
        for name, value in fields.items():
            if name in free or (name in texts and isinstance(value, str)):
                continue
            reader = readers.get(name)
            if reader is None:
                raise unknown(asked.top, asked.named(name))
            if value is not None:
                reader(asked, value, name)
        if self.means is not None:
            self.means(asked, fields, asked.top)


class _Kinds(msgspec.Struct, frozen=True):
    """The kinds of a group, each with its readers."""

    rules: KindRules
    shapes: Mapping[str, _Shape]

    def read(self, asked: Asked, value: object) -> None:
        """Adds what an object of one of the kinds asks for."""
        group = self.rules
        fields = object_of(asked, value, group.noun)
        kind = fields.get(group.by, group.untyped)
        shape = self.shapes.get(kind) if isinstance(kind, str) else None
        what = f"{group.noun} of {group.by} {word(kind)!r} in `{word(asked.top)}`"
        if shape is None:
            raise unknown(asked.top, what)
        rule = shape.rule
        if rule.why:
            raise no_bound(asked.top, what, rule.why, rule.remedy)
        shape.refuse_without_needs(asked, fields, what)
        asked.added += rule.tokens
        shape.read(asked, fields)


class _Reading(msgspec.Struct):
    """The list of a dialect with all its readers."""

    rules: RequestRules
    body: _Shape
    objects: dict[str, _Shape]
    kinds: dict[str, _Kinds]


@cache
def _reading_of(dialect: Dialect) -> _Reading:
    rules = rules_of(dialect)
    reading = _Reading(rules, _Shape(rules.body, {}), {}, {})
    for name, rule in rules.objects.items():
        reading.objects[name] = _shape(reading, rule)
    for name, group in rules.kinds.items():
        shapes = {kind: _shape(reading, rule) for kind, rule in group.of.items()}
        reading.kinds[name] = _Kinds(group, shapes)
    reading.body = _shape(reading, rules.body, dict.fromkeys(OUTPUT_LIMITS[dialect], output_limit))
    return reading


def _shape(reading: _Reading, rule: ObjectRule, more: Mapping[str, Reader] | None = None) -> _Shape:
    readers = {name: _reader(reading, way) for name, way in rule.reads.items()}
    means = MEANINGS[rule.then] if rule.then else None
    texts = frozenset(name for name, way in rule.reads.items() if way.startswith(_CONTENT))
    return _Shape(rule, {**readers, **(more or {})}, means, rule.free, texts)


def _reader(reading: _Reading, way: str) -> Reader:
    """The reader that a list names: `way`, `way:words`, or `way:group`."""
    name, _, argument = way.partition(":")
    if name in WAYS:
        return WAYS[name]
    if name in WAYS_WITH_WORDS:
        return WAYS_WITH_WORDS[name](frozenset(argument.split("|")))
    return _STRUCTURES[name](reading, argument)


def _one_object(reading: _Reading, name: str) -> Reader:
    def read(asked: Asked, value: object, key: str) -> None:
        shape, fields = reading.objects[name], object_of(asked, value, key)
        shape.refuse_without_needs(asked, fields, asked.named(key))
        shape.read(asked, fields)

    return read


def _each_message(reading: _Reading, name: str) -> Reader:
    def read(asked: Asked, value: object, key: str) -> None:
        shape = reading.objects[name]
        messages = array_of(asked, value, key)
        for message in messages:
            fields = object_of(asked, message, "a message")
            if asked.escaped or "role" not in fields:
                asked.unmarked += 1
            shape.read(asked, fields)

    return read


def _one_kind(reading: _Reading, group: str) -> Reader:
    def read(asked: Asked, value: object, _key: str) -> None:
        reading.kinds[group].read(asked, value)

    return read


def _each_kind(reading: _Reading, group: str) -> Reader:
    def read(asked: Asked, value: object, key: str) -> None:
        kinds = reading.kinds[group]
        for each in array_of(asked, value, key):
            kinds.read(asked, each)

    return read


def _content(reading: _Reading, group: str) -> Reader:
    """A text, or parts of several kinds."""
    each = _each_kind(reading, group)

    def read(asked: Asked, value: object, key: str) -> None:
        if not isinstance(value, str):
            each(asked, value, key)

    return read


def _items(reading: _Reading, group: str) -> Reader:
    """A text, or items, each of which is a message of its own."""
    content = _content(reading, group)

    def read(asked: Asked, value: object, key: str) -> None:
        asked.unmarked += len(value) if is_array(value) else 1
        content(asked, value, key)

    return read


def _tools(reading: _Reading, group: str) -> Reader:
    """Tools: a template writes their JSON into the prompt, with words of its own around it."""
    each = _each_kind(reading, group) if group else array_of

    def read(asked: Asked, value: object, key: str) -> None:
        each(asked, value, key)
        asked.added += REWRITTEN * asked.size + asked.rules.tokens_of_tools

    return read


def _image_or(reading: _Reading, name: str) -> Reader:
    """An image's address, alone or in an object."""
    inside = _one_object(reading, name)

    def read(asked: Asked, value: object, key: str) -> None:
        (image if isinstance(value, str) else inside)(asked, value, key)

    return read


_STRUCTURES: Final[Mapping[str, Callable[[_Reading, str], Reader]]] = {
    "content": _content,
    "each": _each_message,
    "image_or": _image_or,
    "items": _items,
    "kind": _one_kind,
    "kinds": _each_kind,
    "object": _one_object,
    "tools": _tools,
}
"""How the lists name values that hold further ones."""
