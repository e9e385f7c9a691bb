"""Where the keys of a TOML text stand, so that an error can name the line.

The standard library's parser tells values without their places. This one finds the lines of keys
and nothing else; it is only ever asked about a text that the real parser has accepted.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

Place = tuple[str | int, ...]
"""A key's way from the top: names of tables, and numbers in arrays of tables."""

_KEY: Final = r'(?:[A-Za-z0-9_-]+|"[^"]*"|\'[^\']*\')'
_DOTTED: Final = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER: Final = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?")
_PAIR: Final = re.compile(rf"\s*({_DOTTED})\s*=")
_PART: Final = re.compile(_KEY)
_STRINGS: Final = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'|#.*')
_FENCES: Final = ('"""', "'''")


def places_of(text: str) -> Mapping[Place, int]:
    """The line, from 1, of every table and key of a TOML text.

    >>> places_of(chr(10).join(["[plan]", "[[cost]]", "name = 'y'"]))[("cost", 0, "name")]
    3
    """
    places: dict[Place, int] = {}
    counts: Counter[Place] = Counter()
    table: Place = ()
    depth, fence = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if fence:
            fence = "" if fence in line else fence
            continue
        if depth == 0 and (header := _HEADER.fullmatch(line)):
            table = _opened(header[2], counts, array=header[1] == "[[")
            places.setdefault(table, number)
            continue
        if depth == 0 and (pair := _PAIR.match(line)):
            places.setdefault((*table, *_names(pair[1])), number)
        fence = next((each for each in _FENCES if line.count(each) % 2), "")
        bare = _STRINGS.sub("", line)
        depth += sum(bare.count(sign) for sign in "[{") - sum(bare.count(sign) for sign in "]}")
    return places


def line_of(places: Mapping[Place, int], place: Place) -> int | None:
    """The line of a key, or of the nearest thing around it that has one, or of the first in it."""
    for length in range(len(place), 0, -1):
        if place[:length] in places:
            return places[place[:length]]
    inside = (line for each, line in places.items() if place and each[: len(place)] == place)
    return min(inside, default=None)


def dotted(place: Place) -> str:
    """A place as TOML writes it, with numbers of items from 1.

    >>> dotted(("models", "house", "targets", 0, "provider"))
    'models.house.targets[1].provider'
    """
    text = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def _opened(dotted: str, counts: Counter[Place], *, array: bool) -> Place:
    """The place of a table header: the parts of its name that are arrays mean their last item."""
    names, place = _names(dotted), ()
    for name in names[:-1]:
        place = (*place, name)
        if counts[place]:
            place = (*place, counts[place] - 1)
    place = (*place, names[-1])
    if not array:
        return place
    counts[place] += 1
    return (*place, counts[place] - 1)


def _names(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
