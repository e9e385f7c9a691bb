"""Budgets in the store: their definitions, and how each of their subjects stands."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from tokonomi.budgets.limit import Budget, budget_window, subject_of_account
from tokonomi.budgets.table import budget_from_table, budget_to_table
from tokonomi.budgets.window import Span, span_at
from tokonomi.configuration.document import Kind, Table
from tokonomi.errors import BadInput, NotFound
from tokonomi.ledger.account import Balance
from tokonomi.naming import meant
from tokonomi.storage.call_rows import instant, microseconds
from tokonomi.storage.changes import UNNAMED, Author, Change, Changing, change_of_rules
from tokonomi.storage.database import Database, Row
from tokonomi.storage.ledger import Conflict, Funding
from tokonomi.storage.locked_accounts import follow_rules


@dataclass(frozen=True, slots=True)
class StoredBudget:
    """A budget with the instants of its last change and of its end, in UTC."""

    budget: Budget
    changed: datetime
    archived: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubjectStanding:
    """One subject's share of a budget in the window that is now: its account and its balance."""

    account: int
    subject: str
    span: Span
    balance: Balance


def create(
    database: Database,
    budget: Budget,
    *,
    now: datetime,
    by: Author = UNNAMED,
    dry_run: bool = False,
) -> Change[StoredBudget]:
    """The new budget. The same one again changes nothing; an archived one comes back to life.

    Raises:
        Conflict: a budget with this id and another definition is in force.
        BadInput: the budget was archived with amounts in another currency.
    """
    with change_of_rules(database, now=now, by=by, dry_run=dry_run) as changing:
        old = _find(database, budget.id)
        if old is not None and old.archived is None and old.budget != budget:
            raise Conflict(
                f"a budget {budget.id} is in force already",
                remedy=f"Change it with `tokonomi budget set {budget.id}`, or choose another id.",
            )
        return put_budget(changing, budget)


def replace(
    database: Database,
    budget: Budget,
    *,
    now: datetime,
    by: Author = UNNAMED,
    dry_run: bool = False,
) -> Change[StoredBudget]:
    """The budget as it was and as it is from now on; the next request finds the new limit.

    Raises:
        NotFound: no budget has this id.
        BadInput: its currency would change.
    """
    with change_of_rules(database, now=now, by=by, dry_run=dry_run) as changing:
        get(database, budget.id)
        return put_budget(changing, budget)


def archive(
    database: Database,
    budget_id: str,
    *,
    now: datetime,
    by: Author = UNNAMED,
    dry_run: bool = False,
) -> Change[StoredBudget]:
    """The budget, out of force. Its accounts and their history stay.

    Raises:
        NotFound: no budget has this id.
    """
    with change_of_rules(database, now=now, by=by, dry_run=dry_run) as changing:
        return end_budget(changing, budget_id)


def put_budget(changing: Changing, budget: Budget) -> Change[StoredBudget]:
    """The budget, in force from now on, in place of the one with its id.

    Raises:
        BadInput: its currency would change.
    """
    old = _find(changing.database, budget.id)
    new = _write(changing, budget, old)
    changing.note(Kind.BUDGET, budget.id, _table_in_force(old), _table_in_force(new))
    return Change(old, new)


def end_budget(changing: Changing, budget_id: str) -> Change[StoredBudget]:
    """The budget, out of force; nothing changes when it is already.

    Raises:
        NotFound: no budget has this id.
    """
    database, at_us = changing.database, microseconds(changing.now)
    old = get(database, budget_id)
    if old.archived is None:
        database.execute(
            "UPDATE budget SET archived_us = ?, changed_us = ? WHERE id = ?",
            (at_us, at_us, budget_id),
        )
    changing.note(Kind.BUDGET, budget_id, _table_in_force(old), None)
    return Change(old, get(database, budget_id))


def get(database: Database, budget_id: str) -> StoredBudget:
    """The budget with this id, archived or not.

    Raises:
        NotFound: there is none.
    """
    found = _find(database, budget_id)
    if found is None:
        known = [each.budget.id for each in every_budget(database)]
        raise NotFound(
            f'no budget is called "{budget_id}"',
            remedy=meant(budget_id, known) if known else "`tokonomi budget create` makes one.",
        )
    return found


