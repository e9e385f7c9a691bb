"""A line of an input file: one request, under the name that its author gave it."""

from typing import Final

import msgspec

LONGEST_CUSTOM_ID: Final = 256
"""Characters of a `custom_id`."""
_FIELDS: Final = ("custom_id", "method", "url", "body")
_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


class WrongLine(Exception):
    """A line cannot be taken: which one, what is wrong with it, and what to do."""

    def __init__(self, number: int, what: str, remedy: str, *, param: str | None = None) -> None:
        self.number = number
        self.what = what
        self.remedy = remedy
        self.param = param
        super().__init__(f"line {number}: {what}. {remedy}")


class Line(msgspec.Struct, frozen=True):
    """One request of a file.

    Attributes:
        number: the line of the file that it stands on, from 1.
        custom_id: what its author calls it.
        url: the operation, such as `/v1/chat/completions`.
        body: the request's body, as its author wrote it.
    """

    number: int
    custom_id: str
    url: str
    body: bytes


def read_line(number: int, text: bytes) -> Line:
    """The request that a line states.

    Raises:
        WrongLine: it is no JSON object with just `custom_id`, `method`, `url` and `body`, or one of
            them is not what it must be.

    >>> text = b'{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m"}}'
    >>> read_line(1, text).body
    b'{"model":"m"}'
    """
    try:
        fields = _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WrongLine(number, f"it is not a JSON object: {error}", "Write one a line.") from None
    for name in fields:
        if name not in _FIELDS:
            raise WrongLine(
                number,
                f"`{name[:40]}` is not known here",
                f"A line has {', '.join(_FIELDS)}.",
                param=name[:40],
            )
    for name in _FIELDS:
        if name not in fields:
            raise WrongLine(number, f"`{name}` is missing", "Write it.", param=name)
    if (method := _text(number, fields, "method")) != "POST":
        raise WrongLine(number, f"its method is {method[:20]!r}", 'Write "POST".', param="method")
    body = bytes(fields["body"])
    if not body.startswith(b"{"):
        raise WrongLine(number, "`body` is not an object", "Write the request.", param="body")
    return Line(number, _custom_id(number, fields), _text(number, fields, "url"), body)


def _custom_id(number: int, fields: dict[str, msgspec.Raw]) -> str:
    name = _text(number, fields, "custom_id")
    if not name or len(name) > LONGEST_CUSTOM_ID or not name.isprintable():
        raise WrongLine(
            number,
            f"its `custom_id` has {len(name)} characters, or some that do not print",
            f"Write 1 to {LONGEST_CUSTOM_ID} printable ones.",
            param="custom_id",
        )
    return name


def _text(number: int, fields: dict[str, msgspec.Raw], name: str) -> str:
    try:
        return _decode_text(fields[name])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise WrongLine(number, f"`{name}` is not a text", "Write a text.", param=name) from None


class LineSplitter:
    r"""Cuts bytes that come in any pieces into lines, and never keeps more than the longest one.

    >>> cutter = LineSplitter(longest=8)
    >>> cutter.feed(b"one\r\n\ntw"), cutter.feed(b"o\n123456789\nend"), cutter.rest()
    ([(1, b'one')], [(3, b'two'), (4, None)], [(5, b'end')])
    """

    def __init__(self, longest: int) -> None:
        """`longest` is how many bytes a line may have."""
        self._longest = longest
        self._kept: list[bytes] = []
        self._bytes = 0
        self._number = 0

    def feed(self, piece: bytes) -> list[tuple[int, bytes | None]]:
        """The lines that end in this piece, with their numbers; None in place of one too long.

        Empty lines are counted, and left out.
        """
        ends = piece.split(b"\n")
        found: list[tuple[int, bytes | None]] = []
        for end in ends[:-1]:
            self._keep(end)
            found += self.rest()
        self._keep(ends[-1])
        return found

    def rest(self) -> list[tuple[int, bytes | None]]:
        """What is left of the last line, which has no end of its own."""
        self._number += 1
        too_long = self._bytes > self._longest
        line = b"" if too_long else b"".join(self._kept).strip()
        self._kept.clear()
        self._bytes = 0
        if not line and not too_long:
            return []
        return [(self._number, None if too_long else line)]

    def _keep(self, piece: bytes) -> None:
        self._bytes += len(piece)
        if self._bytes > self._longest:
            self._kept.clear()
        elif piece:
            self._kept.append(piece)
