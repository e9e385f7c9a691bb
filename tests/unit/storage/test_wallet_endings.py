"""Grants end once, by a row; what is held waits, what rolls over lives on."""

from datetime import UTC, datetime, timedelta

from ledger_calls import Calls
from msgspec.structs import replace

from tokonomi.ledger.account import Sink
from tokonomi.money import Money
from tokonomi.storage.database import Database
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.package_files import load_offer
from tokonomi.storage.wallet_endings import end_grants
from tokonomi.storage.wallet_store import buy, grants_of, refund, wallets

NOW = datetime(2026, 1, 30, 12, tzinfo=UTC)
OVER = NOW + timedelta(days=30)
ANI = "default:user:ani"
MONTHLY = replace(load_offer().package("paper"), expires_after_days=30)
ROLLING = replace(MONTHLY, rollover_cap=50_000)


def breakage(database: Database) -> int:
    row = database.execute(
        "SELECT COALESCE(SUM(amount), 0) FROM transfer WHERE sink = ?", (Sink.BREAKAGE,)
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_the_rest_of_a_grant_that_is_over_is_breakage_once(
    database: Database, calls: Calls
) -> None:
    buy(database, MONTHLY, wallet=ANI, payment_id="p-1", now=NOW)
    assert calls.use(ANI, 100_000)
    assert end_grants(database, now=OVER - timedelta(microseconds=1)) == []
    (ended,) = end_grants(database, now=OVER)
    assert ended.ending is not None
    assert ended.ending.kept == Money.parse("80000", "IDR") - Money(266_666_666_6666, "IDR")
    assert end_grants(database, now=OVER) == []
    assert (breakage(database), [each.balance for each in wallets(database)]) == (200_000, [0])
    assert not calls.use(ANI, 1)
    assert verify(database).imbalances == ()


def test_until_a_row_says_so_a_grant_is_not_over(database: Database, calls: Calls) -> None:
    buy(database, MONTHLY, wallet=ANI, payment_id="p-1", now=NOW)
    assert calls.use(ANI, 1)
    end_grants(database, now=OVER)
    assert not calls.use(ANI, 1)


def test_a_grant_with_holds_takes_no_new_call_and_ends_when_they_do(
    database: Database, calls: Calls
) -> None:
    grant = buy(database, MONTHLY, wallet=ANI, payment_id="p-1", now=NOW)
    call = calls.begin(ANI, 40_000)
    assert call is not None
    (waiting,) = end_grants(database, now=OVER)
    assert (waiting.grant, waiting.ending) == (grant, None)
    assert not calls.use(ANI, 1)
    calls.end(call, 30_000)
    (ended,) = end_grants(database, now=OVER)
    assert ended.ending is not None
    assert ended.ending.breakage == breakage(database) == 270_000
    assert verify(database).imbalances == ()


def test_what_rolls_over_lives_as_long_again_and_rolls_no_second_time(
    database: Database, calls: Calls
) -> None:
    buy(database, ROLLING, wallet=ANI, payment_id="p-1", now=NOW)
    assert calls.use(ANI, 200_000)
    end_grants(database, now=OVER)
    (rolled,) = grants_of(database, ANI)
    assert (rolled.grant.amount, rolled.grant.expires_at) == (50_000, OVER + timedelta(days=30))
    assert breakage(database) == 50_000
    assert calls.use(ANI, 10_000)
    receipt = refund(database, "r-1", rolled.grant.id, amount=20_000, now=OVER)
    assert receipt.money.format("id") == "Rp 5.333"
    end_grants(database, now=OVER + timedelta(days=30))
    assert (breakage(database), grants_of(database, ANI)) == (70_000, [])
    assert verify(database).imbalances == ()


def test_a_sweep_after_a_long_silence_ends_the_rolled_grant_too(database: Database) -> None:
    buy(database, ROLLING, wallet=ANI, payment_id="p-1", now=NOW)
    ended = end_grants(database, now=NOW + timedelta(days=300))
    assert [each.grant.id for each in ended] == ["payment/p-1", "rolled/payment/p-1"]
    assert breakage(database) == 300_000
    assert verify(database).imbalances == ()


def test_a_rehearsal_tells_what_would_end_and_ends_nothing(database: Database) -> None:
    buy(database, ROLLING, wallet=ANI, payment_id="p-1", now=NOW)
    (tried,) = end_grants(database, now=OVER, dry_run=True)
    assert tried.ending is not None
    assert tried.ending.breakage == 250_000
    assert [each.balance for each in wallets(database)] == [300_000]


def test_a_used_up_grant_is_closed_so_that_calls_pass_it_by(
    database: Database, calls: Calls
) -> None:
    small = load_offer().package("extension-s")
    buy(database, small, wallet=ANI, payment_id="p-1", now=NOW)
    second = buy(database, small, wallet=ANI, payment_id="p-2", now=NOW)
    assert calls.use(ANI, 60_000)
    assert end_grants(database, now=OVER) == []
    assert [each.grant for each in grants_of(database, ANI)] == [second]
    assert [each.left for each in grants_of(database, ANI, ended=True)] == [40_000, 0]
