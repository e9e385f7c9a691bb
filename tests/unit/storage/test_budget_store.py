"""Budgets are stored whole, change with both sides told, and never lose what was spent."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from ledger_calls import Calls

from tokonomi.budgets.limit import Budget, Mode, account_name
from tokonomi.budgets.scope import Scope
from tokonomi.budgets.window import Period, Window
from tokonomi.errors import BadInput, NotFound
from tokonomi.money import Money
from tokonomi.storage import budget_store
from tokonomi.storage.database import Database
from tokonomi.storage.ledger import Conflict, Funding
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.rules_in_force import load_rules, rules_version

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MONTH = datetime(2026, 11, 1, tzinfo=UTC)


def team(amount: str = "10", **others: object) -> Budget:
    stated = {
        "id": "team",
        "window": Window(period=Period.MONTH),
        "currency": "USD",
        "amount": Money.parse(amount, "USD"),
        "scope": Scope.of({"feature": "growth"}, each=["user"]),
        "alerts": (Fraction(1, 2), Fraction(4, 5)),
    }
    return Budget(**{**stated, **others})  # pyright: ignore[reportArgumentType] - fields by name


def funding(budget: Budget, subject: str) -> Funding:
    assert budget.amount is not None
    name = account_name(budget.id, subject, MONTH)
    return Funding(name, budget.currency, budget.amount.sub_units, budget.floor)


def test_a_budget_is_read_as_it_was_written(database: Database) -> None:
    made = budget_store.create(database, team(), now=NOW)
    assert made.old is None
    assert budget_store.get(database, "team") == made.new
    assert made.new is not None
    assert made.new.budget == team()
    assert made.new.changed == NOW


def test_the_same_budget_made_twice_is_one_and_another_is_a_conflict(database: Database) -> None:
    budget_store.create(database, team(), now=NOW)
    again = budget_store.create(database, team(), now=NOW)
    assert again.old == again.new
    with pytest.raises(Conflict, match="budget team is in force already"):
        budget_store.create(database, team("11"), now=NOW)
    assert budget_store.get(database, "team").budget == team()


def test_a_change_tells_what_was_and_what_is(database: Database) -> None:
    budget_store.create(database, team(), now=NOW)
    changed = budget_store.replace(database, team("20"), now=NOW + timedelta(hours=1))
    assert changed.old is not None
    assert changed.new is not None
    assert (changed.old.budget, changed.new.budget) == (team(), team("20"))
    euro = Budget(id="team", window=Window(period=Period.MONTH), currency="EUR")
    with pytest.raises(BadInput, match="counts in USD, and would count in EUR"):
        budget_store.replace(database, euro, now=NOW)


def test_an_unknown_budget_is_told_with_the_nearest_name(database: Database) -> None:
    budget_store.create(database, team(), now=NOW)
    with pytest.raises(NotFound) as told:
        budget_store.archive(database, "taem", now=NOW)
    assert str(told.value) == 'not_found: no budget is called "taem". Did you mean "team"?'


def test_an_archived_budget_is_out_of_force_and_can_come_back(database: Database) -> None:
    budget_store.create(database, team(), now=NOW)
    archived = budget_store.archive(database, "team", now=NOW)
    assert archived.new is not None
    assert archived.new.archived == NOW
    assert budget_store.every_budget(database) == []
    assert len(budget_store.every_budget(database, archived=True)) == 1
    back = budget_store.create(database, team("5"), now=NOW)
    assert back.new is not None
    assert back.new.archived is None
    assert [each.budget for each in budget_store.every_budget(database)] == [team("5")]


def test_every_change_raises_the_version_and_a_rehearsal_does_not(database: Database) -> None:
    seen = rules_version(database)
    budget_store.create(database, team(), now=NOW, dry_run=True)
    assert (rules_version(database), load_rules(database).budgets) == (seen, ())
    budget_store.create(database, team(), now=NOW)
    budget_store.archive(database, "team", now=NOW)
    assert rules_version(database) == seen + 2


def test_standings_are_those_of_the_window_that_is_now(database: Database, calls: Calls) -> None:
    budget_store.create(database, team(), now=NOW)
    assert calls.use(funding(team(), "user=ani"), 3 * 10**12)
    calls.begin(funding(team(), "user=budi"), 10**12)
    old = account_name("team", "user=ani", datetime(2026, 10, 1, tzinfo=UTC))
    assert calls.use(Funding(old, "USD", 10**13), 10**12)
    assert calls.use(Funding(account_name("team2", "user=ani", MONTH), "USD", 10**13), 10**12)
    found = budget_store.standings(database, team(), NOW)
    assert [(each.subject, each.balance.spent, each.balance.debits_pending) for each in found] == [
        ("user=ani", 3 * 10**12, 0),
        ("user=budi", 0, 10**12),
    ]
    assert {each.span.start for each in found} == {MONTH}


def test_a_changed_limit_holds_from_the_next_call_on(database: Database, calls: Calls) -> None:
    budget_store.create(database, team(), now=NOW)
    assert calls.use(funding(team(), "user=ani"), 8 * 10**12)
    budget_store.replace(database, team("9"), now=NOW)
    (low,) = load_rules(database).budgets
    assert not calls.use(funding(low, "user=ani"), 2 * 10**12)
    budget_store.replace(database, team("12"), now=NOW)
    (high,) = load_rules(database).budgets
    assert calls.use(funding(high, "user=ani"), 4 * 10**12)
    assert verify(database).imbalances == ()


def test_a_budget_that_turns_hard_allows_no_more_overshoot(
    database: Database, calls: Calls
) -> None:
    soft = team(mode=Mode.SOFT, overshoot=Money.parse("5", "USD"))
    budget_store.create(database, soft, now=NOW)
    assert calls.use(funding(soft, "user=ani"), 12 * 10**12)
    assert calls.use(funding(soft, "user=budi"), 1 * 10**12)
    budget_store.replace(database, team(), now=NOW)
    assert not calls.use(funding(team(), "user=ani"), 1)
    assert not calls.use(funding(team(), "user=budi"), 9 * 10**12 + 1)
    assert calls.use(funding(team(), "user=budi"), 9 * 10**12)
    assert verify(database).imbalances == ()
