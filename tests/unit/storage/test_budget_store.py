"""Budgets are stored whole, change with both sides told, and never lose what was spent."""

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from ledger_calls import Calls, calls_in
from msgspec.structs import replace

from tokonomi.budgets.limit import Budget, Mode, account_name
from tokonomi.budgets.scope import Scope
from tokonomi.budgets.window import Period, Window
from tokonomi.errors import BadInput, NotFound
from tokonomi.money import Money
from tokonomi.storage import budget_store
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
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


def row_of(database: Database, subject: str) -> tuple[int, int | None, int, int]:
    """What is granted, the floor, what is spent and what is held, in dollars."""
    granted, floor, spent, held = only_row(
        database,
        "SELECT credits_posted - withdrawn, floor, debits_posted - withdrawn, debits_pending"
        " FROM account WHERE name = ?",
        (account_name("team", subject, MONTH),),
    )
    dollar = 10**12
    whole = None if floor is None else floor // dollar
    return granted // dollar, whole, spent // dollar, held // dollar


SOFT = team(mode=Mode.SOFT, overshoot=Money.parse("5", "USD"))
NOTIFY = team(mode=Mode.NOTIFY)
UNLIMITED = replace(team(alerts=()), amount=None)


@pytest.mark.parametrize(
    ("before", "after", "granted", "floor"),
    [
        (team("10"), team("20"), 20, 0),
        (team("10"), team("9"), 9, 0),
        (team("10"), team("4"), 7, 0),
        (team("10"), SOFT, 10, -5),
        (SOFT, team("10"), 10, 0),
        (SOFT, team("4"), 7, 0),
        (SOFT, team("4", mode=Mode.SOFT, overshoot=Money.parse("5", "USD")), 4, -5),
        (SOFT, team("1", mode=Mode.SOFT, overshoot=Money.parse("2", "USD")), 5, -2),
        (SOFT, NOTIFY, 10, None),
        (team("10"), NOTIFY, 10, None),
        (NOTIFY, team("10"), 10, 0),
        (NOTIFY, team("4"), 7, 0),
        (NOTIFY, SOFT, 10, -5),
        (team("10"), UNLIMITED, 0, None),
        (UNLIMITED, team("10"), 10, 0),
        (UNLIMITED, team("4"), 7, 0),
    ],
)
def test_accounts_of_the_window_follow_a_change_at_once(
    database: Database, calls: Calls, *, before: Budget, after: Budget, granted: int, floor: int
) -> None:
    budget_store.create(database, before, now=NOW)
    name = account_name("team", "user=ani", MONTH)
    assert calls.use(budget_store.funding_of(before, name, version=1), 5 * 10**12)
    assert calls.begin(budget_store.funding_of(before, name, version=1), 2 * 10**12)
    budget_store.replace(database, after, now=NOW)
    assert row_of(database, "user=ani") == (granted, floor, 5, 2)
    assert verify(database).imbalances == ()


def test_a_limit_below_what_is_spent_refuses_all_and_names_the_limit_until_it_is_raised(
    database: Database, calls: Calls
) -> None:
    budget_store.create(database, team("10"), now=NOW)
    name = account_name("team", "user=ani", MONTH)
    assert calls.use(budget_store.funding_of(team("10"), name, version=1), 5 * 10**12)
    held = calls.begin(budget_store.funding_of(team("10"), name, version=1), 4 * 10**12)
    assert held is not None
    budget_store.replace(database, team("6"), now=NOW)
    low = budget_store.funding_of(team("6"), name, version=2)
    refusal = calls.refused(low, 1)
    dollar = 10**12
    assert (refusal.available, refusal.reserved) == (0, 4 * dollar)
    assert (refusal.spent, refusal.limit) == (5 * dollar, 6 * dollar)
    calls.end(held, 0)
    assert not calls.use(low, dollar + 1)
    assert row_of(database, "user=ani") == (6, 0, 5, 0)
    assert calls.use(low, dollar)
    budget_store.replace(database, team("7"), now=NOW)
    assert calls.use(budget_store.funding_of(team("7"), name, version=3), dollar)
    assert verify(database).imbalances == ()


def test_what_ends_in_the_same_group_does_not_lift_a_lowered_limit(
    database: Database, calls: Calls
) -> None:
    budget_store.create(database, team("10"), now=NOW)
    name = account_name("team", "user=ani", MONTH)
    held = calls.begin(budget_store.funding_of(team("10"), name, version=1), 9 * 10**12)
    assert held is not None
    low = budget_store.funding_of(team("2"), name, version=2)
    assert not calls.end_and_begin(held, low, 2 * 10**12 + 1)
    assert calls.use(low, 2 * 10**12)


def test_a_gateway_with_old_rules_does_not_undo_a_change(database: Database, calls: Calls) -> None:
    budget_store.create(database, team("10"), now=NOW)
    name = account_name("team", "user=ani", MONTH)
    old = budget_store.funding_of(team("10"), name, version=1)
    assert calls.use(old, 10**12)
    budget_store.replace(database, team("3"), now=NOW)
    assert not calls.use(old, 2 * 10**12 + 1)
    assert row_of(database, "user=ani") == (3, 0, 1, 0)
    assert calls.use(old, 2 * 10**12)
    budget_store.replace(database, NOTIFY, now=NOW)
    assert calls.use(old, 20 * 10**12)
    assert row_of(database, "user=ani") == (10, None, 23, 0)
    assert verify(database).imbalances == ()


def test_a_rehearsed_change_moves_no_account(database: Database, calls: Calls) -> None:
    budget_store.create(database, team("10"), now=NOW)
    assert calls.use(funding(team("10"), "user=ani"), 10**12)
    budget_store.replace(database, team("3"), now=NOW, dry_run=True)
    assert row_of(database, "user=ani") == (10, 0, 1, 0)


def test_limits_change_under_calls_in_flight_and_nothing_is_ever_overspent(
    new_store: Callable[[], Path | str],
) -> None:
    """Four gateways claim by rules that they read late, while the budget goes up and down."""
    store = new_store()
    terms = [team("10"), team("3"), SOFT, NOTIFY, team("1"), team("25")]
    name = account_name("team", "user=ani", MONTH)
    with closing(open_store(store)) as database:
        budget_store.create(database, terms[0], now=NOW)
        # A change brings along the accounts that exist; one made later by a gateway that has not
        # heard of it follows with the next claim of one that has.
        assert calls_in(database).use(budget_store.funding_of(terms[0], name, version=1), 0)
    stop = threading.Event()
    failures: list[BaseException] = []

    def gateway() -> None:
        try:
            with closing(open_store(store)) as database:
                calls = calls_in(database)
                while not stop.is_set():
                    rules = load_rules(database)
                    on = budget_store.funding_of(rules.budgets[0], name, version=rules.version)
                    held = [call for _ in range(5) if (call := calls.begin(on, 10**10))]
                    for number, call in enumerate(held):
                        calls.end(call, 10**10 if number == 0 else 0)
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=gateway) for _ in range(4)]
    for thread in threads:
        thread.start()
    with closing(open_store(store)) as database:
        try:
            for change in terms * 8:
                budget_store.replace(database, change, now=NOW)
                standing = budget_store.standings(database, change, NOW)
                assert all(each.balance.floor == change.floor for each in standing)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert failures == []
        rules = load_rules(database)
        last = budget_store.funding_of(rules.budgets[0], name, version=rules.version)
        assert calls_in(database).use(last, 0)
        granted, floor, spent, held = row_of(database, "user=ani")
        assert (granted, floor, held) == (max(25, spent), 0, 0)
        assert verify(database).imbalances == ()
