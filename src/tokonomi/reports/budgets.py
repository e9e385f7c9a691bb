"""Tables about budgets: their definitions, their standings, a change, and exchange rates."""

import json
from collections.abc import Iterable, Mapping, Sequence

from tokonomi.budgets.limit import Budget
from tokonomi.budgets.rate_table import decimal_text
from tokonomi.budgets.table import budget_to_table, share_to_text
from tokonomi.money import ExchangeRate, Money
from tokonomi.reports.amounts import Wording, instant_text
from tokonomi.reports.tables import Cell, Heading, Table
from tokonomi.storage.budget_store import StoredBudget, SubjectStanding


def budgets_table(budgets: Sequence[StoredBudget], words: Wording) -> Table:
    """One line per budget: whom it binds, for how long, and what it allows."""
    headings = (
        Heading("id"),
        Heading("name", optional=True),
        Heading("scope", optional=True),
        Heading("each", optional=True),
        Heading("across_projects", optional=True),
        Heading("window"),
        Heading("zone"),
        Heading("mode"),
        Heading("amount", numeric=True, optional=True),
        Heading("currency", optional=True),
        Heading("overshoot", numeric=True, optional=True),
        Heading("per_request", numeric=True, optional=True),
        Heading("alerts", optional=True),
        Heading("archived", optional=True),
    )
    rows = tuple(_line(stored, words) for stored in budgets)
    notes = () if rows else ("There are no budgets. `tokonomi budget create` makes one.",)
    return Table("Budgets", headings, rows, notes)


def _line(stored: StoredBudget, words: Wording) -> tuple[Cell, ...]:
    budget = stored.budget
    alerts = [share_to_text(share) for share in budget.alerts]
    alerts += [f"forecast {share_to_text(share)}" for share in budget.forecast_alerts]
    return (
        budget.id,
        budget.name,
        ", ".join(f"{name}={value}" for name, value in budget.scope.only),
        ", ".join(budget.scope.each),
        budget.across_projects or None,
        str(budget.window.period),
        budget.zone,
        str(budget.mode),
        words.money(budget.amount),
        words.currency(budget.currency),
        words.money(budget.overshoot),
        words.money(budget.per_request),
        ", ".join(alerts),
        instant_text(stored.archived),
    )


def standings_table(budget: Budget, standings: Sequence[SubjectStanding], words: Wording) -> Table:
    """One line per subject of a budget in the window that is now: limit, spent, held and left.

    `overrun` is the part of what was spent that nothing available paid for; `exposed` is not spent,
    but may be billed for calls that failed.
    """
    headings = (
        Heading("subject"),
        Heading("limit", numeric=True, optional=True),
        Heading("spent", numeric=True),
        Heading("overrun", numeric=True, optional=True),
        Heading("exposed", numeric=True, optional=True),
        Heading("held", numeric=True),
        Heading("left", numeric=True, optional=True),
        Heading("currency", optional=True),
        Heading("window_start"),
        Heading("window_end", optional=True),
    )
    rows = tuple(_standing(budget, each, words) for each in standings)
    notes = () if rows else ("Nobody has used it in the window that is now.",)
    limit = "no amount" if budget.amount is None else budget.amount.format(words.locale)
    title = f"Budget {budget.id}: {limit}, {budget.window.period}, {budget.mode}"
    return Table(title, headings, rows, notes)


def _standing(budget: Budget, standing: SubjectStanding, words: Wording) -> tuple[Cell, ...]:
    def money(amount: int) -> str | None:
        return words.money(Money(amount, budget.currency))

    balance = standing.balance
    limit = None if budget.amount is None else budget.amount.sub_units
    left = None if limit is None else limit - balance.gone
    return (
        standing.subject,
        None if limit is None else money(limit),
        money(balance.spent),
        money(balance.overrun) if balance.overrun else None,
        money(balance.exposed) if balance.exposed else None,
        money(balance.debits_pending),
        None if left is None else money(left),
        words.currency(budget.currency),
        instant_text(standing.span.start),
        instant_text(standing.span.end),
    )


def change_table(
    title: str, old: Mapping[str, object] | None, new: Mapping[str, object] | None
) -> Table:
    """What a change was: each field that is stated, before and after it."""
    before, after = old or {}, new or {}
    rows = tuple(
        (key, _said(before.get(key)), _said(after.get(key)))
        for key in dict.fromkeys([*before, *after])
        if old is None or new is None or before.get(key) != after.get(key)
    )
    headings = (Heading("field"), Heading("old", optional=True), Heading("new", optional=True))
    return Table(title, headings, rows, () if rows else ("Nothing changed.",))


def _said(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def stated(stored: StoredBudget | None) -> dict[str, object] | None:
    """The table that states a budget, and when it was archived."""
    if stored is None:
        return None
    archived = instant_text(stored.archived)
    return budget_to_table(stored.budget) | ({"archived": archived} if archived else {})


def rates_table(rates: Iterable[ExchangeRate]) -> Table:
    """One line per exchange rate, the newest first."""
    headings = (
        Heading("base"),
        Heading("quote"),
        Heading("rate", numeric=True),
        Heading("on"),
        Heading("source"),
    )
    rows = tuple(
        (each.base, each.quote, decimal_text(each.rate), each.on.isoformat(), each.source)
        for each in rates
    )
    notes = () if rows else ("There are no rates. `tokonomi budget rate USD IDR 16000` sets one.",)
    return Table("Exchange rates: 1 base = rate quote", headings, rows, notes)
