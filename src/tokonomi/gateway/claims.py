"""What a request must claim of budgets and wallets before it leaves."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

from msgspec import Struct

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
from tokonomi.gateway.outgoing import sold
from tokonomi.gateway.pace import pace_of
from tokonomi.gateway.reach import Attempt, Reach, reach_of
from tokonomi.gateway.request_asked import word
from tokonomi.gateway.settle import Exchange
from tokonomi.money import ExchangeRate, Money
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.bound import Bounds, Unbounded
from tokonomi.pricing.charge import Unpriced
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
        span = self._span
        if span is None or not span.holds(now):
            span = self._span = span_at(self.budget.window, self.zone, now)
            self._funded.clear()
        found = self._funded.get(subject)
        if found is None:
            if len(self._funded) >= FUNDED:
                self._funded.clear()
            name = account_name(self.budget.id, subject, span.start)
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
    rules: Rules,
    exchange: Exchange,
    book: PriceBook,
    *,
    reachable: Sequence[Target] = (),
    billed_attempts: int = 1,
) -> Allowance | Refused:
    """What an attempt claims of every budget and wallet that binds it, or why it may not go.

    `reachable` are the targets that its request may still go to, the attempt's own first: what is
    claimed covers the dearest of them, so a fallback cannot find the budget spent meanwhile. Where
    an answer that breaks off is resumed, up to `billed_attempts` are billed in part or whole.
    """
    pace = pace_of(exchange, book, output_cap=rules.output_cap)
    if isinstance(pace, Refused):
        return pace
    if not rules.budgets and not rules.wallets:
        later = _worst_case_later(rules, exchange, book)
        return Allowance((), (), pace.send_max_tokens, pace.claim, worst_case_later=later)
    legs = [_leg(rules, exchange, target, book) for target in _targets(exchange, reachable)]
    sizes = _Sizes(legs, rules.rates, billed_attempts)
    claimed = _Claimed()
    for rule in rules.budgets:
        refused = _claim_budget(claimed, rule, exchange, sizes)
        if refused is not None:
            return refused
    for wallet in rules.wallets:
        refused = _claim_wallet(claimed, wallet, exchange, sizes)
        if refused is not None:
            return refused
    reach = legs[0].reach
    send = None if isinstance(reach, Unpriced) else reach.send_max_tokens
    return Allowance(
        tuple(claimed.claims),
        tuple(claimed.measures),
        pace.send_max_tokens if send is None else send,
        pace.claim,
        sizes.worst_case(),
    )


def _worst_case_later(
    rules: Rules, exchange: Exchange, book: PriceBook
) -> Callable[[], Money | None]:
    """What finds the worst case of an attempt, should it fail; few do, and it takes a while.

    It does not keep the exchange, which keeps it.
    """
    target, request = exchange.target, exchange.request
    attempt, rates = _attempt(rules, exchange, target), rules.rates
    return lambda: _Sizes([_Leg(target, reach_of(request, attempt, book))], rates).worst_case()


class _Leg(Struct, frozen=True):
    """One target that a request may go to, and everywhere that it may be served there."""

    target: Target
    reach: Reach | Unpriced

    @property
    def models(self) -> tuple[str, ...]:
        """The models that may serve it, by the names that budgets know; the target's own first."""
        others = () if isinstance(self.reach, Unpriced) else self.reach.models[1:]
        return (self.target.model, *others)


def _targets(exchange: Exchange, reachable: Sequence[Target]) -> Iterable[Target]:
    """The targets, each once, the attempt's own first."""
    own = exchange.target
    others = [target for target in reachable if target is not own]
    return dict.fromkeys((own, *others)) if others else (own,)


def _leg(rules: Rules, exchange: Exchange, target: Target, book: PriceBook) -> _Leg:
    return _Leg(target, reach_of(exchange.request, _attempt(rules, exchange, target), book))


def _attempt(rules: Rules, exchange: Exchange, target: Target) -> Attempt:
    own = target is exchange.target
    return Attempt(
        target=target.name,
        provider=target.price_as,
        model=(exchange.sold if own else sold(exchange.request, target)).name,
        at=exchange.intent.at,
        input_bound=exchange.intent.input_bound,
        output_cap=rules.output_cap,
        answers=exchange.answers,
        batch=exchange.batch,
    )


class _Claimed(Struct):
    """What an attempt claims, as far as it has been found."""

    claims: list[Claim] = []
    measures: list[Measure] = []


