"""Grants: credits that were put into a wallet at once, how they burn, end and are paid back.

A grant's credits stand in a row, and what happens to them (a call, a refund, the end) takes the
next ones. The price is spread over that row so that each stretch has an exact worth and all
stretches together are worth the price, whatever happened in which order.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from tokonomi.credits.weights import MILLI
from tokonomi.errors import BadInput
from tokonomi.money import Money
from tokonomi.naming import escaped

DEFAULT_PRIORITY: Final = 50
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that were put into a wallet at once.

    Attributes:
        id: unique for ever; it comes from the payment, so that a payment grants once.
        wallet: id of the wallet.
        amount: milli-credits, 1 or more.
        granted_at: from when they may be used, in UTC.
        expires_at: until when, exclusive; None is for ever.
        priority: lower burns first.
        promotional: given, not sold; such credits burn before paid ones and are not paid back.
        paid: what was paid for them, None when promotional.
        rollover_cap: milli-credits that live on when the grant ends; the rest is breakage.
        package: id of the package, where it was one.

    Raises:
        BadInput: no credits, an end before the beginning, instants not in UTC, or a promotion with
            a price.
    """

    id: str
    wallet: str
    amount: int
    granted_at: datetime
    expires_at: datetime | None = None
    priority: int = DEFAULT_PRIORITY
    promotional: bool = False
    paid: Money | None = None
    rollover_cap: int = 0
    package: str = ""

    def __post_init__(self) -> None:
        if self.amount < 1 or self.rollover_cap < 0:
            raise BadInput(
                f"grant {self.id} of {self.amount} milli-credits, {self.rollover_cap} of which roll"
                " over",
                remedy="Grant 1 or more, and let 0 or more roll over.",
            )
        for instant in (self.granted_at, self.expires_at):
            if instant is not None and instant.utcoffset() != timedelta(0):
                raise BadInput(f"grant {self.id}: {instant.isoformat()} is not in UTC")
        if self.expires_at is not None and self.expires_at <= self.granted_at:
            raise BadInput(
                f"grant {self.id} ends at {self.expires_at.isoformat()}, "
                f"and begins at {self.granted_at.isoformat()}",
                remedy="Let it end later, or never.",
            )
        if self.rollover_cap and self.expires_at is None:
            raise BadInput(
                f"grant {self.id} rolls over and never ends",
                remedy="Give it an end, or no rollover.",
            )
        if self.promotional != (self.paid is None):
            raise BadInput(
                f"grant {self.id} is {'promotional' if self.promotional else 'sold'}, "
                f"and {self.paid or 'nothing'} was paid",
                remedy="Say what was paid (0 is a price), or mark it promotional.",
            )
        if self.paid is not None and self.paid.sub_units < 0:
            raise BadInput(f"grant {self.id} was sold for {self.paid}", remedy="Use 0 or more.")

    def usable(self, at: datetime) -> bool:
        """Whether a new call may use the grant at an instant."""
        return self.granted_at <= at and (self.expires_at is None or at < self.expires_at)

    @property
    def account(self) -> str:
        """The ledger's name for the grant's account.

        >>> Grant(id="payment/p:1", wallet="shop:user:ani", amount=1, promotional=True,
        ...       granted_at=datetime(2026, 1, 1, tzinfo=UTC)).account
        'wallet:shop:user:ani:grant:payment/p%3A1'
        """
        return f"wallet:{self.wallet}:grant:{escaped(self.id)}"


def burn_order(grants: Iterable[Grant], at: datetime) -> tuple[Grant, ...]:
    """The grants that a call may use at an instant, in the order in which it uses them.

    Lower priority first; promotional before paid; earlier end first, no end last; earlier grant
    first; then by id. No two grants are equal in this order, so it is the same on every machine.
    A call that needs more than one grant is one linked hold over all of them.
    """
    return tuple(sorted((grant for grant in grants if grant.usable(at)), key=burns_before))


