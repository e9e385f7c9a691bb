"""The ledger on real databases against a small model, over generated histories."""

import contextlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.ledger.account import Sink
from tokonomi.ledger.hold import Captured, Held, Refusal, capture
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import ledger, locked_accounts
from tokonomi.storage.call_groups import Begin, Settle, write_group
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.exposures import release_exposure
from tokonomi.storage.ledger import CREDIT, Claim, Conflict, Funding
from tokonomi.storage.ledger_check import verify
from tokonomi.usage import Source, Usage

NewStore = Callable[[], Path | str]

NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
BUDGETS: Final = ("budget a", "budget b")
WALLET: Final = "ani"
WALLET_SOURCE: Final = "wallet ani"
AMOUNTS: Final = st.integers(0, 60)
RUNS: Final = count(1)


class Model:
    """What the ledger must be, in plain numbers. A wallet is the list of its grants."""

    def __init__(self) -> None:
        self.limit: dict[str, int] = dict.fromkeys(BUDGETS, 100)
        self.floor: dict[str, int | None] = dict.fromkeys(BUDGETS, 0)
        self.grants: list[int] = []
        self.captured: Counter[str] = Counter()
        self.pending: Counter[str] = Counter()
        self.exposed: Counter[str] = Counter()
        self.overrun: Counter[str] = Counter()
        self.granted: dict[str, int] = {}
        self.floor_followed: dict[str, int | None] = {}

    def taken(self, source: str) -> int:
        return self.captured[source] + self.exposed[source] + self.pending[source]

    def free(self, source: str) -> int | None:
        if source == WALLET_SOURCE:
            return sum(self.grants) - self.taken(source)
        floor = self.floor[source]
        used = self.taken(source) + self.overrun[source]
        return None if floor is None else max(self.limit[source] - floor - used, 0)

    def follow(self, source: str) -> None:
        """The account of a budget is brought to its newest rule."""
        limit, floor = self.limit[source], self.floor[source]
        self.floor_followed[source] = floor
        least = limit if floor is None else self.taken(source) + floor
        self.granted[source] = max(limit, least)

    def left(self, source: str) -> int | None:
        """What an account can pay above holds, by the rule that it follows."""
        if source == WALLET_SOURCE:
            return self.free(source)
        floor = self.floor_followed[source]
        if floor is None:
            return None
        return max(
            self.granted[source] - floor - self.taken(source) - self.overrun[source],
            0,
        )

    def fits(self, source: str, amount: int) -> bool:
        free = self.free(source)
        return free is None or amount <= free

    def begin(self, wants: dict[str, int]) -> bool:
        if not all(self.fits(source, amount) for source, amount in wants.items() if amount):
            return False
        self.pending.update(wants)
        return True

    def settle(self, ended: list[dict[str, int]], used: int, exposed: int) -> list[dict[str, int]]:
        """Calls of one group end: each hold gives what it has, then what is left pays for more.

        The answer is what each call exposes.
        """
        doubtful: list[dict[str, int]] = []
        for wants in ended:
            self.pending.subtract(wants)
            self.captured.update({source: min(held, used) for source, held in wants.items()})
            doubtful.append(
                {
                    source: min(max(held - used, 0), exposed)
                    for source, held in wants.items()
                    if source != WALLET_SOURCE
                }
            )
            self.exposed.update(doubtful[-1])
        for wants in ended:
            for source, held in wants.items():
                above, left = max(used - held, 0), self.left(source)
                paid = above if left is None else min(above, left)
                self.captured[source] += paid
                self.overrun[source] += above - paid
        return doubtful


