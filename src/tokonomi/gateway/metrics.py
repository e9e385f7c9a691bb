"""What the gateway counts, for Prometheus.

A request costs a few additions to plain dictionaries; the library's objects are made when somebody
asks. Labels are configured names and closed sets, never what a client wrote.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol, TypeVar

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
from tokonomi.gateway.asked import Asked
from tokonomi.gateway.call_counts import MS_PER_SECOND, CallCounts, Durations
from tokonomi.gateway.settle import Exchange
from tokonomi.ledger.hold import Captured, Held
from tokonomi.money import currency_of
from tokonomi.routing.breaker import Phase

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_T = TypeVar("_T")
_Labels = TypeVar("_Labels", bound=tuple[str, ...])


class UpstreamConnections(Protocol):
    """The connections to one provider."""

    @property
    def busy(self) -> int:
        """How many have a call on them, or are being made for one."""
        ...

    @property
    def idle(self) -> int:
        """How many are kept for the next call."""
        ...


class BreakerPhases(Protocol):
    """The circuit breakers."""

    def phases(self, now: datetime, /) -> Mapping[str, Phase]:
        """How each one stands, by target."""
        ...


class Metrics(Collector):
    """The counts of one gateway process."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.connections = 0
        self.orphans = 0
        self.unsettled = 0
        self.upkeep_failures = 0
        self.upkeep_worked_at = time.monotonic()
        self.refused: defaultdict[str, int] = defaultdict(int)
        self._calls: defaultdict[tuple[str, str], CallCounts] = defaultdict(CallCounts)
        self._overruns: defaultdict[tuple[str], int] = defaultdict(int)
        self._holds: defaultdict[tuple[str], int] = defaultdict(int)
        self._limited: defaultdict[tuple[str], int] = defaultdict(int)
        self._requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.upstreams: Mapping[str, UpstreamConnections] = {}
        self.breakers: BreakerPhases | None = None
        self.batches: defaultdict[tuple[str], int] = defaultdict(int)
        self.batch_failures: defaultdict[tuple[str], int] = defaultdict(int)
        self.batch_lies: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.unknown_usage_keys: defaultdict[tuple[str], int] = defaultdict(int)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def attempt_begins(self, exchange: Exchange) -> bytes:
        """Takes note of what a call holds while it is in flight."""
        for held in exchange.held:
            self._holds[_kind_of(held),] += 1
        return b""

    def attempt_ended(self, exchange: Exchange, call: Call, captured: Sequence[Captured]) -> None:
        """Takes note of a settled call and of what its holds did not cover."""
        where = exchange.target.label, call.intent.dimensions.provider
        self._calls[where].add(call, sent=exchange.sent)
        for held in exchange.held:
            self._holds[_kind_of(held),] -= 1
        if captured:
            self.count_overruns(captured)

    def request_ended(self, asked: Asked) -> None:
        """Takes note of a request, and of why the gateway refused it if it did."""
        self._requests[asked.route, asked.status] += 1
        if asked.refused:
            self.refused[asked.refused] += 1
        if asked.limit:
            self._limited[asked.limit,] += 1

    def upkeep_silence(self) -> float:
        """Seconds since keys, rules and sweeps were last brought up to date."""
        return time.monotonic() - self.upkeep_worked_at

    def count(self, call: Call, label: str, *, sent: bool = True) -> None:
        """Takes note of a settled call; `label` is the alias as configured.

        A call that got nothing to its provider, not `sent`, has no cost and is no unpriced spend.
        """
        self._calls[label, call.intent.dimensions.provider].add(call, sent=sent)

    def count_overruns(self, captured: Sequence[Captured]) -> None:
        """Takes note of holds that a call used more than."""
        for each in captured:
            if each.overrun:
                self._overruns[_kind_of(each.held),] += 1

    def exposition(self) -> bytes:
        """The text that a scrape gets."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The metrics, made for one scrape."""
        yield from self._of_this_process()
        yield from self._of_requests()
        yield self._holds_family()
        yield self._upstreams_family()
        yield self._breakers_family()
        yield _counter(
            "tokonomi_calls",
            "Settled calls.",
            ("model", "provider", "status"),
            self._by(lambda counts: counts.statuses),
        )
        yield _counter(
            "tokonomi_tokens",
            "Tokens of settled calls, estimated ones among them. Kinds are disjoint, but that"
            " reasoning is a part of output.",
            ("model", "provider", "kind"),
            self._by(lambda counts: counts.tokens),
        )
        yield self._cost_family()
        yield from self._doubtful()
        yield from self._of_batches()
        yield _histogram(
            "tokonomi_call_seconds",
            "Time from dispatch to the end of a call.",
            self._each(lambda counts: counts.durations),
        )
        yield _histogram(
            "tokonomi_first_token_seconds",
            "Time from dispatch to the first content of a stream.",
            self._each(lambda counts: counts.first_token),
        )

    def _each(self, of: Callable[[CallCounts], _T | None]) -> dict[tuple[str, str], _T]:
        """A part of all counts, by alias and provider, where there is something in it."""
        parts = {where: of(counts) for where, counts in [*self._calls.items()]}
        return {where: part for where, part in parts.items() if part}

    def _by(self, of: Callable[[CallCounts], Mapping[str, int]]) -> dict[tuple[str, str, str], int]:
        """A part of all counts, by alias, provider and what the part is counted by."""
        return {
            (*where, kind): count
            for where, part in self._each(of).items()
            for kind, count in [*part.items()]
        }

    def _of_this_process(self) -> Iterator[Metric]:
        """How the process itself is doing."""
        yield GaugeMetricFamily(
            "tokonomi_requests_in_flight", "Requests being answered now.", self.in_flight
        )
        yield GaugeMetricFamily(
            "tokonomi_connections", "Connections of clients that are open now.", self.connections
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

    def _of_requests(self) -> Iterator[Metric]:
        """What became of requests, whether or not they reached a provider."""
        yield _counter(
            "tokonomi_requests_refused",
            "Requests answered with an error of the gateway, by its code.",
            ("code",),
            {(code,): n for code, n in self.refused.items()},
        )
        yield _counter(
            "tokonomi_requests",
            "Requests to the metered routes, by the status that their client got; 0 is none.",
            ("route", "status"),
            {(route, str(status)): n for (route, status), n in [*self._requests.items()]},
        )
        yield _counter(
            "tokonomi_rate_limited",
            "Requests refused by a limit of their key, by its kind.",
            ("kind",),
            self._limited,
        )

    def _doubtful(self) -> Iterator[Metric]:
        """What somebody should look at: costs that are not known, or not as they were held."""
        yield _counter(
            "tokonomi_unpriced_calls",
            "Settled calls that were sent and whose cost is not known.",
            ("model", "provider"),
            self._each(lambda counts: counts.unpriced),
        )
        yield _counter(
            "tokonomi_quarantined_calls",
            "Settled calls whose reported usage cannot be true.",
            ("model", "provider"),
            self._each(lambda counts: counts.quarantined),
        )
        yield _counter(
            "tokonomi_estimated_calls",
            "Settled calls whose usage is an estimate, since their provider reported none.",
            ("model", "provider"),
            self._each(lambda counts: counts.estimated),
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

    def _of_batches(self) -> Iterator[Metric]:
        """What became of batches; their lines are calls, and counted as such."""
        yield _counter(
            "tokonomi_batches",
            "Batches that this gateway brought to their end.",
            ("status",),
            self.batches,
        )
        yield _counter(
            "tokonomi_batch_failures",
            "Steps of the work on batches that failed, and are tried again.",
            ("provider",),
            self.batch_failures,
        )
        yield _counter(
            "tokonomi_batch_lies",
            "Lines of a provider's output that count as none, and answers that it owes.",
            ("provider", "kind"),
            self.batch_lies,
        )

    def _holds_family(self) -> Metric:
        family = GaugeMetricFamily(
            "tokonomi_holds",
            "Holds of calls in flight, on budgets and on wallets.",
            labels=("kind",),
        )
        for labels, count in [*self._holds.items()]:
            family.add_metric(labels, count)
        return family

    def _upstreams_family(self) -> Metric:
        family = GaugeMetricFamily(
            "tokonomi_upstream_connections",
            "Connections to providers: with a call on them, or kept for the next one.",
            labels=("provider", "state"),
        )
        for name, upstream in self.upstreams.items():
            family.add_metric((name, "busy"), upstream.busy)
            family.add_metric((name, "idle"), upstream.idle)
        return family

    def _breakers_family(self) -> Metric:
        family = GaugeMetricFamily(
            "tokonomi_breaker_state",
            "How the circuit breaker of each target stands: 1 for its state, 0 for the others.",
            labels=("target", "state"),
        )
        if self.breakers is not None:
            for target, phase in sorted(self.breakers.phases(datetime.now(UTC)).items()):
                for state in Phase:
                    family.add_metric((target, state), int(state is phase))
        return family

    def _cost_family(self) -> Metric:
        # What is added up are whole sub-units, so nothing drifts; Prometheus knows only floats, so
        # each sum becomes one when it is asked for. The exact sums are in the store.
        in_units = {
            labels: sub_units / currency_of(labels[2]).sub_units
            for labels, sub_units in self._by(lambda counts: counts.sub_units).items()
        }
        return _counter(
            "tokonomi_cost",
            "Cost of settled calls, in whole units of the currency, as a float.",
            ("model", "provider", "currency"),
            in_units,
        )


def _kind_of(held: Held) -> str:
    """Whether a hold is on a budget or on a wallet."""
    return held.source.partition(" ")[0]


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
        family.add_metric(values, taken.buckets(), taken.sum_ms / MS_PER_SECOND)
    return family
