"""Alerts and notices fire once, for all processes and over restarts."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

from ledger_calls import Calls, calls_in

from tokonomi.budgets.limit import Budget, account_name
from tokonomi.budgets.window import Period, Window
from tokonomi.credits.grant import Grant
from tokonomi.credits.rule_table import StoredRule
from tokonomi.credits.wallet import WalletRule
from tokonomi.money import Money
from tokonomi.storage import budget_store
from tokonomi.storage.call_rows import microseconds
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.fired_events import fire_events
from tokonomi.storage.ledger import Funding
from tokonomi.storage.package_files import load_offer
from tokonomi.storage.wallet_endings import end_grants
from tokonomi.storage.wallet_rules import set_rule
from tokonomi.storage.wallet_store import buy, promote

NOW = datetime(2026, 11, 10, tzinfo=UTC)
MONTH = datetime(2026, 11, 1, tzinfo=UTC)
NEXT = datetime(2026, 12, 1, tzinfo=UTC)
ANI = "default:user:ani"
SMALL = load_offer().package("extension-s")
TEAM = Budget(
    id="team",
    window=Window(period=Period.MONTH),
    currency="USD",
    amount=Money.parse("10", "USD"),
    alerts=(Fraction(1, 2), Fraction(4, 5)),
    forecast_alerts=(Fraction(1),),
)


def spend(calls: Calls, amount: int, start: datetime = MONTH) -> bool:
    funding = Funding(account_name("team", "all", start), "USD", 10**13)
    return calls.use(funding, amount * 10**12)


def test_a_share_of_a_budget_is_told_once_in_each_window(database: Database, calls: Calls) -> None:
    budget_store.create(database, TEAM, now=NOW)
    assert spend(calls, 2)
    assert fire_events(database, NOW) == []
    assert spend(calls, 4)
    told = fire_events(database, NOW)
    assert [each.name for each in told] == ["spent 50%", "forecast 100%"]
    assert told[0].text == ("budget team (all) reached 50%: $6.00 of $10.00 was spent, $4.00 left")
    assert fire_events(database, NOW) == []
    assert spend(calls, 3)
    assert [each.name for each in fire_events(database, NOW)] == ["spent 80%"]
    assert spend(calls, 6, NEXT)
    assert [each.name for each in fire_events(database, NEXT)] == ["spent 50%"]


def test_what_fired_stays_fired_after_a_restart(new_store: Callable[[], Path | str]) -> None:
    store = new_store()
    with contextlib.closing(open_store(store)) as first:
        budget_store.create(first, TEAM, now=NOW)
        assert spend(calls_in(first), 5)
        assert len(fire_events(first, MONTH + timedelta(days=1))) == 1
    with contextlib.closing(open_store(store)) as second:
        assert fire_events(second, MONTH + timedelta(days=1)) == []


def test_a_wallet_is_told_low_then_exhausted_and_anew_after_a_top_up(
    database: Database, calls: Calls
) -> None:
    set_rule(database, StoredRule(WalletRule(per="user"), low_at=10_000), now=NOW)
    buy(database, SMALL, wallet=ANI, payment_id="p-1", now=NOW)
    assert fire_events(database, NOW) == []
    assert calls.use(ANI, 41_000)
    (low,) = fire_events(database, NOW)
    assert (low.name, low.text) == ("credits_low", "wallet default:user:ani has 9 credits left")
    assert calls.use(ANI, 9_000)
    assert [each.name for each in fire_events(database, NOW)] == ["credits_exhausted"]
    assert fire_events(database, NOW) == []
    buy(database, SMALL, wallet=ANI, payment_id="p-2", now=NOW)
    assert calls.use(ANI, 50_000)
    assert [each.name for each in fire_events(database, NOW)] == ["credits_exhausted"]


def test_a_wallet_that_a_request_was_refused_for_is_exhausted(database: Database) -> None:
    buy(database, SMALL, wallet=ANI, payment_id="p-1", now=NOW)
    assert fire_events(database, NOW) == []
    told = fire_events(database, NOW, refused={ANI})
    assert [(each.subject, each.name) for each in told] == [
        ("wallet default:user:ani", "credits_exhausted")
    ]
    assert fire_events(database, NOW, refused={ANI}) == []


SO_FAR = " more than they held and than was left, "
ABOVE = " of them on 2026-11-10 (UTC) so far; a provider billed above the worst case"


def test_an_overrun_is_told_once_a_day_for_each_account(database: Database, calls: Calls) -> None:
    today = microseconds(NOW)
    funding = Funding(account_name("team", "user=ani", MONTH), "USD", 3 * 10**12)
    flying = [calls.begin(funding, 10**12) for _ in range(3)]
    for number, (call, used) in enumerate(zip(flying, (12, 11, 10), strict=True)):
        assert call is not None
        calls.end(call, used * 10**11, at_us=today + number)
    buy(database, SMALL, wallet=ANI, payment_id="p-1", now=NOW)
    call = calls.begin(ANI, 50_000)
    assert call is not None
    calls.end(call, 50_500, at_us=today)
    told = [each for each in fire_events(database, NOW) if each.name.startswith("overrun")]
    assert [(each.about, each.name, each.text) for each in told] == [
        ("budget", "overrun 2026-11-10", f"budget team user=ani: calls used $0.30{SO_FAR}2{ABOVE}"),
        (
            "wallet",
            "overrun 2026-11-10",
            f"wallet default:user:ani: calls used 0.5 credits{SO_FAR}1{ABOVE}",
        ),
    ]
    assert fire_events(database, NOW) == []
    tomorrow = NOW + timedelta(days=1)
    raised = Funding(funding.name, "USD", 4 * 10**12, version=1)
    call = calls.begin(raised, 10**11)
    assert call is not None
    calls.end(call, 10**12, at_us=microseconds(tomorrow))
    assert [each.name for each in fire_events(database, tomorrow)] == ["overrun 2026-11-11"]


def test_a_wallet_whose_last_grant_has_ended_is_still_told_and_then_looked_at_no_more(
    database: Database, calls: Calls
) -> None:
    buy(database, SMALL, wallet=ANI, payment_id="p-1", now=NOW)
    assert calls.use(ANI, 50_000)
    end_grants(database, now=NOW)
    watched = "SELECT count(*) FROM wallet_grant WHERE watched = 1"
    assert only_row(database, watched) == (1,)
    assert [each.name for each in fire_events(database, NOW)] == ["credits_exhausted"]
    assert only_row(database, watched) == (0,)
    assert fire_events(database, NOW, refused={ANI}) == []
    buy(database, SMALL, wallet=ANI, payment_id="p-2", now=NOW)
    assert [each.name for each in fire_events(database, NOW, refused={ANI})] == [
        "credits_exhausted"
    ]


def test_an_expired_gift_does_not_make_an_older_grant_tell_again(
    database: Database, calls: Calls
) -> None:
    set_rule(database, StoredRule(WalletRule(per="user"), low_at=60_000), now=NOW)
    buy(database, SMALL, wallet=ANI, payment_id="p-1", now=NOW)
    assert [each.name for each in fire_events(database, NOW)] == ["credits_low"]
    expires = NOW + timedelta(hours=1)
    gift = Grant(
        id="promotion/g",
        wallet=ANI,
        amount=1_000,
        granted_at=NOW,
        expires_at=expires,
        promotional=True,
    )
    promote(database, gift)
    assert [each.name for each in fire_events(database, NOW)] == ["credits_low"]
    end_grants(database, now=expires)
    assert fire_events(database, expires) == []
    assert fire_events(database, expires) == []
    assert calls.use(ANI, 50_000)
    assert [each.name for each in fire_events(database, expires)] == ["credits_exhausted"]
