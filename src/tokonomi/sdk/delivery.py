"""From the journal of this process to the store: one thread for each store, behind the calls."""

import atexit
import logging
import os
import threading
import time
from pathlib import Path
from typing import Final

from tokonomi.calls import Call, Intent
from tokonomi.errors import StoreError
from tokonomi.sdk.border import BORDER
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.journal import Journal, absorb
from tokonomi.storage.location import Location

_log: Final = logging.getLogger("tokonomi.sdk")
_GATHER_SECONDS: Final = 0.05
"""How long rows wait for others, so that one flush of the disk is for all of them."""
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 30.0
EXIT_SECONDS: Final = 5.0
"""How long the end of the process waits for the store; what is left is in the journal."""


class Delivery:
    """Takes rows into the journal at once, and carries them to the store when it can."""

    def __init__(self, location: Location) -> None:
        """Nothing is opened before the first call.

        Args:
            location: the store, and its journal beside it.
        """
        self._address = location.address
        self._name = location.name
        self._folder = location.journal.absolute()
        if isinstance(self._address, Path):
            self._address = self._address.absolute()
        self._abandoned: list[object] = []
        self._failing = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._journal = Journal(self._folder)
        self._unwritten = False
        self._database: Database | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._turn = threading.Condition()

    def left(self, intent: Intent) -> None:
        """A call leaves; the line that says so is written when this returns.

        Raises:
            OSError: the journal cannot be written.
        """
        self._journal.left(intent)
        self._start()

    def ended(self, call: Call) -> None:
        """A call has ended; its row is written when this returns, and the store gets it soon.

        Raises:
            OSError: the journal cannot be written.
        """
        try:
            self._journal.ended(call)
        except OSError:
            self._unwritten = True
            raise
        self._wake.set()

    def flush(self, timeout_seconds: float) -> bool:
        """Whether the store has every call that ended before, within so many seconds."""
        end = time.monotonic() + timeout_seconds
        self._hurry.set()
        self._wake.set()
        with self._turn:
            while self._journal.undelivered:
                left = end - time.monotonic()
                if left <= 0 or self._thread is None:
                    return False
                self._turn.wait(min(left, _GATHER_SECONDS))
        # A call that the journal did not take is lost, and in no store.
        return not self._unwritten

    def close(self) -> None:
        """At the end of the process: what the store does not take in time stays in the journal."""
        self.flush(EXIT_SECONDS)
        self._journal.close()

    def forked(self) -> None:
        """In the child of a fork: the thread, the connection and the journal are the parent's."""
        self._journal.disown()
        # A connection that is closed here would say good-bye to the database in the parent's name.
        self._abandoned.append(self._database)
        self._begin_anew()

    def _start(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name="tokonomi-sdk", daemon=True)
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            self._wake.wait()
            self._hurry.wait(_GATHER_SECONDS)
            self._wake.clear()
            if self._delivered():
                pause_seconds = _FIRST_PAUSE_SECONDS
                self._hurry.clear()
                continue
            self._hurry.clear()
            self._hurry.wait(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            self._wake.set()

    def _delivered(self) -> bool:
        """Whether all that waited is in the store now."""
        with BORDER.around(f"writing calls to the store {self._name}"):
            try:
                database = self._database or self._opened()
                while self._journal.undelivered:
                    self._journal.deliver(database)
            except StoreError as error:
                if not self._failing:
                    _log.warning("calls wait in %s, because %s", self._folder, error)
                self._failing = True
                return False
            self._failing = False
            with self._turn:
                self._turn.notify_all()
            return True
        return False

    def _opened(self) -> Database:
        """The store, with what dead processes left for it."""
        self._database = open_store(self._address)
        absorb(self._folder, self._database)
        return self._database


class _Deliveries:
    """One delivery for each store that this process writes to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[str, Delivery] = {}

    def to(self, location: Location) -> Delivery:
        """The delivery to a store; the same for the same store."""
        with self._lock:
            return self._all.setdefault(str(location.journal.absolute()), Delivery(location))

    def flush(self, timeout_seconds: float) -> bool:
        """Whether every store has every call that ended before."""
        flushed = [each.flush(timeout_seconds) for each in list(self._all.values())]
        return all(flushed)

    def close(self) -> None:
        """At the end of the process."""
        with BORDER.around("the last writing of calls"):
            for each in self._all.values():
                each.close()

    def forked(self) -> None:
        """In the child of a fork."""
        self._lock = threading.Lock()
        with BORDER.around("beginning anew after a fork"):
            for each in self._all.values():
                each.forked()


DELIVERIES: Final = _Deliveries()
atexit.register(DELIVERIES.close)
os.register_at_fork(after_in_child=DELIVERIES.forked)


def flush(timeout_seconds: float = EXIT_SECONDS) -> bool:
    """Whether every call that ended before is in its store, within so many seconds for each store.

    Nothing is lost without it: the journal keeps what the store has not taken yet. It stays False
    after a call that the journal itself could not take.
    """
    return DELIVERIES.flush(timeout_seconds)
