"""Money under a clock that is set hours back and a day ahead, on real databases.

Windows, ends of grants, rollovers, sweeps and statements see one injected clock that jumps between
any two steps. What a clock says may come late or in the wrong window, but never twice.
"""

import contextlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tokonomi.budgets.scope import EVERYBODY
from tokonomi.budgets.table import budget_from_table
from tokonomi.budgets.window import span_at
from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.credits.grant import Grant
from tokonomi.gateway.claims import BudgetInForce
from tokonomi.ledger.hold import Held, Refusal, capture
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import budget_store, orphans, workers
from tokonomi.storage.call_groups import Begin, Settle, write_group
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.wallet_endings import end_grants
from tokonomi.storage.wallet_statements import booked_until, statement_of
from tokonomi.storage.wallet_store import StoredGrant, grants_of, promote
from tokonomi.usage import Source, Usage

NewStore = Callable[[], Path | str]

START: Final = datetime(2026, 11, 1, 20, tzinfo=UTC)
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
ZONE: Final = ZoneInfo("Asia/Jakarta")
LIMIT: Final = 100
RUNS: Final = count(1)
HOURS: Final = (0, 1, -1, -7, 24, -24, 960, -960)
STEPS: Final = st.sampled_from(HOURS).map(lambda hours: timedelta(hours=hours, seconds=5))


