"""Errors as Anthropic's interface says them, read and written."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tokonomi.dialects.answer import ErrorKind, Failure
from tokonomi.dialects.error_kinds import UNREADABLE, kind_of_status

TYPES: Final[Mapping[ErrorKind, str]] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "billing": "billing_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "rate_limit": "rate_limit_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "server": "api_error",
}
"""Anthropic's `type` of each kind of error."""

_KINDS: Final[Mapping[str, ErrorKind]] = {name: kind for kind, name in TYPES.items()}
_STATUSES: Final[Mapping[ErrorKind, int]] = {
    "invalid_request": 400,
    "authentication": 401,
    "permission": 403,
    "billing": 402,
    "not_found": 404,
    "too_large": 413,
    "rate_limit": 429,
    "overloaded": 529,
    "timeout": 504,
    "server": 500,
}


class _Error(msgspec.Struct):
    type: str | None = None
    message: str | None = None


class _Body(msgspec.Struct):
    error: _Error


_decode_body: Final = msgspec.json.Decoder(_Body).decode
_decode_error: Final = msgspec.json.Decoder(_Error).decode


def read(status: int, body: bytes) -> Failure:
    """The error that a reply with an error's status states."""
    try:
        error = _decode_body(body).error
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Failure(status, kind_of_status(status), UNREADABLE)
    kind = _KINDS.get(error.type or "") or kind_of_status(status)
    return _failure(error, status, kind)


def failure_of(raw: msgspec.Raw | bytes) -> Failure:
    """The error that an event in the middle of a stream states."""
    try:
        error = _decode_error(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Failure(502, "server", UNREADABLE)
    kind = _KINDS.get(error.type or "", "server")
    return _failure(error, _STATUSES[kind], kind)


def _failure(error: _Error, status: int, kind: ErrorKind) -> Failure:
    return Failure(status, kind, error.message or "The provider sent an error.", error.type or "")


def write(failure: Failure) -> dict[str, object]:
    """The object that Anthropic's clients turn into an exception."""
    error = {"type": TYPES[failure.kind], "message": failure.message}
    return {"type": "error", "error": error}
