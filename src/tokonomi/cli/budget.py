"""`tokonomi budget`: limits on spend, and the exchange rates that they are counted with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Final, cast
from zoneinfo import available_timezones

from cyclopts import App, Parameter

from tokonomi.budgets.limit import Budget
from tokonomi.budgets.rate_table import decimal_text, rate_from_text
from tokonomi.budgets.table import budget_from_table, budget_to_table
from tokonomi.cli.store_options import (
    DEFAULT_STORE,
    PLAIN,
    Answer,
    Place,
    author,
    pairs,
    print_events,
    utc_now,
)
from tokonomi.errors import BadInput, WrongUsage
from tokonomi.reports.budgets import (
    budgets_table,
    change_table,
    rates_table,
    standings_table,
    stated,
)
from tokonomi.storage import budget_store
from tokonomi.storage.rate_store import every_rate, set_rate
from tokonomi.toml_reading import tables_in

app = App(name="budget", help="Make, show and change budgets, and set exchange rates.")

NONE: Final = "none"
"""The value that takes a limit or a list away."""

Texts = Annotated[list[str] | None, Parameter(negative=())]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of a budget. What is not given keeps its value, or its default in a new budget.

    Attributes:
        amount: what may be spent in one window, as 500000 or 12.50; 0 allows nothing, none is no
            limit.
        currency: of all its amounts: USD, EUR or IDR.
        window: hour, day, week, month or lifetime.
        starts: weekday on which a week begins, or day on which a month does.
        zone: time zone whose clocks count, such as Asia/Jakarta.
        mode: hard refuses, soft allows an overshoot, notify only tells.
        overshoot: how far above the amount a soft budget lets spend go.
        per_request: the most that one request may cost.
        only: a name and the value that requests must have, such as feature=growth. Repeatable.
        each: a name of which every value has a budget of its own, such as user. Repeatable.
        alert: a share of the amount at which spend is told, such as 80%. Repeatable.
        forecast_alert: a share at which the forecast of the window's end is told. Repeatable.
        name: what people read.
        across_projects: count users, features and tags of one name together in all projects.
    """

    amount: str | None = None
    currency: str | None = None
    window: str | None = None
    starts: str | None = None
    zone: str | None = None
    mode: str | None = None
    overshoot: str | None = None
    per_request: str | None = None
    only: Texts = None
    each: Texts = None
    alert: Texts = None
    forecast_alert: Texts = None
    name: str | None = None
    across_projects: bool | None = None

    def over(self, table: Mapping[str, object]) -> dict[str, object]:
        """The table with these terms in it."""
        starts = int(self.starts) if self.starts and self.starts.isdecimal() else self.starts
        given: dict[str, object] = {
            "amount": self.amount,
            "currency": self.currency,
            "window": self.window,
            "starts": starts,
            "zone": self.zone,
            "mode": self.mode,
            "overshoot": self.overshoot,
            "per_request": self.per_request,
            "scope": None if self.only is None else _scope(self.only),
            "each": self.each,
            "alerts": self.alert,
            "forecast_alerts": self.forecast_alert,
            "name": self.name,
            "across_projects": self.across_projects,
        }
        whole = {**table, **{key: value for key, value in given.items() if value is not None}}
        return {key: value for key, value in whole.items() if value not in (NONE, [NONE])}


UNSAID: Final = Terms()


