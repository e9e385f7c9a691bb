"""A store with budgets and events of an earlier schema is brought along with what is in it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from ledger_calls import calls_in

from tokonomi.budgets.limit import Budget, Mode, account_name
from tokonomi.budgets.rate_table import rate_from_text
from tokonomi.budgets.scope import Scope
from tokonomi.budgets.table import budget_to_table
from tokonomi.budgets.window import Period, Window
from tokonomi.configuration.canonical import rate_table
from tokonomi.configuration.document import Document, Item, Kind
from tokonomi.credits.grant import Grant
from tokonomi.credits.rule_table import rule_from_table, rule_to_table
from tokonomi.money import Money
from tokonomi.storage import budget_store, engine, wallet_store
from tokonomi.storage.config_store import in_force, latest_versions
from tokonomi.storage.database import Database, Dialect
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
def store(new_bare_store: Callable[[], Path | str]) -> Path | str:
    """A place without a schema: what an earlier Tokonomi would make there is made here."""
    return new_bare_store()


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
            database.execute(
                "INSERT INTO account (name, asset) VALUES ('wallet:default:user:ani', 'X')"
            )
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
        assert found.version == 8
        assert found.document == Document.of(
            {
                Item(Kind.RATE, "USD/IDR 2026-01-30"): rate_table(rate),
                Item(Kind.BUDGET, "team"): budget_to_table(TEAM) | {"across_projects": True},
                Item(Kind.WALLET_RULE, "user"): rule,
            }
        )
        assert [each.who for each in latest_versions(database, last=9)] == ["upgrade", "upgrade"]


BEFORE_TENANTS = 10


def schema_before_tenants(dialect: Dialect) -> list[tuple[int, str]]:
    return [step for step in migrations(dialect) if step[0] <= BEFORE_TENANTS]


def write_shared_wallets(database: Database) -> None:
    """Wallets as they were before they had projects: used, never used, overrun, a project's own."""
    for project in ("acme: growth", "later"):
        database.execute(
            "INSERT INTO api_key (id, name, project, hash, hint, created_us)"
            " VALUES (?, 'a', ?, ?, 'h', ?)",
            (project, project, project.encode(), len(project) * -1),
        )
    for wallet in ("user:ani", "user:budi", "tag.document:d%3A7", "project:later"):
        grant = Grant(
            id=f"payment/{wallet}",
            wallet=wallet,
            amount=100,
            granted_at=NOW,
            paid=Money.parse("1", "USD"),
        )
        wallet_store.book_grant(database, grant)
    database.execute("INSERT INTO account (name, asset) VALUES ('wallet:user:ani', 'CREDIT')")


@pytest.mark.parametrize("known", [True, False])
def test_shared_wallets_go_to_the_project_that_used_them_last(
    store: Path | str, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(engine, "migrations", schema_before_tenants)
        with closing(open_store(store)) as database:
            write_shared_wallets(database)
            for project in ("acme: growth", "later"):
                calls = replace(calls_in(database), project=project)
                assert calls.use("user:budi", 10)
            if not known:
                database.execute("DELETE FROM api_key")
    first = "acme%3A growth" if known else "default"
    with closing(open_store(store)) as database:
        assert [(each.wallet, each.balance) for each in wallet_store.wallets(database)] == sorted(
            [
                (f"{first}:tag.document:d%3A7", 100),
                (f"{first}:user:ani", 100),
                ("later:user:budi", 80),
                ("project:later", 100),
            ]
        )
        names = database.execute("SELECT name FROM account ORDER BY id").fetchall()
        assert [name for (name,) in names if ":grant:" not in name] == [
            f"wallet:{first}:user:ani",
            "wallet:later:user:budi",
        ]
        for wallet in wallet_store.wallets(database):
            for each in wallet_store.grants_of(database, wallet.wallet):
                named = database.execute(
                    "SELECT name FROM account WHERE id = ?", (each.account,)
                ).fetchone()
                assert named == (each.grant.account,)
        assert verify(database).imbalances == ()
        assert calls_in(database).use("later:user:budi", 80)
        assert not calls_in(database).use("user:budi", 1)
