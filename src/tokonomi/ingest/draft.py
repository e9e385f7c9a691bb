"""A past call as a file tells it, before it is priced, and a row that cannot be one."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final

import msgspec

from tokonomi.calls import Dimensions, Status
from tokonomi.money import Money
from tokonomi.usage import Quarantined, Usage

FIRST_ATTEMPT: Final = ".1"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One past call, without its cost.

    Attributes:
        id: unique for ever; the same row of the same file always has the same.
        usage: what it consumed and when, or why that cannot be true.
        model: the provider's id of the model that answered; it is priced as this.
        model_asked: the model that was asked for, when it is known.
        dimensions: who asked, among them the provider.
        stated: amount in sub-units and currency that the file itself states, when it does.
    """

    id: str
    at: datetime
    usage: Usage | Quarantined
    model: str
    model_asked: str
    dimensions: Dimensions
    status: Status = Status.IMPORTED
    http_status: int = 0
    first_token_ms: int | None = None
    duration_ms: int = 0
    provider_request_id: str = ""
    note: str = ""
    exposure: Money | None = None
    stated: tuple[int, str] | None = None


class Rejected(msgspec.Struct, frozen=True):
    """A row that cannot be imported: its number from 1, why, and the row itself."""

    line: int
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a trace without names is taken to be: calls of this model by these people."""

    provider: str
    model: str
    asked: str
    dimensions: Dimensions


class Identity:
    """Gives each row of a file an id made of its content and its place.

    The same file gives the same ids, and a longer version of it gives its first rows the same. What
    else makes a call what it is (the kind of file, the model, the instant it began at) is part of
    the id: the same trace priced as two models is two sets of calls.
    """

    def __init__(self, *parts: str) -> None:
        self._start = blake2b("\0".join(parts).encode(), digest_size=8)
        self._prefix = self._start.hexdigest()[:8]

    def of(self, line: int, raw: bytes) -> str:
        """The id of a row by its number and its bytes, line end apart.

        The ids of a file rise with its rows, which keeps the store's index of them compact.
        """
        digest = self._start.copy()
        digest.update(b"\0%d\0" % line)
        digest.update(raw.rstrip(b"\r\n"))
        return f"{self._prefix}{line:09x}{digest.hexdigest()}{FIRST_ATTEMPT}"


def rejected(line: int, reason: str, raw: bytes) -> Rejected:
    """The rejection of a row of a text file; bytes that are not text are escaped."""
    return Rejected(line, reason, raw.rstrip(b"\r\n").decode("utf-8", "backslashreplace"))


def reason_of(error: Exception) -> str:
    """Why a row has the wrong shape, as a sentence about its column.

    >>> try: msgspec.convert({"a": "many"}, dict[str, int | None])
    ... except msgspec.ValidationError as error: print(reason_of(error))
    expected int, got str
    >>> try: msgspec.json.decode(b'{"line":"many"}', type=Rejected)
    ... except msgspec.ValidationError as error: print(reason_of(error))
    line: expected int, got str
    """
    text = str(error).replace(" | null", "").replace("`", "")
    what, _, place = text.partition(" - at $")
    column = place.lstrip(".") if place.startswith(".") else ""
    if not isinstance(error, msgspec.ValidationError):
        return text
    sentence = what[:1].lower() + what[1:]
    return f"{column}: {sentence}" if column else sentence
