"""Errors as Google's interfaces say them, read."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tokonomi.dialects.answer import ErrorKind, Failure
from tokonomi.dialects.error_kinds import UNREADABLE, kind_of_status

_KINDS: Final[Mapping[str, ErrorKind]] = {
    "INVALID_ARGUMENT": "invalid_request",
    "FAILED_PRECONDITION": "permission",
    "OUT_OF_RANGE": "invalid_request",
    "UNAUTHENTICATED": "authentication",
    "PERMISSION_DENIED": "permission",
    "NOT_FOUND": "not_found",
    "RESOURCE_EXHAUSTED": "rate_limit",
    "UNAVAILABLE": "overloaded",
    "DEADLINE_EXCEEDED": "timeout",
    "INTERNAL": "server",
}
"""Google's `status`; FAILED_PRECONDITION is a place or a project that may not use the API."""


class _Error(msgspec.Struct):
    code: int | None = None
    message: str | None = None
    status: str | None = None


class _Body(msgspec.Struct):
    error: _Error


# Some of Google's servers wrap the one error in a list.
_decode_body: Final = msgspec.json.Decoder(_Body).decode
_decode_list: Final = msgspec.json.Decoder(list[_Body]).decode
_decode_error: Final = msgspec.json.Decoder(_Error).decode


def read(status: int, body: bytes) -> Failure:
    """The error that a reply with an error's status states."""
    try:
        wrapped = body.lstrip().startswith(b"[")
        error = (_decode_list(body)[0] if wrapped else _decode_body(body)).error
    except (msgspec.MsgspecError, UnicodeError, RecursionError, IndexError):
        return Failure(status, kind_of_status(status), UNREADABLE)
    return _failure(error, status)


def failure_of(raw: msgspec.Raw | bytes) -> Failure:
    """The error that an event in the middle of a stream states."""
    try:
        error = _decode_error(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Failure(502, "server", UNREADABLE)
    return _failure(error, error.code or 502)


def _failure(error: _Error, status: int) -> Failure:
    word = error.status or ""
    kind = _KINDS.get(word) or kind_of_status(status)
    return Failure(status, kind, error.message or "The provider sent an error.", word.lower())
