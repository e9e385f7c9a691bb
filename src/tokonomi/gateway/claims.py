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
    without_bound,
)
from tokonomi.budgets.hold_size import Target as PricedTarget
from tokonomi.budgets.limit import Budget, account_name
from tokonomi.budgets.scope import EVERYBODY, Route, Scope, subject_of
from tokonomi.budgets.window import Span, span_at
from tokonomi.credits.wallet import WalletRule, wallet_of
from tokonomi.credits.weights import Weights, credits_bound
from tokonomi.errors import AmountTooLarge
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.allowance import (
    NOTHING_USED,
    Allowance,
    BudgetMeasure,
    Measure,
    WalletMeasure,
)
from tokonomi.gateway.pace import pace_of
from tokonomi.gateway.reach import Attempt, Reach, reach_of
from tokonomi.gateway.request_asked import word
from tokonomi.gateway.settle import Exchange
from tokonomi.money import ExchangeRate, Money
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.bound import Bounds, Unbounded
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import PriceRow
from tokonomi.routing.route import FALLBACK
from tokonomi.storage.budget_store import funding_of
from tokonomi.storage.ledger import Claim, Funding

FUNDED: Final = 10_000
"""Accounts of one budget whose names are kept in memory."""


@dataclass(slots=True)
class BudgetInForce:
    """A budget with the zone of its clocks, and the span of its window that is now.

    `version` is that of the rules that it was read with, `scope` says by whom it is counted.
    """

    budget: Budget
    zone: tzinfo
    version: int = 0
    source: str = field(init=False)
    scope: Scope = field(init=False)
    _span: Span | None = field(default=None, init=False)
    _funded: dict[str, Funding] = field(default_factory=dict[str, Funding], init=False)

    def __post_init__(self) -> None:
        self.source = f"budget {self.budget.id}"
        self.scope = self.budget.counted

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
        leg = _Leg(exchange.target, _reach(rules, exchange, exchange.target, book))
        return Allowance((), (), pace.send_max_tokens, pace.claim, _worst_case(rules, leg))
    legs = [
        _Leg(target, _reach(rules, exchange, target, book))
        for target in dict.fromkeys(reachable or (exchange.target,))
    ]
    claims: list[tuple[Claim, Measure]] = []
    for found in (*_budget_claims(rules, exchange, legs), *_wallet_claims(rules, exchange, legs)):
        if isinstance(found, Refused):
            return found
        claims.append(found)
    send = legs[0].send_max_tokens
    return Allowance(
        tuple([claim for claim, _ in claims]),
        tuple([measure for _, measure in claims]),
        pace.send_max_tokens if send is None else send,
        pace.claim,
        _worst_case(rules, legs[0]),
    )


def _worst_case(rules: Rules, leg: "_Leg") -> Money | None:
    """The most that an attempt can cost, in the currency of its own price; None if nobody knows."""
    if not leg.rows:
        return None
    size = _size(rules, [leg], currency=leg.rows[0].currency)
    return None if isinstance(size, Unpriced) else size.money


@dataclass(frozen=True, slots=True)
class _Leg:
    """One target that a request may go to, and everywhere that it may be served there."""

    target: Target
    reach: Reach | Unpriced

    @property
    def rows(self) -> tuple[PriceRow, ...]:
        return () if isinstance(self.reach, Unpriced) else self.reach.rows

    @property
    def send_max_tokens(self) -> int | None:
        return None if isinstance(self.reach, Unpriced) else self.reach.send_max_tokens

    @property
    def models(self) -> tuple[str, ...]:
        """The models that may serve it, the one that is asked for first."""
        return (self.target.model,) if isinstance(self.reach, Unpriced) else self.reach.models


def _reach(rules: Rules, exchange: Exchange, target: Target, book: PriceBook) -> Reach | Unpriced:
    attempt = Attempt(
        target=target.name,
        provider=target.price_as,
        model=target.model,
        at=exchange.intent.at,
        input_bound=exchange.intent.input_bound,
        output_cap=rules.output_cap,
        answers=exchange.answers,
    )
    return reach_of(exchange.request, attempt, book)


