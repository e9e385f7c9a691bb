"""Where a text stands in the file that it was read from."""

import re
from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A span of a file.

    Attributes:
        start: offset of its first character in the file, from 0.
        end: offset behind its last character.
        line: line of its first character, from 1.
        column: column of its first character, from 1, in characters.
        end_line: line of its last character.
        end_column: column of its last character.
        path: where the text stands in a JSON request, such as `messages[0].content`.
        request: number of the request in the file, from 1.
    """

    start: int
    end: int
    line: int
    column: int
    end_line: int
    end_column: int
    path: str = ""
    request: int = 1

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


class Lines:
    """The lines of a file, for telling an offset as line and column."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer(r"\n", text))]

    def at(self, offset: int) -> tuple[int, int]:
        r"""Line and column of an offset, both from 1.

        >>> Lines("ab\ncd").at(4)
        (2, 2)
        """
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


@dataclass(frozen=True, slots=True)
class Offsets:
    """How an index into a text becomes an offset in its file.

    `indices` and `offsets` rise together, pair by pair; between two pairs both run one by one. A
    text that stands in the file as it is needs one pair, one written with escapes a pair an escape.
    """

    indices: tuple[int, ...]
    offsets: tuple[int, ...]

    @classmethod
    def plain(cls, start: int = 0) -> "Offsets":
        """The offsets of a text that stands in its file as it is, from `start` on."""
        return cls((0,), (start,))

    def at(self, index: int) -> int:
        """The offset in the file of an index into the text."""
        pair = bisect_right(self.indices, index) - 1
        return self.offsets[pair] + index - self.indices[pair]


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that a model reads as one, such as a message.

    Attributes:
        text: as the model reads it.
        offsets: where its characters stand in the file.
        path: where it stands in a JSON request; empty in a plain file.
        request: number of its request, from 1.
    """

    text: str
    offsets: Offsets
    path: str = ""
    request: int = 1

    def place(self, start: int, end: int, lines: Lines) -> Place:
        """The place of `text[start:end]` in the file, which must not be empty."""
        first, behind = self.offsets.at(start), self.offsets.at(end)
        return Place(
            first, behind, *lines.at(first), *lines.at(behind - 1), self.path, self.request
        )
