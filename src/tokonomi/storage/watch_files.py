"""Reads when fallback is too much: the bundled thresholds and actions, and others over them."""

from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from tokonomi.configuration.fallback_watch import FallbackWatch, check_fallback_watch, watch_rules
from tokonomi.errors import BadInput
from tokonomi.routing.watch import WatchRules
from tokonomi.toml_reading import tables_in

BUNDLED = "fallback_watch.toml"


def load_watch_rules(own: FallbackWatch | Path | None = None) -> WatchRules:
    """The bundled rules, or those of a table or a file over them.

    Raises:
        BadInput: the file cannot be read, or what is stated is wrong.
    """
    bundled = _bundled()
    if own is None:
        return watch_rules(bundled)
    if isinstance(own, FallbackWatch):
        return watch_rules(own.over(bundled))
    table = _read(_text(own), own.name)
    try:
        check_fallback_watch(table)
        return watch_rules(table.over(bundled))
    except BadInput as wrong:
        raise BadInput(f"{own.name}: {wrong.what}", remedy=wrong.remedy) from None


@cache
def _bundled() -> FallbackWatch:
    folder = files("tokonomi.catalogue").joinpath("routing")
    return _read(folder.joinpath(BUNDLED).read_text(encoding="utf-8"), BUNDLED)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise BadInput(
            f"the rules {path} cannot be read: {wrong}", remedy="Check the path after --rules."
        ) from wrong


def _read(text: str, name: str) -> FallbackWatch:
    tables = tables_in(text, name)
    try:
        return msgspec.convert(tables, FallbackWatch)
    except msgspec.ValidationError as wrong:
        raise BadInput(
            f"{name}: {wrong}", remedy=f"Compare it with the bundled {BUNDLED}."
        ) from None
