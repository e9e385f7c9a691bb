"""Calls on their way to the store: each process keeps its own in a file until the store has them.

A call of the SDK must not wait for a database, and must not be lost with its process. So a line is
appended when it leaves and when it has ended, before its caller goes on, and the store is written
behind its back. What is in the file survives the death of the process, however it dies; a power cut
may take the last lines, because nothing is flushed to the disk before the store takes it.

The file of a living process is locked, and the kernel drops the lock with the process. Whoever
finds a file without its lock brings what it holds into the store (`absorb`): ended calls as they
are, and those that only left as orphans. Ids are unique, so writing a call twice changes nothing.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

from tokonomi.calls import Call, Intent
from tokonomi.errors import StoreError
from tokonomi.storage.call_rows import COLUMNS, Value, row_of
from tokonomi.storage.database import Database, StoreRefused
from tokonomi.storage.orphans import orphaned
from tokonomi.storage.retention import id_digest

_log: Final = logging.getLogger("tokonomi.journal")
COMPACTED_BYTES: Final = 1 << 20
"""How much of a file may be in the store already before the file is written anew without it."""
_CHUNK_BYTES: Final = 4 << 20
_SUFFIX: Final = ".calls"
_ID: Final = "id"
_TRIES: Final = 10


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line: the columns of the calls that follow, a call that left, or one that has ended."""

    columns: tuple[str, ...] = ()
    left: Intent | None = None
    ended: tuple[Value, ...] = ()


_encoder: Final = msgspec.json.Encoder()
_decode: Final = msgspec.json.Decoder(_Line).decode
_HEAD: Final = _encoder.encode(_Line(columns=tuple(COLUMNS))) + b"\n"


@dataclass(slots=True)
class _File:
    """The file of this process: its descriptor holds the lock."""

    path: Path
    descriptor: int
    size: int = len(_HEAD)
    delivered: int = len(_HEAD)
    """Where that begins which the store does not have yet."""


class Journal:
    """The file of this process, made with its first line. Any thread may write to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._file: _File | None = None
        self._in_flight: dict[str, bytes] = {}

    @property
    def undelivered(self) -> bool:
        """Whether lines wait for the store."""
        with self._lock:
            return self._file is not None and self._file.delivered < self._file.size

    def left(self, intent: Intent) -> None:
        """A call leaves: from here on it has a row, whatever becomes of this process.

        Raises:
            OSError: the line could not be written.
        """
        line = _encoder.encode(_Line(left=intent)) + b"\n"
        with self._lock:
            self._append(line)
            self._in_flight[intent.id] = line

    def ended(self, call: Call) -> None:
        """A call has ended.

        Raises:
            OSError: the line could not be written.
        """
        line = _encoder.encode(_Line(ended=row_of(call))) + b"\n"
        with self._lock:
            self._append(line)
            self._in_flight.pop(call.intent.id, None)

    def deliver(self, database: Database) -> int:
        """How many calls were given to the store, of those that ended before. One thread does it.

        Raises:
            StoreError: the store did not take them; they stay.
        """
        with self._lock:
            file = self._file
            if file is None:
                return 0
            waiting = min(file.size - file.delivered, _CHUNK_BYTES)
        chunk = os.pread(file.descriptor, waiting, file.delivered)
        chunk = chunk[: chunk.rfind(b"\n") + 1]
        rows = [line.ended for line in map(_decode, chunk.splitlines()) if line.ended]
        _write(database, tuple(COLUMNS), rows)
        with self._lock:
            file.delivered += len(chunk)
            self._shrink(file)
        return len(rows)

    def close(self) -> None:
        """Lets go of the file: it goes when the store has all of it, else it is absorbed later."""
        with self._lock:
            file, self._file = self._file, None
            if file is None:
                return
            if file.delivered == file.size and not self._in_flight:
                file.path.unlink(missing_ok=True)
            os.close(file.descriptor)

    def disown(self) -> None:
        """Closes the descriptor that a fork copied; the file and its lock are the parent's."""
        if self._file is not None:
            os.close(self._file.descriptor)
            self._file = None

    def _append(self, line: bytes) -> None:
        self._file = self._file or _new_file(self._folder)
        file = self._file
        written = os.pwrite(file.descriptor, line, file.size)
        if written < len(line):
            # A full disk took a part; the next line must not follow it.
            os.ftruncate(file.descriptor, file.size)
            raise OSError(f"the journal {file.path} took {written} of {len(line)} bytes")
        file.size += written

    def _shrink(self, file: _File) -> None:
        if file.delivered == file.size and not self._in_flight:
            os.ftruncate(file.descriptor, len(_HEAD))
            file.size = file.delivered = len(_HEAD)
        elif file.delivered > COMPACTED_BYTES:
            self._compact(file)

    def _compact(self, file: _File) -> None:
        """Writes the file anew: calls in flight, and what the store does not have."""
        tail = os.pread(file.descriptor, file.size - file.delivered, file.delivered)
        kept = b"".join([_HEAD, *self._in_flight.values()])
        temporary = file.path.with_suffix(".new")
        descriptor = _locked(temporary)
        assert descriptor is not None, "nobody else knows this name"
        try:
            os.pwrite(descriptor, kept + tail, 0)
            temporary.replace(file.path)
        except OSError:
            temporary.unlink(missing_ok=True)
            os.close(descriptor)
            raise
        os.close(file.descriptor)
        file.descriptor, file.delivered, file.size = descriptor, len(kept), len(kept) + len(tail)


