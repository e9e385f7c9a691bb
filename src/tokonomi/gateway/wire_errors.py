"""Errors as the clients of each dialect read them, with our codes and what to do next."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tokonomi.dialects.destination import IngressName

_encode: Final = msgspec.json.Encoder().encode

INVALID_REQUEST: Final = "invalid_request_error"
AUTHENTICATION: Final = "authentication_error"
PERMISSION: Final = "permission_error"
RATE_LIMIT: Final = "rate_limit_error"
PROVIDER: Final = "provider_error"
GATEWAY: Final = "gateway_error"
BILLING: Final = "billing_error"


class WireError(Exception):
    """An answer that is an error: raise it anywhere before the answer has begun.

    Attributes:
        status: HTTP status.
        code: stable code that a program may test.
        message: what happened, with the numbers, and what to do next.
        kind: OpenAI's `type`.
        param: the part of the request that is wrong, when it is one.
        retry_after_seconds: when to try again; 0 when trying again does not help by itself.
        try_again: whether clients that try again by themselves may do so.
        rate_limit: the kind of the key's limit that refuses, where one does.
        metadata: what a program may want to know besides, such as the numbers of a refusal.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        kind: str = INVALID_REQUEST,
        param: str | None = None,
        retry_after_seconds: int = 0,
        try_again: bool = True,
        rate_limit: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.kind = kind
        self.param = param
        self.retry_after_seconds = retry_after_seconds
        self.try_again = try_again
        self.rate_limit = rate_limit
        self.metadata = metadata
        super().__init__(message)

    def body(self, ingress: IngressName | None = None) -> bytes:
        """The JSON object that the clients of a dialect turn into an exception."""
        error = self._stated()
        if ingress != "anthropic_messages":
            return _encode({"error": error})
        kind = _BY_STATUS.get(self.status) or _BY_KIND.get(self.kind, "api_error")
        return _encode({"type": "error", "error": error | {"type": kind}})

    def event(self, ingress: IngressName | None = None) -> bytes:
        """The same as one event of a stream that has begun; clients raise when they read it."""
        match ingress:
            case "anthropic_messages":
                return b"event: error\ndata: " + self.body(ingress) + b"\n\n"
            case "openai_responses":
                # The number of the event is not known here, and nobody goes on counting.
                stated = {"type": "error", "sequence_number": 0, "code": self.code}
                stated |= {"message": self.message, "param": self.param}
                return b"event: error\ndata: " + _encode(stated) + b"\n\n"
            case _:
                return b"data: " + self.body() + b"\n\n"

    def _stated(self) -> dict[str, object]:
        error: dict[str, object] = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        if self.metadata is not None:
            error["metadata"] = self.metadata
        return error


_BY_STATUS: Final[Mapping[int, str]] = {
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
}
_BY_KIND: Final[Mapping[str, str]] = {
    INVALID_REQUEST: "invalid_request_error",
    AUTHENTICATION: "authentication_error",
    RATE_LIMIT: "rate_limit_error",
    BILLING: "billing_error",
}
"""Anthropic's `type` of our errors; all others are `api_error`."""


def invalid_key() -> WireError:
    """The answer to a request without a working key; it does not tell why the key fails."""
    return WireError(
        401,
        "invalid_api_key",
        "The request has no working Tokonomi key. Send `Authorization: Bearer tk-...`;"
        " `tokonomi keys create` makes a key.",
        kind=AUTHENTICATION,
    )


def store_unavailable(detail: str) -> WireError:
    """The answer when a call cannot be recorded; nothing leaves without a record."""
    return WireError(503, "store_unavailable", detail, kind=GATEWAY, retry_after_seconds=1)
