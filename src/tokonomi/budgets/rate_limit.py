"""How fast a key may go: requests and tokens a minute, and requests at the same time.

A rate is a token bucket in whole numbers. It holds `most` units and fills by `most` a minute,
without steps, so in any `s` seconds at most `most * (1 + s / 60)` units pass. Two numbers are all
that it keeps, where a window that slides needs every request of the last minute; there is no edge
of a minute at which a key gets twice its limit at once; and when the next request fits can be told
to the microsecond.
"""

from typing import Final, Literal

import msgspec

from tokonomi.calls import Call, Status
from tokonomi.ledger.hold import Refusal
from tokonomi.usage import Quarantined, Source

MINUTE_US: Final = 60_000_000
MOST: Final = 1_000_000_000
"""The highest limit; what a bucket counts then still fits 64 bits with room to spare."""

Kind = Literal["requests", "tokens", "concurrent"]
KINDS: Final[tuple[Kind, ...]] = ("requests", "tokens", "concurrent")


class RateLimits(msgspec.Struct, frozen=True):
    """The limits of a key; None is no limit.

    Attributes:
        requests: requests a minute.
        tokens: tokens a minute, input and output together.
        concurrent: requests at the same time.
    """

    requests: int | None = None
    tokens: int | None = None
    concurrent: int | None = None

    def __bool__(self) -> bool:
        return self != UNLIMITED


UNLIMITED: Final = RateLimits()


class RateClaim(msgspec.Struct, frozen=True):
    """What a request asks of the limits of its key: one request, and so many tokens at most."""

    key_id: str
    tokens: int = 0


class Standing(msgspec.Struct, frozen=True):
    """A limit as it was when the store was last asked.

    `left` is in whole units; `full_us` microseconds later nothing of the limit is taken any more.
    """

    kind: Kind
    most: int
    left: int
    full_us: int = 0


class RateRefusal(Refusal, frozen=True, kw_only=True):
    """A request that a limit of its key does not let pass now.

    `wait_us` is in how many microseconds it would fit if nothing else came, and None when that
    cannot be told: it waits for other requests to end, or asks for more than the limit itself.
    """

    kind: Kind
    wait_us: int | None

    @property
    def never_fits(self) -> bool:
        """Whether the request is larger than the whole limit."""
        return self.needed > self.limit


class Bucket(msgspec.Struct, frozen=True):
    """How much of a rate is taken.

    Attributes:
        most: units a minute, 1 or more.
        taken: what was taken and has not come back, in units times the microseconds of a minute.
        at_us: the instant that `taken` is of, in microseconds.
    """

    most: int
    taken: int = 0
    at_us: int = 0

    def at(self, now_us: int) -> "Bucket":
        """The bucket at an instant; one that is past already changes nothing.

        One that is long past is that of a clock that was set back: it goes on from there, with what
        is taken, or a key would wait until the clock had caught up.

        >>> Bucket(60, taken=2 * MINUTE_US).at(1_000_000).left
        59
        """
        if now_us <= self.at_us:
            set_back = self.at_us - now_us > MINUTE_US
            return Bucket(self.most, self.taken, now_us) if set_back else self
        return Bucket(self.most, max(self.taken - (now_us - self.at_us) * self.most, 0), now_us)

    @property
    def left(self) -> int:
        """Whole units that can be taken, 0 or more."""
        return max(self.most * MINUTE_US - self.taken, 0) // MINUTE_US

    @property
    def full_us(self) -> int:
        """Microseconds until nothing is taken any more."""
        return -(-self.taken // self.most)

    def wait_us(self, units: int) -> int | None:
        """Microseconds until so many units fit, 0 when they do now, None when they never will."""
        if units > self.most:
            return None
        missing = self.taken + units * MINUTE_US - self.most * MINUTE_US
        return max(-(-missing // self.most), 0)

    def take(self, units: int) -> "Bucket":
        """The bucket with so many units less in it; a negative number gives back.

        What comes back never makes it more than full: the time since has filled it already.
        """
        return Bucket(self.most, max(self.taken + units * MINUTE_US, 0), self.at_us)


def refusal(key_id: str, bucket: Bucket, kind: Kind, needed: int) -> RateRefusal | None:
    """Why so many units may not be taken now, or None when they may."""
    wait_us = bucket.wait_us(needed)
    if wait_us == 0:
        return None
    return RateRefusal(
        source=f"{kind} a minute of {key_id}",
        needed=needed,
        available=bucket.left,
        reserved=0,
        spent=bucket.most - bucket.left,
        limit=bucket.most,
        kind=kind,
        wait_us=wait_us,
    )


def too_many_at_once(key_id: str, most: int, running: int) -> RateRefusal | None:
    """Why one more request may not run beside so many, or None when it may."""
    if running < most:
        return None
    return RateRefusal(
        source=f"concurrent requests of {key_id}",
        needed=1,
        available=0,
        reserved=running,
        spent=0,
        limit=most,
        kind="concurrent",
        wait_us=None,
    )


def used_tokens(call: Call, held: int) -> int:
    """Tokens that an ended call counts against its key's limit.

    The whole hold where nobody knows what was used; nothing for a call that failed before it was
    answered, or whose client left before it was sent.
    """
    usage = call.usage
    if isinstance(usage, Quarantined):
        return held
    if usage.source is Source.ABSENT:
        unsent = call.status is Status.DISCONNECTED and not call.http_status
        return 0 if unsent or call.status is Status.FAILED else held
    return min(usage.total_input + usage.total_output, MOST)
