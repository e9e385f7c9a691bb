"""What the gateway counts, for Prometheus.

A request costs a few additions to plain dictionaries; the library's objects are made when somebody
asks. Labels are configured names and closed sets, never what a client wrote.
"""

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from tokonomi.calls import Call
from tokonomi.ledger.hold import Captured
from tokonomi.money import currency_of
from tokonomi.pricing.charge import Charge
from tokonomi.usage import Quarantined

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_MS: Final = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000)
_MS_PER_SECOND: Final = 1_000

_Labels = TypeVar("_Labels", bound=tuple[str, ...])


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
        bounds = [*(str(bound / _MS_PER_SECOND) for bound in _BUCKETS_MS), "+Inf"]
        total, cumulated = 0, list[tuple[str, float]]()
        for bound, count in zip(bounds, self.counts, strict=True):
            total += count
            cumulated.append((bound, total))
        return cumulated


class Metrics(Collector):
    """The counts of one gateway process."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.orphans = 0
        self.unsettled = 0
        self.upkeep_failures = 0
        self.upkeep_worked_at = time.monotonic()
        self.refused: defaultdict[str, int] = defaultdict(int)
        self._calls: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._tokens: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._cost: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._unpriced: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._quarantined: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._overruns: defaultdict[tuple[str], int] = defaultdict(int)
        self.unknown_usage_keys: defaultdict[tuple[str], int] = defaultdict(int)
        self._durations: defaultdict[tuple[str, str], Durations] = defaultdict(Durations)
        self._first_token: defaultdict[tuple[str, str], Durations] = defaultdict(Durations)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def upkeep_silence(self) -> float:
        """Seconds since keys, rules and sweeps were last brought up to date."""
        return time.monotonic() - self.upkeep_worked_at

    def count(self, call: Call, label: str) -> None:
        """Takes note of a settled call; `label` is the alias as configured."""
        provider = call.intent.dimensions.provider
        where = label, provider
        self._calls[label, provider, call.status] += 1
        self._durations[where].add(call.duration_ms)
        if call.first_token_ms is not None:
            self._first_token[where].add(call.first_token_ms)
        usage = call.usage
        if isinstance(usage, Quarantined):
            self._quarantined[where] += 1
        else:
            self._tokens[label, provider, "input"] += usage.total_input
            self._tokens[label, provider, "output"] += usage.total_output
        if isinstance(call.cost, Charge):
            self._cost[label, provider, call.cost.currency] += call.cost.sub_units
        else:
            self._unpriced[where] += 1

    def count_overruns(self, captured: Sequence[Captured]) -> None:
        """Takes note of holds that a call used more than."""
        for each in captured:
            if each.overrun:
                self._overruns[(each.held.source.partition(" ")[0],)] += 1

    def exposition(self) -> bytes:
        """The text that a scrape gets."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The metrics, made for one scrape."""
        yield GaugeMetricFamily(
            "tokonomi_requests_in_flight", "Requests being answered now.", self.in_flight
        )
        yield CounterMetricFamily(
            "tokonomi_orphans",
            "Calls that a dead gateway left in flight, found at start or later.",
            self.orphans,
        )
        yield CounterMetricFamily(
            "tokonomi_unsettled_calls",
            "Answered calls that the store did not take in time; they are recorded when it does.",
            self.unsettled,
        )
        yield CounterMetricFamily(
            "tokonomi_upkeep_failures",
            "Rounds of upkeep that failed; keys and rules of before stay in force meanwhile.",
            self.upkeep_failures,
        )
        yield _counter(
            "tokonomi_requests_refused",
            "Requests answered with an error of the gateway, by its code.",
            ("code",),
            {(code,): n for code, n in self.refused.items()},
        )
        yield _counter(
            "tokonomi_calls", "Settled calls.", ("model", "provider", "status"), self._calls
        )
        yield _counter(
            "tokonomi_tokens",
            "Tokens of settled calls, estimated ones among them.",
            ("model", "provider", "direction"),
            self._tokens,
        )
        yield self._cost_family()
        yield from self._doubtful()
        yield _histogram(
            "tokonomi_call_seconds", "Time from dispatch to the end of a call.", self._durations
        )
        yield _histogram(
            "tokonomi_first_token_seconds",
            "Time from dispatch to the first content of a stream.",
            self._first_token,
        )

    def _doubtful(self) -> Iterator[Metric]:
        """What somebody should look at: costs that are not known, or not as they were held."""
        yield _counter(
            "tokonomi_unpriced_calls",
            "Settled calls whose cost is not known.",
            ("model", "provider"),
            self._unpriced,
        )
        yield _counter(
            "tokonomi_quarantined_calls",
            "Settled calls whose reported usage cannot be true.",
            ("model", "provider"),
            self._quarantined,
        )
        yield _counter(
            "tokonomi_overruns",
            "Holds that their calls used more than, of budgets and of wallets.",
            ("kind",),
            self._overruns,
        )
        yield _counter(
            "tokonomi_unknown_usage_keys",
            "Keys of reported usage that are not known and not charged, once a call.",
            ("provider",),
            self.unknown_usage_keys,
        )

    def _cost_family(self) -> Metric:
        # Prometheus knows only floats. The exact sums are in the store; this is for graphs.
        in_units = {
            labels: sub_units / currency_of(labels[2]).sub_units
            for labels, sub_units in self._cost.items()
        }
        return _counter(
            "tokonomi_cost",
            "Cost of settled calls, in whole units of the currency, as a float.",
            ("model", "provider", "currency"),
            in_units,
        )


def _counter(
    name: str, text: str, labels: Sequence[str], counts: Mapping[_Labels, float]
) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in [*counts.items()]:
        family.add_metric(values, count)
    return family


def _histogram(name: str, text: str, durations: Mapping[tuple[str, str], Durations]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=("model", "provider"))
    for values, taken in [*durations.items()]:
        family.add_metric(values, taken.buckets(), taken.sum_ms / _MS_PER_SECOND)
    return family
