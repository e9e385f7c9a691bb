"""A connection to the store that tasks of the event loop use in turns, in threads beside it."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from tokonomi.errors import StoreError
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store

T = TypeVar("T")


class StoreTurns:
    """One connection, which one thread at a time works with."""

    def __init__(self, store: str) -> None:
        self._database = open_store(store)
        self._turn = threading.Lock()
        self._closed = False

    async def run(self, work: Callable[[Database], T]) -> T:
        """What some work with the store gives.

        Raises:
            StoreError: the store cannot be used, or this connection is closed.
        """
        return await asyncio.to_thread(self._in_turn, work)

    def close(self) -> None:
        """Lets go of the store, once nothing of it is in use."""
        with self._turn:
            self._closed = True
            self._database.close()

    def _in_turn(self, work: Callable[[Database], T]) -> T:
        with self._turn:
            if self._closed:
                raise StoreError("the connection to the store is closed: the gateway stops")
            return work(self._database)
