"""Where the store and its lake lie: the one place that answers this for every command."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from tokonomi.errors import BadConfig
from tokonomi.toml_reading import tables_in

CONFIG_FILE: Final = Path("tokonomi.toml")
DEFAULT_STORE: Final = Path("var/tokonomi.db")
MASTER_KEY_FILE: Final = "master.key"
_IN_MEMORY: Final = Path(":memory:")


@dataclass(frozen=True, slots=True)
class Location:
    """The store's file, and the folder of its lake beside it.

    Attributes:
        store: the embedded store.
        dsn: the PostgreSQL database that is the store in place of the file, if one is; the lake
            lies where it lies for a file.
    """

    store: Path
    dsn: str | None = None

    @property
    def address(self) -> Path | str:
        """The store, as `open_store` takes it."""
        return self.dsn or self.store

    @property
    def begun(self) -> bool:
        """Whether there is a store: the file exists, or calls wait for it, or it is a database."""
        return self.dsn is not None or self.store.exists() or self.journal.exists()

    @property
    def readable(self) -> Path | str:
        """The store for one who only reads: an empty one in memory while there is none yet."""
        return self.address if self.begun else _IN_MEMORY

    @property
    def name(self) -> str:
        """What people are told that the store is; a DSN may hold a password."""
        return "PostgreSQL" if self.dsn else str(self.store)

    @property
    def journal(self) -> Path:
        """The folder of the calls that are on their way to this store; see `journal`."""
        name = self.store.name if self.dsn is None else f"postgresql-{_digest(self.dsn)}"
        return self.store.with_name(f"{name}.journal")

    @property
    def lake(self) -> Path:
        """The folder that holds the Parquet files."""
        return self.store.parent / "lake"


@dataclass(frozen=True, slots=True)
class MasterKeyPlace:
    """Where the master keys are that seal the store's secrets.

    Attributes:
        variable: of the environment, which is asked in place of the file when it has a name.
        file: holds one key on each line.
    """

    variable: str
    file: Path


def locate(
    store: Path | str | None = None,
    *,
    data: Path | None = None,
    config: Path = CONFIG_FILE,
    environ: Mapping[str, str] = os.environ,
) -> Location:
    """Where the store lies: `store`, else `data`/tokonomi.db, else the configuration, else var/.

    `store` may be a PostgreSQL DSN, as may the value of the variable that `[store] dsn_env` names.
    A relative path in the configuration counts from the folder of the configuration file.

    Raises:
        BadConfig: the configuration is not TOML, or one of its paths is not a text, or the variable
            is not set.
    """
    settings: Mapping[str, object] = _settings(config) if config.exists() else {}
    if isinstance(store, str) and "://" in store:
        folder = None if data is None else data / DEFAULT_STORE.name
        return Location(folder or _file(settings, config), store)
    if store:
        return Location(Path(store))
    if data is not None:
        return Location(data / DEFAULT_STORE.name)
    return Location(_file(settings, config), _dsn(settings, config, environ))


def locate_store(
    store: str = "",
    *,
    data: Path | None = None,
    config: Path = CONFIG_FILE,
    environ: Mapping[str, str] = os.environ,
) -> Path | str:
    """Where the store alone lies, for `open_store`.

    Raises:
        BadConfig: as `locate` does.
    """
    return locate(store, data=data, config=config, environ=environ).address


def master_keys_of(location: Location, config: Path = CONFIG_FILE) -> MasterKeyPlace:
    """Where the master key of a store's secrets is: as `[secrets]` says, else beside the store.

    The configuration is the one in the current folder, else the one beside the store.

    Raises:
        BadConfig: the configuration is not TOML, or one of its keys is not a text.
    """
    beside = location.store.parent / config.name
    found = next((each for each in (config, beside) if each.exists()), None)
    settings: Mapping[str, object] = {} if found is None else _settings(found)
    file = None if found is None else _path(settings, "secrets", "key_file", found)
    variable = _table(settings, "secrets").get("key_env", "")
    return MasterKeyPlace(str(variable), file or location.store.parent / MASTER_KEY_FILE)


def _digest(dsn: str) -> str:
    """A short name of a database: of its address, without the password."""
    address = urlsplit(dsn)
    place = f"{address.hostname}:{address.port or ''}{address.path}?{address.query}"
    return blake2b(place.encode(), digest_size=6).hexdigest()


def _file(settings: Mapping[str, object], config: Path) -> Path:
    return _path(settings, "store", "path", config) or config.parent / DEFAULT_STORE


def _dsn(settings: Mapping[str, object], config: Path, environ: Mapping[str, str]) -> str | None:
    """The DSN in the variable that the configuration names; None when it names none."""
    variable = _table(settings, "store").get("dsn_env")
    if not isinstance(variable, str) or not variable:
        return None
    if not (dsn := environ.get(variable, "")):
        raise BadConfig(
            f"[store] dsn_env in {config} names {variable}, which is not set",
            remedy=f"export {variable}=postgresql://user@host/tokonomi",
        )
    return dsn


def _table(settings: Mapping[str, object], section: str) -> Mapping[str, object]:
    table = settings.get(section)
    return cast("Mapping[str, object]", table) if isinstance(table, dict) else {}


def _settings(config: Path) -> Mapping[str, object]:
    try:
        text = config.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"{config} cannot be read: {error}") from error
    return tables_in(text, str(config), error=BadConfig)


def _path(settings: Mapping[str, object], section: str, name: str, config: Path) -> Path | None:
    """The path that a setting names, from the folder of the configuration; None when unset."""
    table = settings.get(section, {})
    path = cast("Mapping[str, object]", table).get(name) if isinstance(table, dict) else table
    if path is None or path == "":
        return None
    if not isinstance(path, str):
        raise BadConfig(
            f"[{section}] {name} in {config} is {path!r}", remedy="Write a path between quotes."
        )
    return config.parent / path
