"""Laws of wallets on real databases: order, ends, refunds and replays, under storms of writers."""

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_calls import calls_in
from msgspec.structs import replace

from tokonomi.credits.grant import Grant, burn_order
from tokonomi.errors import BadInput
from tokonomi.ledger.account import Sink
from tokonomi.money import Money
from tokonomi.storage.database import Database, StoreBusy
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger import Conflict
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.package_files import load_offer
from tokonomi.storage.wallet_endings import end_grants
from tokonomi.storage.wallet_statements import statement_of
from tokonomi.storage.wallet_store import Receipt, buy, grants_of, promote, refund, wallets

NewStore = Callable[[], Path | str]

NOW = datetime(2026, 1, 30, 12, tzinfo=UTC)
NEVER = datetime(2040, 1, 1, tzinfo=UTC)
PAPER = load_offer().package("paper")
RUNS = count(1)
WRITERS = 8
GIFTS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 50), st.one_of(st.none(), st.integers(1, 9))),
    min_size=1,
    max_size=6,
)


def sums(database: Database, wallet: str, sink: Sink) -> int:
    row = database.execute(
        "SELECT COALESCE(SUM(transfer.amount), 0) FROM transfer JOIN wallet_grant"
        " ON wallet_grant.account = transfer.account WHERE wallet = ? AND sink = ?",
        (wallet, sink),
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_every_grant_ends_once_and_nothing_of_it_is_lost(new_store: NewStore) -> None:
    database = open_store(new_store())

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        GIFTS,
        st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=6),
        st.integers(0, 20),
        st.permutations([*range(1, 12)]),
    )
    def law(
        gifts: list[tuple[int, int, int | None]],
        uses: list[tuple[int, bool]],
        cap: int,
        looks: list[int],
    ) -> None:
        run = next(RUNS)
        wallet = f"shop:user:u{run}"
        made = [
            promote(
                database,
                Grant(
                    id=f"promotion/{run}-{place}",
                    wallet=wallet,
                    amount=amount,
                    priority=priority,
                    granted_at=NOW,
                    expires_at=None if days is None else NOW + timedelta(days=days),
                    promotional=True,
                    rollover_cap=0 if days is None else cap,
                ),
            )
            for place, (priority, amount, days) in enumerate(gifts)
        ]
        stored = [each.grant for each in grants_of(database, wallet)]
        assert stored == [*burn_order(made, NOW)]
        calls = calls_in(database)
        burned = sum(amount for amount, _ in uses if calls.use(wallet, amount))
        for days in looks:
            end_grants(database, now=NOW + timedelta(days=days))
        end_grants(database, now=NEVER)
        endless = [each for each in made if each.expires_at is None]
        rest = sum(each.used.left(each.grant) for each in grants_of(database, wallet))
        granted = sum(each.amount for each in made)
        assert rest <= sum(each.amount for each in endless)
        assert granted == burned + rest + sums(database, wallet, Sink.BREAKAGE)
        rolled = [
            each.grant
            for each in grants_of(database, wallet, ended=True)
            if each.grant.id.startswith("rolled/")
        ]
        assert all(each.amount <= cap and each.rollover_cap == 0 for each in rolled)
        assert statement_of(database, wallet, since=NOW, until=NEVER + timedelta(1)).closing == rest

    with contextlib.closing(database):
        law()
        assert verify(database).imbalances == ()


def storm(store: Path | str, work: Callable[[Database, int], object], times: int) -> list[object]:
    """What `times` pieces of work answered, by several threads with a connection each."""

    def one(number: int) -> object:
        with contextlib.closing(open_store(store)) as database:
            while True:
                try:
                    return work(database, number)
                except StoreBusy:
                    continue
                except (BadInput, Conflict) as refused:
                    return refused

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(one, range(times)))


def test_a_payment_told_by_many_at_once_grants_once(new_store: NewStore) -> None:
    store = new_store()
    answers = storm(
        store,
        lambda db, _: buy(db, PAPER, wallet="default:user:ani", payment_id="p-1", now=NOW),
        40,
    )
    assert len(set(map(str, answers))) == 1
    with contextlib.closing(open_store(store)) as database:
        assert [each.balance for each in wallets(database)] == [300_000]
        assert verify(database).transfers == 1


def test_a_payment_told_for_two_wallets_at_once_grants_one_of_them(new_store: NewStore) -> None:
    store = new_store()
    answers = storm(
        store,
        lambda db, n: buy(db, PAPER, wallet=f"shop:user:{n % 2}", payment_id="p-1", now=NOW),
        20,
    )
    granted = [each for each in answers if isinstance(each, Grant)]
    refused = [each for each in answers if isinstance(each, Conflict)]
    assert (len(granted), len(refused)) == (10, 10)
    assert len({each.wallet for each in granted}) == 1
    with contextlib.closing(open_store(store)) as database:
        assert [each.balance for each in wallets(database)] == [300_000]


def test_a_storm_of_refunds_pays_back_no_more_than_was_paid(new_store: NewStore) -> None:
    store = new_store()
    with contextlib.closing(open_store(store)) as database:
        grant = buy(database, PAPER, wallet="default:user:ani", payment_id="p-1", now=NOW)
        assert calls_in(database).use("default:user:ani", 90_000)
    answers = storm(
        store, lambda db, n: refund(db, f"r-{n // 2}", grant.id, amount=7_001, now=NOW), 80
    )
    receipts = {each.id: each for each in answers if isinstance(each, Receipt)}
    assert len(receipts) == 210_000 // 7_001
    assert sum(isinstance(each, BadInput) for each in answers) == 80 - 2 * len(receipts)
    with contextlib.closing(open_store(store)) as database:
        rest = refund(database, "rest", grant.id, now=NOW)
        back = sum((each.money for each in receipts.values()), start=rest.money)
        assert back == Money.parse("56000", "IDR")
        assert [each.balance for each in wallets(database)] == [0]
        assert verify(database).imbalances == ()


def test_many_sweeps_at_once_end_a_grant_once(new_store: NewStore) -> None:
    store = new_store()
    monthly = replace(PAPER, expires_after_days=30, rollover_cap=50_000)
    with contextlib.closing(open_store(store)) as database:
        for number in range(5):
            buy(database, monthly, wallet="default:user:ani", payment_id=f"p-{number}", now=NOW)
    over = NOW + timedelta(days=30)
    answers = storm(store, lambda db, _: len(end_grants(db, now=over)), 16)
    assert sum(each for each in answers if isinstance(each, int)) == 5
    with contextlib.closing(open_store(store)) as database:
        assert sums(database, "default:user:ani", Sink.BREAKAGE) == 5 * 250_000
        assert [each.balance for each in wallets(database)] == [5 * 50_000]
        assert verify(database).imbalances == ()
