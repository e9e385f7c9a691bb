"""The configuration in the store: versions, who changed what, conflicts, and going back."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tokonomi.budgets.limit import account_name, budget_window
from tokonomi.budgets.rate_table import rate_from_text
from tokonomi.budgets.window import span_at
from tokonomi.configuration.canonical import rate_table
from tokonomi.configuration.document import Document, Item, Kind
from tokonomi.configuration.toml_text import to_toml
from tokonomi.credits.rule_table import rule_from_table, rule_to_table
from tokonomi.errors import BadConfig, BadInput, NotFound, StoreError
from tokonomi.storage import budget_store, config_store
from tokonomi.storage.changes import Author
from tokonomi.storage.config_files import apply_text, plan_for, stated_in
from tokonomi.storage.config_store import AuditRow, Version, apply, in_force
from tokonomi.storage.database import Database
from tokonomi.storage.ledger import Conflict
from tokonomi.storage.rate_store import every_rate, set_rate
from tokonomi.storage.rules_in_force import rules_version
from tokonomi.storage.wallet_rules import every_rule, remove_rule, set_rule

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ANI, BUDI = Author("ani", "to begin"), Author("budi")
FIRST = """
[providers.a]
base_url = "https://a/v1"

[models.house]
provider = "a"

[[rate]]
base = "USD"
quote = "IDR"
rate = "16712.5"
on = "2026-01-30"
source = "the bank"

[[budget]]
id = "team"
window = "lifetime"
currency = "USD"
amount = "10"

