"""What a request must claim of budgets and wallets before it leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

from tokonomi.budgets.hold_size import (
    HoldSize,
    Refused,
    amount_to_hold,
    hold_size,
)
from tokonomi.budgets.hold_size import Target as PricedTarget
from tokonomi.budgets.limit import Budget, account_name
from tokonomi.budgets.scope import EVERYBODY, Route, subject_of
from tokonomi.budgets.window import Span, span_at
from tokonomi.credits.grant import credits_to_text
from tokonomi.credits.wallet import WalletRule, wallet_of
from tokonomi.credits.weights import Weights, credits_bound
from tokonomi.errors import AmountTooLarge
from tokonomi.gateway.allowance import Allowance, BudgetMeasure, WalletMeasure
from tokonomi.gateway.request_bounds import bounds_of
from tokonomi.gateway.settle import Exchange
from tokonomi.money import INT64_MAX, ExchangeRate, Money
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.bound import Bounds
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import PriceRow
from tokonomi.storage.budget_store import funding_of
from tokonomi.storage.ledger import Claim, Funding

FUNDED: Final = 10_000
"""Accounts of one budget whose names are kept in memory."""
NO_BOUNDS: Final = Bounds(input_tokens=0, output_tokens=0)


@dataclass(slots=True)
class BudgetInForce:
    """A budget with the zone of its clocks, and the span of its window that is now.

    `version` is that of the rules that it was read with.
    """

    budget: Budget
    zone: tzinfo
    version: int = 0
    source: str = field(init=False)
    _span: Span | None = field(default=None, init=False)
    _funded: dict[str, Funding] = field(default_factory=dict[str, Funding], init=False)

    def __post_init__(self) -> None:
        self.source = f"budget {self.budget.id}"

    def funding(self, subject: str, now: datetime) -> Funding:
        """The account of a subject in the window that `now` is in, computed once a window."""
        if self._span is None or not self._span.holds(now) or len(self._funded) >= FUNDED:
            self._span = span_at(self.budget.window, self.zone, now)
            self._funded.clear()
        found = self._funded.get(subject)
        if found is None:
            name = account_name(self.budget.id, subject, self._span.start)
            found = funding_of(self.budget, name, version=self.version)
            self._funded[subject] = found
        return found


@dataclass(frozen=True, slots=True)
class WalletInForce:
    """Who pays with credits, and what a token of each class counts."""

    rule: WalletRule
    weights: Weights


@dataclass(frozen=True, slots=True)
class Rules:
    """All that a request must pass.

    Attributes:
        budgets: the budgets in force.
        wallets: who pays with credits.
        rates: dated exchange rates, the first of a pair counts.
        output_cap: the most output tokens of a request that names no limit; it is sent upstream.
    """

    budgets: Sequence[BudgetInForce] = ()
    wallets: Sequence[WalletInForce] = ()
    rates: Sequence[ExchangeRate] = ()
    output_cap: int | None = None


def allowance(
    rules: Rules, exchange: Exchange, book: PriceBook, *, answers: bool
) -> Allowance | Refused:
    """What a request claims of every budget and wallet that binds it, or why it may not go.

    `answers` is whether its endpoint produces output.
    """
    bounds, send = _bounds(rules, exchange, book, answers=answers)
    rows = _rows(exchange, book)
    sizes = {
        row.currency: _size(rules, exchange, bounds, rows, currency=row.currency)
        for row in rows[:1]
    }
    worst = _worst_case(sizes)
    if not rules.budgets and not rules.wallets:
        return Allowance(worst_case=worst)
    claims: list[Claim] = []
    measures: list[BudgetMeasure | WalletMeasure] = []
    for rule in rules.budgets:
        funding = _funding(rule, exchange)
        if funding is None:
            continue
        budget = rule.budget
        if budget.currency not in sizes:
            sizes[budget.currency] = _size(rules, exchange, bounds, rows, currency=budget.currency)
        amount = amount_to_hold(budget, sizes[budget.currency])
        if isinstance(amount, Refused):
            return amount
        claims.append(Claim(rule.source, amount, funding))
        measures.append(BudgetMeasure(budget.currency, rules.rates))
    for wallet in rules.wallets:
        claim = _wallet_claim(wallet, exchange, bounds)
        if isinstance(claim, Refused):
            return claim
        if claim is not None:
            claims.append(claim)
            measures.append(WalletMeasure(wallet.weights))
    return Allowance(tuple(claims), tuple(measures), send, worst)


def _worst_case(sizes: Mapping[str, HoldSize | Unpriced]) -> Money | None:
    """The most that a request can cost, in the currency of its own price."""
    known = [size.money for size in sizes.values() if not isinstance(size, Unpriced)]
    return known[0] if known else None


def _bounds(
    rules: Rules, exchange: Exchange, book: PriceBook, *, answers: bool
) -> tuple[Bounds | Unpriced, int | None]:
    entry = book.find(exchange.target.price_as, exchange.intent.model)
    if entry is None:
        return Unpriced(f"no price source knows {exchange.intent.model}"), None
    found = bounds_of(
        exchange.request,
        input_bound=exchange.intent.input_bound,
        card=entry.card,
        output_cap=rules.output_cap,
        answers=answers,
    )
    if isinstance(found, Unpriced):
        return found, None
    bounds, limit = found
    return bounds, limit.send


def _rows(exchange: Exchange, book: PriceBook) -> tuple[PriceRow, ...]:
    """Every row that may price the reply; the tier that serves is the reply's to say."""
    target, at = exchange.target, exchange.intent.at
    if "service_tier" not in exchange.request.fields:
        row = book.row_at(target.price_as, exchange.intent.model, at)
        return () if isinstance(row, Unpriced) else (row,)
    entry = book.find(target.price_as, exchange.intent.model)
    tiers = {"standard"}
    tiers |= {ranked.row.tier for ranked in entry.rows} if entry is not None else set()
    found = (book.row_at(target.price_as, exchange.intent.model, at, tier) for tier in tiers)
    return tuple(row for row in found if not isinstance(row, Unpriced))


