"""A store with budgets and events of an earlier schema is brought along with what is in it."""

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from tokonomi.budgets.limit import Budget, Mode, account_name
from tokonomi.budgets.rate_table import rate_from_text
from tokonomi.budgets.scope import Scope
from tokonomi.budgets.table import budget_to_table
from tokonomi.budgets.window import Period, Window
from tokonomi.configuration.canonical import rate_table
from tokonomi.configuration.document import Document, Item, Kind
from tokonomi.credits.rule_table import rule_from_table, rule_to_table
from tokonomi.money import Money
from tokonomi.storage import budget_store, engine
from tokonomi.storage.config_store import in_force, latest_versions
from tokonomi.storage.database import Dialect
from tokonomi.storage.engine import migrations, open_store
from tokonomi.storage.event_store import latest_events
from tokonomi.storage.fired_events import fire_events
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.ledger_history import opened

NOW = datetime(2026, 11, 10, tzinfo=UTC)
BEFORE_EVENTS = 3
BEFORE_VERSIONS = 5
TEAM = Budget(
    id="team",
    window=Window(period=Period.MONTH),
    currency="USD",
    amount=Money.parse("10", "USD"),
    scope=Scope.of({}, each=["user"]),
    alerts=(Fraction(1, 2), Fraction(4, 5)),
)


def old_schema(dialect: Dialect) -> list[tuple[int, str]]:
    return migrations(dialect)[:BEFORE_EVENTS]


def schema_before_versions(dialect: Dialect) -> list[tuple[int, str]]:
    return [step for step in migrations(dialect) if step[0] <= BEFORE_VERSIONS]


@pytest.fixture
def old_store(store: Path | str, monkeypatch: pytest.MonkeyPatch) -> Path | str:
    """A store of the schema before, with a budget half spent that was told, and a wallet."""
    with monkeypatch.context() as patched:
        patched.setattr(engine, "migrations", old_schema)
        with closing(open_store(store)) as database:
            database.execute(
                "INSERT INTO budget (id, definition, changed_us) VALUES ('team', ?, 0)",
                (msgspec.json.encode(budget_to_table(TEAM)).decode(),),
            )
            for month, spent in ((10, 9), (11, 6)):
                name = account_name("team", "user=a:b", datetime(2026, month, 1, tzinfo=UTC))
                database.execute(
                    "INSERT INTO account (name, asset, floor, credits_posted, debits_posted)"
                    " VALUES (?, 'USD', 0, 10000000000000, ?)",
                    (name, spent * 10**12),
                )
            database.execute("INSERT INTO account (name, asset) VALUES ('wallet:user:ani', 'X')")
            for account, name in ((1, "spent 80%"), (2, "spent 50%"), (3, "credits_low")):
                database.execute(
                    "INSERT INTO fired (account, event, at_us, detail) VALUES (?, ?, ?, 'told')",
                    (account, name, account),
                )
    return store


def test_old_accounts_belong_to_their_windows_and_old_events_stay_told(
    old_store: Path | str,
) -> None:
    with closing(open_store(old_store)) as database:
        windows = database.execute("SELECT budget_window FROM account ORDER BY id").fetchall()
        assert windows == [
            ("team:2026-10-01T00:00:00Z",),
            ("team:2026-11-01T00:00:00Z",),
            (None,),
        ]
        [one] = budget_store.standings(database, TEAM, NOW)
        assert (one.subject, one.balance.spent) == ("user=a:b", 6 * 10**12)
        events = latest_events(database, last=10)
        assert [(each.event.name, each.event.about, each.due) for each in events] == [
            ("credits_low", "wallet", None),
            ("spent 50%", "budget", None),
            ("spent 80%", "budget", None),
        ]
        assert fire_events(database, NOW) == []
        assert fire_events(database, NOW - timedelta(days=30)) != []


def test_old_accounts_follow_a_changed_budget(old_store: Path | str) -> None:
    with closing(open_store(old_store)) as database:
        database.execute(
            "INSERT INTO transfer (kind, account, sink, amount, at_us, call_id)"
            " VALUES ('capture', 2, 'spent', 6000000000000, 0, 'c.1'),"
            " ('capture', 1, 'spent', 9000000000000, 0, 'c.2')"
        )
        database.execute(
            "INSERT INTO transfer (kind, account, sink, amount, at_us)"
            " SELECT 'fund', id, 'issued', 10000000000000, 0 FROM account WHERE asset = 'USD'"
        )
        soft = msgspec.structs.replace(TEAM, mode=Mode.SOFT, overshoot=Money.parse("2", "USD"))
        budget_store.replace(database, soft, now=NOW)
        name = account_name("team", "user=a:b", datetime(2026, 11, 1, tzinfo=UTC))
        [account] = opened(database, name).accounts
        assert (account.balance.floor, account.balance.limit) == (-2 * 10**12, 12 * 10**12)
        assert verify(database).imbalances == ()


def test_what_was_in_force_before_versions_were_kept_is_the_first_version(
    store: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = rule_to_table(rule_from_table({"per": "user"}))
    with monkeypatch.context() as patched:
        patched.setattr(engine, "migrations", schema_before_versions)
        with closing(open_store(store)) as database:
            for budget_id, archived in (("team", None), ("old", 1)):
                database.execute(
                    "INSERT INTO budget (id, definition, changed_us, archived_us)"
                    " VALUES (?, ?, 0, ?)",
                    (budget_id, msgspec.json.encode(budget_to_table(TEAM)).decode(), archived),
                )
            database.execute(
                "INSERT INTO wallet_rule (per, definition, changed_us) VALUES ('user', ?, 0)",
                (msgspec.json.encode(rule).decode(),),
            )
            database.execute(
                "INSERT INTO exchange_rate (base, quote, on_date, rate, source, set_us)"
                " VALUES ('USD', 'IDR', '2026-01-30', '33425/2', 'the \"bank\"', 0)"
            )
            database.execute("UPDATE rules_version SET version = 7")
    with closing(open_store(store)) as database:
        found = in_force(database)
        rate = rate_from_text("USD", "IDR", "16712.5", on=date(2026, 1, 30), source='the "bank"')
        assert found.version == 7
        assert found.document == Document.of(
            {
                Item(Kind.RATE, "USD/IDR 2026-01-30"): rate_table(rate),
                Item(Kind.BUDGET, "team"): budget_to_table(TEAM),
                Item(Kind.WALLET_RULE, "user"): rule,
            }
        )
        assert [each.who for each in latest_versions(database, last=9)] == ["upgrade"]