class LedgerMachine(RuleBasedStateMachine):
    """Begins, ends, grants and changes of limits in any order, on one store."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"run{next(RUNS)}"
        self.model = Model()
        self.calls = 0
        self.version = 0
        self.followed: dict[str, bool] = dict.fromkeys(BUDGETS, False)
        self.open: dict[str, tuple[dict[str, int], tuple[Held, ...]]] = {}
        self.done: list[Settle] = []
        self.exposing: dict[str, dict[str, int]] = {}
        self.worker = self._worker()

    def _worker(self) -> int:
        row = self.database.execute(
            "INSERT INTO worker (host, pid, process_start, started_us) VALUES ('h', 1, 's', 0)"
            " RETURNING id"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _claim(self, source: str, amount: int) -> Claim:
        if source == WALLET_SOURCE:
            return Claim(source, amount, f"{self.prefix}{WALLET}")
        return Claim(source, amount, self._funding(source))

    def _funding(self, source: str) -> Funding:
        model = self.model
        name = f"{self.prefix}{source}"
        return Funding(name, "USD", model.limit[source], model.floor[source], self.version)

    def _intent(self) -> Intent:
        self.calls += 1
        name = f"{self.prefix}-{self.calls}.1"
        return Intent(id=name, at=NOW, dimensions=Dimensions(), model="m")

    @rule(
        group=st.lists(
            st.dictionaries(st.sampled_from([*BUDGETS, WALLET_SOURCE]), AMOUNTS, max_size=3),
            min_size=1,
            max_size=4,
        )
    )
    def begin_a_group_of_calls(self, group: list[dict[str, int]]) -> None:
        begins = [
            Begin(self._intent(), tuple(self._claim(*it) for it in sorted(wants.items())))
            for wants in group
        ]
        outcomes = write_group(self.database, self.worker, begins, at_us=1)
        for source in {source for wants in group for source in wants} - {WALLET_SOURCE}:
            self.model.follow(source)
            self.followed[source] = True
        for begin, wants, outcome in zip(begins, group, outcomes, strict=True):
            assert isinstance(outcome, Refusal) != self.model.begin(wants)
            if isinstance(outcome, tuple):
                ordered = dict(sorted(wants.items()))
                self.open[begin.intent.id] = (ordered, outcome)

    @rule(data=st.data(), used=st.integers(0, 90), exposed=st.integers(0, 90))
    def end_a_group_of_calls(self, data: st.DataObject, used: int, exposed: int) -> None:
        if not self.open:
            return
        calls = data.draw(
            st.lists(st.sampled_from(sorted(self.open)), min_size=1, max_size=3, unique=True)
        )
        ended = [self.open.pop(call) for call in calls]
        group = [
            Settle(_call(call), tuple(_captured(held, used, exposed) for held in holds))
            for call, (_, holds) in zip(calls, ended, strict=True)
        ]
        write_group(self.database, self.worker, group, at_us=2)
        doubtful = self.model.settle([wants for wants, _ in ended], used, exposed)
        self.exposing |= {
            call: parts for call, parts in zip(calls, doubtful, strict=True) if any(parts.values())
        }
        self.done += group

    @rule(data=st.data())
    def end_it_once_more(self, data: st.DataObject) -> None:
        if self.done:
            again = data.draw(st.sampled_from(self.done))
            write_group(self.database, self.worker, [again], at_us=3)

    @rule(data=st.data())
    def release_what_a_call_exposes_and_release_it_again(self, data: st.DataObject) -> None:
        if not self.exposing:
            return
        call = data.draw(st.sampled_from(sorted(self.exposing)))
        released = release_exposure(self.database, call, reason="the bill", now=NOW)
        assert release_exposure(self.database, call, reason="again", now=NOW) == released
        parts = self.exposing.pop(call)
        assert sorted(it.amount for it in released) == sorted(filter(None, parts.values()))
        self.model.exposed.subtract(parts)

    @rule(
        source=st.sampled_from(BUDGETS),
        limit=st.integers(0, 200),
        floor=st.sampled_from([0, 0, -30, None]),
        at_once=st.booleans(),
    )
    def change_a_budget(self, source: str, limit: int, floor: int | None, *, at_once: bool) -> None:
        """What gateways learn later than the store, or never, when nobody uses the budget."""
        before = self._funding(source)
        self.model.limit[source], self.model.floor[source] = limit, floor
        self.version += 1
        self.followed[source] = False
        if at_once and self._row(source) is not None:
            with self.database.transaction():
                locked_accounts.follow_rules(self.database, [self._funding(source)], at_us=5)
            self.model.follow(source)
            self.followed[source] = True
            self._ask_with_old_rules(before, source)

    def _ask_with_old_rules(self, before: Funding, source: str) -> None:
        """A gateway that has not heard of the change yet: the store decides by the new rules."""
        begin = Begin(self._intent(), (Claim(source, 40, before),))
        [outcome] = write_group(self.database, self.worker, [begin], at_us=6)
        assert isinstance(outcome, Refusal) != self.model.begin({source: 40})
        if isinstance(outcome, tuple):
            self.open[begin.intent.id] = ({source: 40}, outcome)

    @rule(amount=st.integers(1, 80))
    def grant_credits_and_repeat_the_payment(self, amount: int) -> None:
        number = len(self.model.grants)
        name = f"{self.prefix}grant{number}"
        for first in (True, False):
            with self.database.transaction():
                account = ledger.open_account(self.database, name, CREDIT)
                posted = ledger.post(
                    self.database,
                    f"payment-{name}",
                    kind="fund",
                    account=account,
                    sink=Sink.ISSUED,
                    amount=amount,
                    at_us=0,
                )
                if posted:
                    self.database.execute(
                        "INSERT INTO wallet_grant (id, wallet, account, amount, priority,"
                        " promotional, granted_us, paid_amount, paid_currency, rollover_cap,"
                        " package) VALUES (?, ?, ?, ?, 0, 0, ?, 0, 'IDR', 0, '')",
                        (name, f"{self.prefix}{WALLET}", account, amount, number),
                    )
            assert posted is first
        with pytest.raises(Conflict), self.database.transaction():
            ledger.post(
                self.database,
                f"payment-{name}",
                kind="fund",
                account=account,
                sink=Sink.ISSUED,
                amount=amount + 1,
                at_us=0,
            )
        self.model.grants.append(amount)

    def teardown(self) -> None:
        for call, (_, holds) in self.open.items():
            freed = tuple(capture(held, 0) for held in holds)
            write_group(self.database, self.worker, [Settle(_call(call), freed)], at_us=4)

    @invariant()
    def the_books_balance(self) -> None:
        assert verify(self.database).imbalances == ()

    @invariant()
    def balances_are_those_of_the_model(self) -> None:
        for source in BUDGETS:
            row = self._row(source)
            if row is None:
                continue
            granted, captured, pending, exposed, overrun, floor = row
            assert captured == self.model.captured[source]
            assert exposed == self.model.exposed[source]
            assert pending == self.model.pending[source]
            assert overrun == self.model.overrun[source]
            if self.followed[source]:
                assert floor == self.model.floor[source]
                assert granted == self.model.granted[source]
        row = self.database.execute(
            "SELECT SUM(debits_posted), SUM(debits_pending) FROM account"
            " WHERE id IN (SELECT account FROM wallet_grant WHERE wallet = ?)",
            (f"{self.prefix}{WALLET}",),
        ).fetchone()
        if self.model.grants:
            captured, pending = self.model.captured, self.model.pending
            assert row is not None
            assert (int(row[0]), int(row[1])) == (captured[WALLET_SOURCE], pending[WALLET_SOURCE])
        own = self.database.execute(
            "SELECT overrun FROM account WHERE name = ?", (f"wallet:{self.prefix}{WALLET}",)
        ).fetchone()
        assert (0 if own is None else own[0]) == self.model.overrun[WALLET_SOURCE]

    def _row(self, source: str) -> tuple[int, int, int, int, int, int | None] | None:
        return self.database.execute(
            "SELECT credits_posted - withdrawn, debits_posted - withdrawn - exposed,"
            " debits_pending, exposed, overrun, floor FROM account WHERE name = ?",
            (f"{self.prefix}{source}",),
        ).fetchone()


def _captured(held: Held, used: int, exposed: int) -> Captured:
    """Budgets take what may have been used besides; wallets never do."""
    return capture(held, used, exposed=0 if held.source == WALLET_SOURCE else exposed)


def _call(call_id: str) -> Call:
    intent = Intent(id=call_id, at=NOW, dimensions=Dimensions(), model="m")
    usage = Usage(at=NOW, source=Source.ABSENT)
    return Call(
        intent=intent,
        model_served="m",
        usage=usage,
        cost=Unpriced("a call of the model"),
        status=Status.OK,
    )


def test_any_history_gives_the_balances_of_the_model(new_store: NewStore) -> None:
    database = open_store(new_store())
    machine = type("Machine", (LedgerMachine,), {"database": database})
    with contextlib.closing(database):
        run_state_machine_as_test(
            machine,
            settings=settings(max_examples=30, stateful_step_count=25, deadline=None),
        )
        assert verify(database).imbalances == ()
