"""How much a request must hold on a budget: the worst case over every way that it may take."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from tokonomi.budgets.limit import Budget
from tokonomi.errors import BadInput
from tokonomi.money import INT64_MAX, ExchangeRate, Money, currency_of
from tokonomi.pricing.bound import Bounds, Obstacle, Unbounded, upper_bound
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import PriceRow


class OutputLimit(msgspec.Struct, frozen=True):
    """The most output tokens of one choice, and the limit to send upstream for it to hold.

    `send` is None where the request already says it, or the model ends there by itself.
    """

    tokens: int
    send: int | None


def output_limit(
    asked: int | None, *, model_maximum: int | None, cap: int | None
) -> OutputLimit | Unpriced:
    """The bound of a request's output, or what keeps it from having one.

    The client's own `max_tokens` (`asked`), the configured `cap` and the model's maximum bound it;
    a cap that binds is sent upstream, since a limit that the provider does not know is none.

    >>> output_limit(None, model_maximum=128_000, cap=4_096)
    OutputLimit(tokens=4096, send=4096)
    >>> output_limit(500, model_maximum=None, cap=4_096)
    OutputLimit(tokens=500, send=None)
    """
    if asked is not None and (cap is None or asked <= cap):
        return OutputLimit(asked, None)
    if cap is not None and (model_maximum is None or cap < model_maximum):
        return OutputLimit(cap, cap)
    if model_maximum is not None:
        return OutputLimit(model_maximum, None)
    return Unpriced("nothing bounds the output: no max_tokens, no cap, no known maximum")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One place that a request may go to.

    Attributes:
        name: what people read in a refusal, such as "openrouter/gpt-5.1".
        rows: every price row that may price its reply (the tier that serves is the reply's to
            say); none is an unknown price.
        bounds: the most that the request can consume there.
    """

    name: str
    rows: tuple[PriceRow, ...]
    bounds: Bounds


class HoldSize(msgspec.Struct, frozen=True, kw_only=True):
    """The worst case of a request, in one currency.

    Attributes:
        money: what to hold.
        dearest: name of the target that sets it.
        free: whether every target is free by its source's word; then nothing is held, and a spent
            budget lets the request pass.
    """

    money: Money
    dearest: str
    free: bool


def hold_size(
    targets: Sequence[Target],
    *,
    currency: str,
    rates: Sequence[ExchangeRate] = (),
    billed_attempts: int = 1,
) -> HoldSize | Unpriced:
    """The worst case over a chain of targets, in `currency`, or what keeps it from being known.

    The dearest target times `billed_attempts`. An attempt that fails before its first token is
    void, so a plain chain of fallbacks bills one attempt. Where a cut answer is resumed elsewhere,
    each part is billed: pass one more for every resume that is allowed. One target without a price
    makes the whole chain unknown, since the request may end there; so does a worst case that no
    ledger could hold.

    Args:
        targets: the chain, at least one.
        currency: of the budget.
        rates: dated exchange rates, for rows in other currencies; the hold keeps the one that it
            used, and its capture must use the same.
        billed_attempts: how many attempts may be billed, 1 or more.

    Raises:
        BadInput: no target, or no attempt.
    """
    if not targets or billed_attempts < 1:
        raise BadInput(f"a request with {len(targets)} targets and {billed_attempts} attempts")
    worst = _worst_by_currency(targets)
    if isinstance(worst, Unpriced):
        return worst
    amount, name = -1, ""
    for priced_in, (bound, target_name) in worst.items():
        converted: int | Unpriced = bound
        if bound and priced_in != currency:
            converted = _converted(Money(bound, priced_in), currency, rates)
            if isinstance(converted, Unpriced):
                return converted
        if converted > amount:
            amount, name = converted, target_name
    amount *= billed_attempts
    if amount > INT64_MAX:
        return _too_large(amount, currency, name)
    return HoldSize(
        money=Money(amount, currency),
        dearest=name,
        free=amount == 0 and all(row.free for target in targets for row in target.rows),
    )


def _too_large(amount: int, currency: str, name: str) -> Unbounded:
    units = currency_of(currency).sub_units
    return Unbounded(
        f"it may cost {amount // units:,} {currency} at {name}, and a ledger holds at most "
        f"{INT64_MAX // units:,} {currency}",
        remedy="Lower max_tokens or n.",
        code="request_too_dear",
    )