@app.command(name="create")
def create_budget(
    budget_id: str = "",
    /,
    *,
    file: Path | None = None,
    terms: Terms = UNSAID,
    dry_run: bool = False,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> None:
    """Make a budget from options, or all budgets that a TOML file states as [[budget]] tables.

    The same budget made again changes nothing. Running gateways hold to it within a second.

    Args:
        budget_id: stable name, such as growth.
        file: a TOML file with one [[budget]] table for each.
        terms: the terms of the budget.
        dry_run: answer what would happen, and write nothing.
        place: which store.
        answer: how the answer is written.
    """
    if bool(budget_id) == (file is not None):
        raise WrongUsage("name one budget, or a --file of them", remedy="Not both, and not none.")
    if file is not None:
        budgets = [_budget(table) for table in _tables(file)]
    else:
        defaults = {"id": budget_id, "window": "month", "currency": "USD"}
        budgets = [_budget(terms.over(defaults))]
    with place.opened() as database:
        made = [
            budget_store.create(database, budget, now=utc_now(), by=author(), dry_run=dry_run).new
            for budget in budgets
        ]
    stored = [each for each in made if each is not None]
    answer.print(budgets_table(stored, answer.words), dry_run=dry_run)


@app.command(name="list")
def list_budgets(
    *, archived: bool = False, place: Place = DEFAULT_STORE, answer: Answer = PLAIN
) -> None:
    """List the budgets in force.

    Args:
        archived: list the archived ones too.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        budgets = budget_store.every_budget(database, archived=archived)
    answer.print(budgets_table(budgets, answer.words))


@app.command(name="show")
def show_budget(budget_id: str, /, *, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> None:
    """Show what each subject of a budget has spent, holds and has left in the window that is now.

    Args:
        budget_id: the budget.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        budget = budget_store.get(database, budget_id).budget
        found = budget_store.standings(database, budget, utc_now())
    answer.print(standings_table(budget, found, answer.words))


@app.command(name="set")
def set_budget(
    budget_id: str,
    /,
    *,
    terms: Terms = UNSAID,
    dry_run: bool = False,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> None:
    """Change terms of a budget, and show them as they were and as they are.

    What was spent in the window stays spent. The next request finds the new limit.

    Args:
        budget_id: the budget.
        terms: the terms that change; none takes one away.
        dry_run: answer what would happen, and write nothing.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        table = budget_to_table(budget_store.get(database, budget_id).budget)
        changed = budget_store.replace(
            database, _budget(terms.over(table)), now=utc_now(), by=author(), dry_run=dry_run
        )
    title = f"Budget {budget_id}"
    answer.print(change_table(title, stated(changed.old), stated(changed.new)), dry_run=dry_run)


@app.command(name="archive")
def archive_budget(
    budget_id: str,
    /,
    *,
    dry_run: bool = False,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> None:
    """Take a budget out of force. Its history stays in the ledger.

    Args:
        budget_id: the budget.
        dry_run: answer what would happen, and write nothing.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        changed = budget_store.archive(
            database, budget_id, now=utc_now(), by=author(), dry_run=dry_run
        )
    title = f"Budget {budget_id}"
    answer.print(change_table(title, stated(changed.old), stated(changed.new)), dry_run=dry_run)


@app.command(name="rate")
def rate_of_exchange(
    base: str = "",
    quote: str = "",
    rate: str = "",
    /,
    *,
    on: date | None = None,
    source: str = "",
    dry_run: bool = False,
    place: Place = DEFAULT_STORE,
    answer: Answer = PLAIN,
) -> None:
    """Set the exchange rate of a day, or list all rates. The newest of a pair counts.

    Args:
        base: currency of which one unit is meant.
        quote: currency that is paid for it.
        rate: how many units, as a decimal.
        on: the day, today in UTC when not given.
        source: where you read it.
        dry_run: answer what would happen, and write nothing.
        place: which store.
        answer: how the answer is written.
    """
    with place.opened() as database:
        if not base:
            answer.print(rates_table(every_rate(database)))
            return
        now = utc_now()
        stated_rate = rate_from_text(base, quote, rate, on=on or now.date(), source=source)
        changed = set_rate(database, stated_rate, now=now, by=author(), dry_run=dry_run)
    old = changed.old and {"rate": decimal_text(changed.old.rate), "source": changed.old.source}
    new = {"rate": decimal_text(stated_rate.rate), "source": source}
    title = f"1 {base} in {quote} on {stated_rate.on}"
    answer.print(change_table(title, old, new), dry_run=dry_run)


@app.command(name="events")
def list_events(*, last: int = 20, place: Place = DEFAULT_STORE, answer: Answer = PLAIN) -> None:
    """List what has fired: shares that were reached, forecasts and overruns, the newest first.

    Args:
        last: how many.
        place: which store.
        answer: how the answer is written.
    """
    print_events("budget", last=last, place=place, answer=answer)


def _budget(table: Mapping[str, object]) -> Budget:
    return budget_from_table(table, zones=available_timezones())


def _scope(only: list[str]) -> dict[str, str]:
    return {} if only == [NONE] else pairs(only, "--only")


def _tables(file: Path) -> list[dict[str, object]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise BadInput(f"{file} cannot be read: {wrong}", remedy="Check the path.") from wrong
    stated_file = tables_in(text, str(file))
    tables = stated_file.pop("budget", [])
    if stated_file or not isinstance(tables, list) or not tables:
        raise BadInput(
            f"{file} is no file of budgets", remedy="State each in a [[budget]] table, no others."
        )
    return cast("list[dict[str, object]]", tables)
