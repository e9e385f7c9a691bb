"""A process that spends from shared budgets and a wallet, and tells what it saw and when.

Its output is one JSON value: the begun calls, those that were refused, and the instants between
which the store decided. The instants are of the host's monotonic clock, which processes share.
"""

import random
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

import msgspec

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.ledger.hold import Captured, Held, Refusal, capture
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import workers
from tokonomi.storage.call_groups import Begin, Settle, write_group
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.usage import Source, Usage

NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
STEADY: Final = "budget steady "
"""What the names of accounts begin with whose limit never changes, one a window of calls."""
STEADY_LIMIT: Final = 1_500
WALLET: Final = "default:user:ani"
_IN_FLIGHT: Final = 4
_WINDOW: Final = 120
_LIMITS: Final = (900, 1_500, 150, 2_700)
"""Of the budget whose rule changes, by its version: it is raised, and cut below what is spent."""


class Seen(msgspec.Struct):
    """A call as its process saw it; `held` is by account, and None of a call that was refused.

    `steady` names the account of its window, and `wanted` is what it asked of each budget and
    wallet. Each of `begun` and `ended` is when the store was asked and when it had answered.
    """

    call: str
    steady: str
    wanted: int
    begun: tuple[int, int]
    held: dict[int, int] | None = None
    refused_by: str = ""
    ended: tuple[int, int] | None = None


class _Spender:
    """Begins and ends calls by chance, up to a few at a time."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._worker = workers.register(database, now=NOW)
        self._name = name
        self._chance = random.Random(name)
        self._flying: list[tuple[Seen, tuple[Held, ...]]] = []
        self.seen: list[Seen] = []

    def spend(self, calls: int) -> None:
        for number in range(calls):
            self._begin(number)
            while len(self._flying) > self._chance.randrange(_IN_FLIGHT):
                self._end(*self._flying.pop(self._chance.randrange(len(self._flying))))
        for seen, held in self._flying:
            self._end(seen, held)

    def _begin(self, number: int) -> None:
        version = number // 8
        changing = Funding("budget changing", "USD", _LIMITS[version % len(_LIMITS)], 0, version)
        steady = Funding(f"{STEADY}{number // _WINDOW}", "USD", STEADY_LIMIT, 0)
        amount = self._chance.randint(1, 150)
        claims = [Claim("steady", amount, steady)]
        if self._chance.random() < 0.5:
            claims.append(Claim("changing", amount, changing))
        if self._chance.random() < 0.5:
            claims.append(Claim(f"wallet {WALLET}", amount, WALLET))
        intent = _intent(f"{self._name}-{number}.1")
        asked = time.monotonic_ns()
        [outcome] = write_group(
            self._database, self._worker, [Begin(intent, tuple(claims))], at_us=1
        )
        seen = Seen(intent.id, steady.name, amount, (asked, time.monotonic_ns()))
        self.seen.append(seen)
        if isinstance(outcome, Refusal):
            seen.refused_by = outcome.source
            return
        seen.held = {part.account: part.amount for each in outcome for part in each.parts}
        self._flying.append((seen, outcome))

    def _end(self, seen: Seen, held: tuple[Held, ...]) -> None:
        used, exposed = self._chance.randint(0, 8), self._chance.choice((0, 0, 3))
        above = 150 if self._chance.random() < 0.05 else 0
        resolved = tuple(_resolved(each, used + above, exposed) for each in held)
        asked = time.monotonic_ns()
        write_group(self._database, self._worker, [Settle(_call(seen.call), resolved)], at_us=2)
        seen.ended = (asked, time.monotonic_ns())


def _resolved(held: Held, used: int, exposed: int) -> Captured:
    return capture(held, used, exposed=0 if held.source.startswith("wallet") else exposed)


def _intent(call: str) -> Intent:
    return Intent(id=call, at=NOW, dimensions=Dimensions(), model="m")


def _call(call: str) -> Call:
    return Call(
        intent=_intent(call),
        model_served="m",
        usage=Usage(at=NOW, source=Source.ABSENT),
        cost=Unpriced("a call of a law"),
        status=Status.OK,
    )


def main(words: list[str]) -> None:
    """Spends in a store under a name, for so many calls."""
    store, name, calls = words
    with closing(open_store(store)) as database:
        spender = _Spender(database, name)
        spender.spend(int(calls))
    sys.stdout.buffer.write(msgspec.json.encode(spender.seen))


if __name__ == "__main__":
    main(sys.argv[1:])
