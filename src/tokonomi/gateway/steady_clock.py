"""The clock of a gateway, and whether it goes on as time does.

A clock can be set: an hour back by a time server, a day ahead by a mistake that is put right soon.
What a gateway writes can be put right later, but for one thing: the end of a grant is for ever. So
ends wait while the clock has just jumped. Late is no harm: a late end says the same as a punctual
one.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

STEP_SECONDS: Final = 30.0
"""A clock that moves so far from the time that has passed was set, or the host was asleep."""
DISTRUSTED_SECONDS: Final = 600.0
"""How long a clock is not believed after it was set."""


def utc_now() -> datetime:
    """This instant, in UTC."""
    return datetime.now(UTC)


class SteadyClock:
    """Wall time, checked against the time that has passed. Use it from one thread.

    Args:
        wall: the instant, in UTC.
        elapsed: seconds since some instant, which nobody can set.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = utc_now,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._seen = self._offset()
        self._trusted_at = elapsed()

    def now(self) -> datetime:
        """The instant, in UTC, whether it is believed or not."""
        return self._wall()

    def is_steady(self) -> bool:
        """Whether the clock was not set lately. Ask often: it is seen from one look to the next."""
        offset = self._offset()
        if abs(offset - self._seen) >= STEP_SECONDS:
            self._trusted_at = self._elapsed() + DISTRUSTED_SECONDS
        # From look to look, so that a clock that is only a little fast is never taken for set.
        self._seen = offset
        return self._elapsed() >= self._trusted_at

    def _offset(self) -> float:
        return self._wall().timestamp() - self._elapsed()
