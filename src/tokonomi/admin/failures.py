"""Errors of the admin API: `{"error": {"code", "message", "remedy"}}` and a fitting status."""

import logging
import re
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from litestar.openapi import ResponseSpec

from tokonomi.admin.key_routes import KeyBinding, KeyLimits, NewKey
from tokonomi.admin.ledger_shapes import ReleaseRequest
from tokonomi.admin.secret_routes import SecretValue
from tokonomi.admin.shapes import (
    BudgetTable,
    PromotionRequest,
    PurchaseRequest,
    RateTable,
    RefundRequest,
    RuleTable,
)
from tokonomi.admin.stores import NotAllowed
from tokonomi.admin.token_routes import NewToken
from tokonomi.errors import BadInput, NotFound, StoreError, TokonomiError
from tokonomi.naming import meant
from tokonomi.storage.database import StoreRefused
from tokonomi.storage.ledger import Conflict

_BAD_REQUEST: Final = 400
_UNAUTHORISED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_BROKEN: Final = 500
_UNAVAILABLE: Final = 503
_log = logging.getLogger(__name__)

BODIES: Final[tuple[type[msgspec.Struct], ...]] = (
    BudgetTable,
    RateTable,
    RuleTable,
    PurchaseRequest,
    PromotionRequest,
    RefundRequest,
    ReleaseRequest,
    KeyBinding,
    KeyLimits,
    NewKey,
    NewToken,
    SecretValue,
)
"""What requests may carry. Each refuses fields that it does not know."""
_UNKNOWN_FIELD: Final = re.compile(r"unknown field `(.+?)`")
_FIELDS: Final = sorted({name for body in BODIES for name in body.__struct_fields__})


class ErrorTold(msgspec.Struct, frozen=True):
    """What happened, with a stable code, and what to do next."""

    code: str
    message: str
    remedy: str


class ErrorView(msgspec.Struct, frozen=True):
    """The body of every answer that is an error."""

    error: ErrorTold


DESCRIBED: Final[Mapping[int, ResponseSpec]] = {
    status: ResponseSpec(ErrorView, generate_examples=False, description=what)
    for status, what in (
        (_BAD_REQUEST, "What was sent is wrong."),
        (_UNAUTHORISED, "There is no working token."),
        (_FORBIDDEN, "The token's role may not do this."),
        (_NOT_FOUND, "There is no such thing."),
        (_CONFLICT, "Something else is there already, or was changed meanwhile."),
        (_UNAVAILABLE, "The store cannot be read or written now."),
    )
}
"""What the description says of errors, for every operation."""

AnyRequest = Request[Any, Any, Any]
Failure = Response[ErrorView]


_STATUSES: Final[tuple[tuple[type[TokonomiError], int], ...]] = (
    (NotAllowed, _FORBIDDEN),
    (NotFound, _NOT_FOUND),
    (Conflict, _CONFLICT),
    (BadInput, _BAD_REQUEST),
    (StoreRefused, _BROKEN),
    (StoreError, _UNAVAILABLE),
)
"""The first kind that an error is of decides."""


def status_of(error: TokonomiError) -> int:
    """The HTTP status of one of our errors."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), _BROKEN)


def told(_: AnyRequest, error: TokonomiError) -> Failure:
    """One of our errors, which says itself what to do."""
    return failure(status_of(error), error.code, error.what, error.remedy)


def told_by_http(_: AnyRequest, error: HTTPException) -> Failure:
    """An error of HTTP itself: an unknown path, a wrong method, a body of another shape."""
    code = {_NOT_FOUND: NotFound.code}.get(error.status_code, BadInput.code)
    found = cast("list[dict[str, str]]", error.extra if isinstance(error.extra, list) else [])
    named = [": ".join(filter(None, (each.get("key"), each.get("message")))) for each in found]
    message = "; ".join(named) or error.detail
    remedy = "The description is at /admin/openapi.json."
    if unknown := _UNKNOWN_FIELD.search(message):
        remedy = f"{meant(unknown[1], _FIELDS)} {remedy}"
    return failure(error.status_code, code, message, remedy)


def told_as_defect(_: AnyRequest, error: Exception) -> Failure:
    """A defect of ours, logged here once; the client learns no more than that."""
    _log.error("the admin API failed", exc_info=error)
    return failure(_BROKEN, "internal_error", "this is a defect of Tokonomi", "See its log.")


def failure(status: int, code: str, message: str, remedy: str) -> Failure:
    """The answer that tells an error."""
    content = ErrorView(ErrorTold(code, message, remedy))
    return Response(content, status_code=status, media_type=MediaType.JSON)
