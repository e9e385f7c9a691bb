"""TOML texts that people wrote, read by two rules: no text in them has a NUL, and none nests far.

PostgreSQL keeps no text with a NUL, and SQLite does. A file means the same on both, so it is
refused where it is read, before anything of it is used. What nests without end would exhaust the
stack of whatever reads it.
"""

import tomllib
from collections.abc import Callable, Iterable
from typing import Final, cast

from tokonomi.errors import BadInput
from tokonomi.toml_places import Place, dotted, line_of, places_of

MOST_LEVELS: Final = 32
"""Of tables and lists in each other; the forms that are read here have less than ten."""

_NUL: Final = "\0"
_ESCAPES: Final = (r"\u0000", r"\U00000000")
"""The only ways to write a NUL in TOML, which refuses the character itself."""


def tables_in(
    text: str,
    name: str,
    *,
    error: type[BadInput] = BadInput,
    decimals: Callable[[str], object] = float,
) -> dict[str, object]:
    """The tables that a TOML text states; `name` is what errors call it.

    Raises:
        BadInput: as the kind `error`: it is not TOML, nests too far, or a text in it has a NUL.
    """
    try:
        tables = tomllib.loads(text, parse_float=decimals)
    except tomllib.TOMLDecodeError as wrong:
        raise error(f"{name} is not TOML: {wrong}", remedy="Mend the line it names.") from None
    except RecursionError:
        raise _too_deep(name, error) from None
    if _nests_too_far(tables):
        raise _too_deep(name, error)
    if any(escape in text for escape in _ESCAPES) and (place := _with_nul(tables, ())) is not None:
        line = line_of(places_of(text), place)
        where = ": ".join(filter(None, (f"{name}:{line}" if line else name, dotted(place))))
        raise error(
            f"{where}: a text in it has a NUL character (U+0000)",
            remedy="Leave it out: no store can be relied on to keep it.",
        )
    return tables


def _too_deep(name: str, error: type[BadInput]) -> BadInput:
    return error(
        f"{name} nests tables and lists more than {MOST_LEVELS} levels deep",
        remedy="Nothing that is read from it nests so far: take the inner ones out.",
    )


def _nests_too_far(tables: dict[str, object]) -> bool:
    """Whether there is something within `MOST_LEVELS` tables and lists, found level by level."""
    level: list[object] = [tables]
    for _ in range(MOST_LEVELS + 1):
        level = [inner for value in level for inner in _inside(value)]
    return bool(level)


def _inside(value: object) -> Iterable[object]:
    match value:
        case dict():
            return cast("dict[str, object]", value).values()
        case list():
            return cast("list[object]", value)
        case _:
            return ()


def _with_nul(value: object, place: Place) -> Place | None:
    """Where a text with a NUL stands; of a key that has one, the table around it."""
    match value:
        case str():
            return place if _NUL in value else None
        case dict():
            table = cast("dict[str, object]", value)
            if any(_NUL in key for key in table):
                return place
            inner = ((key, each) for key, each in table.items())
        case list():
            inner = enumerate(cast("list[object]", value))
        case _:
            return None
    places = (_with_nul(each, (*place, step)) for step, each in inner)
    return next((found for found in places if found is not None), None)
