"""The circuit breakers as one gateway process knows them, between two looks into the store.

A request asks `gate` whether a target may be called, does `enter` when it goes there and `leave`
when that has ended. `exchange` brings what was seen into the store, and reads how all breakers
stand.
"""

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tokonomi.errors import StoreError
from tokonomi.routing.breaker import (
    OPEN_TO_ALL,
    Breaker,
    BreakerRules,
    Gate,
    Outcomes,
    Phase,
    gate,
)
from tokonomi.routing.failure import Health
from tokonomi.storage.breaker_store import (
    Transition,
    add_outcomes,
    claim_probe,
    standing_open,
)
from tokonomi.storage.database import Database

_QUIET: Final = timedelta(seconds=5)
"""How often calls that all went well are brought into the store; failures go there at once."""
_NOTHING: Final = Outcomes()
_WELL: Final = Outcomes(calls=1)
_FAILED: Final = Outcomes(calls=1, failures=1)


class Visit(Struct, frozen=True):
    """A call on its way to a target.

    Attributes:
        target: the name of its breaker.
        probe: whether the breaker was not closed when it left.
        permit: until when it is the one probe, when it is.
    """

    target: str
    probe: bool = False
    permit: datetime | None = None


class Breakers:
    """What is known of all breakers; the event loop asks, and another thread exchanges."""

    def __init__(self) -> None:
        self._rules = BreakerRules()
        self._targets: Collection[str] = ()
        self._open: Mapping[str, Breaker] = {}
        self._lock = threading.Lock()
        self._seen: dict[str, Outcomes] = {}
        self._well: defaultdict[str, int] = defaultdict(int)
        """Calls that are not among those seen: they went well, at targets that were not open."""
        self._wanted: set[str] = set()
        self._permits: dict[str, datetime] = {}
        self._quiet_until: datetime | None = None

    def follow(self, rules: BreakerRules, targets: Collection[str]) -> None:
        """The rules from now on, and the targets that requests can reach."""
        self._rules, self._targets = rules, targets

    def phases(self, now: datetime) -> dict[str, Phase]:
        """How every breaker stands, by target: those that are not closed, and those in use."""
        found = dict.fromkeys(self._targets, Phase.CLOSED)
        return found | {target: breaker.phase(now) for target, breaker in self._open.items()}

    @property
    def all_closed(self) -> bool:
        """Whether every target may be called, as far as is known here."""
        return not self._open

    def gate(self, target: str, now: datetime) -> Gate:
        """Whether a target may be called; what is half-open is probed soon when this asks."""
        breaker = self._open.get(target)
        if breaker is None:
            return OPEN_TO_ALL
        with self._lock:
            permit = self._permits.get(target)
            may_probe = permit is not None and now < permit
            if not may_probe and breaker.phase(now) is Phase.HALF_OPEN:
                self._wanted.add(target)
        return gate(breaker, now, may_probe=may_probe)

    def enter(self, target: str) -> Visit:
        """A call that goes to a target now; give it to `leave` when it has ended."""
        if target not in self._open:
            return Visit(target)
        with self._lock:
            return Visit(target, probe=True, permit=self._permits.pop(target, None))

    def leave(self, visit: Visit, health: Health) -> None:
        """Takes note of what a call met; one that went well found its target alive.

        A probe that tells nothing, such as one whose client left, leaves its place to another.
        """
        if health is Health.ALIVE and not visit.probe:
            with self._lock:
                self._well[visit.target] += 1
            return
        failed = health is Health.FAILING
        seen = _FAILED if failed else _WELL
        if visit.probe:
            seen = replace(seen, probes_passed=int(not failed), probes_failed=int(failed))
        with self._lock:
            if health is not Health.SILENT:
                self._seen[visit.target] = self._seen.get(visit.target, _NOTHING) + seen
            elif visit.permit is not None:
                self._permits[visit.target] = visit.permit

    def exchange(self, database: Database, now: datetime) -> list[Transition]:
        """The breakers that changed by what this process saw, which is in the store now.

        Raises:
            StoreError: the store cannot be read or written; what was seen is kept for later.
        """
        changed = self._bring(database, now)
        self._open = standing_open(database)
        with self._lock:
            wanted, self._wanted = self._wanted, set()
            self._permits = {
                target: until for target, until in self._permits.items() if target in self._open
            }
        for target in sorted(wanted & self._open.keys()):
            if self._open[target].probe_free(now):
                self._claim(database, target, now)
        return changed

    def _bring(self, database: Database, now: datetime) -> list[Transition]:
        with self._lock:
            pressing = any(each.failures or each.probes_passed for each in self._seen.values())
            due = self._quiet_until is None or now >= self._quiet_until
            if not (self._seen or self._well) or not (pressing or due):
                return []
            seen, self._seen = self._seen, {}
            well, self._well = self._well, defaultdict(int)
        for target, calls in well.items():
            seen[target] = seen.get(target, _NOTHING) + Outcomes(calls=calls)
        try:
            changed = add_outcomes(database, seen, self._rules, now=now)
        except StoreError:
            with self._lock:
                for target, outcomes in seen.items():
                    self._seen[target] = outcomes + self._seen.get(target, _NOTHING)
            raise
        self._quiet_until = now + _QUIET
        return changed

    def _claim(self, database: Database, target: str, now: datetime) -> None:
        if claim_probe(database, target, self._rules, now=now):
            with self._lock:
                self._permits[target] = now + timedelta(seconds=self._rules.probe_seconds)
