"""Errors as OpenAI's interfaces say them, read and written."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tokonomi.dialects.answer import ErrorKind, Failure
from tokonomi.dialects.error_kinds import UNREADABLE, kind_of_status

KINDS: Final[Mapping[str, ErrorKind]] = {
    "invalid_request_error": "invalid_request",
    "invalid_request": "invalid_request",
    "authentication_error": "authentication",
    "invalid_api_key": "authentication",
    "permission_error": "permission",
    "insufficient_quota": "billing",
    "billing_error": "billing",
    "not_found_error": "not_found",
    "model_not_found": "not_found",
    "context_length_exceeded": "invalid_request",
    "rate_limit_error": "rate_limit",
    "rate_limit_exceeded": "rate_limit",
    "tokens": "rate_limit",
    "requests": "rate_limit",
    "overloaded_error": "overloaded",
    "timeout_error": "timeout",
    "server_error": "server",
}
"""OpenAI's `code` and `type`, and those of servers like it."""

TYPES: Final[Mapping[ErrorKind, str]] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "billing": "billing_error",
    "not_found": "not_found_error",
    "too_large": "invalid_request_error",
    "rate_limit": "rate_limit_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "server": "server_error",
}
"""OpenAI's `type` of each kind of error."""


class _Error(msgspec.Struct):
    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    param: str | None = None


class _Body(msgspec.Struct):
    error: _Error | str


_ERRORS: Final = range(400, 600)
_BAD_GATEWAY: Final = 502
_decode_body: Final = msgspec.json.Decoder(_Body).decode
_decode_error: Final = msgspec.json.Decoder(_Error | str).decode


def read(status: int, body: bytes) -> Failure:
    """The error that a reply with an error's status states.

    >>> read(429, b'{"error":{"message":"Slow down","type":"requests"}}').kind
    'rate_limit'
    """
    try:
        error = _decode_body(body).error
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Failure(status, kind_of_status(status), UNREADABLE)
    return _failure(error, status)


def failure_of(raw: msgspec.Raw | bytes) -> Failure:
    """The error that an event in the middle of a stream states."""
    try:
        error = _decode_error(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Failure(502, "server", UNREADABLE)
    return _failure(error, 0)


def _failure(error: _Error | str, status: int) -> Failure:
    if isinstance(error, str):
        error = _Error(error)
    code = error.code
    if not status:
        # OpenRouter's code in a stream is the status that it would have answered with.
        status = code if isinstance(code, int) and code in _ERRORS else _BAD_GATEWAY
    word = code if isinstance(code, str) else ""
    kind = KINDS.get(word) or KINDS.get(error.type or "") or kind_of_status(status)
    return Failure(
        status, kind, error.message or "The provider sent an error.", word, error.param or ""
    )


def write(failure: Failure) -> dict[str, object]:
    """The object that OpenAI's clients turn into an exception."""
    return {
        "error": {
            "message": failure.message,
            "type": TYPES[failure.kind],
            "param": failure.param or None,
            "code": failure.code or failure.kind,
        }
    }
