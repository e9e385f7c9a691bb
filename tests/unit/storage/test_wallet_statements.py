"""The statement of a wallet is made of its transfers, with the money that moved."""

from datetime import UTC, datetime, timedelta

import pytest
from ledger_calls import Calls
from msgspec.structs import replace

from tokonomi.credits.grant import Grant
from tokonomi.credits.wallet import EntryKind
from tokonomi.errors import BadInput
from tokonomi.money import Money
from tokonomi.storage.database import Database
from tokonomi.storage.package_files import load_offer
from tokonomi.storage.wallet_endings import end_grants
from tokonomi.storage.wallet_statements import statement_of
from tokonomi.storage.wallet_store import buy, promote, refund

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 30, 12, tzinfo=UTC)
OVER = NOW + timedelta(days=30)
FOREVER = datetime(2030, 1, 1, tzinfo=UTC)
ANI = "default:user:ani"
MONTHLY = replace(load_offer().package("paper"), expires_after_days=30, rollover_cap=50_000)


def test_every_movement_is_an_entry_and_money_sums_to_the_price(
    database: Database, calls: Calls
) -> None:
    buy(database, MONTHLY, wallet=ANI, payment_id="p-1", now=NOW)
    gift = Grant(id="promotion/x", wallet=ANI, amount=7, granted_at=NOW, promotional=True)
    promote(database, gift)
    assert calls.use(ANI, 100_007)
    refund(database, "r-1", "payment/p-1", amount=100_000, now=NOW)
    end_grants(database, now=OVER)
    whole = statement_of(database, ANI, since=BEGINNING, until=FOREVER)
    assert whole.totals == {
        EntryKind.PURCHASE: 300_000,
        EntryKind.PROMOTION: 7,
        EntryKind.ROLLED_IN: 50_000,
        EntryKind.BURN: 100_007,
        EntryKind.EXPIRY: 50_000,
        EntryKind.ROLLED_OUT: 50_000,
        EntryKind.REFUND: 100_000,
    }
    assert (whole.opening, whole.closing) == (0, 50_000)
    assert whole.paid == (Money.parse("80000", "IDR"),)
    assert [each.format("id") for each in whole.paid_back] == ["Rp 26.667"]


def test_one_statement_closes_where_the_next_one_opens(database: Database) -> None:
    small = load_offer().package("extension-s")
    for day in range(4):
        at = NOW + timedelta(days=day)
        buy(database, small, wallet=ANI, payment_id=f"p-{day}", now=at)
    edge = NOW + timedelta(days=2)
    first = statement_of(database, ANI, since=NOW, until=edge)
    second = statement_of(database, ANI, since=edge, until=FOREVER)
    assert (first.opening, first.closing) == (0, 100_000)
    assert (second.opening, second.closing) == (100_000, 200_000)
    assert [each.reference for each in second.entries] == ["p-2", "p-3"]
    assert second.paid == (Money.parse("50000", "IDR"),)


def test_a_wallet_that_holds_nothing_has_an_empty_statement(database: Database) -> None:
    empty = statement_of(database, "user:nobody", since=NOW, until=FOREVER)
    assert (empty.opening, empty.closing, empty.entries) == (0, 0, ())


def test_a_period_that_ends_before_it_begins_is_refused(database: Database) -> None:
    with pytest.raises(BadInput, match="the statement would end at"):
        statement_of(database, ANI, since=FOREVER, until=NOW)


def test_a_grant_that_ends_late_shows_its_rolled_credits_once_on_every_day(
    database: Database,
) -> None:
    buy(database, MONTHLY, wallet=ANI, payment_id="p-1", now=NOW)
    late = OVER + timedelta(days=5)
    end_grants(database, now=late)
    days = [NOW + timedelta(days=day) for day in range(40)]
    closing = [statement_of(database, ANI, since=BEGINNING, until=day).closing for day in days]
    assert closing == [0] + [300_000] * 35 + [50_000] * 4
    [expiry, rolled_in] = [
        statement_of(database, ANI, since=OVER, until=late + timedelta(seconds=1)).totals[kind]
        for kind in (EntryKind.EXPIRY, EntryKind.ROLLED_IN)
    ]
    assert (expiry, rolled_in) == (250_000, 50_000)
