"""The fallback report: how many calls a fallback served, what that cost, and what to do about it.

Every figure is one Ibis expression over the calls. What the primary would have cost is the columnar
twin of `charge` on the very tokens that the fallback used, at the prices of their instants.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Literal, cast

import ibis.expr.types as ir

from tokonomi.budgets.table import share_to_text
from tokonomi.calls import Status
from tokonomi.money import ExchangeRate, format_percent, round_half_up
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.cells import PriceKey, price_cells
from tokonomi.pricing.columnar import charged, price_keys
from tokonomi.reports.amounts import Wording
from tokonomi.reports.dimensions import dimension
from tokonomi.reports.statement import exact_decimal
from tokonomi.reports.tables import Cell, Heading, Table
from tokonomi.routing.route import FALLBACK, PRIMARY
from tokonomi.routing.watch import (
    Cause,
    Level,
    Watched,
    WatchRules,
    cause_of,
    cost_level,
    rate_level,
)
from tokonomi.storage.analytics import ALWAYS, Period, exact_sum, fetch, open_calls
from tokonomi.storage.fallback_watch import SERVED, in_one_currency
from tokonomi.storage.location import Location
from tokonomi.usage import COUNTS

Stretch = Literal["hour", "day"]
Key = tuple[str, str]
"""An alias, and the hour or day."""

Expression = Any
"""An Ibis column or table: Ibis knows their types when the expression is built, not before."""

_PRICED: Final = (*COUNTS, "tier", "batch", "context_basis")
_COLUMNS: Final = (
    "alias",
    "attempt",
    "route",
    "status",
    "http_status",
    "provider",
    "model_asked",
    "model_served",
    "currency",
    "amount",
    *_PRICED,
)


@dataclass(slots=True)
class FallbackRow:
    """What was found of one alias in one hour or day; amounts by currency, in sub-units."""

    calls: int = 0
    fallbacks: int = 0
    unpriced: int = 0
    failures: dict[Cause, int] = field(default_factory=dict[Cause, int])
    costs: dict[str, int] = field(default_factory=dict[str, int])
    served_by: dict[str, int] = field(default_factory=dict[str, int])
    primary_costs: dict[str, int] = field(default_factory=dict[str, int])
    primary_unpriced: int = 0

    def watched(self, currency: str, rates: Sequence[ExchangeRate]) -> Watched:
        """The same in one currency; a cost of which a part is unknown is unknown."""
        cost = in_one_currency(self.costs, currency, rates) if not self.unpriced else None
        primary = in_one_currency(self.primary_costs, currency, rates)
        known = self.primary_unpriced == 0
        return Watched(self.calls, self.fallbacks, self.failures, cost, primary if known else None)


def fallback_rows(
    location: Location, book: PriceBook, *, by: Stretch = "hour", period: Period = ALWAYS
) -> dict[Key, FallbackRow]:
    """What a period's calls say of fallback, by alias and hour or day, in order of time.

    The primary of an alias is the target that its calls went to first, lately; where no call of the
    period did, nobody knows what it would have cost.

    Raises:
        StoreError: the store or the lake cannot be read.
    """
    rows: dict[Key, FallbackRow] = {}
    with open_calls(location, _COLUMNS, period) as opened:
        table: Expression = opened.table
        calls = table.filter(table.route.isin([PRIMARY, FALLBACK]))
        calls = calls.mutate(stretch=dimension(by).value(calls))
        for each in _fetched(_counts(calls).order_by(["stretch", "alias"])):
            row = FallbackRow(each["calls"], each["fallbacks"], each["unpriced"] or 0)
            rows[each["alias"], each["stretch"]] = row
        _add_failures(rows, calls)
        _add_costs(rows, calls)
        _add_served_by(rows, calls)
        _add_primary_costs(rows, calls, book)
    return rows


def _fetched(table: Expression) -> list[dict[str, Any]]:
    return fetch(cast("ir.Table", table))


def _is_served(calls: Expression) -> Expression:
    return (calls.route == FALLBACK) & calls.status.isin([str(each) for each in SERVED])


def _counts(calls: Expression) -> Expression:
    served = _is_served(calls)
    return calls.group_by(["alias", "stretch"]).agg(
        calls=(calls.attempt == 1).sum(),
        fallbacks=served.sum(),
        unpriced=(served & calls.amount.isnull()).sum(),
    )


def _add_failures(rows: Mapping[Key, FallbackRow], calls: Expression) -> None:
    failed = calls.filter((calls.route == PRIMARY) & (calls.status == str(Status.FAILED)))
    for each in _fetched(
        failed.group_by(["alias", "stretch", "http_status"]).agg(number=failed.count())
    ):
        failures = rows[each["alias"], each["stretch"]].failures
        cause = cause_of(each["http_status"])
        failures[cause] = failures.get(cause, 0) + each["number"]


def _add_costs(rows: Mapping[Key, FallbackRow], calls: Expression) -> None:
    """What fallbacks cost; attempts that failed and were billed all the same too."""
    billed = calls.filter((calls.route == FALLBACK) & calls.amount.notnull())
    costs = billed.group_by(["alias", "stretch", "currency"])
    for each in _fetched(costs.agg(amount=exact_sum(billed.amount))):
        rows[each["alias"], each["stretch"]].costs[each["currency"]] = each["amount"]


def _add_served_by(rows: Mapping[Key, FallbackRow], calls: Expression) -> None:
    """How many calls each fallback served, priced or not: together they are the fallbacks."""
    served = calls.filter(_is_served(calls))
    targets = served.group_by(["alias", "stretch", "provider", "model_asked"])
    for each in _fetched(targets.agg(number=served.count())):
        target = f"{each['provider']}/{each['model_asked']}"
        rows[each["alias"], each["stretch"]].served_by[target] = each["number"]


def _add_primary_costs(rows: Mapping[Key, FallbackRow], calls: Expression, book: PriceBook) -> None:
    first = calls.filter(calls.route == PRIMARY)
    primaries = first.group_by("alias").agg(
        provider=first.provider.argmax(first["at"]), model=first.model_asked.argmax(first["at"])
    )
    billed = calls.filter((calls.route == FALLBACK) & calls.amount.notnull())
    used = billed.select("alias", "stretch", "at", *_PRICED)
    usage = used.left_join(primaries, "alias").select(
        *(used[name] for name in used.columns), primaries.provider, primaries.model
    )
    keys = [
        PriceKey(each["provider"], each["model"], each["tier"], batch=each["batch"])
        for each in _fetched(price_keys(usage))
        if each["provider"] is not None
    ]
    usage = usage.mutate(provider=usage.provider.fill_null(""), model=usage.model.fill_null(""))
    priced: Expression = charged(usage, price_cells(book, keys))
    for each in _fetched(
        priced.group_by(["alias", "stretch", "currency"]).agg(
            amount=exact_sum(priced.amount), unpriced=priced.unpriced.sum()
        )
    ):
        row = rows[each["alias"], each["stretch"]]
        row.primary_unpriced += each["unpriced"] or 0
        if each["amount"] is not None:
            known = row.primary_costs.get(each["currency"], 0)
            row.primary_costs[each["currency"]] = known + each["amount"]


@dataclass(frozen=True, slots=True)
class FallbackView:
    """How the report is read: thresholds, rates of exchange, words.

    Attributes:
        rules: thresholds and actions.
        rates: of exchange, the newest first.
        words: how amounts are written, and in which language actions are.
        by: whether a row is an hour or a day; a day is judged by its cost as well.
    """

    rules: WatchRules
    rates: Sequence[ExchangeRate]
    words: Wording
    by: Stretch = "hour"

    def currency_of(self, rows: Mapping[Key, FallbackRow]) -> str:
        """The currency of the rules where rates lead there, else the only one that occurs."""
        found = {code for row in rows.values() for code in (*row.costs, *row.primary_costs)}
        convertible = all(
            in_one_currency({code: 0}, self.rules.currency, self.rates) is not None
            for code in found
        )
        return self.rules.currency if convertible or len(found) != 1 else found.pop()


def fallback_table(rows: Mapping[Key, FallbackRow], view: FallbackView) -> Table:
    """One line per alias and hour or day: share, cost, extra cost, level, and what to do."""
    currency = view.currency_of(rows)
    lines = [_line(key, row, view, currency) for key, row in rows.items()]
    headings = (
        Heading("alias"),
        Heading(view.by),
        Heading("calls", numeric=True),
        Heading("fallbacks", numeric=True),
        Heading("rate", numeric=True),
        Heading("fallback_cost", numeric=True, optional=True),
        Heading("primary_cost", numeric=True, optional=True),
        Heading("extra_cost", numeric=True, optional=True),
        Heading("currency", optional=True),
        Heading("unpriced", numeric=True, optional=True),
        Heading("served_by", optional=True),
        Heading("level"),
        Heading("action", optional=True),
    )
    return Table("Fallback", headings, tuple(lines), tuple(_notes(rows, view, currency)))


def _line(key: Key, row: FallbackRow, view: FallbackView, currency: str) -> tuple[Cell, ...]:
    watched = row.watched(currency, view.rates)
    level = _level(watched, view)
    action = view.rules.actions[watched.cause][view.words.locale]
    return (
        *key,
        watched.calls,
        watched.fallbacks,
        _share(watched.rate, view.words),
        view.words.money(watched.fallback_cost),
        view.words.money(watched.primary_cost),
        view.words.money(watched.extra_cost),
        view.words.currency(currency),
        row.unpriced or None,
        ", ".join(f"{target} ({number})" for target, number in sorted(row.served_by.items())),
        str(level),
        action if level is not Level.OK else None,
    )


def _level(watched: Watched, view: FallbackView) -> Level:
    levels = [rate_level(watched, view.rules)]
    cost = watched.fallback_cost
    if view.by == "day" and cost is not None and cost.currency == view.rules.currency:
        levels.append(cost_level(cost, view.rules))
    return max(levels, key=[*Level].index)


def _share(rate: Fraction | None, words: Wording) -> str | None:
    if rate is None:
        return None
    if words.for_people:
        return format_percent(rate, locale=words.locale)
    return exact_decimal(Fraction(round_half_up(rate * 10**6), 10**6))


def _notes(rows: Mapping[Key, FallbackRow], view: FallbackView, currency: str) -> list[str]:
    rules = view.rules
    if not rows:
        return ["No call of this period went through a chain of targets."]
    rate, critical_rate = share_to_text(rules.rate_warning), share_to_text(rules.rate_critical)
    judged = (
        f"Warning above {rate} of at least {rules.minimum_calls} calls, or above"
        f" {view.words.money(rules.cost_warning)} a day; critical above {critical_rate} or"
        f" {view.words.money(rules.cost_critical)} ({rules.source})."
    )
    notes = [judged]
    if currency != rules.currency:
        notes.append(
            f"No rate leads from {currency} to {rules.currency}, so costs are not judged:"
            f" `tokonomi budget rate {currency} {rules.currency} RATE` sets one."
        )
    return notes
