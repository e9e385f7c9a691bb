"""What a request must claim of budgets and wallets before it leaves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

from tokonomi.budgets.hold_size import (
    HoldSize,
    Refused,
    amount_to_hold,
    hold_size,
    rate_between,
)
from tokonomi.budgets.hold_size import Target as PricedTarget
from tokonomi.budgets.limit import Budget, account_name
from tokonomi.budgets.scope import EVERYBODY, Route, subjects_over_routes
from tokonomi.budgets.window import Span, span_at
from tokonomi.credits.wallet import WalletRule, wallet_of
from tokonomi.credits.weights import Weights, credits_bound
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.allowance import (
    ALLOWED,
    NOTHING_USED,
    Allowance,
    BudgetMeasure,
    Measure,
    WalletMeasure,
)
from tokonomi.gateway.pace import UNPACED, pace_of
from tokonomi.gateway.request_bounds import bounds_of
from tokonomi.gateway.settle import Exchange
from tokonomi.money import ExchangeRate
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
    rules: Rules, exchange: Exchange, book: PriceBook, *, reachable: Sequence[Target] = ()
) -> Allowance | Refused:
    """What an attempt claims of every budget and wallet that binds it, or why it may not go.

    `reachable` are the targets that its request may still go to, the attempt's own first: what is
    claimed covers the dearest of them, so a fallback cannot find the budget spent meanwhile.
    """
    pace = pace_of(exchange, book, output_cap=rules.output_cap)
    if isinstance(pace, Refused):
        return pace
    if not rules.budgets and not rules.wallets:
        return ALLOWED if pace is UNPACED else Allowance((), (), pace.send_max_tokens, pace.claim)
    legs = [
        _leg(rules, exchange, target, book)
        for target in dict.fromkeys(reachable or (exchange.target,))
    ]
    claims: list[Claim] = []
    measures: list[Measure] = []
    sizes: dict[tuple[str, tuple[int, ...]], HoldSize | Unpriced] = {}
    for rule in rules.budgets:
        currency = rule.budget.currency
        for funding, places in _fundings(rule, exchange, legs):
            at = currency, places
            if at not in sizes:
                sizes[at] = _size(rules, [legs[place] for place in places], currency=currency)
            amount = amount_to_hold(rule.budget, sizes[at])
            if isinstance(amount, Refused):
                return amount
            claims.append(Claim(rule.source, amount, funding))
            binds_this = places[0] == 0
            rate = _rate(rules, legs[0].rows, currency) if binds_this else None
            measures.append(BudgetMeasure(rate) if binds_this else NOTHING_USED)
    for wallet in rules.wallets:
        claim = _wallet_claim(wallet, exchange, legs)
        if isinstance(claim, Refused):
            return claim
        if claim is not None:
            claims.append(claim)
            measures.append(WalletMeasure(wallet.weights))
    send = legs[0].send_max_tokens
    limit = pace.send_max_tokens if send is None else send
    return Allowance(tuple(claims), tuple(measures), limit, pace.claim)


@dataclass(frozen=True, slots=True)
class _Leg:
    """One target that a request may go to, and the most that it can consume there.

    `rows` is every row that may price the reply; the tier that serves is the reply's to say.
    """

    target: Target
    bounds: Bounds | Unpriced
    send_max_tokens: int | None
    rows: tuple[PriceRow, ...]


def _leg(rules: Rules, exchange: Exchange, target: Target, book: PriceBook) -> _Leg:
    rows = _rows(exchange, target, book)
    entry = book.find(target.price_as, target.model)
    if entry is None:
        return _Leg(target, Unpriced(f"no price source knows {target.model}"), None, rows)
    found = bounds_of(
        exchange.request,
        input_bound=exchange.intent.input_bound,
        card=entry.card,
        output_cap=rules.output_cap,
        answers=exchange.answers,
    )
    if isinstance(found, Unpriced):
        return _Leg(target, found, None, rows)
    bounds, limit = found
    return _Leg(target, bounds, limit.send, rows)


def _rows(exchange: Exchange, target: Target, book: PriceBook) -> tuple[PriceRow, ...]:
    at = exchange.intent.at
    if "service_tier" not in exchange.request.fields:
        row = book.row_at(target.price_as, target.model, at)
        return () if isinstance(row, Unpriced) else (row,)
    entry = book.find(target.price_as, target.model)
    tiers = {"standard"}
    tiers |= {ranked.row.tier for ranked in entry.rows} if entry is not None else set()
    found = (book.row_at(target.price_as, target.model, at, tier) for tier in tiers)
    return tuple(row for row in found if not isinstance(row, Unpriced))


def _size(rules: Rules, legs: Sequence[_Leg], *, currency: str) -> HoldSize | Unpriced:
    targets: list[PricedTarget] = []
    for leg in legs:
        bounds = leg.bounds
        if isinstance(bounds, Unpriced):
            if not (leg.rows and all(row.free for row in leg.rows)):
                return bounds
            bounds = NO_BOUNDS
        name = f"{leg.target.name}/{leg.target.model}"
        targets.append(PricedTarget(name=name, rows=leg.rows, bounds=bounds))
    return hold_size(targets, currency=currency, rates=rules.rates)


def _rate(rules: Rules, rows: tuple[PriceRow, ...], currency: str) -> ExchangeRate | None:
    foreign = [row.currency for row in rows if row.currency != currency]
    return rate_between(rules.rates, foreign[0], currency) if foreign else None


def _fundings(
    rule: BudgetInForce, exchange: Exchange, legs: Sequence[_Leg]
) -> Iterator[tuple[Funding, tuple[int, ...]]]:
    """The accounts of a budget that a request draws on, each with the places of its targets."""
    scope, intent = rule.budget.scope, exchange.intent
    if not scope.only and not scope.each:
        yield rule.funding(EVERYBODY, intent.at), tuple(range(len(legs)))
        return
    routes = [Route(model=leg.target.model, provider=leg.target.price_as) for leg in legs]
    organisation = organisation_of(intent.dimensions.project)
    places_of = subjects_over_routes(
        scope, intent.dimensions, routes=routes, organisation=organisation
    )
    for subject, places in places_of.items():
        yield rule.funding(subject, intent.at), places


def organisation_of(project: str) -> str:
    """The owner of a project: what stands before the slash of its name, where there is one.

    >>> organisation_of("acme/growth"), organisation_of("growth")
    ('acme', '')
    """
    owner, slash, _ = project.partition("/")
    return owner if slash else ""


def _wallet_claim(
    wallet: WalletInForce, exchange: Exchange, legs: Sequence[_Leg]
) -> Claim | Refused | None:
    rule = wallet.rule
    name = wallet_of(rule, exchange.intent.dimensions)
    if name is None:
        return _nobody_pays(rule) if rule.required else None
    bounds: list[Bounds] = []
    for leg in legs:
        if isinstance(leg.bounds, Unpriced):
            return Refused(
                code="price_unknown",
                budget_id=f"wallet {name}",
                what=f"wallet {name} is prepaid, and what this request may use is not known:"
                f" {leg.bounds.reason}",
                remedy="Send max_tokens.",
            )
        bounds.append(leg.bounds)
    return Claim(f"wallet {name}", credits_bound(bounds, wallet.weights), name)


def _nobody_pays(rule: WalletRule) -> Refused:
    header = rule.per.partition(":")[0].replace("tag", "tags")
    return Refused(
        code="wallet_missing",
        budget_id=rule.per,
        what=f"requests are paid from the wallet of their {rule.per}, and this one names none",
        remedy=f"Send the header x-tokonomi-{header}.",
    )
