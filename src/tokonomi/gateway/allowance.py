"""What a request must be allowed by budgets and wallets before it leaves, and what it then used."""

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
)
from tokonomi.budgets.hold_size import Target as PricedTarget
from tokonomi.budgets.limit import Budget, account_name
from tokonomi.budgets.scope import Route, subject_of
from tokonomi.budgets.window import Span, span_at
from tokonomi.calls import Call, Status
from tokonomi.credits.weights import Weights, credits_bound, credits_used
from tokonomi.gateway.request_bounds import bounds_of
from tokonomi.gateway.settle import Exchange
from tokonomi.ledger.hold import Captured, Held, capture
from tokonomi.money import ExchangeRate, Money
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.bound import Bounds
from tokonomi.pricing.charge import Charge, Unpriced
from tokonomi.pricing.row import PriceRow
from tokonomi.storage.ledger import Claim, Funding
from tokonomi.usage import Source, Usage

NO_BOUNDS: Final = Bounds(input_tokens=0, output_tokens=0)


@dataclass(slots=True)
class BudgetInForce:
    """A budget with the zone of its clocks, and the span of its window that is now."""

    budget: Budget
    zone: tzinfo
    _span: Span | None = None

    def start_of_span(self, now: datetime) -> datetime:
        """When the window began that `now` is in; computed again only when it has ended."""
        if self._span is None or not self._span.holds(now):
            self._span = span_at(self.budget.window, self.zone, now)
        return self._span.start


@dataclass(frozen=True, slots=True)
class WalletRule:
    """Every value of a dimension pays from a wallet of its own, named `dimension=value`."""

    dimension: str
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
    wallets: Sequence[WalletRule] = ()
    rates: Sequence[ExchangeRate] = ()
    output_cap: int | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a request claims, and the measure by which each claim is captured."""

    claims: tuple[Claim, ...] = ()
    measures: "tuple[BudgetMeasure | WalletMeasure, ...]" = ()
    send_max_tokens: int | None = None

    def captured(self, held: Sequence[Held], call: Call) -> tuple[Captured, ...]:
        """How the holds of an ended call are resolved."""
        return tuple(
            capture(hold, measure.used(call, hold.amount))
            for hold, measure in zip(held, self.measures, strict=True)
        )


ALLOWED: Final = Allowance()


@dataclass(frozen=True, slots=True)
class BudgetMeasure:
    """Spend in a budget's currency, at the rate that its hold was made with."""

    rate: ExchangeRate | None = field(default=None)

    def used(self, call: Call, held: int) -> int:
        """Sub-units of the budget's currency that a call used.

        A provider that was reached and whose charge cannot be known is taken at the whole hold: a
        cap must not be passed by what nobody can count. A call that failed before it answered is
        taken at nothing.
        """
        if isinstance(call.cost, Unpriced):
            answered = call.status not in (Status.FAILED, Status.ORPHANED)
            return held if answered else 0
        return self._converted(call.cost)

    def _converted(self, cost: Charge) -> int:
        if self.rate is None:
            return cost.sub_units
        return self.rate.convert(Money(cost.sub_units, cost.currency)).sub_units


@dataclass(frozen=True, slots=True)
class WalletMeasure:
    """Milli-credits, by the weights of the wallet's rule."""

    weights: Weights

    def used(self, call: Call, _held: int) -> int:
        """Milli-credits that a call used.

        A customer pays for what was reported, or was delivered before they left; never for a guess
        about what a provider broke off.
        """
        if not isinstance(call.usage, Usage) or call.usage.source is Source.ABSENT:
            return 0
        if call.status is Status.FAILED:
            return 0
        if call.status is Status.CUT and call.usage.source is Source.ESTIMATED:
            return 0
        return credits_used(call.usage, self.weights)


def allowance(rules: Rules, exchange: Exchange, book: PriceBook) -> Allowance | Refused:
    """What a request claims of every budget and wallet that binds it, or why it may not go."""
    if not rules.budgets and not rules.wallets:
        return ALLOWED
    bounds, send = _bounds(rules, exchange, book)
    claims: list[Claim] = []
    measures: list[BudgetMeasure | WalletMeasure] = []
    sizes: dict[str, HoldSize | Unpriced] = {}
    rows = _rows(exchange, book)
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
        claims.append(Claim(f"budget {budget.id}", amount, funding))
        measures.append(BudgetMeasure(_rate(rules, rows, budget.currency)))
    for wallet in rules.wallets:
        claim = _wallet_claim(wallet, exchange, bounds)
        if isinstance(claim, Refused):
            return claim
        claims.append(claim)
        measures.append(WalletMeasure(wallet.weights))
    return Allowance(tuple(claims), tuple(measures), send)


def _bounds(
    rules: Rules, exchange: Exchange, book: PriceBook
) -> tuple[Bounds | Unpriced, int | None]:
    entry = book.find(exchange.target.price_as, exchange.intent.model)
    if entry is None:
        return Unpriced(f"no price source knows {exchange.intent.model}"), None
    found = bounds_of(
        exchange.request,
        input_bound=exchange.intent.input_bound,
        card=entry.card,
        output_cap=rules.output_cap,
    )
    if isinstance(found, Unpriced):
        return found, None
    bounds, limit = found
    return bounds, limit.send


def _rows(exchange: Exchange, book: PriceBook) -> tuple[PriceRow, ...]:
    """Every row that may price the reply; the tier that serves is the reply's to say."""
    target, at = exchange.target, exchange.intent.at
    tiers = {"standard"}
    if "service_tier" in exchange.request.fields:
        entry = book.find(target.price_as, exchange.intent.model)
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
    return hold_size([target], currency=currency, rates=rules.rates)


def _rate(rules: Rules, rows: tuple[PriceRow, ...], currency: str) -> ExchangeRate | None:
    foreign = [row.currency for row in rows if row.currency != currency]
    return rate_between(rules.rates, foreign[0], currency) if foreign else None


def _funding(rule: BudgetInForce, exchange: Exchange) -> Funding | None:
    """The account of the request's share in a budget, or None where the budget does not bind it."""
    budget, intent = rule.budget, exchange.intent
    route = Route(model=intent.model, provider=exchange.target.name)
    subject = subject_of(budget.scope, intent.dimensions, route=route)
    if subject is None:
        return None
    return Funding(
        name=account_name(budget.id, subject, rule.start_of_span(intent.at)),
        asset=budget.currency,
        limit=0 if budget.amount is None else budget.amount.sub_units,
        floor=budget.floor,
    )


def _wallet_claim(
    wallet: WalletRule, exchange: Exchange, bounds: Bounds | Unpriced
) -> Claim | Refused:
    name = f"{wallet.dimension}={exchange.intent.dimensions.named(wallet.dimension)}"
    if isinstance(bounds, Unpriced):
        return Refused(
            code="price_unknown",
            budget_id=name,
            what=f"wallet {name} is prepaid, and what this request may use is not known:"
            f" {bounds.reason}",
            remedy="Send max_tokens.",
        )
    return Claim(f"wallet {name}", credits_bound([bounds], wallet.weights), name)