def burns_before(grant: Grant) -> tuple[int, bool, datetime, datetime, str]:
    """The place of a grant in the burn order of its wallet: grants sorted by it burn in turn."""
    return (
        grant.priority,
        not grant.promotional,
        grant.expires_at or _NEVER,
        grant.granted_at,
        grant.id,
    )


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a grant so far, in milli-credits, as its ledger account says.

    `settled` were burned or paid back, `held` are on hold for calls in flight; `ended` is whether
    its end was booked.
    """

    settled: int = 0
    held: int = 0
    ended: bool = False

    def left(self, grant: Grant) -> int:
        """Milli-credits that nothing has taken or holds."""
        return 0 if self.ended else grant.amount - self.settled - self.held


def worth(grant: Grant, first: int, last: int) -> Money:
    """What was paid for the grant's milli-credits from `first` to `last`, the latter excluded.

    Every milli-credit is worth the price over the amount, rounded down or up by less than one
    sub-unit; the units that rounding leaves are spread evenly. So the worth of all stretches of a
    grant is its price exactly, and that of one stretch is within a sub-unit of its true share.

    Raises:
        BadInput: the grant was not sold, or has no such milli-credits.

    >>> paper = Grant(id="p", wallet="shop:user:ani", granted_at=datetime(2026, 1, 30, tzinfo=UTC),
    ...               amount=300_000, paid=Money.parse("80000", "IDR"))
    >>> worth(paper, 0, 100_000).format("id"), worth(paper, 100_000, 300_000).format("id")
    ('Rp 26.667', 'Rp 53.333')
    >>> (worth(paper, 0, 100_000) + worth(paper, 100_000, 300_000)) == paper.paid
    True
    """
    if grant.paid is None:
        raise BadInput(f"grant {grant.id} is promotional, nothing was paid for it")
    if not 0 <= first <= last <= grant.amount:
        raise BadInput(f"grant {grant.id} has no milli-credits {first} to {last}")
    price = grant.paid.sub_units
    return Money(price * last // grant.amount - price * first // grant.amount, grant.paid.currency)


class Refund(msgspec.Struct, frozen=True):
    """Credits that are taken back, in milli-credits, and the money that is paid for them."""

    amount: int
    money: Money


def refund(grant: Grant, used: Used, amount: int) -> Refund:
    """The refund of unspent credits of a grant, at the price that was paid for them.

    Raises:
        BadInput: the grant was not sold, or fewer credits are left; nothing happened.

    >>> paper = Grant(id="p", wallet="shop:user:ani", granted_at=datetime(2026, 1, 30, tzinfo=UTC),
    ...               amount=300_000, paid=Money.parse("80000", "IDR"))
    >>> refund(paper, Used(settled=150_000), 150_000).money.format("id")
    'Rp 40.000'
    """
    if grant.paid is None:
        raise BadInput(
            f"grant {grant.id} is promotional, nothing was paid for it",
            remedy="Only sold credits are paid back.",
        )
    left = used.left(grant)
    if not 1 <= amount <= left:
        raise BadInput(
            f"grant {grant.id} has {credits_to_text(left)} credits left, "
            f"{credits_to_text(amount)} cannot be paid back",
            remedy=_refundable(left, used.held),
        )
    return Refund(amount, worth(grant, used.settled, used.settled + amount))


def _refundable(left: int, held: int) -> str:
    """What a person may do who asked for more, or for nothing."""
    on_hold = f"{credits_to_text(held)} are on hold for calls in flight."
    most = f"Pay back up to {credits_to_text(left)}." if left else "Nothing is left to pay back."
    return f"{on_hold} {most}" if held else most


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to the rest of a grant at its end: some rolls over, the rest is breakage.

    `breakage` is in milli-credits; `kept` is what was paid for it, None for a promotion. `rolled`
    is the grant that the rest lives on in.
    """

    breakage: int
    kept: Money | None
    rolled: Grant | None


def ending(grant: Grant, used: Used, at: datetime) -> Ending | None:
    """How a grant ends, or None while it does not.

    It ends once its time is over and no call in flight holds any of it, so that one row says what
    became of the rest. A call that was authorised in time may thus still take what it holds, and a
    new one may not. `at` is when one looks; looking later gives the same ending. What rolls over
    lives as long again as the grant did, and does not roll twice.
    """
    if used.ended or used.held or grant.expires_at is None or at < grant.expires_at:
        return None
    left = used.left(grant)
    rolls = min(left, grant.rollover_cap)
    edge = used.settled + rolls
    sold = grant.paid is not None
    return Ending(
        breakage=left - rolls,
        kept=worth(grant, edge, grant.amount) if sold else None,
        rolled=_rolled(grant, grant.expires_at, used.settled, edge) if rolls else None,
    )


def _rolled(grant: Grant, ends: datetime, first: int, last: int) -> Grant:
    return msgspec.structs.replace(
        grant,
        id=f"rolled/{grant.id}",
        amount=last - first,
        granted_at=ends,
        expires_at=ends + (ends - grant.granted_at),
        paid=None if grant.paid is None else worth(grant, first, last),
        rollover_cap=0,
    )


def credits_to_text(milli: int) -> str:
    """Milli-credits as credits, exactly.

    >>> credits_to_text(300_000), credits_to_text(-1_250)
    ('300', '-1.25')
    """
    whole, part = divmod(abs(milli), MILLI)
    digits = f"{part:03d}".rstrip("0")
    sign = "-" if milli < 0 else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
