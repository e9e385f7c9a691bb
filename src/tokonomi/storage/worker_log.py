"""A worker's own log: what it has decided and what has ended, before the store has it.

One record costs one short write, and one flush where it must survive a power cut; a transaction
costs a dozen pages. Records go to one half of the file at a time. When the store is given all of a
half, further records go to the start of the other, so neither grows and nothing is copied; a
record's number and its checksum, in which its worker's identity is, tell what is new.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final

import msgspec

from tokonomi.errors import StoreError
from tokonomi.storage.call_groups import Begun, Record, Settle
from tokonomi.storage.sole_use import let_in_like_store

HALF_BYTES: Final = 1 << 18
_CLOSED: Final = -1
_HEAD: Final = Struct(">QII")
"""Number, length and checksum of the record that follows."""
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Record).decode


class WorkerLog:
    """The log of a living worker. Use it from one thread."""

    def __init__(self, path: Path, identity: int) -> None:
        """Makes the file anew.

        Args:
            path: of the file.
            identity: a number that tells its worker from one of the same id in a store that is
                gone.

        Raises:
            StoreError: the file cannot be made.
        """
        try:
            self._descriptor = _made(path)
        except OSError as error:
            raise StoreError(
                f"the log of calls {path} cannot be made: {error}",
                remedy="Check the free space and the permissions of its disk.",
            ) from error
        self._identity = identity
        self._start = 0
        self._used = 0
        self.number = 0
        """Of the newest record."""

    def append(self, entry: Begun | Settle, at_us: int) -> Record | None:
        """The record, which survives the death of the process from now on.

        None where there is no room, or for what no row can have either. An end is on its way to
        the disk.
        """
        record = Record(self.number + 1, at_us, entry)
        try:
            body = _encode(record)
        except (ValueError, OverflowError, TypeError):
            return None
        checksum = zlib.crc32(body, self._identity)
        data = _HEAD.pack(record.number, len(body), checksum) + body
        if self._used + len(data) > HALF_BYTES:
            return None
        try:
            written = os.pwrite(self._descriptor, data, self._start + self._used)
        except OSError:
            return None
        if written < len(data):
            # A full disk took a part, which the next record overwrites.
            return None
        if isinstance(entry, Settle):
            _start_writing(self._descriptor, self._start + self._used, written)
        self._used += written
        self.number += 1
        return record

    def flush(self) -> bool:
        """Whether all records are on the disk."""
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            return False
        return True

    def turn(self) -> None:
        """Further records go to the other half, which the store has all of."""
        self._start = HALF_BYTES - self._start
        self._used = 0

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)
        # The number may be that of another file soon.
        self._descriptor = _CLOSED


def _made(path: Path) -> int:
    """The descriptor of a new file, which has its full size: a flush of one that grows is slow."""
    path.parent.mkdir(exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    let_in_like_store(path.parent, descriptor)
    try:
        os.pwrite(descriptor, bytes(2 * HALF_BYTES), 0)
        os.fsync(descriptor)
        _flush_folder(path.parent)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _start_writing(descriptor: int, at: int, size: int) -> None:
    """Has the disk begin to write while we go on, so that the flush has less to wait for.

    POSIX_FADV_DONTNEED is advice to drop pages; Linux begins to write those that are changed.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, at, size, os.POSIX_FADV_DONTNEED)


def records_after(path: Path, identity: int, number: int) -> list[Record]:
    """The records of a worker's log that come after a number, in their order.

    Its worker may be alive and write on meanwhile: what is half written is not there yet.

    Raises:
        StoreError: they cannot be read, or another version of Tokonomi has written them.
    """
    try:
        content = _content_of_one_moment(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(
            f"the log of calls {path} cannot be read: {error}",
            remedy="It is a part of the store: give it the same permissions.",
        ) from error
    halves = (content[:HALF_BYTES], content[HALF_BYTES:])
    found = [body for half in halves for body in _bodies_in(half, identity, number)]
    try:
        return sorted(map(_decode, found))
    except msgspec.DecodeError as error:
        raise StoreError(
            f"calls in {path} cannot be read: {error}",
            remedy="Open the store once with the version of Tokonomi that wrote them.",
        ) from error


def _content_of_one_moment(path: Path) -> bytes:
    """What is in the file; a single reading may have the first half from before a turn.

    It would then lack records that come before those of the second half, and whoever books these
    would have the store take the lacking ones for booked.
    """
    content = path.read_bytes()
    while (again := path.read_bytes()) != content:
        content = again
    return content


def _bodies_in(half: bytes, identity: int, number: int) -> Iterator[bytes]:
    """The records of a half, up to the first that is torn or left from before."""
    at = 0
    expected = None
    while len(half) >= at + _HEAD.size:
        found, length, checksum = _HEAD.unpack_from(half, at)
        at += _HEAD.size
        body = half[at : at + length]
        if found != (expected or found) or zlib.crc32(body, identity) != checksum:
            return
        if found > number:
            yield body
        expected = found + 1
        at += length