class ClockMachine(RuleBasedStateMachine):
    """Calls, gifts and sweeps of one wallet and one budget of days, with jumps between them."""

    database: Database
    other_gateway: Database

    def __init__(self) -> None:
        super().__init__()
        run = next(RUNS)
        self.now = START
        self.wallet = f"shop:user:u{run}"
        stated = {
            "id": f"b{run}",
            "window": "day",
            "zone": ZONE.key,
            "currency": "USD",
            "amount": "0.0000000001",
        }
        self.budget = budget_from_table(stated, zones={ZONE.key})
        assert self.budget.amount is not None
        assert self.budget.amount.sub_units == LIMIT
        self.in_force = BudgetInForce(self.budget, ZONE)
        self.worker = workers.register(self.database, now=self.now)
        self.calls = 0
        self.gifts = 0
        self.open: dict[str, tuple[str, int, tuple[Held, ...]]] = {}
        self.spent: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        self.granted = 0
        self.burned = 0
        self.broken: dict[str, int] = {}
        self.over: set[str] = set()

    @rule(step=STEPS)
    def set_the_clock(self, step: timedelta) -> None:
        self.now += step

    @rule(amount=st.integers(0, 60))
    def begin_a_call(self, amount: int) -> None:
        self.calls += 1
        intent = Intent(
            id=f"{self.wallet}-{self.calls}.1", at=self.now, dimensions=Dimensions(), model="m"
        )
        funding = self.in_force.funding(EVERYBODY, self.now)
        claims = (
            Claim(self.in_force.source, amount, funding),
            Claim(f"wallet {self.wallet}", amount, self.wallet),
        )
        usable = self._usable()
        begin = Begin(intent, claims)
        [outcome] = write_group(self.database, self.worker, [begin], at_us=microseconds(self.now))
        window = span_at(self.budget.window, ZONE, self.now).start.isoformat()
        taken = self.spent[window] + self.held[window]
        fits = taken + amount <= LIMIT and amount <= usable
        assert isinstance(outcome, Refusal) != (fits or amount == 0)
        if isinstance(outcome, tuple):
            self.open[intent.id] = window, amount, outcome
            self.held[window] += amount

    @rule(data=st.data())
    def end_a_call(self, data: st.DataObject) -> None:
        if not self.open:
            return
        call = data.draw(st.sampled_from(sorted(self.open)))
        window, amount, holds = self.open.pop(call)
        used = data.draw(st.integers(0, amount))
        settled = Settle(_call(call, self.now), tuple(capture(each, used) for each in holds))
        write_group(self.database, self.worker, [settled], at_us=microseconds(self.now))
        self.held[window] -= amount
        self.spent[window] += used
        self.burned += used

    @rule(
        amount=st.integers(1, 80),
        days=st.sampled_from([None, 1, 1, 2, 30]),
        rolls=st.sampled_from([0, 10]),
    )
    def give_credits(self, amount: int, days: int | None, rolls: int) -> None:
        self.gifts += 1
        grant = Grant(
            id=f"promotion/{self.wallet}-{self.gifts}",
            wallet=self.wallet,
            amount=amount,
            granted_at=self.now,
            expires_at=None if days is None else self.now + timedelta(days=days),
            promotional=True,
            rollover_cap=0 if days is None else rolls,
        )
        promote(self.database, grant)
        self.granted += amount

    @rule()
    def sweep(self) -> None:
        held = {each.grant.id for each in self._grants() if each.used.held}
        for ended in end_grants(self.database, now=self.now):
            if ended.ending is None:
                continue
            assert ended.grant.id not in self.broken, "no grant ends twice"
            assert ended.grant.id not in held, "no hold of a living call is taken"
            assert ended.grant.expires_at is not None
            assert ended.grant.expires_at <= self.now, "no grant ends before its time by the clock"
            self.broken[ended.grant.id] = ended.ending.breakage

    @rule()
    def look_for_the_dead(self) -> None:
        before = only_row(self.database, "SELECT count(*) FROM attempt")
        assert self._orphans() == []
        assert only_row(self.database, "SELECT count(*) FROM attempt") == before

    def _orphans(self) -> list[str]:
        """Calls of this history that a sweep took for dead."""
        swept = orphans.sweep(self.other_gateway, now=self.now).orphans
        return [each.id for each in swept if each.id.startswith(f"{self.wallet}-")]

    @rule()
    def change_the_budget_to_what_it_is(self) -> None:
        """A change looks at the window that its clock shows, and grants nothing anew."""
        budget_store.create(self.database, self.budget, now=self.now)
        budget_store.replace(self.database, self.budget, now=self.now)

    @invariant()
    def the_books_balance(self) -> None:
        assert verify(self.database).imbalances == ()

    @invariant()
    def every_window_was_granted_once_and_spent_no_further(self) -> None:
        rows = self.database.execute(
            "SELECT name, credits_posted - withdrawn, debits_posted - withdrawn, debits_pending"
            " FROM account WHERE name LIKE ?",
            (f"budget:{self.budget.id}:%",),
        ).fetchall()
        for name, granted, spent, held in rows:
            start = datetime.fromisoformat(name[-len("2026-11-01T00:00:00Z") :]).astimezone(ZONE)
            window = span_at(self.budget.window, ZONE, start).start.isoformat()
            assert granted == LIMIT
            assert (spent, held) == (self.spent[window], self.held[window])
            assert spent + held <= LIMIT

    @invariant()
    def credits_are_left_held_burned_or_broken_and_nothing_comes_back(self) -> None:
        grants = self._grants()
        rest = sum(each.grant.amount - each.used.settled for each in grants if not each.used.ended)
        assert self.granted == self.burned + rest + sum(self.broken.values())
        assert sum(each.used.held for each in grants) == sum(self.held.values())
        closed = {each.grant.id for each in grants if each.closed}
        assert closed >= self.over, "no grant comes back"
        self.over = closed

    @invariant()
    def a_statement_tells_every_movement_in_the_order_of_booking(self) -> None:
        until = booked_until(self.database, self.wallet, now=self.now)
        whole = statement_of(self.database, self.wallet, since=BEGINNING, until=until)
        assert all(a.at <= b.at for a, b in pairwise(whole.entries))
        booked = self.database.execute(
            "SELECT wallet_grant.id, transfer.amount FROM transfer"
            " JOIN wallet_grant ON wallet_grant.account = transfer.account"
            " WHERE wallet = ? ORDER BY seq",
            (self.wallet,),
        ).fetchall()
        assert [(each.grant, each.amount) for each in whole.entries] == booked
        assert whole.closing == sum(
            each.grant.amount - each.used.settled for each in self._grants() if not each.used.ended
        )
        balance = 0
        for entry in whole.entries:
            balance += entry.change
            assert balance >= 0
        edge = min(max(START, BEGINNING), until)
        early = statement_of(self.database, self.wallet, since=BEGINNING, until=edge)
        late = statement_of(self.database, self.wallet, since=edge, until=until)
        assert early.closing == late.opening
        assert early.entries + late.entries == whole.entries

    def _grants(self) -> list[StoredGrant]:
        return grants_of(self.database, self.wallet, ended=True)

    def _usable(self) -> int:
        return sum(each.left for each in self._grants())

    def teardown(self) -> None:
        for call, (_, _, holds) in self.open.items():
            freed = tuple(capture(held, 0) for held in holds)
            write_group(self.database, self.worker, [Settle(_call(call, START), freed)], at_us=4)
        workers.retire(self.database, self.worker, now=START)
        end_grants(self.database, now=datetime(2100, 1, 1, tzinfo=UTC))


def _call(call_id: str, now: datetime) -> Call:
    return Call(
        intent=Intent(id=call_id, at=now, dimensions=Dimensions(), model="m"),
        model_served="m",
        usage=Usage(at=now, source=Source.ABSENT),
        cost=Unpriced("a call of a law"),
        status=Status.OK,
    )


def test_a_clock_that_jumps_grants_ends_and_spends_nothing_twice(new_store: NewStore) -> None:
    store = new_store()
    database, other = open_store(store), open_store(store)
    opened = {"database": database, "other_gateway": other}
    machine = type("Machine", (ClockMachine,), opened)
    with contextlib.closing(database), contextlib.closing(other):
        run_state_machine_as_test(
            machine,
            settings=settings(max_examples=30, stateful_step_count=25, deadline=None),
        )
        assert verify(database).imbalances == ()
