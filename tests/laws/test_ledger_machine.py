"""The ledger on real databases against a small model, over generated histories."""

import contextlib
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
from tokonomi.ledger.hold import Held, Refusal, capture
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import ledger
from tokonomi.storage.call_groups import Begin, Settle, write_group
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import CREDIT, Claim, Conflict, Funding
from tokonomi.storage.ledger_check import verify
from tokonomi.usage import Source, Usage

NewStore = Callable[[], Path | str]

NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
BUDGETS: Final = ("budget a", "budget b")
WALLET: Final = "ani"
AMOUNTS: Final = st.integers(0, 60)
RUNS: Final = count(1)


class Model:
    """What the ledger must be, in plain numbers. A wallet is the list of its grants."""

    def __init__(self) -> None:
        self.limit: dict[str, int] = dict.fromkeys(BUDGETS, 100)
        self.funded: dict[str, int] = dict.fromkeys(BUDGETS, 0)
        self.grants: list[int] = []
        self.spent: dict[str, int] = {}
        self.pending: dict[str, int] = {}

    def free(self, source: str) -> int:
        total = sum(self.grants) if source == "wallet ani" else self.funded[source]
        return total - self.spent.get(source, 0) - self.pending.get(source, 0)

    def settle_limit(self, source: str) -> None:
        if source in self.funded:
            wanted = self.limit[source]
            lowest = self.funded[source] - self.free(source)
            self.funded[source] = max(wanted, lowest) if wanted < self.funded[source] else wanted

    def begin(self, wants: dict[str, int]) -> bool:
        if any(self.free(source) < amount for source, amount in wants.items() if amount):
            return False
        for source, amount in wants.items():
            self.pending[source] = self.pending.get(source, 0) + amount
        return True

    def settle(self, wants: dict[str, int], used: int) -> None:
        for source, amount in wants.items():
            self.pending[source] -= amount
            self.spent[source] = self.spent.get(source, 0) + min(amount, used)


class LedgerMachine(RuleBasedStateMachine):
    """Begins, ends, grants and changes of limits in any order, on one store."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"run{next(RUNS)}"
        self.model = Model()
        self.calls = 0
        self.open: dict[str, tuple[dict[str, int], tuple[Held, ...]]] = {}
        self.done: list[Settle] = []
        self.worker = self._worker()

    def _worker(self) -> int:
        row = self.database.execute(
            "INSERT INTO worker (host, pid, process_start, started_us) VALUES ('h', 1, 's', 0)"
            " RETURNING id"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _claim(self, source: str, amount: int) -> Claim:
        if source == "wallet ani":
            return Claim(source, amount, f"{self.prefix}{WALLET}")
        funding = Funding(f"{self.prefix}{source}", "USD", self.model.limit[source])
        return Claim(source, amount, funding)

    def _intent(self) -> Intent:
        self.calls += 1
        name = f"{self.prefix}-{self.calls}.1"
        return Intent(id=name, at=NOW, dimensions=Dimensions(), model="m")

    @rule(
        group=st.lists(
            st.dictionaries(st.sampled_from([*BUDGETS, "wallet ani"]), AMOUNTS, max_size=3),
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
        for source in {source for wants in group for source in wants}:
            self.model.settle_limit(source)
        for begin, wants, outcome in zip(begins, group, outcomes, strict=True):
            assert isinstance(outcome, Refusal) != self.model.begin(wants)
            if isinstance(outcome, tuple):
                ordered = dict(sorted(wants.items()))
                self.open[begin.intent.id] = (ordered, outcome)

    @rule(data=st.data(), used=st.integers(0, 90))
    def end_a_call(self, data: st.DataObject, used: int) -> None:
        if not self.open:
            return
        call = data.draw(st.sampled_from(sorted(self.open)))
        wants, holds = self.open.pop(call)
        captured = tuple(capture(held, used) for held in holds)
        settle = Settle(_call(call), captured)
        write_group(self.database, self.worker, [settle], at_us=2)
        self.model.settle(wants, used)
        self.done.append(settle)

    @rule(data=st.data())
    def end_it_once_more(self, data: st.DataObject) -> None:
        if self.done:
            again = data.draw(st.sampled_from(self.done))
            write_group(self.database, self.worker, [again], at_us=3)

    @rule(source=st.sampled_from(BUDGETS), limit=st.integers(0, 200))
    def change_a_limit(self, source: str, limit: int) -> None:
        self.model.limit[source] = limit

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
            row = self.database.execute(
                "SELECT credits_posted - withdrawn, debits_posted - withdrawn, debits_pending"
                " FROM account WHERE name = ?",
                (f"{self.prefix}{source}",),
            ).fetchone()
            spent, pending = self.model.spent.get(source, 0), self.model.pending.get(source, 0)
            assert row is None or row == (self.model.funded[source], spent, pending)
        row = self.database.execute(
            "SELECT SUM(debits_posted), SUM(debits_pending) FROM account"
            " WHERE id IN (SELECT account FROM wallet_grant WHERE wallet = ?)",
            (f"{self.prefix}{WALLET}",),
        ).fetchone()
        if self.model.grants:
            spent = self.model.spent.get("wallet ani", 0)
            pending = self.model.pending.get("wallet ani", 0)
            assert row is not None
            assert (int(row[0]), int(row[1])) == (spent, pending)


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
