"""What a request must claim of budgets and wallets before it leaves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

from tokonomi.budgets.hold_size import (
    HoldSize,
    Refused,
    amount_to_hold,
    hold_size,
    rate_between,
    without_bound,
)
from tokonomi.budgets.limit import Budget, account_name
from tokonomi.budgets.scope import EVERYBODY, Route, subject_of
from tokonomi.budgets.window import Span, span_at
from tokonomi.credits.wallet import WalletRule, wallet_of
from tokonomi.credits.weights import Weights, credits_bound
from tokonomi.errors import AmountTooLarge
from tokonomi.gateway.allowance import ALLOWED, Allowance, BudgetMeasure, WalletMeasure
from tokonomi.gateway.reach import Attempt, Reach, reach_of
from tokonomi.gateway.request_asked import word
from tokonomi.gateway.settle import Exchange
from tokonomi.money import ExchangeRate
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.bound import Unbounded
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import PriceRow
from tokonomi.storage.budget_store import funding_of
from tokonomi.storage.ledger import Claim, Funding

FUNDED: Final = 10_000
"""Accounts of one budget whose names are kept in memory."""


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
    if not rules.budgets and not rules.wallets:
        return ALLOWED
    reach = _reach(rules, exchange, book, answers=answers)
    claims: list[Claim] = []
    measures: list[BudgetMeasure | WalletMeasure] = []
    sizes: dict[str, HoldSize | Unpriced] = {}
    rows = () if isinstance(reach, Unpriced) else reach.rows
    for rule in rules.budgets:
        funding = _funding(rule, exchange, exchange.intent.model)
        apart = _counted_apart(rule, exchange, reach, funding)
        if apart is not None:
            return apart
        if funding is None:
            continue
        budget = rule.budget
        if budget.currency not in sizes:
            sizes[budget.currency] = _size(rules, reach, currency=budget.currency)
        amount = amount_to_hold(budget, sizes[budget.currency])
        if isinstance(amount, Refused):
            return amount
        claims.append(Claim(rule.source, amount, funding))
        measures.append(BudgetMeasure(_rate(rules, rows, budget.currency)))
    for wallet in rules.wallets:
        claim = _wallet_claim(wallet, exchange, reach)
        if isinstance(claim, Refused):
            return claim
        if claim is not None:
            claims.append(claim)
            measures.append(WalletMeasure(wallet.weights))
    send = None if isinstance(reach, Unpriced) else reach.send_max_tokens
    return Allowance(tuple(claims), tuple(measures), send)


def _reach(rules: Rules, exchange: Exchange, book: PriceBook, *, answers: bool) -> Reach | Unpriced:
    intent, target = exchange.intent, exchange.target
    attempt = Attempt(
        target=target.name,
        provider=target.price_as,
        model=intent.model,
        at=intent.at,
        input_bound=intent.input_bound,
        output_cap=rules.output_cap,
        answers=answers,
    )
    return reach_of(exchange.request, attempt, book)


def _size(rules: Rules, reach: Reach | Unpriced, *, currency: str) -> HoldSize | Unpriced:
    if isinstance(reach, Unpriced):
        return reach
    return hold_size(reach.targets, currency=currency, rates=rules.rates)


def _rate(rules: Rules, rows: tuple[PriceRow, ...], currency: str) -> ExchangeRate | None:
    foreign = [row.currency for row in rows if row.currency != currency]
    return rate_between(rules.rates, foreign[0], currency) if foreign else None


def _funding(rule: BudgetInForce, exchange: Exchange, model: str) -> Funding | None:
    """The account of the request's share in a budget, or None where the budget does not bind it."""
    scope, intent = rule.budget.scope, exchange.intent
    if not scope.only and not scope.each:
        return rule.funding(EVERYBODY, intent.at)
    route = Route(model=model, provider=exchange.target.price_as)
    organisation = organisation_of(intent.dimensions.project)
    subject = subject_of(scope, intent.dimensions, route=route, organisation=organisation)
    if subject is None:
        return None
    return rule.funding(subject, intent.at)


def _counted_apart(
    rule: BudgetInForce, exchange: Exchange, reach: Reach | Unpriced, funding: Funding | None
) -> Refused | None:
    """Why a request may not go that may be served by models which a budget counts apart."""
    if isinstance(reach, Unpriced) or len(reach.models) == 1 or not rule.budget.can_refuse:
        return None
    for model in reach.models[1:]:
        if _funding(rule, exchange, model) != funding:
            return Refused(
                code="price_unknown",
                budget_id=rule.budget.id,
                what=f"budget {rule.budget.id} counts {word(model)} apart from {reach.models[0]},"
                " and this request may be served by either",
                remedy="Leave out `models`.",
                param="models",
            )
    return None


def organisation_of(project: str) -> str:
    """The owner of a project: what stands before the slash of its name, where there is one.

    >>> organisation_of("acme/growth"), organisation_of("growth")
    ('acme', '')
    """
    owner, slash, _ = project.partition("/")
    return owner if slash else ""


def _wallet_claim(
    wallet: WalletInForce, exchange: Exchange, reach: Reach | Unpriced
) -> Claim | Refused | None:
    rule = wallet.rule
    name = wallet_of(rule, exchange.intent.dimensions)
    if name is None:
        return _nobody_pays(rule) if rule.required else None
    if isinstance(reach, Unpriced):
        return _unknown_credits(name, reach)
    if reach.endless is not None:
        return _unknown_credits(name, reach.endless)
    try:
        return Claim(f"wallet {name}", credits_bound(reach.bounds, wallet.weights), name)
    except AmountTooLarge as error:
        too_dear = Unbounded(error.what, remedy="Lower max_tokens or n.", code="request_too_dear")
        return _unknown_credits(name, too_dear)


def _unknown_credits(name: str, open_end: Unpriced) -> Refused:
    return without_bound(
        open_end,
        source=f"wallet {name}",
        who=f"wallet {name} is prepaid, and",
        unknown="what this request may use is not known",
        remedy="Send max_tokens.",
    )


def _nobody_pays(rule: WalletRule) -> Refused:
    header = rule.per.partition(":")[0].replace("tag", "tags")
    return Refused(
        code="wallet_missing",
        budget_id=rule.per,
        what=f"requests are paid from the wallet of their {rule.per}, and this one names none",
        remedy=f"Send the header x-tokonomi-{header}.",
    )
