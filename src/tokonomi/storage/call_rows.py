"""Settled calls as rows: the one list of columns that the store, the lake and reports share."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import pyarrow as pa

from tokonomi.calls import Call
from tokonomi.errors import AmountTooLarge
from tokonomi.money import Money, checked_int64
from tokonomi.pricing.charge import Charge, Unpriced
from tokonomi.usage import COUNTS, Quarantined, Source, Usage, counts_of

TEXT: Final = pa.string()
COUNT: Final = pa.int64()

COLUMNS: Final[dict[str, pa.DataType]] = {
    "id": TEXT,
    "at_us": pa.int64(),
    "request_id": TEXT,
    "attempt": COUNT,
    "project": TEXT,
    "feature": TEXT,
    "end_user": TEXT,
    "session": TEXT,
    "key_id": TEXT,
    "alias": TEXT,
    "provider": TEXT,
    "route": TEXT,
    "tags": TEXT,
    "model_asked": TEXT,
    "model_served": TEXT,
    "tier": TEXT,
    "batch": COUNT,
    "context_basis": COUNT,
    **dict.fromkeys(COUNTS, COUNT),
    "source": TEXT,
    "unknown_keys": TEXT,
    "quarantined": TEXT,
    "raw_usage": TEXT,
    "price_row_id": TEXT,
    "bracket_from": COUNT,
    "currency": TEXT,
    "amount": pa.int64(),
    "lines": TEXT,
    "unpriced": TEXT,
    "reported_amount": pa.int64(),
    "reported_currency": TEXT,
    "exposure": pa.int64(),
    "exposure_currency": TEXT,
    "status": TEXT,
    "http_status": COUNT,
    "first_token_ms": COUNT,
    "duration_ms": COUNT,
    "provider_request_id": TEXT,
    "note": TEXT,
}
"""Column of `call` (all but `seq`) -> its Arrow type, in the order of `row_of`.

`at_us` is microseconds since 1970 in UTC; `tags` is a JSON object, `lines` a JSON list of
`[meter, quantity, rate, amount]`; `amount` is in sub-units of `currency`, NULL when unpriced;
`exposure` is the most that may be billed beyond it, in sub-units of `exposure_currency`.
"""

INSERT: Final = f"INSERT INTO call ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - our own names

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NO_COUNTS: Final = (0,) * len(COUNTS)
_encode = msgspec.json.Encoder().encode

Value = str | int | None


def microseconds(at: datetime) -> int:
    """Microseconds from 1970 to `at`, exactly (no float on the way)."""
    return (at - _EPOCH) // _MICROSECOND


def instant(at_us: int) -> datetime:
    """The UTC instant `at_us` microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=at_us)


def row_of(call: Call) -> tuple[Value, ...]:
    """The values of `COLUMNS` for a settled call.

    A cost that does not fit the 64-bit column is kept as unpriced with the figure in the reason:
    the call is not lost and nothing wraps.
    """
    intent = call.intent
    who = intent.dimensions
    return (
        intent.id,
        microseconds(intent.at),
        intent.request_id,
        intent.attempt,
        who.project,
        who.feature,
        who.user,
        who.session,
        who.key_id,
        who.alias,
        who.provider,
        who.route,
        _encode(dict(who.tags)).decode() if who.tags else "{}",
        intent.model,
        call.model_served,
        *_usage_values(call.usage),
        *_cost_values(call.cost),
        *_reported_values(call.usage),
        *_exposure_values(call.exposure),
        call.status,
        call.http_status,
        call.first_token_ms,
        call.duration_ms,
        call.provider_request_id,
        call.note,
    )


def _usage_values(usage: Usage | Quarantined) -> tuple[Value, ...]:
    if isinstance(usage, Quarantined):
        reason, raw = usage.reason, usage.raw
        return ("", 0, 0, *_NO_COUNTS, Source.ABSENT, "", reason, raw)
    return (
        usage.tier,
        int(usage.batch),
        usage.tier_basis,
        *counts_of(usage),
        usage.source,
        ",".join(usage.unknown_keys),
        None,
        None,
    )


def _cost_values(cost: Charge | Unpriced) -> tuple[Value, ...]:
    if isinstance(cost, Unpriced):
        return (None, None, None, None, "[]", cost.reason)
    try:
        amount = checked_int64(cost.sub_units)
    except AmountTooLarge as error:
        return (None, None, None, None, "[]", str(error))
    lines = [(line.meter, line.quantity, line.rate, line.amount) for line in cost.lines]
    encoded = _encode(lines).decode()
    return (cost.row_id, cost.bracket_from, cost.currency, amount, encoded, None)


def _exposure_values(exposure: Money | None) -> tuple[Value, ...]:
    if exposure is None:
        return (None, None)
    return (checked_int64(exposure.sub_units), exposure.currency)


def _reported_values(usage: Usage | Quarantined) -> tuple[Value, ...]:
    if isinstance(usage, Quarantined) or usage.reported_cost is None:
        return (None, None)
    return (checked_int64(usage.reported_cost.sub_units), usage.reported_cost.currency)