[[wallet_rule]]
per = "user"
"""
HOUSE = Item(Kind.MODEL, "house")


def document(database: Database) -> Document:
    return in_force(database).document


def test_what_is_applied_is_in_force_and_in_the_tables_of_its_kinds(database: Database) -> None:
    assert in_force(database) == config_store.InForce(0, Document())
    applied = apply_text(database, FIRST, now=NOW, by=ANI)
    assert (applied.version, len(applied.changes)) == (1, 5)
    assert in_force(database).version == 1 == rules_version(database)
    assert document(database) == stated_in({"first": FIRST}).document
    assert [each.budget.id for each in budget_store.every_budget(database)] == ["team"]
    assert [each.rule.per for each in every_rule(database)] == ["user"]
    assert [str(each.rate) for each in every_rate(database)] == ["33425/2"]
    assert config_store.latest_versions(database, last=9) == [Version(1, NOW, "ani", "to begin")]


def test_the_same_again_makes_no_version(database: Database) -> None:
    apply_text(database, FIRST, now=NOW)
    again = apply_text(database, to_toml(document(database)), now=NOW)
    assert (again.version, again.changes) == (1, ())
    assert len(config_store.latest_versions(database, last=9)) == 1


def test_a_rehearsal_changes_nothing(database: Database) -> None:
    wanted = stated_in({"first": FIRST}).document
    rehearsed = apply(database, wanted, based_on=0, now=NOW, dry_run=True)
    assert (rehearsed.version, len(rehearsed.changes)) == (0, 5)
    assert in_force(database) == config_store.InForce(0, Document())


def test_changes_that_are_made_one_by_one_are_versions_too(database: Database) -> None:
    apply_text(database, FIRST, now=NOW, by=ANI)
    [team] = budget_store.every_budget(database)
    budget_store.archive(database, "team", now=NOW, by=BUDI)
    budget_store.create(database, team.budget, now=NOW, by=BUDI)
    rule = rule_from_table({"per": "user", "low_at": "10"})
    set_rule(database, rule, now=NOW, by=BUDI)
    remove_rule(database, "user", now=NOW, by=BUDI)
    rate = rate_from_text("USD", "IDR", "16000", on=date(2026, 1, 31), source="us")
    set_rate(database, rate, now=NOW, by=BUDI)
    set_rate(database, rate, now=NOW, by=BUDI)
    versions = config_store.latest_versions(database, last=9)
    assert [(each.number, each.who) for each in versions] == [
        *((number, "budi") for number in (6, 5, 4, 3, 2)),
        (1, "ani"),
    ]
    whole = rule_to_table(rule)
    plain = rule_to_table(rule_from_table({"per": "user"}))
    [changed] = config_store.audit_of(database, 4)
    assert changed == AuditRow(versions[2], "wallet_rule", "user", plain, whole)
    [removed] = config_store.audit_of(database, 5)
    assert (removed.before, removed.after) == (whole, None)
    [added] = config_store.audit_of(database, 6)
    assert (added.name, added.after) == ("USD/IDR 2026-01-31", rate_table(rate))
    assert Item(Kind.WALLET_RULE, "user") not in document(database).tables


def test_of_two_who_change_the_same_version_one_is_told_what_the_other_changed(
    database: Database,
) -> None:
    apply_text(database, FIRST, now=NOW, by=ANI)
    mine = plan_for(database, stated_in({"t": "[models.mine]\nprovider = 'a'"}))
    apply_text(database, "[models.theirs]\nprovider = 'a'", now=NOW, by=BUDI)
    with pytest.raises(Conflict) as lost:
        apply(database, mine.wanted, based_on=mine.based_on, now=NOW, by=ANI)
    assert lost.value.what == (
        "the configuration is at version 2 by now, made by budi, and this change was made on"
        " version 1; changed since: model theirs"
    )
    assert "mine" not in document(database).models


def test_what_does_not_fit_together_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(BadConfig, match=r"t:2: models.m.provider: no provider 'b'"):
        plan_for(database, stated_in({"t": "[models.m]\nprovider = 'b'"}))
    apply_text(database, FIRST, now=NOW)
    before = in_force(database)
    euro = FIRST.replace('"USD"\namount', '"EUR"\namount').replace("https://a", "https://b")
    with pytest.raises(BadInput, match="would count in EUR"):
        apply_text(database, euro, now=NOW)
    tomorrow = FIRST.replace("2026-01-30", "2026-11-29").replace("https://a", "https://b")
    with pytest.raises(BadInput, match="nobody knows the rate"):
        apply_text(database, tomorrow, now=NOW)
    assert in_force(database) == before
    assert rules_version(database) == 1


def test_going_back_is_a_new_version_and_what_was_spent_stays_spent(database: Database) -> None:
    apply_text(database, FIRST, now=NOW, by=ANI)
    first = in_force(database)
    [team] = budget_store.every_budget(database)
    start = span_at(team.budget.window, UTC, NOW).start
    database.execute(
        "INSERT INTO account (name, asset, floor, credits_posted, debits_posted, budget_window)"
        " VALUES (?, 'USD', 0, 10000000000000, 4000000000000, ?)",
        (account_name("team", "all", start), budget_window("team", start)),
    )
    changed = FIRST.replace('amount = "10"', 'amount = "6"').replace('per = "user"', 'per = "key"')
    plan = plan_for(database, stated_in({"t": changed}), prune=True)
    apply(database, plan.wanted, based_on=1, now=NOW + timedelta(hours=1), by=BUDI)
    back = apply(database, config_store.document_of(database, 1), based_on=2, now=NOW, by=ANI)
    assert back.version == 3
    assert document(database) == first.document
    assert [each.rule.per for each in every_rule(database)] == ["user"]
    [standing] = budget_store.standings(database, team.budget, NOW)
    assert (standing.balance.limit, standing.balance.spent) == (10 * 10**12, 4 * 10**12)


@pytest.mark.parametrize("number", [7, 0, -1, 2**70])
def test_a_version_that_is_not_there_is_told(database: Database, number: int) -> None:
    with pytest.raises(NotFound, match=f"no version {number}"):
        config_store.document_of(database, number)


def test_the_last_author_of_an_item_is_known_after_it_was_removed(database: Database) -> None:
    assert config_store.last_author(database, HOUSE) is None
    apply_text(database, FIRST, now=NOW, by=ANI)
    assert config_store.last_author(database, HOUSE) == "ani"
    stored = in_force(database)
    rest = {item: table for item, table in stored.document.tables.items() if item != HOUSE}
    apply(database, Document.of(rest), based_on=1, now=NOW, by=BUDI)
    assert config_store.last_author(database, HOUSE) == "budi"


@pytest.mark.parametrize("table", ["config_version", "config_change"])
def test_history_is_never_changed_and_never_removed(database: Database, table: str) -> None:
    apply_text(database, FIRST, now=NOW)
    for statement in (f"UPDATE {table} SET version = 2", f"DELETE FROM {table}"):
        with pytest.raises(StoreError, match="is never"):
            database.execute(statement)


@pytest.mark.parametrize(
    ("place", "whole"),
    [
        ("mine.toml:3: providers.a.base_url:", "https://a/v1"),
        ("mine.toml:6: models.house.provider:", '"a"'),
        ("mine.toml:13: rate[1].source:", "the bank"),
        ("mine.toml:16: budget[1].id:", "team"),
        ("mine.toml:22: wallet_rule[1].per:", "user"),
    ],
)
def test_a_text_with_a_nul_is_refused_by_its_line_and_nothing_is_written(
    database: Database, place: str, whole: str
) -> None:
    """PostgreSQL keeps no such text: what it would refuse in the middle, SQLite refuses too."""
    text = FIRST.replace(whole, f"{whole[:-1]}\\u0000{whole[-1]}")
    with pytest.raises(BadConfig) as refusal:
        apply_text(database, text, now=NOW, name="mine.toml")
    assert refusal.value.what == f"{place} a text in it has a NUL character (U+0000)"
    assert in_force(database) == config_store.InForce(0, Document())
    assert budget_store.every_budget(database) == []
    assert list(every_rate(database)) == []
