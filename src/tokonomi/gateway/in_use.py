"""The version of the configuration that this process uses, and how a newer one takes its place."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from tokonomi.configuration.checks import warnings
from tokonomi.errors import BadConfig, BadInput
from tokonomi.gateway.dispatch import Dispatcher
from tokonomi.gateway.keys_of_providers import Surroundings
from tokonomi.gateway.snapshot import Ingredients, Snapshot, snapshot_of
from tokonomi.storage.config_store import in_force, version_in_force
from tokonomi.storage.database import Database
from tokonomi.storage.secret_store import sealed_secrets

_log: Final = logging.getLogger("tokonomi.gateway")


@dataclass(frozen=True, slots=True)
class Serving:
    """What requests are answered with. A request takes it once, and keeps to it to its end."""

    snapshot: Snapshot
    dispatcher: Dispatcher


class ConfigurationInUse:
    """The configuration of one gateway process.

    `now` is replaced, never changed, so any thread may read it. `refresh` runs beside the event
    loop; connections that a new version does not use are closed on it, each when its last call is
    done. A version that cannot be used here leaves the one before in use.
    """

    def __init__(
        self, first: "Read", around: Surroundings, dispatcher_of: Callable[[Snapshot], Dispatcher]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._around = around
        self._dispatcher_of = dispatcher_of
        self._wanted = self.version = first.version
        self.failure = ""
        self.now = Serving(first.snapshot, dispatcher_of(first.snapshot))

    @property
    def newest(self) -> int:
        """The version that is in force in the store, as far as is known here."""
        return self._wanted

    def refresh(self, database: Database, *, again: bool = False) -> bool:
        """Whether there was news: another version is in use now, or cannot be used here.

        With `again` a version that could not be used is tried once more.

        Raises:
            StoreError: the store cannot be read; the next call looks again.
        """
        newest = version_in_force(database)
        if newest == self._wanted and not (again and self.failure):
            return False
        told = self.version, self.failure
        try:
            self._take(database)
        except BadInput as error:
            self._wanted = newest
            if str(error) != self.failure:
                _log.error(
                    "version %d of the configuration cannot be used here, version %d stays: %s",
                    newest,
                    self.version,
                    error,
                )
            self.failure = str(error)
        return told != (self.version, self.failure)

    def close(self) -> None:
        """Closes the connections to all providers."""
        for upstream in self.now.snapshot.without(None):
            upstream.close()

    def _take(self, database: Database) -> None:
        old = self.now.snapshot
        read = read_configuration(database, self._around, old)
        if read.snapshot is not old:
            self.now = Serving(read.snapshot, self._dispatcher_of(read.snapshot))
            for upstream in old.without(read.snapshot):
                self._loop.call_soon_threadsafe(upstream.close)
            _log.info("version %d of the configuration is in use", read.version)
        self._wanted = self.version = read.version
        self.failure = ""


@dataclass(frozen=True, slots=True)
class Read:
    """The version that is in force, made ready to be used."""

    version: int
    snapshot: Snapshot


def read_configuration(
    database: Database, around: Surroundings, previous: Snapshot | None = None
) -> Read:
    """The version that is in force; the previous snapshot when nothing that it is made of changed.

    Raises:
        BadConfig: it cannot be used here; the text says what is missing.
    """
    stored = in_force(database)
    ingredients = Ingredients.of(stored.document, sealed_secrets(database))
    if previous is not None and previous.ingredients == ingredients:
        return Read(stored.version, previous)
    try:
        snapshot = snapshot_of(ingredients, around, previous)
    except msgspec.ValidationError as error:
        raise BadConfig(
            f"version {stored.version} of the configuration was written by another version of"
            f" Tokonomi: {error}",
            remedy="Run the same version everywhere, or go back: tokonomi config rollback N.",
        ) from error
    for warning in warnings(stored.document, snapshot.book, at=datetime.now(UTC)):
        _log.warning(warning)
    return Read(stored.version, snapshot)
