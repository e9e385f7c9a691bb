"""Reading a client's JSON strictly: every key is taken, by its name and type, or refused."""

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

import msgspec

from tokonomi.dialects.refusal import CannotCarry

T = TypeVar("T")
_REMEDY: Final = "Send what the API's reference describes."
_UNKNOWN: Final = "Leave it out, or use a model whose provider speaks your dialect."


class Fields:
    """A JSON object of which each key is taken once; null is as good as absent."""

    __slots__ = ("_left", "path")

    def __init__(self, value: object, path: str) -> None:
        """Reads `value`, which stands at `path` of the request.

        Raises:
            CannotCarry: it is no object.
        """
        self.path = path
        self._left = {
            key: each
            for key, each in _typed(value, dict[str, object], path, "an object").items()
            if each is not None
        }

    def at(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def take(self, key: str) -> object:
        """The value under `key`, or `None`; whatever it is."""
        return self._left.pop(key, None)

    def text(self, key: str) -> str:
        """The text under `key`, empty when it is absent."""
        value = self.take(key)
        return "" if value is None else _typed(value, str, self.at(key), "a text")

    def needed_text(self, key: str) -> str:
        """The text under `key`.

        Raises:
            CannotCarry: it is absent, or no text.
        """
        if key not in self._left:
            raise CannotCarry(self.at(key), "is missing", _REMEDY)
        return self.text(key)

    def whole(self, key: str) -> int | None:
        """The whole number under `key`."""
        value = self.take(key)
        return None if value is None else _typed(value, int, self.at(key), "a whole number")

    def number(self, key: str) -> float | None:
        """The number under `key`."""
        value = self.take(key)
        return None if value is None else _typed(value, float, self.at(key), "a number")

    def flag(self, key: str) -> bool | None:
        """The truth value under `key`."""
        value = self.take(key)
        return None if value is None else _typed(value, bool, self.at(key), "true or false")

    def json_object(self, key: str) -> dict[str, object] | None:
        """The object under `key` as it is, for what we carry without looking inside."""
        value = self.take(key)
        if value is None:
            return None
        return _typed(value, dict[str, object], self.at(key), "an object")

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts in the array under `key`."""
        value = self.take(key)
        return (
            () if value is None else _typed(value, tuple[str, ...], self.at(key), "a list of texts")
        )

    def all_texts(self) -> tuple[tuple[str, str], ...]:
        """Every key with its text, in their order."""
        return tuple((key, self.text(key)) for key in tuple(self._left))

    def child(self, key: str) -> "Fields | None":
        """The object under `key`, to be read in turn."""
        value = self.take(key)
        return None if value is None else Fields(value, self.at(key))

    def children(self, key: str) -> Iterator["Fields"]:
        """The objects in the array under `key`, each to be read in turn."""
        value = self.take(key)
        if value is not None:
            yield from objects(value, self.at(key))

    def choice(self, key: str, known: Mapping[str, T], default: T) -> T:
        """What the word under `key` stands for.

        Raises:
            CannotCarry: it is none of the known words.
        """
        word = self.text(key)
        if not word:
            return default
        if word not in known:
            raise CannotCarry(
                self.at(key), f'is "{word[:40]}", which cannot be carried', f"Use {_listed(known)}."
            )
        return known[word]

    def ignore(self, *keys: str) -> None:
        """Takes keys that say nothing which the other dialect would need to know."""
        for key in keys:
            self._left.pop(key, None)

    def done(self) -> None:
        """Checks that every key was taken.

        Raises:
            CannotCarry: one was not.
        """
        for key in self._left:
            raise CannotCarry(
                self.at(key),
                "is unknown here, so it cannot be carried into another dialect",
                _UNKNOWN,
            )


def objects(value: object, path: str) -> Iterator[Fields]:
    """The objects in a JSON array that stands at `path`.

    Raises:
        CannotCarry: it is no array, or holds something else.
    """
    for index, each in enumerate(_typed(value, list[object], path, "a list")):
        yield Fields(each, f"{path}[{index}]")


def decoded(name: str, raw: msgspec.Raw) -> object:
    """The value of a field of a body.

    Raises:
        CannotCarry: it is no JSON, or is nested too deeply.
    """
    try:
        value: object = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise CannotCarry(name, "cannot be read as JSON", "Send valid JSON.") from None
    return value


def _typed(value: object, kind: type[T], path: str, meant: str) -> T:
    try:
        return msgspec.convert(value, type=kind)
    except msgspec.ValidationError:
        raise CannotCarry(path, f"is not {meant}", _REMEDY) from None


def _listed(known: Mapping[str, object]) -> str:
    return ", ".join(f'"{word}"' for word in known)
