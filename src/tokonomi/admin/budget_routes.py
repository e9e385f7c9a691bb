"""Budgets and exchange rates over HTTP."""

from typing import Final
from zoneinfo import available_timezones

import msgspec
from litestar import get, post, put
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody

from tokonomi.admin.shapes import (
    BudgetChange,
    BudgetTable,
    BudgetView,
    RateChange,
    RateTable,
    StandingView,
    budget_view,
    rate_table,
    standing_view,
)
from tokonomi.admin.stores import Asked, DryRun, author_of, stores_of, utc_now
from tokonomi.budgets.limit import Budget
from tokonomi.budgets.rate_table import rate_from_text
from tokonomi.budgets.table import budget_from_table
from tokonomi.errors import BadInput
from tokonomi.storage import budget_store
from tokonomi.storage.budget_store import StoredBudget
from tokonomi.storage.changes import Change
from tokonomi.storage.rate_store import every_rate, set_rate


@get("/budgets", sync_to_thread=True, tags=["budgets"], operation_id="list_budgets")
def list_budgets(state: State, *, archived: FromQuery[bool] = False) -> list[BudgetView]:
    """The budgets in force; with `archived` also the others."""
    with stores_of(state).opened() as database:
        return [
            budget_view(each) for each in budget_store.every_budget(database, archived=archived)
        ]


@post("/budgets", sync_to_thread=True, tags=["budgets"], operation_id="create_budget")
def create_budget(
    state: State, request: Asked, data: JSONBody[BudgetTable], *, dry_run: DryRun = False
) -> BudgetChange:
    """The new budget; the same one again changes nothing."""
    with stores_of(state).opened() as database:
        return _changed(
            budget_store.create(
                database, _budget(data), now=utc_now(), by=author_of(request), dry_run=dry_run
            )
        )


@get("/budgets/{budget_id:str}", sync_to_thread=True, tags=["budgets"], operation_id="show_budget")
def show_budget(state: State, budget_id: FromPath[str]) -> BudgetView:
    """One budget, archived or not."""
    with stores_of(state).opened() as database:
        return budget_view(budget_store.get(database, budget_id))


@put(
    "/budgets/{budget_id:str}", sync_to_thread=True, tags=["budgets"], operation_id="replace_budget"
)
def replace_budget(
    state: State,
    request: Asked,
    budget_id: FromPath[str],
    data: JSONBody[BudgetTable],
    *,
    dry_run: DryRun = False,
) -> BudgetChange:
    """The budget before and after all its terms were stated anew."""
    if data.id != budget_id:
        raise BadInput(
            f"the path names budget {budget_id}, the body {data.id}",
            remedy="Write the same id in both.",
        )
    with stores_of(state).opened() as database:
        return _changed(
            budget_store.replace(
                database, _budget(data), now=utc_now(), by=author_of(request), dry_run=dry_run
            )
        )


@post(
    "/budgets/{budget_id:str}/archive",
    sync_to_thread=True,
    tags=["budgets"],
    operation_id="archive_budget",
    status_code=200,
)
def archive_budget(
    state: State, request: Asked, budget_id: FromPath[str], *, dry_run: DryRun = False
) -> BudgetChange:
    """The budget, out of force; its history stays."""
    with stores_of(state).opened() as database:
        return _changed(
            budget_store.archive(
                database, budget_id, now=utc_now(), by=author_of(request), dry_run=dry_run
            )
        )


@get(
    "/budgets/{budget_id:str}/standings",
    sync_to_thread=True,
    tags=["budgets"],
    operation_id="budget_standings",
)
def budget_standings(state: State, budget_id: FromPath[str]) -> list[StandingView]:
    """What each subject has spent, holds and has left in the window that is now."""
    with stores_of(state).opened() as database:
        budget = budget_store.get(database, budget_id).budget
        found = budget_store.standings(database, budget, utc_now())
    return [standing_view(budget, each) for each in found]


@get("/rates", sync_to_thread=True, tags=["rates"], operation_id="list_rates")
def list_rates(state: State) -> list[RateTable]:
    """All exchange rates, the newest first; the first of a pair counts."""
    with stores_of(state).opened() as database:
        return [rate_table(each) for each in every_rate(database)]


@put("/rates", sync_to_thread=True, tags=["rates"], operation_id="set_rate")
def set_rate_of_day(
    state: State, request: Asked, data: JSONBody[RateTable], *, dry_run: DryRun = False
) -> RateChange:
    """The exchange rate of a day, and the one that it replaces."""
    rate = rate_from_text(data.base, data.quote, data.rate, on=data.on, source=data.source)
    with stores_of(state).opened() as database:
        changed = set_rate(database, rate, now=utc_now(), by=author_of(request), dry_run=dry_run)
    return RateChange(None if changed.old is None else rate_table(changed.old), rate_table(rate))


ROUTES: Final = (
    list_budgets,
    create_budget,
    show_budget,
    replace_budget,
    archive_budget,
    budget_standings,
    list_rates,
    set_rate_of_day,
)


def _budget(data: BudgetTable) -> Budget:
    stated = {
        key: value for key, value in msgspec.structs.asdict(data).items() if value is not None
    }
    return budget_from_table(stated, zones=available_timezones())


def _changed(change: Change[StoredBudget]) -> BudgetChange:
    old, new = change.old, change.new
    return BudgetChange(
        None if old is None else budget_view(old), None if new is None else budget_view(new)
    )
