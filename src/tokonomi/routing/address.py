"""An address that we call: `http` or `https`, a host, a port that exists."""

import re
from dataclasses import dataclass
from typing import Final

_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:(?P<user_info>[^@/?#]*)@)?"
    r"(?P<host>\[[0-9a-f:.]+\]|[^:@/?#\[\]]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#]*)?"
    r"(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE,
)
_PRINTED: Final = re.compile(r"[!-~]+")
_HIGHEST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of an address that decide whether we may call it.

    Attributes:
        scheme: `http` or `https`.
        user_info: what stands before an `@`: a name, and perhaps a secret.
        host: a name or an IP address, without brackets.
        port: 0 where none is stated.
        query: what stands after a `?`.
    """

    scheme: str
    user_info: str
    host: str
    port: int
    query: str


def address_of(text: str) -> Address | None:
    """The address that a text is, or None when it is none.

    >>> address_of("https://api.openai.com:8443/v1").host, address_of("api.openai.com")
    ('api.openai.com', None)
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or not _PRINTED.fullmatch(text):
        return None
    port = int(match["port"] or 0)
    if port > _HIGHEST_PORT:
        return None
    return Address(
        scheme=match["scheme"].lower(),
        user_info=match["user_info"] or "",
        host=match["host"].strip("[]"),
        port=port,
        query=match["query"] or "",
    )