def _worst_by_currency(targets: Sequence[Target]) -> dict[str, tuple[int, str]] | Unpriced:
    """The dearest bound in each currency, with its target; the first of equals."""
    worst: dict[str, tuple[int, str]] = {}
    for target in targets:
        if not target.rows:
            return Unpriced(f"{target.name} has no price row")
        for row in target.rows:
            bound = upper_bound(row, target.bounds)
            if isinstance(bound, Unpriced):
                return bound
            known = worst.get(row.currency)
            if known is None or bound > known[0]:
                worst[row.currency] = bound, target.name
    return worst


def _converted(bound: Money, currency: str, rates: Sequence[ExchangeRate]) -> int | Unpriced:
    rate = rate_between(rates, bound.currency, currency)
    if rate is None:
        return Unpriced(
            f"prices are in {bound.currency}, and no rate to {currency} is given; set it with"
            f" `tokonomi budget rate {bound.currency} {currency} RATE --source WHERE`"
        )
    return converted_up(bound, rate).sub_units


def rate_between(rates: Sequence[ExchangeRate], base: str, quote: str) -> ExchangeRate | None:
    """The first rate from `base` to `quote`, turned round exactly if need be, or None.

    >>> from datetime import date
    >>> from fractions import Fraction
    >>> rates = [ExchangeRate("USD", "IDR", Fraction(16_000), date(2026, 1, 30), "seed 001")]
    >>> rate_between(rates, "IDR", "USD").rate
    Fraction(1, 16000)
    """
    for rate in rates:
        if (rate.base, rate.quote) == (base, quote):
            return rate
        if (rate.base, rate.quote) == (quote, base):
            return ExchangeRate(base, quote, 1 / rate.rate, rate.on, rate.source)
    return None


def converted_up(money: Money, rate: ExchangeRate) -> Money:
    """The amount in the rate's quote, rounded up to its sub-unit.

    Holds round up and captures half-up (`ExchangeRate.convert`), so a capture never exceeds its
    hold by the rounding.
    """
    exact = rate.convert_exactly(money) * currency_of(rate.quote).sub_units
    return Money(-(-exact.numerator // exact.denominator), rate.quote)


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A request that a rule refuses before any balance is looked at. HTTP 402, or 400.

    `tokens_unbounded` is the rule of a key's limit of tokens, and no matter of money.

    `source` names the budget, wallet or key whose rule it is, or the dimension that has no wallet;
    `what` says it with the numbers, `remedy` what to do, `param` names the field of the request
    that stands in the way, where it is one.
    """

    code: Obstacle | Literal["wallet_missing", "tokens_unbounded"]
    source: str
    what: str
    remedy: str
    param: str | None = None


def amount_to_hold(budget: Budget, size: HoldSize | Unpriced) -> int | Refused:
    """What a request must hold on a budget, in sub-units of its currency, or why it may not go.

    A budget that can refuse must know what a request may cost, so an unknown price is refused. 0 is
    nothing to hold: the request is free, or only counted, and passes a spent budget.
    """
    if isinstance(size, Unpriced):
        return _price_unknown(budget, size) if budget.can_refuse else 0
    if budget.per_request is not None and budget.per_request < size.money:
        return Refused(
            code="request_too_dear",
            source=f"budget {budget.id}",
            what=f"this request may cost {size.money.format()} at {size.dearest}, "
            f"budget {budget.id} allows {budget.per_request.format()} a request",
            remedy="Lower max_tokens or n, shorten the prompt, or raise per_request.",
        )
    return 0 if size.free else size.money.sub_units


def _price_unknown(budget: Budget, size: Unpriced) -> Refused:
    return without_bound(
        size,
        source=f"budget {budget.id}",
        who=f"budget {budget.id} is {budget.mode}, and",
        unknown="the cost of this request is not known",
        remedy="Add a price for the model, send max_tokens, or take the target out of the route.",
    )


def without_bound(size: Unpriced, *, source: str, who: str, unknown: str, remedy: str) -> Refused:
    """The refusal of a request that has no bound; what its own field says goes before all else."""
    if not isinstance(size, Unbounded):
        return Refused(
            code="price_unknown",
            source=source,
            what=f"{who} {unknown}: {size.reason}",
            remedy=remedy,
        )
    match size.code:
        case "invalid_request":
            what = size.reason
        case "request_too_dear":
            what = f"{who} no balance can hold this request: {size.reason}"
        case "price_unknown":
            what = f"{who} {unknown}: {size.reason}"
    return Refused(code=size.code, source=source, what=what, remedy=size.remedy, param=size.param)
