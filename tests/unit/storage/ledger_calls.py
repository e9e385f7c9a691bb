"""Calls that use wallets and budgets of a store, without a gateway."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.ledger.hold import Held, Refusal, capture
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage.call_groups import Begin, Settle, write_group
from tokonomi.storage.database import Database
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.usage import Source, Usage

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def calls_in(database: Database) -> "Calls":
    """Calls of a new worker."""
    row = database.execute(
        "INSERT INTO worker (host, pid, process_start, started_us) VALUES ('h', 1, 's', 0)"
        " RETURNING id"
    ).fetchone()
    assert row is not None
    return Calls(database, int(row[0]), f"call-{uuid4().hex[:8]}")


@dataclass
class Calls:
    """Calls of one worker, each with one claim."""

    database: Database
    worker: int
    prefix: str
    project: str = ""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    open: dict[str, tuple[Held, ...]] = field(default_factory=dict[str, tuple[Held, ...]])

    def begin(self, on: Funding | str, amount: int) -> str | None:
        """The id of the call, or None when it was refused."""
        begin = self._begin(on, amount)
        outcome = write_group(self.database, self.worker, [begin], at_us=1)[0]
        return self._begun(begin, outcome)

    def refused(self, on: Funding | str, amount: int) -> Refusal:
        """Why a call is refused."""
        [outcome] = write_group(self.database, self.worker, [self._begin(on, amount)], at_us=1)
        assert isinstance(outcome, Refusal)
        return outcome

    def end_and_begin(self, call: str, on: Funding | str, amount: int) -> str | None:
        """The id of a call that begins in the group in which another ends unused, if it may."""
        begin = self._begin(on, amount)
        group = [self._settle(call, 0), begin]
        return self._begun(begin, write_group(self.database, self.worker, group, at_us=1)[1])

    def _begin(self, on: Funding | str, amount: int) -> Begin:
        call = f"{self.prefix}-{next(self.numbers)}.1"
        source = f"wallet {on}" if isinstance(on, str) else "budget"
        intent = Intent(id=call, at=NOW, dimensions=Dimensions(project=self.project), model="m")
        return Begin(intent, (Claim(source, amount, on),))

    def _begun(self, begin: Begin, outcome: tuple[Held, ...] | Refusal) -> str | None:
        if isinstance(outcome, Refusal):
            return None
        self.open[begin.intent.id] = outcome
        return begin.intent.id

    def end(self, call: str, used: int, *, exposed: int = 0, at_us: int = 2) -> None:
        ended = self._settle(call, used, exposed=exposed)
        write_group(self.database, self.worker, [ended], at_us=at_us)

    def _settle(self, call: str, used: int, *, exposed: int = 0) -> Settle:
        captured = tuple(capture(held, used, exposed=exposed) for held in self.open.pop(call))
        settled = Call(
            intent=Intent(id=call, at=NOW, dimensions=Dimensions(project=self.project), model="m"),
            model_served="m",
            usage=Usage(at=NOW, source=Source.ABSENT),
            cost=Unpriced("a call of a test"),
            status=Status.OK,
        )
        return Settle(settled, captured)

    def use(self, on: Funding | str, amount: int) -> bool:
        """Whether a call could use this much; it did."""
        call = self.begin(on, amount)
        if call is None:
            return False
        self.end(call, amount)
        return True