class _Sizes(Struct):
    """How much a request must hold, each size found once: budgets of a currency share it.

    `most` is how many of its attempts may be billed.
    """

    legs: Sequence[_Leg]
    rates: Sequence[ExchangeRate]
    most: int = 1
    found: dict[tuple[str, tuple[int, ...], int], HoldSize | Unpriced] = {}

    def everywhere(self) -> tuple[int, ...]:
        """The places of all legs."""
        return tuple(range(len(self.legs)))

    def worst_case(self) -> Money | None:
        """The most that one attempt at the first leg can cost, in its own currency.

        None if nobody knows.
        """
        reach = self.legs[0].reach
        if isinstance(reach, Unpriced):
            return None
        rows = reach.targets[0].rows
        if not rows:
            return None
        size = self._size(rows[0].currency, (0,), 1)
        return None if isinstance(size, Unpriced) else size.money

    def of(self, currency: str, places: tuple[int, ...]) -> HoldSize | Unpriced:
        """The size in a currency of all that may be billed at the legs at these places."""
        return self._size(currency, places, 1 if self.most == 1 else self.billed(places))

    def billed(self, places: tuple[int, ...]) -> int:
        """How many of a request's attempts may be billed that the legs at these places get."""
        return min(self.most, sum(self.legs[place].target.terms.attempts for place in places))

    def _size(self, currency: str, places: tuple[int, ...], billed: int) -> HoldSize | Unpriced:
        at = currency, places, billed
        found = self.found.get(at)
        if found is not None:
            return found
        targets: list[PricedTarget] = []
        for place in places:
            reach = self.legs[place].reach
            if isinstance(reach, Unpriced):
                return reach
            targets += reach.targets
        found = hold_size(targets, currency=currency, rates=self.rates, billed_attempts=billed)
        self.found[at] = found
        return found


def _claim_budget(
    claimed: _Claimed, rule: BudgetInForce, exchange: Exchange, sizes: _Sizes
) -> Refused | None:
    """Adds what an attempt claims of a budget, or says why it may not go."""
    fundings = _fundings(rule, exchange, sizes)
    if isinstance(fundings, Refused):
        return fundings
    budget = rule.budget
    for funding, places in fundings:
        amount = amount_to_hold(budget, sizes.of(budget.currency, places))
        if isinstance(amount, Refused):
            return amount
        first = places[0] == 0
        claimed.claims.append(Claim(rule.source, amount, funding))
        claimed.measures.append(
            BudgetMeasure(budget.currency, sizes.rates) if first else NOTHING_USED
        )
    return None


_Fundings = list[tuple[Funding, tuple[int, ...]]]
"""Accounts of a budget, each with the places of the legs that draw on it."""


def _fundings(rule: BudgetInForce, exchange: Exchange, sizes: _Sizes) -> _Fundings | Refused:
    """The accounts of a budget that a request draws on, or why it may not go.

    A leg that may be served by models which the budget counts apart draws on an account that
    nobody can name before the answer.
    """
    scope, intent = rule.scope, exchange.intent
    if not scope.only and not scope.each:
        return [(rule.funding(EVERYBODY, intent.at), sizes.everywhere())]
    organisation = organisation_of(intent.dimensions.project)
    places: dict[str, tuple[int, ...]] = {}
    for place, leg in enumerate(sizes.legs):
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
        source=f"budget {budget.id}",
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


def _claim_wallet(
    claimed: _Claimed, wallet: WalletInForce, exchange: Exchange, sizes: _Sizes
) -> Refused | None:
    """Adds what an attempt claims of a wallet, or says why it may not go."""
    rule = wallet.rule
    name = wallet_of(rule, exchange.intent.dimensions)
    if name is None:
        return _nobody_pays(rule) if rule.required else None
    bounds: list[Bounds] = []
    for leg in sizes.legs:
        reach = leg.reach
        if isinstance(reach, Unpriced):
            return _unknown_credits(name, reach)
        if reach.endless is not None:
            return _unknown_credits(name, reach.endless)
        bounds += [target.bounds for target in reach.targets]
    billed = 1 if sizes.most == 1 else sizes.billed(sizes.everywhere())
    try:
        most = credits_bound(bounds, wallet.weights, billed_attempts=billed)
    except AmountTooLarge as error:
        too_dear = Unbounded(error.what, remedy="Lower max_tokens or n.", code="request_too_dear")
        return _unknown_credits(name, too_dear)
    claimed.claims.append(Claim(f"wallet {name}", most, name))
    claimed.measures.append(WalletMeasure(wallet.weights))
    return None


def _unknown_credits(name: str, open_end: Unpriced) -> Refused:
    return without_bound(
        open_end,
        source=f"wallet {name}",
        who=f"wallet {name} is prepaid, and",
        unknown="what this request may use is not known",
        remedy="Add a price for the model, or send max_tokens.",
    )


def _nobody_pays(rule: WalletRule) -> Refused:
    header = rule.per.partition(":")[0].replace("tag", "tags")
    return Refused(
        code="wallet_missing",
        source=rule.per,
        what=f"requests are paid from the wallet of their {rule.per}, and this one names none",
        remedy=f"Send the header x-tokonomi-{header}.",
    )
