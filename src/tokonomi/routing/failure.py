"""What can go wrong with one attempt, and what each failure leads to: one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class FailureKind(StrEnum):
    """Everything that can go wrong with one attempt at a target."""

    CONNECT = "connect"
    TLS = "tls"
    CONNECTION_LOST = "connection_lost"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    FIRST_TOKEN_LATE = "first_token_late"  # noqa: S105 - a token of a model
    STALLED_STREAM = "stalled_stream"
    CUT_STREAM = "cut_stream"
    TOTAL_TIMEOUT = "total_timeout"
    BAD_REQUEST = "bad_request"
    UNAUTHORIZED = "unauthorized"
    QUOTA_EXHAUSTED = "quota_exhausted"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    REQUEST_TIMEOUT = "request_timeout"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    UNPROCESSABLE = "unprocessable"
    TOO_EARLY = "too_early"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    BAD_GATEWAY = "bad_gateway"
    UNAVAILABLE = "unavailable"
    GATEWAY_TIMEOUT = "gateway_timeout"
    OVERLOADED = "overloaded"
    MALFORMED_BODY = "malformed_body"
    EMPTY_ANSWER = "empty_answer"
    CONTEXT_OVERFLOW = "context_overflow"
    CONTENT_FILTER = "content_filter"
    PREFIX_REFUSED = "prefix_refused"
    UNSUPPORTED = "unsupported"
    CLIENT_LEFT = "client_left"
    OWN_STORE = "own_store"


class Again(StrEnum):
    """Whether the same target is tried again, while its attempts last."""

    NO = "no"
    AT_ONCE = "at once"
    BACKOFF = "after a pause"
    RETRY_AFTER = "after its Retry-After, else a pause"


class Then(StrEnum):
    """What follows when the same target is not tried again."""

    NEXT = "next target"
    LARGER = "next target with a larger context"
    STOP = "stop"


class Health(StrEnum):
    """What a failure tells a circuit breaker of the target."""

    FAILING = "failing"
    ALIVE = "alive"
    SILENT = "nothing"
    """It tells nothing: the cause is elsewhere, or may be this request alone."""


class Telling(IntEnum):
    """Who can do something about a failure; what the client is told when all targets failed.

    The lowest goes first: a client that can change its request should hear of that, and not that
    some fallback was down besides.
    """

    REQUEST = 1
    WAIT = 2
    PROVIDER = 3
    OPERATOR = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """What one kind of failure leads to.

    Attributes:
        again: whether the same target is tried again.
        then: what follows when it is not.
        health: what it tells the target's circuit breaker.
        may_bill: whether the provider may bill the failed attempt.
        telling: who can do something about it.
    """

    again: Again
    then: Then
    health: Health
    may_bill: bool
    telling: Telling

    @property
    def alarm(self) -> bool:
        """Whether the operator is to be told: neither waiting nor another request helps."""
        return self.telling is Telling.OPERATOR


@dataclass(frozen=True, slots=True)
class Failed:
    """One attempt that failed.

    Attributes:
        kind: what went wrong.
        status: the HTTP status of the reply, 0 when there was none.
        code: the provider's own word for it, without what its message may quote of a prompt.
        retry_after_seconds: the wait that the provider asks for, when it asks.
    """

    kind: FailureKind
    status: int = 0
    code: str = ""
    retry_after_seconds: float | None = None

    @property
    def rule(self) -> Rule:
        """What it leads to."""
        return RULES[self.kind]


_NO, _AT_ONCE, _BACKOFF, _RETRY_AFTER = Again.NO, Again.AT_ONCE, Again.BACKOFF, Again.RETRY_AFTER
_NEXT, _LARGER, _STOP = Then.NEXT, Then.LARGER, Then.STOP
_FAILING, _ALIVE, _SILENT = Health.FAILING, Health.ALIVE, Health.SILENT
_REQUEST, _WAIT, _PROVIDER, _OPERATOR = Telling
_BILLS, _FREE = True, False

# A table is read down its columns, which the formatter would close up.
# fmt: off
RULES: Final[Mapping[FailureKind, Rule]] = {
    # The failure                      same target    then      breaker    billed   who can help
    FailureKind.CONNECT:             Rule(_BACKOFF,     _NEXT,   _FAILING, _FREE,  _PROVIDER),
    FailureKind.TLS:                 Rule(_NO,          _NEXT,   _FAILING, _FREE,  _OPERATOR),
    FailureKind.CONNECTION_LOST:     Rule(_AT_ONCE,     _NEXT,   _FAILING, _BILLS, _PROVIDER),
    FailureKind.FIRST_BYTE_TIMEOUT:  Rule(_NO,          _NEXT,   _FAILING, _BILLS, _PROVIDER),
    FailureKind.FIRST_TOKEN_LATE:    Rule(_NO,          _NEXT,   _FAILING, _BILLS, _PROVIDER),
    FailureKind.STALLED_STREAM:      Rule(_NO,          _NEXT,   _FAILING, _BILLS, _PROVIDER),
    FailureKind.CUT_STREAM:          Rule(_BACKOFF,     _NEXT,   _FAILING, _BILLS, _PROVIDER),
    FailureKind.TOTAL_TIMEOUT:       Rule(_NO,          _NEXT,   _FAILING, _BILLS, _PROVIDER),
    FailureKind.BAD_REQUEST:         Rule(_NO,          _STOP,   _ALIVE,   _FREE,  _REQUEST),
    FailureKind.UNAUTHORIZED:        Rule(_NO,          _NEXT,   _FAILING, _FREE,  _OPERATOR),
    FailureKind.QUOTA_EXHAUSTED:     Rule(_NO,          _NEXT,   _FAILING, _FREE,  _OPERATOR),
    FailureKind.FORBIDDEN:           Rule(_NO,          _NEXT,   _SILENT,  _FREE,  _OPERATOR),
    FailureKind.NOT_FOUND:           Rule(_NO,          _NEXT,   _SILENT,  _FREE,  _OPERATOR),
    FailureKind.REQUEST_TIMEOUT:     Rule(_BACKOFF,     _NEXT,   _FAILING, _FREE,  _WAIT),
    FailureKind.CONFLICT:            Rule(_BACKOFF,     _NEXT,   _SILENT,  _FREE,  _WAIT),
    FailureKind.TOO_LARGE:           Rule(_NO,          _NEXT,   _ALIVE,   _FREE,  _REQUEST),
    FailureKind.UNPROCESSABLE:       Rule(_NO,          _STOP,   _ALIVE,   _FREE,  _REQUEST),
    FailureKind.TOO_EARLY:           Rule(_BACKOFF,     _NEXT,   _SILENT,  _FREE,  _WAIT),
    FailureKind.RATE_LIMITED:        Rule(_RETRY_AFTER, _NEXT,   _FAILING, _FREE,  _WAIT),
    FailureKind.SERVER_ERROR:        Rule(_BACKOFF,     _NEXT,   _FAILING, _FREE,  _PROVIDER),
    FailureKind.BAD_GATEWAY:         Rule(_BACKOFF,     _NEXT,   _FAILING, _FREE,  _PROVIDER),
    FailureKind.UNAVAILABLE:         Rule(_RETRY_AFTER, _NEXT,   _FAILING, _FREE,  _WAIT),
    FailureKind.GATEWAY_TIMEOUT:     Rule(_NO,          _NEXT,   _FAILING, _FREE,  _PROVIDER),
    FailureKind.OVERLOADED:          Rule(_RETRY_AFTER, _NEXT,   _FAILING, _FREE,  _WAIT),
    FailureKind.MALFORMED_BODY:      Rule(_BACKOFF,     _NEXT,   _FAILING, _BILLS, _PROVIDER),
    FailureKind.EMPTY_ANSWER:        Rule(_AT_ONCE,     _NEXT,   _SILENT,  _BILLS, _PROVIDER),
    FailureKind.CONTEXT_OVERFLOW:    Rule(_NO,          _LARGER, _ALIVE,   _FREE,  _REQUEST),
    FailureKind.CONTENT_FILTER:      Rule(_NO,          _NEXT,   _ALIVE,   _BILLS, _REQUEST),
    FailureKind.PREFIX_REFUSED:      Rule(_NO,          _NEXT,   _ALIVE,   _FREE,  _REQUEST),
    FailureKind.UNSUPPORTED:         Rule(_NO,          _NEXT,   _ALIVE,   _FREE,  _REQUEST),
    FailureKind.CLIENT_LEFT:         Rule(_NO,          _STOP,   _SILENT,  _BILLS, _REQUEST),
    FailureKind.OWN_STORE:           Rule(_NO,          _STOP,   _SILENT,  _FREE,  _WAIT),
}
# fmt: on
"""What each failure leads to."""

WHAT: Final[Mapping[FailureKind, str]] = {
    FailureKind.CONNECT: "no connection came about",
    FailureKind.TLS: "the certificate or the TLS handshake failed",
    FailureKind.CONNECTION_LOST: "the connection broke before the answer began",
    FailureKind.FIRST_BYTE_TIMEOUT: "no byte came within the limit",
    FailureKind.FIRST_TOKEN_LATE: "no content came within the limit",
    FailureKind.STALLED_STREAM: "the answer stopped coming",
    FailureKind.CUT_STREAM: "the answer broke off before its end",
    FailureKind.TOTAL_TIMEOUT: "the answer was not whole within the limit",
    FailureKind.BAD_REQUEST: "400: the request is wrong",
    FailureKind.UNAUTHORIZED: "401: the provider's key is not taken",
    FailureKind.QUOTA_EXHAUSTED: "402, or 429 for money: the account with the provider is empty",
    FailureKind.FORBIDDEN: "403: the key may not do this",
    FailureKind.NOT_FOUND: "404: no such model or address there",
    FailureKind.REQUEST_TIMEOUT: "408: the provider gave up waiting",
    FailureKind.CONFLICT: "409: something else holds what it needs",
    FailureKind.TOO_LARGE: "413: the body is larger than this provider takes",
    FailureKind.UNPROCESSABLE: "422: a value of the request is wrong",
    FailureKind.TOO_EARLY: "425: it may be a replay",
    FailureKind.RATE_LIMITED: "429: too many requests or tokens at a time",
    FailureKind.SERVER_ERROR: "500: the provider failed",
    FailureKind.BAD_GATEWAY: "502: what stands behind the provider failed",
    FailureKind.UNAVAILABLE: "503: the provider is not in service",
    FailureKind.GATEWAY_TIMEOUT: "504: what stands behind the provider was too slow",
    FailureKind.OVERLOADED: "529: the provider has too much to do",
    FailureKind.MALFORMED_BODY: "what came is no answer of this interface",
    FailureKind.EMPTY_ANSWER: "success, but without text and without a tool call",
    FailureKind.CONTEXT_OVERFLOW: "the request is longer than the model's context",
    FailureKind.CONTENT_FILTER: "the provider's filter took the prompt or the answer",
    FailureKind.PREFIX_REFUSED: "it does not continue a given beginning of the answer",
    FailureKind.UNSUPPORTED: "nobody there takes what the request brings, such as an image",
    FailureKind.CLIENT_LEFT: "the client is gone",
    FailureKind.OWN_STORE: "our own store does not take the call",
}
"""What happened, in the words of the reference page."""
