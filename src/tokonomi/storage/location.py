"""Where the store and its lake lie: the one place that answers this for every command."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from tokonomi.errors import BadConfig

CONFIG_FILE: Final = Path("tokonomi.toml")
DEFAULT_STORE: Final = Path("var/tokonomi.db")


@dataclass(frozen=True, slots=True)
class Location:
    """The store's file and the folder of its lake, which lies beside it."""

    store: Path

    @property
    def lake(self) -> Path:
        """The folder that holds the Parquet files."""
        return self.store.parent / "lake"


def locate(
    store: Path | None = None, *, data: Path | None = None, config: Path = CONFIG_FILE
) -> Location:
    """Where the store lies: `store`, else `data`/tokonomi.db, else the configuration, else var/.

    A relative path in the configuration counts from the folder of the configuration file.

    Raises:
        BadConfig: the configuration is not TOML, or its `[store] path` is not a text.
    """
    if store is not None:
        return Location(store)
    if data is not None:
        return Location(data / DEFAULT_STORE.name)
    if not config.exists():
        return Location(config.parent / DEFAULT_STORE)
    return Location(config.parent / _configured(config))


def _configured(config: Path) -> Path:
    try:
        settings = tomllib.loads(config.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{config} is not TOML: {error}") from error
    section = settings.get("store", {})
    path = cast("dict[str, object]", section).get("path") if isinstance(section, dict) else section
    if path is None:
        return DEFAULT_STORE
    if not isinstance(path, str):
        raise BadConfig(
            f"[store] path in {config} is {path!r}", remedy='Write path = "var/tokonomi.db".'
        )
    return Path(path)
