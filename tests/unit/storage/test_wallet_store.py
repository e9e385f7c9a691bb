"""Purchases, promotions and refunds: each once, exact to the last sub-unit, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from ledger_calls import Calls

from tokonomi.credits.grant import Grant
from tokonomi.errors import BadInput, NotFound
from tokonomi.money import Money
from tokonomi.storage.database import Database
from tokonomi.storage.ledger import Conflict
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.package_files import load_offer
from tokonomi.storage.wallet_store import buy, grants_of, promote, refund, wallets

NOW = datetime(2026, 1, 30, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=2)
PAPER = load_offer().package("paper")
SMALL = load_offer().package("extension-s")
ANI = "default:user:ani"


def gift(name: str, milli: int, **others: int) -> Grant:
    return Grant(
        id=f"promotion/{name}",
        wallet=ANI,
        amount=milli,
        granted_at=NOW,
        promotional=True,
        **others,  # pyright: ignore[reportArgumentType] - fields by name
    )


def test_a_payment_grants_its_package_once_however_often_it_is_told(database: Database) -> None:
    first = buy(database, PAPER, wallet=ANI, payment_id="p-1", now=NOW)
    again = buy(database, PAPER, wallet=ANI, payment_id="p-1", now=LATER)
    assert again == first
    assert (first.amount, first.paid) == (300_000, Money.parse("80000", "IDR"))
    assert [each.grant for each in grants_of(database, ANI)] == [first]
    assert [(each.wallet, each.balance) for each in wallets(database)] == [(ANI, 300_000)]


@pytest.mark.parametrize(("wallet", "package"), [("default:user:budi", PAPER), (ANI, SMALL)])
def test_the_same_payment_for_something_else_is_a_conflict_and_writes_nothing(
    database: Database, wallet: str, package: object
) -> None:
    buy(database, PAPER, wallet=ANI, payment_id="p-1", now=NOW)
    with pytest.raises(Conflict, match="payment/p-1 granted 300 credits to default:user:ani"):
        buy(database, package, wallet=wallet, payment_id="p-1", now=NOW)  # pyright: ignore[reportArgumentType] - a package
    accounts = database.execute("SELECT COUNT(*) FROM account").fetchone()
    assert accounts == (1,)
    assert [each.balance for each in wallets(database)] == [300_000]


def test_a_rehearsed_purchase_answers_and_leaves_nothing(database: Database) -> None:
    tried = buy(database, PAPER, wallet=ANI, payment_id="p-1", now=NOW, dry_run=True)
    assert (tried.amount, wallets(database)) == (300_000, [])
    assert database.execute("SELECT COUNT(*) FROM transfer").fetchone() == (0,)


def test_a_purchase_needs_the_id_of_a_payment(database: Database) -> None:
    with pytest.raises(BadInput, match="cannot be the id of a payment"):
        buy(database, PAPER, wallet=ANI, payment_id="", now=NOW)


def test_grants_burn_in_order_and_calls_take_them_so(database: Database, calls: Calls) -> None:
    paid = buy(database, SMALL, wallet=ANI, payment_id="p-1", now=NOW)
    free = promote(database, gift("welcome", 10_000))
    first = promote(database, gift("first", 5_000, priority=1))
    assert [each.grant for each in grants_of(database, ANI)] == [first, free, paid]
    assert calls.use(ANI, 12_000)
    left = [each.used.left(each.grant) for each in grants_of(database, ANI)]
    assert left == [0, 3_000, 50_000]
    assert not calls.use(ANI, 53_001)
    assert verify(database).imbalances == ()


def test_a_promotion_is_granted_once_and_its_id_is_not_used_for_another(
    database: Database,
) -> None:
    first = promote(database, gift("welcome", 10_000))
    assert promote(database, gift("welcome", 10_000)) == first
    with pytest.raises(Conflict):
        promote(database, gift("welcome", 10_001))
    assert [each.balance for each in wallets(database)] == [10_000]


def test_a_sold_grant_cannot_be_given_away(database: Database) -> None:
    sold = buy(database, PAPER, wallet=ANI, payment_id="p-1", now=NOW, dry_run=True)
    with pytest.raises(BadInput, match="no promotional grant"):
        promote(database, sold)


def test_a_refund_pays_back_at_the_price_that_was_paid(database: Database, calls: Calls) -> None:
    grant = buy(database, PAPER, wallet=ANI, payment_id="p-1", now=NOW)
    assert calls.use(ANI, 150_000)
    receipt = refund(database, "r-1", grant.id, now=LATER)
    assert (receipt.amount, receipt.money.format("id")) == (150_000, "Rp 40.000")
    assert refund(database, "r-1", grant.id, now=LATER + timedelta(days=1)) == receipt
    assert refund(database, "r-1", grant.id, amount=150_000, now=LATER) == receipt
    assert [each.balance for each in wallets(database)] == [0]
    assert verify(database).imbalances == ()


def test_a_refund_id_is_not_used_for_another_refund(database: Database) -> None:
    one = buy(database, SMALL, wallet=ANI, payment_id="p-1", now=NOW)
    two = buy(database, SMALL, wallet=ANI, payment_id="p-2", now=NOW)
    refund(database, "r-1", one.id, amount=10_000, now=NOW)
    with pytest.raises(Conflict, match="refund r-1 was 10 credits of payment/p-1"):
        refund(database, "r-1", one.id, amount=10_001, now=NOW)
    with pytest.raises(Conflict):
        refund(database, "r-1", two.id, amount=10_000, now=NOW)
    assert [each.balance for each in wallets(database)] == [90_000]


def test_what_calls_in_flight_hold_is_not_paid_back(database: Database, calls: Calls) -> None:
    grant = buy(database, SMALL, wallet=ANI, payment_id="p-1", now=NOW)
    call = calls.begin(ANI, 20_000)
    assert call is not None
    with pytest.raises(BadInput) as told:
        refund(database, "r-1", grant.id, amount=30_001, now=NOW)
    assert str(told.value) == (
        "bad_input: grant payment/p-1 has 30 credits left, 30.001 cannot be paid back."
        " 20 are on hold for calls in flight. Pay back up to 30."
    )
    refund(database, "r-1", grant.id, amount=30_000, now=NOW)
    calls.end(call, 20_000)
    assert verify(database).imbalances == ()


def test_promotional_credits_are_not_paid_back(database: Database) -> None:
    promote(database, gift("welcome", 10_000))
    with pytest.raises(BadInput, match="promotional, nothing was paid for it"):
        refund(database, "r-1", "promotion/welcome", now=NOW)


def test_a_grant_that_does_not_exist_is_told(database: Database) -> None:
    with pytest.raises(NotFound, match="there is no grant payment/x"):
        refund(database, "r-1", "payment/x", now=NOW)


def test_a_rehearsed_refund_answers_and_leaves_the_credits(database: Database) -> None:
    grant = buy(database, SMALL, wallet=ANI, payment_id="p-1", now=NOW)
    tried = refund(database, "r-1", grant.id, now=NOW, dry_run=True)
    assert tried.money == Money.parse("25000", "IDR")
    assert [each.balance for each in wallets(database)] == [50_000]


def test_what_was_used_and_no_grant_paid_for_is_told_beside_the_balance(
    database: Database, calls: Calls
) -> None:
    buy(database, SMALL, wallet=ANI, payment_id="p-1", now=NOW)
    first, second = calls.begin(ANI, 1_000), calls.begin(ANI, 48_000)
    assert first is not None
    assert second is not None
    calls.end(first, 2_500)
    calls.end(second, 8_000)
    (wallet,) = wallets(database, ANI)
    assert (wallet.balance, wallet.held, wallet.overrun) == (40_000, 0, 500)
    assert wallet.available == 40_000
