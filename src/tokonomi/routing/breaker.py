"""The circuit breaker of one target: closed, open, and half-open while one call probes it.

A breaker is a value that all gateways share. What calls met is counted over a window of time, and
`decided` says how the breaker stands after that. It opens when too large a share fails; after its
time is over one call at a time is let through, and closes it or opens it for twice as long.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf
from typing import Final

from msgspec import Struct

from tokonomi.routing.alias import Target
from tokonomi.routing.provider import Section


class BreakerRules(Section, frozen=True):
    """When breakers open, and for how long.

    Attributes:
        window_seconds: how far back calls are counted.
        minimum_calls: fewer calls in the window open nothing.
        failure_share: the share of them that must have failed.
        open_seconds: how long it opens for the first time; each further time is twice as long.
        longest_open_seconds: the longest; a breaker that was closed for as long begins anew.
        probe_seconds: how long a probe may take until another call may probe.
    """

    window_seconds: float = 60.0
    minimum_calls: int = 10
    failure_share: float = 0.5
    open_seconds: float = 15.0
    longest_open_seconds: float = 600.0
    probe_seconds: float = 60.0


class Phase(StrEnum):
    """How a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    """It was open, its time is over, and it waits for a probe."""
    HELD = "held"
    """A person opened it until a person closes it."""


_STORED: Final = (Phase.CLOSED, Phase.OPEN, Phase.HELD)


@dataclass(frozen=True, slots=True)
class Breaker:
    """How the breaker of a target stands, for all gateways.

    Attributes:
        stored: closed, open or held; whether an open one is half-open is a matter of time.
        since: when it came to stand like that; None when it never changed.
        until: when an open one half-opens.
        openings: how often it opened in a row.
        probe_until: while a probe is under way, when another call may probe at the latest.
        why: one sentence on its last change.
    """

    stored: Phase = Phase.CLOSED
    since: datetime | None = None
    until: datetime | None = None
    openings: int = 0
    probe_until: datetime | None = None
    why: str = ""

    def __post_init__(self) -> None:
        assert self.stored in _STORED, "half-open is not stored"
        assert (self.until is not None) == (self.stored is Phase.OPEN), "an open one has an end"

    def phase(self, now: datetime) -> Phase:
        """How it stands at an instant."""
        over = self.until is not None and now >= self.until
        return Phase.HALF_OPEN if over else self.stored

    def probe_free(self, now: datetime) -> bool:
        """Whether a call may probe it: it is half-open and no probe is under way."""
        free = self.probe_until is None or now >= self.probe_until
        return free and self.phase(now) is Phase.HALF_OPEN


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a target may be called now.

    Attributes:
        lets: whether it may.
        opens_at: when it lets a call through again, in seconds; compared with others of its kind.
    """

    lets: bool = True
    opens_at: float = 0.0

    @property
    def held(self) -> bool:
        """Whether it opens only when a person says so."""
        return self.opens_at == inf


OPEN_TO_ALL: Final = Gate()


def gate(breaker: Breaker, now: datetime, *, may_probe: bool) -> Gate:
    """Whether a call may go to the target; `may_probe` when this caller holds the one probe."""
    if breaker.stored is Phase.CLOSED:
        return OPEN_TO_ALL
    if breaker.until is None:
        return Gate(lets=False, opens_at=inf)
    lets = may_probe and breaker.phase(now) is Phase.HALF_OPEN
    return Gate(lets, breaker.until.timestamp())


class Outcomes(Struct, frozen=True):
    """What calls met that went to a target.

    Attributes:
        calls: those that tell something of its health, whether they failed or not.
        failures: those among them that failed.
        probes_passed: calls that went to a breaker that was not closed, and found it well.
        probes_failed: the same, and found it failing.
    """

    calls: int = 0
    failures: int = 0
    probes_passed: int = 0
    probes_failed: int = 0

    def __add__(self, other: "Outcomes") -> "Outcomes":
        return Outcomes(
            self.calls + other.calls,
            self.failures + other.failures,
            self.probes_passed + other.probes_passed,
            self.probes_failed + other.probes_failed,
        )


def decided(breaker: Breaker, seen: Outcomes, rules: BreakerRules, now: datetime) -> Breaker:
    """How a breaker stands after what was seen: the calls of the window, and the latest probes.

    One failed probe outweighs those that passed. A call that was sent to a breaker before its time
    was over, because every other was open too, may close it, and never opens it for longer.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 30, 12, tzinfo=UTC)
    >>> opened = decided(Breaker(), Outcomes(calls=10, failures=6), BreakerRules(), noon)
    >>> opened.stored.value, opened.until - noon, opened.why
    ('open', datetime.timedelta(seconds=15), '6 of 10 calls failed')
    """
    phase = breaker.phase(now)
    if phase is Phase.HELD:
        return breaker
    if phase is Phase.CLOSED:
        failing = seen.failures >= rules.failure_share * seen.calls
        if seen.calls < rules.minimum_calls or not seen.failures or not failing:
            return breaker
        why = f"{seen.failures} of {seen.calls} calls failed"
        return _opened(breaker, rules, now, why)
    if seen.probes_failed:
        over = phase is Phase.HALF_OPEN
        return _opened(breaker, rules, now, "its probe failed") if over else breaker
    if seen.probes_passed:
        return _closed(breaker, now, "its probe passed")
    return breaker


def _opened(breaker: Breaker, rules: BreakerRules, now: datetime, why: str) -> Breaker:
    """Open, for twice as long as the last time unless that is long ago; never for less."""
    openings = breaker.openings + 1
    rested = timedelta(seconds=rules.longest_open_seconds)
    if breaker.stored is Phase.CLOSED and (breaker.since is None or now - breaker.since >= rested):
        openings = 1
    doubled = rules.open_seconds * 2 ** min(openings - 1, _DOUBLINGS)
    until = now + timedelta(seconds=min(doubled, rules.longest_open_seconds))
    if breaker.until is not None:
        until = max(until, breaker.until)
    return Breaker(Phase.OPEN, now, until, openings, why=why)


_DOUBLINGS: Final = 32
"""So many times that any cap is reached, and few enough for a number of seconds."""


def _closed(breaker: Breaker, now: datetime, why: str) -> Breaker:
    return Breaker(Phase.CLOSED, now, openings=breaker.openings, why=why)


def opened_by_hand(breaker: Breaker, now: datetime, *, lasting: timedelta | None) -> Breaker:
    """Open because a person says so: for a time, or until a person closes it.

    A breaker that is open for longer stays so.
    """
    why = "opened by hand"
    if lasting is None:
        return Breaker(Phase.HELD, now, openings=breaker.openings, why=why)
    if breaker.stored is Phase.HELD:
        return breaker
    until = now + lasting
    if breaker.until is not None:
        until = max(until, breaker.until)
    return replace(breaker, stored=Phase.OPEN, since=now, until=until, probe_until=None, why=why)


def closed_by_hand(now: datetime) -> Breaker:
    """Closed because a person says so; the next opening is as short as the first."""
    return Breaker(Phase.CLOSED, now, why="closed by hand")


def breaker_name(alias: str, target: Target) -> str:
    """What the breaker of a target is called, in the store, in metrics and by people.

    All models behind a star share one: clients choose their names, so those may be endless.

    >>> breaker_name("writer", Target(provider="openrouter", model="openai/gpt-5.1"))
    'openrouter/openai/gpt-5.1'
    >>> breaker_name("openai/*", Target(provider="openai"))
    'openai/*'
    """
    model = target.model or ("*" if alias.endswith("*") else alias)
    return f"{target.provider}/{model}"