def absorb(folder: Path, database: Database) -> int:
    """How many calls of dead processes were brought into the store; their files are gone then.

    Files of living processes are left alone, so anybody may do this at any time.

    Raises:
        StoreError: the store did not take them; they stay.
    """
    absorbed = 0
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        descriptor = _locked(path)
        if descriptor is None:
            continue
        try:
            absorbed += _absorb_lines(path.read_bytes(), database)
            path.unlink()
        finally:
            os.close(descriptor)
    return absorbed


@dataclass(slots=True)
class _Found:
    """What a file holds."""

    columns: tuple[str, ...] = ()
    ended: list[tuple[Value, ...]] = field(default_factory=list[tuple[Value, ...]])
    in_flight: dict[str, Intent] = field(default_factory=dict[str, Intent])

    def take(self, line: _Line) -> None:
        """Takes note of one line."""
        if line.columns:
            self.columns = line.columns
        elif line.left is not None:
            self.in_flight[line.left.id] = line.left
        elif line.ended:
            self.ended.append(line.ended)
            self.in_flight.pop(str(line.ended[self.columns.index(_ID)]), None)


def _absorb_lines(content: bytes, database: Database) -> int:
    found = _Found()
    for line in _whole_lines(content):
        found.take(line)
    orphans = [row_of(orphaned(intent)) for intent in found.in_flight.values()]
    _write(database, found.columns, found.ended)
    _write(database, tuple(COLUMNS), orphans)
    return len(found.ended) + len(orphans)


def _whole_lines(content: bytes) -> Iterator[_Line]:
    """The lines of a file; its process may have died in the middle of the last."""
    *lines, _ = content.split(b"\n")
    for line in lines:
        try:
            yield _decode(line)
        except msgspec.MsgspecError:
            _log.exception("a line of a journal cannot be read and is left out")


def _write(database: Database, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
    """Writes rows whose ids the store never had, in one transaction."""
    if not rows:
        return
    if not COLUMNS.keys() >= set(columns):
        raise StoreError(
            f"a journal has columns that this Tokonomi does not know: {', '.join(columns)}",
            remedy="Open the store with the version that wrote it.",
        )
    try:
        with database.transaction():
            database.serialise("calls")
            fresh = _never_removed(database, columns, rows)
            database.insert("call", columns, fresh, keep_known=True)
    except StoreRefused as refusal:
        if len(rows) == 1:
            _log.error("the store refuses the row of call %s: %s", rows[0][0], refusal)
            return
        for row in rows:
            _write(database, columns, [row])


def _never_removed(
    database: Database, columns: Sequence[str], rows: Sequence[Sequence[Value]]
) -> list[Sequence[Value]]:
    """The rows whose calls retention did not remove: the store had those before."""
    if database.execute("SELECT 1 FROM pruned_id LIMIT 1").fetchone() is None:
        return list(rows)
    place = columns.index(_ID)
    look_up = "SELECT 1 FROM pruned_id WHERE digest = ?"
    return [
        row
        for row in rows
        if database.execute(look_up, (id_digest(str(row[place])),)).fetchone() is None
    ]


def _new_file(folder: Path) -> _File:
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(_TRIES):
        path = folder / f"{os.getpid()}-{uuid4().hex}{_SUFFIX}"
        descriptor = _locked(path)
        # Somebody who absorbs may have taken the lock, or the whole file, between its two steps.
        if descriptor is not None:
            os.pwrite(descriptor, _HEAD, 0)
            return _File(path, descriptor)
    raise PermissionError(f"no file of calls can be made in {folder}")


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock of the file that has this name, or None where others do."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        # Another process has it, or has just removed or replaced it.
        pass
    os.close(descriptor)
    return None
