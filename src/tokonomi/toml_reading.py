"""TOML texts that people wrote, read by one rule: no text in them has a NUL.

PostgreSQL keeps no text with a NUL, and SQLite does. A file means the same on both, so it is
refused where it is read, before anything of it is used.
"""

import tomllib
from collections.abc import Callable
from typing import Final, cast

from tokonomi.errors import BadInput
from tokonomi.toml_places import Place, dotted, line_of, places_of

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
        BadInput: as the kind `error`: it is not TOML, or a text in it has a NUL.
    """
    try:
        tables = tomllib.loads(text, parse_float=decimals)
    except tomllib.TOMLDecodeError as wrong:
        raise error(f"{name} is not TOML: {wrong}", remedy="Mend the line it names.") from None
    if any(escape in text for escape in _ESCAPES) and (place := _with_nul(tables, ())) is not None:
        line = line_of(places_of(text), place)
        where = ": ".join(filter(None, (f"{name}:{line}" if line else name, dotted(place))))
        raise error(
            f"{where}: a text in it has a NUL character (U+0000)",
            remedy="Leave it out: no store can be relied on to keep it.",
        )
    return tables


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
