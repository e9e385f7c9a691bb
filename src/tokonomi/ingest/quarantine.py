"""The file of rows that could not be imported, written whole or not at all."""

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from tokonomi.errors import BadInput
from tokonomi.ingest.draft import Rejected

_encode = msgspec.json.Encoder().encode


class QuarantineFile:
    """Collects bad rows under a temporary name; leaving the block without an error gives the name.

    One JSON object a line: `line` (number of the row), `reason`, `raw` (the row itself). Without a
    bad row nothing is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._temporary = path.with_name(f"{path.name}.{os.getpid()}.temporary")
        self._file: BinaryIO | None = None

    def add(self, row: Rejected) -> None:
        """Nothing: the row is in the file.

        Raises:
            BadInput: the file cannot be written.
        """
        try:
            if self._file is None:
                self._file = self._temporary.open("wb")
            self._file.write(_encode(row) + b"\n")
        except OSError as error:
            raise BadInput(
                f"the file of bad rows {self.path} cannot be written: {error}",
                remedy="Name another with --quarantine; importing again adds nothing twice.",
            ) from error
        self.rows += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if error is None:
            self._temporary.replace(self.path)
        else:
            self._temporary.unlink()
