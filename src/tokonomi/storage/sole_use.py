"""Who may change the accounts of a SQLite store: everybody in turns, or one worker alone.

Every transaction that changes accounts shares a lock with its like, SQLite puts them in line. A
worker that decides on holds in its memory has the lock for itself meanwhile, so no balance moves
behind its back; whoever else wants to change one asks it to let go, and waits for that. The lock is
the kernel's, so it goes with its process. The file then still names the worker that had it, whose
decisions may not be in the store yet: they must be brought in before anybody decides anew.
"""

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Final

from tokonomi.errors import StoreError
from tokonomi.storage.database import StoreBusy

_NAME: Final = "accounts.lock"
_ID_BYTES: Final = 8
_NOBODY: Final = 0
_ASK_SECONDS: Final = 0.001


class SoleUse:
    """The lock on accounts, as one connection to the store has it. One thread at a time uses it."""

    def __init__(self, folder: Path, *, patience_seconds: float) -> None:
        self._folder = folder
        self._descriptor: int | None = None
        self._shares = 0
        self.patience_seconds = patience_seconds
        self.is_alone = False

    def share(self) -> int:
        """Waits for a turn, until `unshare`. A worker that died while it was alone, or 0.

        What that one had decided must be brought into the store, and `forget` called, before
        anything else is decided.

        Raises:
            StoreBusy: a worker is alone, and has not let go in time.
            StoreError: the lock file cannot be used.
        """
        dead = _NOBODY
        if not self.is_alone and not self._shares:
            self._wait_for_turn()
            try:
                dead = self._named()
            except StoreError:
                self._unlock()
                raise
        self._shares += 1
        return dead

    def unshare(self) -> None:
        """Ends the turn."""
        self._shares -= 1
        if not self.is_alone and not self._shares:
            self._unlock()

    def take(self, worker_id: int) -> bool:
        """Whether this worker is alone from now on. Nobody waits here: others may be at work."""
        if not self._took(fcntl.LOCK_EX):
            return False
        # Without its name in the file nobody would look for what it had decided when it dies.
        self.is_alone = self._named() == _NOBODY and self._name(worker_id)
        if not self.is_alone:
            self._unlock()
        return self.is_alone

    def let_go(self) -> None:
        """Others may change accounts again: all that was decided alone is in the store."""
        if self.is_alone:
            # A name that stays makes the next one look into a log that has nothing new.
            self._name(_NOBODY)
            self.is_alone = False
            self._unlock()

    def forget(self) -> None:
        """The worker that died while it was alone has left nothing to bring in any more."""
        self._name(_NOBODY)

    def close(self) -> None:
        """Closes the file, and gives up every lock on it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _wait_for_turn(self) -> None:
        give_up_at = time.monotonic() + self.patience_seconds
        while not self._took(fcntl.LOCK_SH):
            worker_id = self._named()
            self._ask(worker_id)
            if time.monotonic() >= give_up_at:
                raise StoreBusy(
                    f"worker {worker_id} changes the accounts of the store alone",
                    remedy="Try again. If its process hangs or is paused, end it or let it go on.",
                )
            time.sleep(_ASK_SECONDS)

    def _took(self, kind: int) -> bool:
        try:
            fcntl.flock(self._file(), kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._unusable(error) from error
        return True

    def _unlock(self) -> None:
        fcntl.flock(self._file(), fcntl.LOCK_UN)

    def _file(self) -> int:
        if self._descriptor is None:
            path = self._folder / _NAME
            try:
                self._folder.mkdir(exist_ok=True)
                self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise self._unusable(error) from error
            let_in_like_store(self._folder, self._descriptor)
        return self._descriptor

    def _unusable(self, error: OSError) -> StoreError:
        return StoreError(
            f"the lock on the store's accounts cannot be used: {error}",
            remedy=f"Check the permissions of {self._folder / _NAME}, and how many files may be"
            " open.",
        )

    def _named(self) -> int:
        try:
            return int.from_bytes(os.pread(self._file(), _ID_BYTES, 0), "big")
        except OSError as error:
            raise self._unusable(error) from error

    def _name(self, worker_id: int) -> bool:
        """Whether the file names this worker now; a full disk can be in the way."""
        try:
            return os.pwrite(self._file(), worker_id.to_bytes(_ID_BYTES, "big"), 0) == _ID_BYTES
        except OSError:
            return False

    def _ask(self, worker_id: int) -> None:
        """Wakes the worker that is alone; one that has just gone away needs no waking.

        Whoever can open no file more waits without asking, and asks the next time.
        """
        try:
            pipe = os.open(bell_of(self._folder, worker_id), os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return
        try:
            os.write(pipe, b"?")
        except (BlockingIOError, BrokenPipeError):
            # It has been asked often enough, or goes away just now.
            pass
        finally:
            os.close(pipe)


def let_in_like_store(folder: Path, descriptor: int) -> None:
    """Lets those use a file of this folder who may use the store itself, as SQLite does."""
    # Somebody else's file has been made like this already.
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, folder.with_suffix("").stat().st_mode & 0o666)


def bell_of(folder: Path, worker_id: int) -> Path:
    """The pipe on which others ask a worker that is alone to let go."""
    return folder / f"{worker_id}.bell"


class Bell:
    """The worker's end of its pipe: readable when somebody asks."""

    def __init__(self, folder: Path, worker_id: int) -> None:
        """Makes the pipe anew.

        Raises:
            OSError: no pipe can be made there.
        """
        folder.mkdir(exist_ok=True)
        self._path = bell_of(folder, worker_id)
        self._path.unlink(missing_ok=True)
        os.mkfifo(self._path, 0o600)
        # Open for writing too, so that it never is at its end.
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        let_in_like_store(folder, self.descriptor)

    def silence(self) -> None:
        """Takes note of all that was asked so far."""
        try:
            os.read(self.descriptor, 4096)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Removes the pipe."""
        os.close(self.descriptor)
        self._path.unlink(missing_ok=True)