def _size(
    rules: Rules,
    exchange: Exchange,
    bounds: Bounds | Unpriced,
    rows: tuple[PriceRow, ...],
    *,
    currency: str,
) -> HoldSize | Unpriced:
    free = bool(rows) and all(row.free for row in rows)
    if isinstance(bounds, Unpriced):
        if not free:
            return bounds
        bounds = NO_BOUNDS
    name = f"{exchange.target.name}/{exchange.intent.model}"
    target = PricedTarget(name=name, rows=rows, bounds=bounds)
    try:
        return hold_size([target], currency=currency, rates=rules.rates)
    except AmountTooLarge:
        most = Money(INT64_MAX, currency).format()
        return Unpriced(f"it may cost more than {most}, which no account holds")


def _funding(rule: BudgetInForce, exchange: Exchange) -> Funding | None:
    """The account of the request's share in a budget, or None where the budget does not bind it."""
    scope, intent = rule.budget.scope, exchange.intent
    if not scope.only and not scope.each:
        return rule.funding(EVERYBODY, intent.at)
    route = Route(model=intent.model, provider=exchange.target.price_as)
    organisation = organisation_of(intent.dimensions.project)
    subject = subject_of(scope, intent.dimensions, route=route, organisation=organisation)
    if subject is None:
        return None
    return rule.funding(subject, intent.at)


def organisation_of(project: str) -> str:
    """The owner of a project: what stands before the slash of its name, where there is one.

    >>> organisation_of("acme/growth"), organisation_of("growth")
    ('acme', '')
    """
    owner, slash, _ = project.partition("/")
    return owner if slash else ""


def _wallet_claim(
    wallet: WalletInForce, exchange: Exchange, bounds: Bounds | Unpriced
) -> Claim | Refused | None:
    rule = wallet.rule
    name = wallet_of(rule, exchange.intent.dimensions)
    if name is None:
        return _nobody_pays(rule) if rule.required else None
    if isinstance(bounds, Unpriced):
        return Refused(
            code="price_unknown",
            budget_id=f"wallet {name}",
            what=f"wallet {name} is prepaid, and what this request may use is not known:"
            f" {bounds.reason}",
            remedy="Send max_tokens.",
        )
    try:
        return Claim(f"wallet {name}", credits_bound([bounds], wallet.weights), name)
    except AmountTooLarge:
        return Refused(
            code="request_too_dear",
            budget_id=f"wallet {name}",
            what=f"this request may use more than {credits_to_text(INT64_MAX)} credits of wallet"
            f" {name}, which no wallet holds",
            remedy="Lower max_tokens or n.",
        )


def _nobody_pays(rule: WalletRule) -> Refused:
    header = rule.per.partition(":")[0].replace("tag", "tags")
    return Refused(
        code="wallet_missing",
        budget_id=rule.per,
        what=f"requests are paid from the wallet of their {rule.per}, and this one names none",
        remedy=f"Send the header x-tokonomi-{header}.",
    )
