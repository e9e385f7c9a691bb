"""The order, the groups and repeats of the ends of calls do not change what they leave."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from ended_calls import ended_call
from hypothesis import given, settings
from hypothesis import strategies as st

from tokonomi.calls import Dimensions, Intent
from tokonomi.credits.grant import Grant
from tokonomi.ledger.hold import Captured, Held, capture
from tokonomi.storage.call_groups import Begin, Settle, write_group
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.wallet_store import promote

NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
RUNS: Final = count(1)
LIMIT: Final = 120
GRANTS: Final = (30, 50, 60)


class Use(NamedTuple):
    """What a call holds on the budget and on the wallet, what it used, and what is in doubt."""

    held: int
    used: int
    exposed: int


class Left(NamedTuple):
    """What an account has in the end."""

    posted: int
    pending: int
    exposed: int
    overrun: int


uses = st.builds(Use, held=st.integers(0, 40), used=st.integers(0, 60), exposed=st.integers(0, 60))


@st.composite
def arranged(draw: st.DrawFn) -> tuple[list[Use], list[list[int]]]:
    """Calls, and the groups in which they end: each at least once, some again and again."""
    calls = draw(st.lists(uses, min_size=1, max_size=6))
    numbers = range(len(calls))
    again = draw(st.lists(st.sampled_from(numbers), max_size=4))
    order = draw(st.permutations([*numbers, *again]))
    cuts = sorted(draw(st.sets(st.integers(1, len(order)), max_size=4)) | {len(order)})
    return calls, [order[first:last] for first, last in zip([0, *cuts], cuts, strict=False)]


class Run:
    """A budget and a wallet of their own in a shared store, and calls that have begun on them."""

    def __init__(self, database: Database, calls: Sequence[Use]) -> None:
        self.database = database
        self.name = f"order{next(RUNS)}"
        self.worker = int(
            only_row(
                database,
                "INSERT INTO worker (host, pid, process_start, started_us)"
                " VALUES ('h', 1, 's', 0) RETURNING id",
            )[0]
        )
        for number, amount in enumerate(GRANTS):
            grant = Grant(
                id=f"promotion/{self.name}/{number}",
                wallet=self.name,
                amount=amount,
                granted_at=NOW,
                promotional=True,
            )
            promote(database, grant)
        self.ends = [end for number, use in enumerate(calls) if (end := self._begin(number, use))]

    def _begin(self, number: int, use: Use) -> Settle | None:
        """How the call will end, if it may begin: that does not depend on how others end."""
        budget = Funding(f"budget {self.name}", "USD", LIMIT, 0)
        claims = (
            Claim("budget", use.held, budget),
            Claim(f"wallet {self.name}", use.held, self.name),
        )
        intent = Intent(id=f"{self.name}-{number}.1", at=NOW, dimensions=Dimensions(), model="m")
        [outcome] = write_group(self.database, self.worker, [Begin(intent, claims)], at_us=1)
        if not isinstance(outcome, tuple):
            return None
        return Settle(ended_call(intent), tuple(_resolved(held, use) for held in outcome))

    def end(self, groups: Iterable[Sequence[int]]) -> None:
        for group in groups:
            settles = [self.ends[number] for number in group if number < len(self.ends)]
            if settles:
                write_group(self.database, self.worker, settles, at_us=2)

    def left(self) -> Mapping[str, Left]:
        """By account, with the name of the run taken out."""
        rows = self.database.execute(
            "SELECT name, debits_posted, debits_pending, exposed, overrun FROM account"
            " WHERE name LIKE ? OR name LIKE ?",
            (f"%{self.name}", f"%{self.name}/%"),
        ).fetchall()
        return {row[0].replace(self.name, "run"): Left(*row[1:]) for row in rows}


def _resolved(held: Held, use: Use) -> Captured:
    """Budgets take what may have been used besides; wallets never do."""
    return capture(held, use.used, exposed=0 if held.source.startswith("wallet") else use.exposed)


def charged(left: Mapping[str, Left]) -> tuple[int, int]:
    """All that the budget and the wallet were charged and are exposed to, paid for or not."""
    of_budget = sum(it.posted + it.overrun for name, it in left.items() if "budget" in name)
    return of_budget, sum(it.posted + it.overrun for it in left.values()) - of_budget


def one_by_one_and_as_arranged(
    database: Database, calls: Sequence[Use], groups: Sequence[Sequence[int]]
) -> tuple[Mapping[str, Left], Mapping[str, Left]]:
    """What two runs of the same calls leave."""
    plain, other = Run(database, calls), Run(database, calls)
    plain.end([number] for number in range(len(calls)))
    other.end(groups)
    return plain.left(), other.left()


@pytest.fixture(scope="module")
def database(new_store: Callable[[], Path | str]) -> Iterator[Database]:
    with closing(open_store(new_store())) as opened:
        yield opened


@settings(max_examples=40)
@given(case=arranged())
def test_calls_within_their_holds_leave_every_account_the_same(
    database: Database, case: tuple[list[Use], list[list[int]]]
) -> None:
    calls, groups = case
    within = [use._replace(used=min(use.used, use.held)) for use in calls]
    plain, other = one_by_one_and_as_arranged(database, within, groups)
    assert plain == other
    assert all((it.pending, it.overrun) == (0, 0) for it in other.values())


@settings(max_examples=40)
@given(case=arranged())
def test_calls_beyond_their_holds_leave_the_same_total_paid_for_or_overrun(
    database: Database, case: tuple[list[Use], list[list[int]]]
) -> None:
    plain, other = one_by_one_and_as_arranged(database, *case)
    assert charged(plain) == charged(other)
    assert {it.pending for it in other.values()} <= {0}


def test_all_these_histories_together_balance(database: Database) -> None:
    assert verify(database).imbalances == ()
