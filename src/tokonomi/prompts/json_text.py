"""JSON of which every value knows where it stands in its file."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tokonomi.errors import BadInput
from tokonomi.prompts.place import Lines, Offsets


@dataclass(frozen=True, slots=True)
class JsonText:
    """A string: decoded, with the offset in the file of each of its characters."""

    text: str
    offsets: Offsets


@dataclass(frozen=True, slots=True)
class JsonList:
    """An array."""

    items: "tuple[Json, ...]"


@dataclass(frozen=True, slots=True)
class JsonObject:
    """An object, with the tokens that it is written in, and where in the file those begin."""

    fields: "Mapping[str, Json]"
    tokens: "_Tokens"

    def compact(self) -> JsonText:
        """Its JSON without white space, as a provider may put it before a model."""
        return self.tokens.joined()


@dataclass(frozen=True, slots=True)
class JsonOther:
    """A number, true, false or null, as it is written."""

    text: str


Json = JsonText | JsonList | JsonObject | JsonOther


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Tokens `first` to `behind` of `every`; the text that they were found in begins at `start`."""

    every: list[re.Match[str]]
    first: int
    behind: int
    start: int

    def joined(self) -> JsonText:
        tokens = self.every[self.first : self.behind]
        indices, offsets = [0], [self.start + tokens[0].start()]
        length = 0
        for token in tokens:
            if self.start + token.start() - offsets[-1] != length - indices[-1]:
                indices.append(length)
                offsets.append(self.start + token.start())
            length += len(token[0])
        text = "".join(token[0] for token in tokens)
        return JsonText(text, Offsets(tuple(indices), tuple(offsets)))


_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|.)")


def parse_json(text: str, name: str, *, start: int = 0, end: int | None = None) -> Json:
    """The value that `text[start:end]` states, with offsets from the beginning of `text`.

    The standard library judges whether it is JSON; what is left to do here is to find places.

    Raises:
        BadInput: not JSON, or nested too deeply; with line and column.
    """
    part = text[start:end]
    try:
        json.loads(part, parse_constant=_refuse_constant)
        return _Reader(part, start).value()
    except json.JSONDecodeError as wrong:
        line, column = Lines(text).at(start + wrong.pos)
        raise BadInput(
            f"{name}:{line}:{column} is not JSON: {wrong.msg}",
            remedy="Mend that place; for a file that is no JSON, write --read-as text.",
        ) from None
    except (RecursionError, ValueError) as wrong:
        # Also a number of more digits than Python turns into an integer, or NaN.
        raise BadInput(f"{name} cannot be read as a request: {wrong}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


class _Reader:
    """Reads text that is known to be JSON."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._start = start
        self._tokens: Iterator[re.Match[str]] = _TOKEN.finditer(text)
        self._seen: list[re.Match[str]] = []

    def value(self) -> Json:
        """The next value."""
        return self._value(self._next())

    def _next(self) -> re.Match[str]:
        token = next(self._tokens)
        self._seen.append(token)
        return token

    def _value(self, token: re.Match[str]) -> Json:
        match token[0][0]:
            case "{":
                return self._object()
            case "[":
                return JsonList(tuple(self._items()))
            case '"':
                return _decoded(token[0], self._start + token.start())
            case _:
                return JsonOther(token[0])

    def _items(self) -> Iterator[Json]:
        while (token := self._next())[0] != "]":
            if token[0] != ",":
                yield self._value(token)

    def _object(self) -> JsonObject:
        first = len(self._seen) - 1
        fields: dict[str, Json] = {}
        while (token := self._next())[0] != "}":
            if token[0] != ",":
                key = json.loads(token[0])
                self._next()
                fields[key] = self.value()
        tokens = _Tokens(self._seen, first, len(self._seen), self._start)
        return JsonObject(fields, tokens)


def _decoded(literal: str, offset: int) -> JsonText:
    """The string that a literal at an offset states."""
    text: str = json.loads(literal)
    indices, offsets = [0], [offset + 1]
    for escape in _ESCAPE.finditer(literal):
        index = indices[-1] + offset + escape.start() - offsets[-1]
        indices += [index, index + 1]
        offsets += [offset + escape.start(), offset + escape.end()]
    return JsonText(text, Offsets(tuple(indices), tuple(offsets)))
