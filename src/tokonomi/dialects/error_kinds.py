"""Kinds of errors by HTTP status, for replies that say no more."""

from collections.abc import Mapping
from typing import Final

from tokonomi.dialects.answer import ErrorKind

_KINDS: Final[Mapping[int, ErrorKind]] = {
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    408: "timeout",
    413: "too_large",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
_SERVER_ERRORS: Final = 500
UNREADABLE: Final = "The provider sent an error that cannot be read."


def kind_of_status(status: int) -> ErrorKind:
    """What sort of error a status means."""
    return _KINDS.get(status) or ("server" if status >= _SERVER_ERRORS else "invalid_request")
