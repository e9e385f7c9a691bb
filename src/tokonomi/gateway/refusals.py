"""402: what a client reads when a budget or a wallet does not let its request pass."""

from collections.abc import Callable
from typing import Final

from tokonomi.budgets.hold_size import Refused
from tokonomi.budgets.rate_limit import RateRefusal
from tokonomi.credits.grant import credits_to_text
from tokonomi.gateway.wire_errors import BILLING, RATE_LIMIT, WireError
from tokonomi.ledger.hold import Refusal
from tokonomi.money import Money
from tokonomi.storage.ledger import Claim, Funding

PAYMENT_REQUIRED: Final = 402
_MICROSECONDS: Final = 1_000_000
RETRY_AFTER_SECONDS: Final = 1
"""When calls in flight hold what is missing: by then some of them have usually ended."""


def refused_by_rule(refused: Refused) -> WireError:
    """The answer to a request that no balance could let pass: its use is unknown, or too dear.

    A value of it that is none is 400, like any other; it is looked at only where a rule binds.
    """
    text = f"{refused.what}. {refused.remedy}"
    if refused.code == "tokens_unbounded":
        return WireError(400, "tokens_unbounded", text)
    if refused.code == "invalid_request":
        return WireError(400, "invalid_request", text, param=refused.param)
    return WireError(
        PAYMENT_REQUIRED,
        refused.code,
        f"{refused.what}. {refused.remedy}",
        kind=BILLING,
        param=refused.param,
        metadata={"reason": refused.code, "limit_source": refused.source},
    )


def refused_by_balance(refusal: Refusal, claim: Claim) -> WireError:
    """The answer to a request that does not fit what is left, with every number of it.

    `Retry-After` is sent only where waiting helps: where the calls in flight, should they cost
    nothing, would leave enough.
    """
    wallet = isinstance(claim.on, str)
    unit = "credits" if isinstance(claim.on, str) else claim.on.asset
    text, exact = _in_credits() if isinstance(claim.on, str) else _in_money(claim.on)
    numbers = {
        "needed": refusal.needed,
        "available": refusal.available,
        "reserved": refusal.reserved,
        "spent": refusal.spent,
        "exposed": refusal.exposed,
        "limit": refusal.limit,
    }
    failed = f"{text(refusal.exposed)} that failed calls may have cost, " if refusal.exposed else ""
    return WireError(
        PAYMENT_REQUIRED,
        "credits_exhausted" if wallet else "budget_exceeded",
        f"{refusal.source} has {text(refusal.available)} left of {text(refusal.limit)}"
        f" ({text(refusal.spent)} spent, {failed}{text(refusal.reserved)} held by calls in flight);"
        f" this request may cost {text(refusal.needed)}. {_remedy(refusal, wallet=wallet)}",
        kind=BILLING,
        retry_after_seconds=RETRY_AFTER_SECONDS if refusal.only_holds_block else 0,
        metadata={
            "reason": _reason(refusal),
            "limit_source": refusal.source,
            "unit": unit,
            **{name: exact(number) for name, number in numbers.items()},
        },
    )


def refused_by_rate(refusal: RateRefusal) -> WireError:
    """The answer to a request that a limit of its key does not let pass now.

    Official clients try again by themselves, when `Retry-After` says; not where that cannot help.
    """
    what = (
        "requests at the same time" if refusal.kind == "concurrent" else f"{refusal.kind} a minute"
    )
    wait_seconds = -(-(refusal.wait_us or _MICROSECONDS) // _MICROSECONDS)
    return WireError(
        429,
        "rate_limit_exceeded",
        f"This key may make {refusal.limit} {what}, {refusal.available} of them are left; this"
        f" request needs {refusal.needed}. {_rate_remedy(refusal, wait_seconds)}",
        kind=RATE_LIMIT,
        retry_after_seconds=0 if refusal.never_fits else wait_seconds,
        try_again=not refusal.never_fits,
        rate_limit=refusal.kind,
        metadata={
            "limit_source": refusal.kind,
            "limit": str(refusal.limit),
            "available": str(refusal.available),
            "needed": str(refusal.needed),
        },
    )


def _rate_remedy(refusal: RateRefusal, wait_seconds: int) -> str:
    if refusal.never_fits:
        return "It will never fit: lower max_tokens, or raise the key's limit."
    if refusal.kind == "concurrent":
        return "Try again when one of them has ended."
    return f"Try again in {wait_seconds} s."


def _reason(refusal: Refusal) -> str:
    if refusal.only_holds_block:
        return "held_by_calls_in_flight"
    return "exposed_by_failed_calls" if refusal.exposure_blocks else "spent"


def _remedy(refusal: Refusal, *, wallet: bool) -> str:
    if refusal.only_holds_block:
        return "Try again when calls in flight have ended, or lower max_tokens."
    if refusal.exposure_blocks:
        return (
            "Whoever runs this gateway can release what the provider did not bill, with `tokonomi"
            " ledger release-exposure`, or raise the limit; or lower max_tokens."
        )
    more = "Buy credits" if wallet else "Raise the limit"
    return f"{more}, or lower max_tokens."


Form = Callable[[int], str]


def _in_credits() -> tuple[Form, Form]:
    return (lambda milli: f"{credits_to_text(milli)} credits"), credits_to_text


def _in_money(funding: Funding) -> tuple[Form, Form]:
    return (
        lambda units: Money(units, funding.asset).format(),
        lambda units: Money(units, funding.asset).decimal(),
    )