def every_budget(database: Database, *, archived: bool = False) -> list[StoredBudget]:
    """The budgets in force, in the order of their ids; with `archived` also the others."""
    rows = database.execute("SELECT definition, changed_us, archived_us FROM budget")
    stored = (_read(row) for row in rows)
    kept = [each for each in stored if archived or each.archived is None]
    return sorted(kept, key=lambda each: each.budget.id)


def standings(database: Database, budget: Budget, now: datetime) -> list[SubjectStanding]:
    """How every subject stands that has used the budget in the window of `now`, by subject."""
    span = _span(budget, now)
    rows = database.execute(
        "SELECT id, name, credits_posted, debits_posted, debits_pending, floor, withdrawn, exposed,"
        " overrun"
        " FROM account WHERE budget_window = ?",
        (budget_window(budget.id, span.start),),
    )
    found = [
        SubjectStanding(row[0], subject_of_account(row[1]), span, _balance(row)) for row in rows
    ]
    return sorted(found, key=lambda each: each.subject)


def funding_of(budget: Budget, account: str, *, version: int) -> Funding:
    """What a budget's account of this name is to have, by the rules of this version."""
    return Funding(
        name=account,
        asset=budget.currency,
        limit=0 if budget.amount is None else budget.amount.sub_units,
        floor=budget.floor,
        version=version,
    )


def checked_budget(table: Table) -> Budget:
    """The budget of a table that was checked when it was written.

    Its zone is taken as it is: this machine may know fewer.
    """
    return budget_from_table(table, zones={str(table.get("zone", "UTC"))})


def _find(database: Database, budget_id: str) -> StoredBudget | None:
    row = database.execute(
        "SELECT definition, changed_us, archived_us FROM budget WHERE id = ?", (budget_id,)
    ).fetchone()
    return None if row is None else _read(row)


def _read(row: Row) -> StoredBudget:
    budget = checked_budget(msgspec.json.decode(row[0], type=dict[str, object]))
    return StoredBudget(budget, instant(row[1]), None if row[2] is None else instant(row[2]))


def _table_in_force(stored: StoredBudget | None) -> Table | None:
    if stored is None or stored.archived is not None:
        return None
    return budget_to_table(stored.budget)


def _write(changing: Changing, budget: Budget, old: StoredBudget | None) -> StoredBudget:
    if old is not None and old.budget.currency != budget.currency:
        raise BadInput(
            f"budget {budget.id} counts in {old.budget.currency}, and would count in"
            f" {budget.currency}",
            remedy="Archive it, and make one with another id.",
        )
    definition = msgspec.json.encode(budget_to_table(budget)).decode()
    at_us = microseconds(changing.now)
    changing.database.execute(
        "INSERT INTO budget (id, definition, changed_us) VALUES (?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET definition = excluded.definition,"
        " changed_us = excluded.changed_us, archived_us = NULL",
        (budget.id, definition, at_us),
    )
    if old is not None:
        _bring_accounts_along(changing, budget)
    return StoredBudget(budget, instant(at_us))


def _bring_accounts_along(changing: Changing, budget: Budget) -> None:
    """The subjects of the window that is now have the new limit at once, on every gateway."""
    database, now = changing.database, changing.now
    names = database.execute(
        "SELECT name FROM account WHERE budget_window = ? ORDER BY id",
        (budget_window(budget.id, _span(budget, now).start),),
    ).fetchall()
    fundings = [funding_of(budget, name, version=changing.number) for (name,) in names]
    follow_rules(database, fundings, at_us=microseconds(now))


def _span(budget: Budget, now: datetime) -> Span:
    return span_at(budget.window, ZoneInfo(budget.zone), now)


def _balance(row: Row) -> Balance:
    return Balance(
        credits_posted=row[2],
        debits_posted=row[3],
        debits_pending=row[4],
        floor=row[5],
        withdrawn=row[6],
        exposed=row[7],
        overrun=row[8],
    )
