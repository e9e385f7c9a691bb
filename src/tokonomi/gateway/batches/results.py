"""The results of a batch on their way into the store: a file that nobody sees before its end."""

from typing import Final

from msgspec.structs import replace

from tokonomi.gateway.batches.desk import DAY_SECONDS, MICROSECONDS, new_id
from tokonomi.gateway.batches.uploads import PART_BYTES
from tokonomi.storage.database import Database
from tokonomi.storage.file_store import Part, StoredFile, add_part, begin_file
from tokonomi.storage.master_keys import MasterKeys

_ARRIVING_DAYS: Final = 2
"""How long results are kept that are not whole, since their gateway died: the next tries anew."""


class ResultFile:
    """One file of results, written line by line; no line, no file."""

    def __init__(self, project: str, name: str, keys: MasterKeys | None) -> None:
        self._project = project
        self._name = name
        self._keys = keys
        self._file: StoredFile | None = None
        self._lines: list[bytes] = []
        self._gathered = 0
        self._parts = 0

    @property
    def id(self) -> str:
        """Its name; empty when it has no line."""
        return "" if self._file is None else self._file.id

    def add(self, database: Database, line: bytes, *, now_us: int) -> None:
        """One more line, with its end."""
        if self._file is None:
            self._file = StoredFile(
                id=new_id("file-"),
                project=self._project,
                purpose="batch_output",
                name=self._name,
                created_us=now_us,
                expires_us=now_us + _ARRIVING_DAYS * DAY_SECONDS * MICROSECONDS,
            )
            begin_file(database, self._file)
        self._lines.append(line)
        self._gathered += len(line)
        if self._gathered >= PART_BYTES:
            self._write(database)

    def whole(self, database: Database, *, keep_seconds: int) -> list[StoredFile]:
        """The file as it is to be finished, once all of it is written; none of no line."""
        if self._file is None:
            return []
        if self._lines:
            self._write(database)
        kept_until = self._file.created_us + keep_seconds * MICROSECONDS
        return [replace(self._file, expires_us=kept_until)]

    def _write(self, database: Database) -> None:
        assert self._file is not None, "it has lines"
        content = b"".join(self._lines)
        self._parts += 1
        part = Part(self._parts, self._file.lines + 1, content)
        add_part(database, self._file.id, part, self._keys)
        self._file = replace(
            self._file,
            size=self._file.size + len(content),
            lines=self._file.lines + len(self._lines),
        )
        self._lines.clear()
        self._gathered = 0
