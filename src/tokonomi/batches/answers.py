"""The lines of a provider's output: which of our lines each answers, each once.

A provider may write what it likes. A line counts when it names a line that we sent and that no
line before it has answered; all others are counted by what is wrong with them, and go nowhere.
"""

from enum import StrEnum
from typing import Final

import msgspec

_OK: Final = range(200, 300)
_NULL: Final = msgspec.Raw(b"null")
_LONGEST_NUMBER: Final = 9
_encode: Final = msgspec.json.Encoder().encode
_decode_any: Final = msgspec.json.Decoder().decode
_decode_body: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Lie(StrEnum):
    """What is wrong with a line of output that counts as none."""

    UNREADABLE = "unreadable"
    """It is no JSON, or not of the form that output has."""
    UNKNOWN = "unknown"
    """It names no line of this batch."""
    DUPLICATE = "duplicate"
    """It names a line that was answered before."""
    MISSING = "missing"
    """There is no line of output for a line of ours."""


class Response(msgspec.Struct, frozen=True):
    """What the provider answered to one line."""

    status_code: int = 0
    request_id: str | None = None
    body: msgspec.Raw = _NULL


class OutputLine(msgspec.Struct, frozen=True):
    """A line of output as it stands on the wire."""

    custom_id: str
    id: str = ""
    response: Response | None = None
    error: msgspec.Raw = _NULL

    @property
    def has_error(self) -> bool:
        """Whether it names an error of its own."""
        return bytes(self.error) != bytes(_NULL)


class Answer(msgspec.Struct, frozen=True):
    """The answer to the line of this number.

    Attributes:
        number: the line of the input file.
        line: the line of output.
    """

    number: int
    line: OutputLine

    @property
    def status(self) -> int:
        """The HTTP status of the answer, 0 when there was none."""
        response = self.line.response
        return 0 if response is None else max(response.status_code, 0)

    @property
    def succeeded(self) -> bool:
        """Whether it is what was asked for, and no error."""
        return not self.line.has_error and self.status in _OK

    @property
    def body(self) -> bytes:
        """The answer's body."""
        response = self.line.response
        return bytes(_NULL if response is None else response.body)

    @property
    def error(self) -> object:
        """The error that it names, as it stands on the wire; None where it names none."""
        if self.line.has_error:
            return _decode_any(self.line.error)
        try:
            return _decode_any(_decode_body(self.body).get("error", _NULL))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None


_decode: Final = msgspec.json.Decoder(OutputLine).decode


def reference_of(batch_id: str, number: int) -> str:
    """What a line of a batch is called towards the provider, and in the store.

    >>> reference_of("batch_1", 7)
    'batch_1-7'
    """
    return f"{batch_id}-{number}"


def number_of(batch_id: str, reference: str) -> int | None:
    """The number of the line that a provider names, or None when it is none of this batch.

    >>> number_of("batch_1", "batch_1-7"), number_of("batch_1", "batch_1-07")
    (7, None)
    """
    stem, _, digits = reference.rpartition("-")
    if stem != batch_id or not digits.isdigit() or len(digits) > _LONGEST_NUMBER:
        return None
    number = int(digits)
    return number if reference == reference_of(batch_id, number) else None


class Matching:
    """The answers among the lines of output of one batch, each line's first."""

    def __init__(self, batch_id: str) -> None:
        self._batch_id = batch_id
        self._answered: set[int] = set()

    def read(self, text: bytes | None) -> Answer | Lie:
        """The answer that a line of output is, or why it is none; None is a line too long."""
        if text is None:
            return Lie.UNREADABLE
        try:
            line = _decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Lie.UNREADABLE
        number = number_of(self._batch_id, line.custom_id)
        if number is None:
            return Lie.UNKNOWN
        if number in self._answered:
            return Lie.DUPLICATE
        self._answered.add(number)
        return Answer(number, line)

    def has_answered(self, number: int) -> bool:
        """Whether a line was answered."""
        return number in self._answered


def for_client(answer: Answer, *, custom_id: str, alias: str) -> bytes:
    """The line of output as the client gets it: its own name of the line, and of the model."""
    line = answer.line
    response = line.response
    told: dict[str, object] = {"id": line.id, "custom_id": custom_id, "response": None}
    if response is not None:
        told["response"] = {
            "status_code": response.status_code,
            "request_id": response.request_id or "",
            "body": msgspec.Raw(_with_model(bytes(response.body), alias)),
        }
    told["error"] = line.error
    return _encode(told) + b"\n"


def without_answer(reference: str, *, custom_id: str, code: str, message: str) -> bytes:
    """The line that a client gets for a line of its own that has no answer."""
    told = {"id": reference, "custom_id": custom_id, "response": None}
    return _encode({**told, "error": {"code": code, "message": message}}) + b"\n"


def _with_model(body: bytes, alias: str) -> bytes:
    try:
        fields = _decode_body(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body
    if not bytes(fields.get("model", b"")).startswith(b'"'):
        return body
    return _encode({**fields, "model": alias})
