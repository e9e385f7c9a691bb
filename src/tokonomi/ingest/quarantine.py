"""The file of rows that could not be imported, written whole or not at all."""

import os
from contextlib import ExitStack
from pathlib import Path
from stat import S_ISREG
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from tokonomi.errors import BadInput
from tokonomi.ingest.draft import Rejected
from tokonomi.storage.whole_file import whole_file

_encode = msgspec.json.Encoder().encode


class QuarantineFile:
    """Collects bad rows under a temporary name; leaving the block without an error gives the name.

    One JSON object a line: `line` (number of the row), `reason`, `raw` (the row itself). Without a
    bad row nothing is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._landing = ExitStack()
        self._file: BinaryIO | None = None

    def add(self, row: Rejected) -> None:
        """Nothing: the row is in the file.

        Raises:
            BadInput: the file cannot be written.
        """
        try:
            if self._file is None:
                self._file = self._landing.enter_context(whole_file(self.path)).open("wb")
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
        if S_ISREG(os.fstat(self._file.fileno()).st_mode):
            os.fsync(self._file.fileno())
        self._file.close()
        self._landing.__exit__(kind, error, trace)
