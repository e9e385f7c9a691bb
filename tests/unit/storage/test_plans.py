"""What runs every few seconds, or answers a person, reads no table that grows for ever."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from ledger_calls import Calls
from plans import explained

from tokonomi.budgets.limit import Budget, account_name, budget_window
from tokonomi.budgets.window import Period, Window
from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.credits.rule_table import StoredRule
from tokonomi.credits.wallet import WalletRule
from tokonomi.money import Money
from tokonomi.pricing.charge import Unpriced
from tokonomi.storage import budget_store
from tokonomi.storage.call_groups import Settle, write_group
from tokonomi.storage.database import Database
from tokonomi.storage.fired_events import fire_events
from tokonomi.storage.ledger import Funding
from tokonomi.storage.ledger_history import accounts, opened
from tokonomi.storage.package_files import load_offer
from tokonomi.storage.wallet_endings import end_grants
from tokonomi.storage.wallet_rules import set_rule
from tokonomi.storage.wallet_store import buy
from tokonomi.usage import Source, Usage

NOW = datetime(2026, 11, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
OLD = 10_000
GROWING = {"account", "transfer", "call", "wallet_grant", "event"}
TEAM = Budget(
    id="team",
    window=Window(period=Period.HOUR),
    currency="USD",
    amount=Money.parse("10", "USD"),
    alerts=(Fraction(1, 2),),
)


@pytest.fixture
def old_store(database: Database, calls: Calls) -> Database:
    """A store with ten thousand accounts of windows and wallets that are over, and one of each."""
    budget_store.create(database, TEAM, now=NOW)
    set_rule(database, StoredRule(WalletRule(per="user"), low_at=60_000), now=NOW)
    starts = [NOW - (number + 1) * HOUR for number in range(OLD // 2)]
    columns = ("name", "asset", "floor", "credits_posted", "budget_window")
    with database.transaction():
        windows = [
            (account_name("team", "all", start), "USD", 0, 10**13, budget_window("team", start))
            for start in starts
        ]
        database.insert("account", columns, windows)
        grants = [
            (f"wallet:user:{number}:grant:payment/{number}", "CREDIT", 0, 0, None)
            for number in range(OLD // 2)
        ]
        database.insert("account", columns, grants)
        database.execute(
            "INSERT INTO wallet_grant (id, wallet, account, amount, priority, promotional,"
            " granted_us, expires_us, closed_us, ended_us, paid_amount, paid_currency,"
            " rollover_cap, package, watched) SELECT name, name, id, 1, 0, 0, 0, 1, 1, 1, 1, 'IDR',"
            " 0, '', 0 FROM account WHERE asset = 'CREDIT'"
        )
        database.execute(
            "INSERT INTO transfer (kind, account, sink, amount, at_us)"
            " SELECT 'fund', id, 'issued', 10, 0 FROM account"
        )
        database.execute(
            "INSERT INTO event (account, name, about, subject, detail, at_us)"
            " SELECT id, 'spent 50%', 'budget', '', '', 0 FROM account"
        )
    assert calls.use(Funding(account_name("team", "all", NOW), "USD", 10**13), 6 * 10**12)
    buy(
        database,
        load_offer().package("extension-s"),
        wallet="default:user:ani",
        payment_id="p",
        now=NOW,
    )
    database.execute("ANALYZE")
    return database


def test_a_query_that_reads_a_whole_table_is_seen(old_store: Database) -> None:
    database, watching = explained(old_store)
    database.execute("SELECT 1 FROM account WHERE asset = 'IDR'")
    database.execute("SELECT 1 FROM transfer WHERE sink = 'refund'")
    assert watching.scanned == {"account", "transfer"}


def test_events_are_found_among_the_windows_and_wallets_that_are_now(old_store: Database) -> None:
    database, watching = explained(old_store)
    found = fire_events(database, NOW, refused={"user:7"})
    assert [(each.subject, each.name) for each in found] == [
        ("budget team all", "spent 50%"),
        ("wallet default:user:ani", "credits_low"),
    ]
    assert watching.asked > 5
    assert watching.scanned & GROWING == set()


def test_standings_are_read_from_the_window_that_is_now(old_store: Database) -> None:
    database, watching = explained(old_store)
    [one] = budget_store.standings(database, TEAM, NOW)
    assert (one.subject, one.balance.spent) == ("all", 6 * 10**12)
    assert watching.scanned == set()


def test_a_change_of_a_budget_touches_the_window_that_is_now(old_store: Database) -> None:
    database, watching = explained(old_store)
    budget_store.replace(
        database, Budget(id="team", window=TEAM.window, currency="USD"), now=NOW + HOUR / 2
    )
    assert watching.asked > 1
    assert watching.scanned & GROWING == set()


def test_grants_that_are_used_up_are_found_among_those_that_are_open(old_store: Database) -> None:
    database, watching = explained(old_store)
    assert end_grants(database, now=NOW) == []
    assert watching.asked > 1
    assert watching.scanned & GROWING == set()


@pytest.fixture
def busy_store(old_store: Database, calls: Calls) -> Database:
    """The same with ten thousand calls that have ended."""
    ended = [Settle(ended_call(f"{number:032x}.1")) for number in range(OLD)]
    for first in range(0, OLD, 1_000):
        write_group(old_store, calls.worker, ended[first : first + 1_000], at_us=1)
    old_store.execute("ANALYZE")
    return old_store


def ended_call(call_id: str) -> Call:
    return Call(
        intent=Intent(id=call_id, at=NOW, dimensions=Dimensions(), model="m"),
        model_served="m",
        usage=Usage(at=NOW, source=Source.ABSENT),
        cost=Unpriced("a call of a test"),
        status=Status.OK,
    )


def test_a_request_is_opened_by_its_id_with_all_its_attempts(
    busy_store: Database, calls: Calls
) -> None:
    request = f"{7:032x}"
    late = [f"{request}.2", f"{request}.10", f"{request}+late.1", f"{request}0.1", f"{request}.x.1"]
    write_group(busy_store, calls.worker, [Settle(ended_call(each)) for each in late], at_us=1)
    database, watching = explained(busy_store)
    found = opened(database, request)
    assert found.what == "call"
    assert sorted(found.calls) == [f"{request}+late.1", f"{request}.1", *sorted(late[:2])]
    assert watching.asked > 5
    assert watching.scanned & GROWING == set()


def test_a_call_that_used_a_budget_is_opened_with_its_captures(
    busy_store: Database, calls: Calls
) -> None:
    held = calls.begin(Funding(account_name("team", "all", NOW), "USD", 10**13), 10**12)
    assert held is not None
    database, watching = explained(busy_store)
    in_flight = opened(database, held)
    assert [(each.kind, each.amount, each.call) for each in in_flight.moved] == [
        ("hold", 10**12, held)
    ]
    calls.end(held, 10**11)
    ended = opened(database, held.rpartition(".")[0])
    assert [(each.kind, each.amount) for each in ended.moved] == [
        ("held", 10**12),
        ("capture", 10**11),
    ]
    assert ended.calls == {held: "ok, its hold was captured"}
    assert watching.scanned & GROWING == set()


def test_accounts_are_listed_by_how_their_names_begin(busy_store: Database) -> None:
    database, watching = explained(busy_store)
    found = accounts(database, prefix="wallet:default:user:ani")
    assert [each.name for each in found] == ["wallet:default:user:ani:grant:payment/p"]
    assert watching.scanned == set()
    assert len(accounts(database)) == OLD + 2
