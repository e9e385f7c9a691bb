"""What is counted of the calls of one alias at one provider. A call costs a few additions."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from operator import attrgetter
from typing import Final

from tokonomi.calls import Call
from tokonomi.pricing.charge import Charge
from tokonomi.usage import INPUT_BUCKETS, OUTPUT_BUCKETS, Quarantined, Source, Usage

_BUCKETS_MS: Final = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000)
MS_PER_SECOND: Final = 1_000
_TOKEN_KINDS: Final = (*INPUT_BUCKETS, *OUTPUT_BUCKETS, "reasoning")
_tokens_of: Final[Callable[[Usage], tuple[int, ...]]] = attrgetter(*_TOKEN_KINDS)


class Durations:
    """A histogram of milliseconds."""

    __slots__ = ("counts", "sum_ms")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS_MS) + 1)
        self.sum_ms = 0

    def add(self, duration_ms: int) -> None:
        """Counts one more."""
        self.counts[bisect_left(_BUCKETS_MS, duration_ms)] += 1
        self.sum_ms += duration_ms

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bound in seconds and how many are not above it, as Prometheus wants them."""
        bounds = [*(str(bound / MS_PER_SECOND) for bound in _BUCKETS_MS), "+Inf"]
        total, cumulated = 0, list[tuple[str, float]]()
        for bound, count in zip(bounds, self.counts, strict=True):
            total += count
            cumulated.append((bound, total))
        return cumulated


class CallCounts:
    """The counts.

    Attributes:
        statuses: calls, by how they ended.
        sub_units: cost, by currency.
        unpriced: calls that were sent and whose cost is not known.
        quarantined: calls whose reported usage cannot be true.
        estimated: calls whose usage is an estimate.
        durations: of calls, None while there were none that say how fast a model answers.
        first_token: times to the first content of a stream, None while there was none.
    """

    __slots__ = (
        "_tokens",
        "durations",
        "estimated",
        "first_token",
        "quarantined",
        "statuses",
        "sub_units",
        "unpriced",
    )

    def __init__(self) -> None:
        self.statuses: defaultdict[str, int] = defaultdict(int)
        self._tokens = [0] * len(_TOKEN_KINDS)
        self.sub_units: defaultdict[str, int] = defaultdict(int)
        self.unpriced = 0
        self.quarantined = 0
        self.estimated = 0
        self.durations: Durations | None = None
        self.first_token: Durations | None = None

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens by their kind; those kinds that there were."""
        return {
            kind: count for kind, count in zip(_TOKEN_KINDS, self._tokens, strict=True) if count
        }

    def add(self, call: Call, *, sent: bool) -> None:
        """Takes note of a settled call.

        One that got nothing to its provider, not `sent`, has no cost and is no unpriced spend.
        """
        self.statuses[call.status] += 1
        usage, cost = call.usage, call.cost
        if isinstance(usage, Quarantined):
            self.quarantined += 1
        else:
            for place, count in enumerate(_tokens_of(usage)):
                if count:
                    self._tokens[place] += count
            if usage.source is Source.ESTIMATED:
                self.estimated += 1
        if isinstance(usage, Quarantined) or not usage.batch:
            # A line of a batch takes hours: it says nothing of how fast a model answers.
            self.durations = self.durations or Durations()
            self.durations.add(call.duration_ms)
        if call.first_token_ms is not None:
            self.first_token = self.first_token or Durations()
            self.first_token.add(call.first_token_ms)
        if isinstance(cost, Charge):
            self.sub_units[cost.currency] += cost.sub_units
        elif sent:
            self.unpriced += 1