def _size(rules: Rules, legs: Sequence[_Leg], *, currency: str) -> HoldSize | Unpriced:
    targets: list[PricedTarget] = []
    for leg in legs:
        if isinstance(leg.reach, Unpriced):
            return leg.reach
        targets += leg.reach.targets
    return hold_size(targets, currency=currency, rates=rules.rates)


def _budget_claims(
    rules: Rules, exchange: Exchange, legs: Sequence[_Leg]
) -> Iterator[tuple[Claim, Measure] | Refused]:
    sizes: dict[tuple[str, tuple[int, ...]], HoldSize | Unpriced] = {}
    for rule in rules.budgets:
        currency = rule.budget.currency
        fundings = _fundings(rule, exchange, legs)
        if isinstance(fundings, Refused):
            yield fundings
            return
        for funding, places in fundings:
            at = currency, places
            if at not in sizes:
                sizes[at] = _size(rules, [legs[place] for place in places], currency=currency)
            amount = amount_to_hold(rule.budget, sizes[at])
            if isinstance(amount, Refused):
                yield amount
                return
            claim = Claim(rule.source, amount, funding)
            if places[0] == 0:
                yield claim, BudgetMeasure(currency, rules.rates)
            else:
                yield claim, NOTHING_USED


def _wallet_claims(
    rules: Rules, exchange: Exchange, legs: Sequence[_Leg]
) -> Iterator[tuple[Claim, Measure] | Refused]:
    for wallet in rules.wallets:
        claim = _wallet_claim(wallet, exchange, legs)
        if isinstance(claim, Refused):
            yield claim
            return
        if claim is not None:
            yield claim, WalletMeasure(wallet.weights)


_Fundings = list[tuple[Funding, tuple[int, ...]]]
"""Accounts of a budget, each with the places of the legs that draw on it."""


def _fundings(rule: BudgetInForce, exchange: Exchange, legs: Sequence[_Leg]) -> _Fundings | Refused:
    """The accounts of a budget that a request draws on, or why it may not go.

    A leg that may be served by models which the budget counts apart draws on an account that
    nobody can name before the answer.
    """
    scope, intent = rule.scope, exchange.intent
    if not scope.only and not scope.each:
        return [(rule.funding(EVERYBODY, intent.at), tuple(range(len(legs))))]
    organisation = organisation_of(intent.dimensions.project)
    places: dict[str, tuple[int, ...]] = {}
    for place, leg in enumerate(legs):
        name = FALLBACK if place else intent.dimensions.route
        provider = leg.target.price_as
        routes = [Route(model=model, provider=provider, name=name) for model in leg.models]
        subjects = [
            subject_of(scope, intent.dimensions, route=route, organisation=organisation)
            for route in routes
        ]
        apart = next((at for at, it in enumerate(subjects) if it != subjects[0]), None)
        if apart is not None and rule.budget.can_refuse:
            return _counted_apart(rule.budget, leg.models[0], leg.models[apart])
        if (subject := subjects[0]) is not None:
            places[subject] = (*places.get(subject, ()), place)
    return [(rule.funding(subject, intent.at), at) for subject, at in places.items()]


def _counted_apart(budget: Budget, model: str, other: str) -> Refused:
    return Refused(
        code="price_unknown",
        budget_id=budget.id,
        what=f"budget {budget.id} counts {word(other)} apart from {model}, and this request may be"
        " served by either",
        remedy="Leave out `models`.",
        param="models",
    )


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
        if isinstance(leg.reach, Unpriced):
            return _unknown_credits(name, leg.reach)
        if leg.reach.endless is not None:
            return _unknown_credits(name, leg.reach.endless)
        bounds += leg.reach.bounds
    try:
        return Claim(f"wallet {name}", credits_bound(bounds, wallet.weights), name)
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
