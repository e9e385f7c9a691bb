"""Groups of calls: what is late, what is repeated, and a connection that is lost meanwhile."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime

from ledger_calls import Calls
from msgspec.structs import replace

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.errors import StoreError
from tokonomi.ledger.hold import Held, capture
from tokonomi.money import Money
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import workers
from tokonomi.storage.call_groups import Begin, Outcome, Settle, write_group
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.orphans import sweep
from tokonomi.storage.recorder import Recorder
from tokonomi.usage import Usage

AT = datetime(2026, 11, 1, tzinfo=UTC)
BUDGET = Funding("a budget", "USD", limit=100)
BALANCE = "SELECT debits_posted, debits_pending FROM account"
MINE = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"


def begin(name: str, amount: int) -> Begin:
    intent = Intent(id=name, at=AT, dimensions=Dimensions(), model="m")
    return Begin(intent, (Claim("budget", amount, BUDGET),))


def ended(name: str) -> Call:
    return Call(
        intent=Intent(id=name, at=AT, dimensions=Dimensions(), model="m"),
        model_served="m",
        usage=Usage(at=AT, output=7),
        cost=Unpriced("no price"),
        status=Status.OK,
    )


def test_an_end_that_comes_after_a_sweep_is_a_late_row_and_takes_what_is_available(
    database: Database, calls: Calls
) -> None:
    call = calls.begin(BUDGET, 70)
    assert call is not None
    [held] = calls.open[call]
    assert [orphan.id for orphan in sweep(database, now=AT).orphans] == [call]
    late = Settle(ended(call), (capture(held, 120),))
    for _ in range(2):
        write_group(database, calls.worker, [late], at_us=3)
    rows = database.execute("SELECT id, status, note FROM call ORDER BY seq").fetchall()
    request = call.removesuffix(".1")
    note = "its gateway had been taken for dead when this end came"
    assert rows == [(call, "orphaned", ""), (f"{request}+late.1", "ok", note)]
    moved = "SELECT kind, amount FROM transfer WHERE call_id IS NOT NULL ORDER BY seq"
    assert database.execute(moved).fetchall() == [
        ("expose", 70),
        ("release", 70),
        ("capture", 100),
        ("overrun", 20),
    ]
    assert only_row(database, BALANCE) == (100, 0)
    assert verify(database).imbalances == ()


def test_a_late_end_that_may_be_billed_as_well_leaves_exposed_what_the_sweep_exposed(
    database: Database, calls: Calls
) -> None:
    call = calls.begin(BUDGET, 70)
    assert call is not None
    [held] = calls.open[call]
    sweep(database, now=AT)
    broken = replace(ended(call), exposure=Money(70, "USD"))
    write_group(database, calls.worker, [Settle(broken, (capture(held, 0, exposed=70),))], at_us=3)
    exposed = "SELECT debits_posted, exposed FROM account"
    assert only_row(database, exposed) == (70, 70)
    assert verify(database).imbalances == ()


def test_a_group_that_stands_already_is_not_written_again(database: Database, calls: Calls) -> None:
    group = [begin("a.1", 30), begin("b.1", 30)]
    first = write_group(database, calls.worker, group, at_us=1)
    more = [*group, begin("c.1", 30)]
    again = write_group(database, calls.worker, more, at_us=2, again=True)
    assert again[:2] == first
    assert only_row(database, BALANCE) == (0, 90)
    ends = [Settle(ended("a.1"), (capture(_one(first[0]), 20),))]
    for repeated in (False, True):
        write_group(database, calls.worker, ends, at_us=3, again=repeated)
    assert only_row(database, BALANCE) == (20, 60)
    assert verify(database).imbalances == ()


def _one(outcome: Outcome) -> Held:
    assert isinstance(outcome, tuple)
    return outcome[0]


def test_a_recorder_whose_connections_are_lost_loses_and_doubles_nothing_on_postgresql(
    postgres_store: str,
) -> None:
    with closing(open_store(postgres_store)) as database:
        settled = asyncio.run(asyncio.wait_for(calls_with_losses(postgres_store, database), 30))
        assert 20 <= settled <= 40
        assert only_row(database, "SELECT count(*) FROM call") == (settled,)
        assert only_row(database, "SELECT debits_posted FROM account") == (settled,)
        assert verify(database).imbalances == ()


async def calls_with_losses(store: str, database: Database) -> int:
    """How many of forty calls could begin while their store's connection is lost now and then."""
    with closing(open_store(store)) as living:
        worker = workers.register(living, now=AT)
        recorder = Recorder(store, worker)
        own = [only_row(it, "SELECT pg_backend_pid()")[0] for it in (database, living)]
        others = f"{MINE} AND pid <> ? AND pid <> ?"
        settled = 0
        for number in range(40):
            try:
                claim = Claim("budget", 1, BUDGET)
                intent = ended(f"{number}.1").intent
                outcome = await recorder.begin(intent, [claim])
            except StoreError:
                continue
            held = outcome[0] if isinstance(outcome, tuple) else None
            assert held is not None
            settling = recorder.settle(ended(f"{number}.1"), [capture(held, 1)])
            if number % 4 == 0:
                for (pid,) in database.execute(others, own).fetchall():
                    database.execute("SELECT pg_terminate_backend(?)", (pid,))
            await settling
            settled += 1
        await recorder.close()
        return settled


def test_a_call_is_kept_whose_provider_names_a_field_that_no_text_can_have(
    database: Database, calls: Calls
) -> None:
    write_group(database, calls.worker, [begin("a.1", 5)], at_us=1)
    odd = replace(ended("a.1"), usage=Usage(at=AT, unknown_keys=("odd\0key",)))
    write_group(database, calls.worker, [Settle(odd)], at_us=2)
    (keys,) = only_row(database, "SELECT unknown_keys FROM call")
    assert keys in ("odd\0key", "odd\N{REPLACEMENT CHARACTER}key")
    assert only_row(database, BALANCE) == (0, 0)
