"""What a gateway does beside its requests: it keeps rules fresh, sweeps the dead, tells events."""

import asyncio
import logging
import threading
import time
from dataclasses import dataclass
from typing import Final

from tokonomi.errors import StoreError
from tokonomi.gateway.breakers import Breakers
from tokonomi.gateway.in_use import ConfigurationInUse
from tokonomi.gateway.metrics import Metrics
from tokonomi.gateway.rules import RulesInForce
from tokonomi.gateway.steady_clock import SteadyClock
from tokonomi.storage import orphans, workers
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.fallback_watch import watch_fallbacks
from tokonomi.storage.fired_events import fire_events
from tokonomi.storage.keys import KeyRing
from tokonomi.storage.wallet_endings import end_grants

_log: Final = logging.getLogger("tokonomi.gateway")
REFRESH_SECONDS: Final = 0.5
FAILED_SECONDS: Final = 1.0
"""The pause after a round that failed."""
SWEEP_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Worker:
    """This process as the store knows it: the connection that its sign of life hangs on."""

    database: Database
    id: int


class Upkeep:
    """The periodic work of one gateway process. It runs in a thread, never on the event loop."""

    def __init__(
        self,
        store: str,
        rules: RulesInForce,
        in_use: ConfigurationInUse,
        metrics: Metrics,
        *,
        worker: Worker,
        breakers: Breakers,
        clock: SteadyClock | None = None,
    ) -> None:
        self._database = open_store(store)
        self.keys = KeyRing(self._database)
        self._rules = rules
        self._in_use = in_use
        self._metrics = metrics
        self._breakers = breakers
        self._clock = clock or SteadyClock()
        self._next_sweep = 0.0
        self._worker = worker
        self._turn = threading.Lock()
        self._stopped = False
        self._tell_version()

    async def run(self) -> None:
        """Keeps going until it is cancelled; a round that fails, however it does, comes again."""
        told = ""
        while True:
            await asyncio.sleep(REFRESH_SECONDS if not told else FAILED_SECONDS)
            told = await asyncio.to_thread(self._supervised, told)

    def _supervised(self, told: str) -> str:
        """Why this round failed, empty when it did not; `told` is what the log has said last."""
        try:
            self.run_once()
        except StoreError as error:
            failure, defect = str(error), None
        except Exception as error:  # noqa: BLE001 - the border of a thread; logged below, once
            # A defect in one round must not end all rounds: revoked keys would go on working.
            failure, defect = f"{type(error).__name__}: {error}", error
        else:
            return ""
        self._metrics.upkeep_failures += 1
        if failure != told:
            _log.warning(
                "keys and rules could not be read, the known ones stay: %s",
                failure,
                exc_info=defect,
            )
        return failure

    def run_once(self) -> None:
        """One round: what is due is done."""
        with self._turn:
            if not self._stopped:
                self._round()
                self._metrics.upkeep_worked_at = time.monotonic()

    def stop(self) -> None:
        """Waits for a round that is going on; no other begins."""
        with self._turn:
            self._stopped = True

    def _round(self) -> None:
        # First of all, so that a sweep, also this process's own, finds it alive.
        workers.keep_alive(self._worker.database, self._worker.id)
        self.keys.refresh()
        self._rules.refresh(self._database)
        self._exchange_breakers()
        is_due = time.monotonic() >= self._next_sweep
        if self._in_use.refresh(self._database, again=is_due):
            self._tell_version()
        if is_due:
            self._sweep()
            self._tell()
            self._next_sweep = time.monotonic() + SWEEP_SECONDS

    def _exchange_breakers(self) -> None:
        for each in self._breakers.exchange(self._database, self._clock.now()):
            now = self._clock.now()
            _log.warning(
                "circuit breaker of %s: %s, was %s",
                each.target,
                each.new.phase(now).value,
                each.old.phase(now).value,
            )

    def _tell_version(self) -> None:
        """Other processes see which version of the configuration this one uses."""
        version, failure = self._in_use.version, self._in_use.failure
        workers.note_configuration(self._database, self._worker.id, version, failure)

    def _tell(self) -> None:
        """Ends grants whose time is over, and tells what is due, once for all gateways."""
        now = self._clock.now()
        if self._clock.is_steady():
            end_grants(self._database, now=now)
        fired = fire_events(self._database, now, refused=self._rules.wallets_refused())
        fired += watch_fallbacks(self._database, self._in_use.now.snapshot.watch_rules, now)
        for event in fired:
            _log.warning("%s: %s", event.name, event.text)

    def close(self) -> None:
        """Lets go of the store."""
        self._database.close()

    def _sweep(self) -> None:
        swept = orphans.sweep(self._database, now=self._clock.now())
        self._metrics.orphans += len(swept.orphans)
        for orphan in swept.orphans:
            _log.warning(
                "call %s to %s died in flight with its gateway; it is recorded as orphaned",
                orphan.id,
                orphan.dimensions.provider,
            )
        for call in swept.overtaken:
            _log.warning("call %s was begun by the store after its end; its hold is free", call.id)
