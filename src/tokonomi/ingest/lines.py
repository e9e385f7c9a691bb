"""Reads a text file line by line with bounded memory, knowing how far it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tokonomi.errors import BadInput

LONGEST_LINE: Final = 4 * 2**20
"""Bytes of a line; a longer one is cut, and the rest of it skipped."""

_READ_AHEAD: Final = 2**20


class Lines:
    """The lines of a file with their numbers from 1; it is iterated once.

    Attributes:
        position: bytes read so far.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.position = 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        try:
            with self._path.open("rb", buffering=_READ_AHEAD) as file:
                number = 0
                while line := file.readline(LONGEST_LINE):
                    number += 1
                    self.position += len(line)
                    rest = line
                    while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                        rest = file.readline(LONGEST_LINE)
                        self.position += len(rest)
                    yield number, line
        except OSError as error:
            raise BadInput(f"{self._path} cannot be read: {error}") from error
