"""Wallets: whose credits a request uses, and the statement of what came and went."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from tokonomi.calls import NAMED_DIMENSIONS, TAG_PREFIX, Dimensions
from tokonomi.errors import BadInput
from tokonomi.money import Money
from tokonomi.naming import escaped, meant, unescaped

PROJECT: Final = "project"
"""The dimension of a project's own wallet."""
_TAG: Final = "tag."


class WalletRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which wallet a request uses: one for each value of a dimension.

    `per` is a dimension ("user", "project") or "tag:NAME"; `required` is whether a request that
    does not give it is refused. Pay-per-paper is `per="tag:document"`: a wallet for each document.

    Raises:
        BadInput: an unknown dimension.
    """

    per: str
    required: bool = True

    def __post_init__(self) -> None:
        tag = self.per.startswith(TAG_PREFIX) and self.per != TAG_PREFIX
        if not tag and self.per not in NAMED_DIMENSIONS:
            raise BadInput(
                f'no wallet can be bound to "{self.per}"',
                remedy=meant(self.per, [*NAMED_DIMENSIONS, "tag:NAME"]),
            )


class WalletName(msgspec.Struct, frozen=True):
    """Whose a wallet is: the value of one dimension, in one project.

    A user, document or feature of the same name in another project is another one, whose wallet
    has another id. `value` is the project itself where `per` is "project".
    """

    project: str
    per: str
    value: str

    @property
    def id(self) -> str:
        """What the store and people call the wallet; no two names have one id.

        >>> WalletName("acme/growth", "user", "ani").id
        'acme/growth:user:ani'
        >>> WalletName("acme/growth", "tag:document", "d:7").id
        'acme/growth:tag.document:d%3A7'
        >>> WalletName("acme/growth", "project", "acme/growth").id
        'project:acme/growth'
        """
        return _id(self.project, self.per, self.value)


def _id(project: str, per: str, value: str) -> str:
    if per == PROJECT:
        return f"{PROJECT}:{escaped(value)}"
    tag = per.removeprefix(TAG_PREFIX)
    kind = per if tag == per else f"{_TAG}{escaped(tag)}"
    return f"{escaped(project)}:{kind}:{escaped(value)}"


def wallet_name(wallet: str) -> WalletName:
    """Whose a wallet with this id is.

    Raises:
        BadInput: no wallet has such an id.

    >>> wallet_name("acme/growth:tag.document:d%3A7")
    WalletName(project='acme/growth', per='tag:document', value='d:7')
    >>> wallet_name("project:acme/growth")
    WalletName(project='acme/growth', per='project', value='acme/growth')
    """
    match [*map(unescaped, wallet.split(":"))]:
        case ["project", str(project)]:
            found = WalletName(project, PROJECT, project)
        case [str(project), str(per), str(value)]:
            tag = per.removeprefix(_TAG)
            found = WalletName(project, per if tag == per else f"{TAG_PREFIX}{tag}", value)
            WalletRule(per=found.per)
        case _:
            found = WalletName("", "", "")
    if not found.project or not found.value or found.id != wallet:
        raise BadInput(
            f'"{wallet}" names no wallet',
            remedy="Write user=ani or tag:document=d-7, or an id like PROJECT:user:ani.",
        )
    return found


def wallet_of(rule: WalletRule, dimensions: Dimensions) -> str | None:
    """The id of the wallet that a request uses, or None when it does not say whose.

    >>> paper = WalletRule(per="tag:document")
    >>> wallet_of(paper, Dimensions(project="shop", tags=(("document", "d-7"),)))
    'shop:tag.document:d-7'
    """
    value = dimensions.named(rule.per)
    return _id(dimensions.project, rule.per, value) if value else None


class EntryKind(StrEnum):
    """What moved credits."""

    PURCHASE = "purchase"
    PROMOTION = "promotion"
    ROLLED_IN = "rolled_in"
    BURN = "burn"
    EXPIRY = "expiry"
    ROLLED_OUT = "rolled_out"
    REFUND = "refund"


INCOMING: Final = frozenset({EntryKind.PURCHASE, EntryKind.PROMOTION, EntryKind.ROLLED_IN})


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of credits, as the ledger booked it.

    Attributes:
        at: when it was booked, in UTC.
        grant: id of the grant.
        kind: what moved them.
        amount: milli-credits, 0 or more; the kind says whether they came or went.
        reference: the call, payment or refund.
        money: what was paid in or back, where money moved.
    """

    at: datetime
    grant: str
    kind: EntryKind
    amount: int
    reference: str = ""
    money: Money | None = None

    @property
    def change(self) -> int:
        """The change of the balance, in milli-credits."""
        return self.amount if self.kind in INCOMING else -self.amount


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet between two instants: what it held, what came, what went, what it holds.

    All amounts are milli-credits. `totals` has every kind of movement, `paid` and `paid_back` one
    amount for each currency, in the order of their codes; `entries` are in the order of booking.
    """

    wallet: str
    since: datetime
    until: datetime
    opening: int
    totals: dict[EntryKind, int]
    closing: int
    paid: tuple[Money, ...]
    paid_back: tuple[Money, ...]
    entries: tuple[Entry, ...]


def statement(
    wallet: str, entries: Iterable[Entry], *, since: datetime, until: datetime, before: int = 0
) -> Statement:
    """The statement of a wallet from `since` to `until`, the latter excluded.

    `entries` are the wallet's entries in any order, and `before` is its balance before the earliest
    of them: 0 with all entries, the stored balance with those of the period alone. The closing
    balance is the opening one and the totals; one statement's closing is the next one's opening.
    """
    known = sorted((entry for entry in entries if entry.at < until), key=lambda entry: entry.at)
    inside = tuple(entry for entry in known if entry.at >= since)
    opening = before + sum(entry.change for entry in known if entry.at < since)
    totals = dict.fromkeys(EntryKind, 0)
    for entry in inside:
        totals[entry.kind] += entry.amount
    gains = sum(total if kind in INCOMING else -total for kind, total in totals.items())
    return Statement(
        wallet=wallet,
        since=since,
        until=until,
        opening=opening,
        totals=totals,
        closing=opening + gains,
        paid=_money(inside, EntryKind.PURCHASE),
        paid_back=_money(inside, EntryKind.REFUND),
        entries=inside,
    )


def _money(entries: Iterable[Entry], kind: EntryKind) -> tuple[Money, ...]:
    sums: dict[str, int] = {}
    for entry in entries:
        if entry.kind is kind and entry.money is not None:
            currency = entry.money.currency
            sums[currency] = sums.get(currency, 0) + entry.money.sub_units
    return tuple(Money(units, currency) for currency, units in sorted(sums.items()))
