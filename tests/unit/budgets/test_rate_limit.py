"""What a key's limit refuses, and what an ended call counts against it."""

from datetime import UTC, datetime

import pytest

from tokonomi.budgets.rate_limit import (
    MINUTE_US,
    MOST,
    UNLIMITED,
    Bucket,
    RateLimits,
    refusal,
    too_many_at_once,
    used_tokens,
)
from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.pricing.charge import Unpriced
from tokonomi.usage import Quarantined, Source, Usage

AT = datetime(2026, 1, 30, tzinfo=UTC)


def ended(usage: Usage | Quarantined, status: Status = Status.OK, *, http: int = 0) -> Call:
    return Call(
        intent=Intent(id="a.1", at=AT, dimensions=Dimensions(), model="m"),
        model_served="m",
        usage=usage,
        cost=Unpriced("x"),
        status=status,
        http_status=http,
    )


@pytest.mark.parametrize(
    ("call", "used"),
    [
        (ended(Usage(at=AT, uncached_input=3, cache_read=4, output=5)), 12),
        (ended(Usage(at=AT, output=5, source=Source.ESTIMATED), Status.CUT), 5),
        (ended(Usage(at=AT, output=10 * MOST)), MOST),
        (ended(Quarantined("it cannot be true", "{}")), 100),
        (ended(Usage(at=AT, source=Source.ABSENT)), 100),
        (ended(Usage(at=AT, source=Source.ABSENT), Status.ORPHANED), 100),
        (ended(Usage(at=AT, source=Source.ABSENT), Status.FAILED), 0),
        (ended(Usage(at=AT, source=Source.ABSENT), Status.DISCONNECTED, http=200), 100),
        (ended(Usage(at=AT, source=Source.ABSENT), Status.DISCONNECTED), 0),
    ],
)
def test_a_call_counts_what_it_used_or_its_hold_where_nobody_knows(call: Call, used: int) -> None:
    assert used_tokens(call, 100) == used


def test_a_refusal_says_what_is_left_and_when_it_fits() -> None:
    bucket = Bucket(60, taken=60 * MINUTE_US)
    found = refusal("key_1", bucket, "requests", 1)
    assert found is not None
    assert (found.limit, found.available, found.needed, found.wait_us) == (60, 0, 1, 1_000_000)
    assert not found.never_fits
    never = refusal("key_1", bucket, "tokens", 61)
    assert never is not None
    assert (never.wait_us, never.never_fits) == (None, True)
    assert refusal("key_1", bucket.take(-1), "requests", 1) is None


def test_as_many_as_the_limit_run_at_once() -> None:
    assert too_many_at_once("key_1", 2, 1) is None
    found = too_many_at_once("key_1", 2, 2)
    assert found is not None
    assert (found.reserved, found.wait_us, found.never_fits) == (2, None, False)


def test_limits_that_limit_nothing_are_none() -> None:
    assert not UNLIMITED
    assert not RateLimits()
    assert RateLimits(concurrent=1)
