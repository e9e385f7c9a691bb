"""A mistake in what people write: where it stands, what is wrong, and the nearest right name."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar, cast, get_args, get_origin

import msgspec

from tokonomi.errors import BadConfig
from tokonomi.toml_places import Place, dotted, line_of

T = TypeVar("T", bound=msgspec.Struct)
_UNKNOWN: Final = re.compile(r"unknown field `(.+?)`")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_KEY_IN_FILE: Final = (
    "A key does not belong in the file: set api_key_env, api_key_file or api_key_stored."
)


class WrongAt(Exception):
    """Something is wrong at a place of a table.

    `place` is the way to it from the top; `what` and `remedy` are what a person is told.
    """

    def __init__(self, place: Place, what: str, remedy: str = "") -> None:
        self.place = place
        self.what = what
        self.remedy = remedy
        super().__init__(what)

    def under(self, place: Place) -> "WrongAt":
        """The same mistake, seen from further up."""
        return WrongAt((*place, *self.place), self.what, self.remedy)

    def told(self, name: str, places: Mapping[Place, int]) -> BadConfig:
        """The error for a person who wrote the text `name`, whose keys stand at `places`."""
        line = line_of(places, self.place)
        where = f"{name}:{line}" if line else name
        return BadConfig(f"{where}: {dotted(self.place)}: {self.what}", remedy=self.remedy)


def converted(
    table: object, form: type[T], *, dec_hook: Callable[[type, object], object] | None = None
) -> T:
    """What a table states.

    Raises:
        WrongAt: an unknown key, with the nearest known one, or a value of a wrong type.
    """
    try:
        return msgspec.convert(table, form, dec_hook=dec_hook)
    except msgspec.ValidationError as error:
        raise explained(str(error), form) from None


def explained(message: str, form: type[msgspec.Struct]) -> WrongAt:
    """The mistake that a message of the decoder tells."""
    what, _, path = message.partition(" - at ")
    steps = _STEP.findall(path.strip("`").removeprefix("$"))
    inner: Place = tuple(name or int(number) for name, number in steps)
    if match := _UNKNOWN.search(what):
        known = _within(form, inner) or form
        names = [field.encode_name for field in msgspec.structs.fields(known)]
        return WrongAt((*inner, match[1]), "no such key", nearest(match[1], names))
    return WrongAt(inner, what)


def nearest(name: str, known: Iterable[str]) -> str:
    """One sentence that helps a person who wrote an unknown name."""
    if name == "api_key":
        return _KEY_IN_FILE
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known are {', '.join(names)}."


def _within(kind: object, place: Place) -> type[msgspec.Struct] | None:
    """The form of the table at a place inside a type."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if not place:
            return kind
        fields = msgspec.structs.fields(kind)
        found = next((field for field in fields if field.encode_name == place[0]), None)
        return None if found is None else _within(found.type, place[1:])
    inside = place[1:] if get_origin(kind) in {tuple, list, dict} else place
    for inner in cast("tuple[object, ...]", get_args(kind)):
        if found := _within(inner, inside):
            return found
    return None
