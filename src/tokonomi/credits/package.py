"""Packages of credits that are sold, as data, and the grant that a payment for one makes."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

import msgspec

from tokonomi.credits.grant import DEFAULT_PRIORITY, Grant
from tokonomi.credits.weights import MILLI, Weights
from tokonomi.errors import BadInput, NotFound
from tokonomi.money import Money
from tokonomi.naming import meant
from tokonomi.toml_reading import tables_in

_WEIGHT: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}|/[1-9][0-9]{0,8})?")


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """Credits at a price.

    Attributes:
        id: stable name.
        name: what buyers read.
        amount: milli-credits.
        price: for all of them.
        source: who set the price, and when.
        expires_after_days: how long they last, None for ever.
        priority: of their grants; lower burns first.
        rollover_cap: milli-credits that live on when a grant ends.
    """

    id: str
    name: str
    amount: int
    price: Money
    source: str
    expires_after_days: int | None = None
    priority: int = DEFAULT_PRIORITY
    rollover_cap: int = 0


class Offer(msgspec.Struct, frozen=True):
    """The packages on sale, in the order of the file, and what a credit is."""

    packages: tuple[Package, ...]
    weights: Weights

    def package(self, package_id: str) -> Package:
        """The package with this id.

        Raises:
            NotFound: there is none.
        """
        for package in self.packages:
            if package.id == package_id:
                return package
        known = [package.id for package in self.packages]
        raise NotFound(f'no package is called "{package_id}"', remedy=meant(package_id, known))


def purchase(package: Package, *, wallet: str, payment_id: str, at: datetime) -> Grant:
    """The grant that a payment for a package makes.

    Its id comes from the payment, and grants are unique by id: the same payment, told twice, grants
    once.

    Raises:
        BadInput: the payment has no id.
    """
    if not payment_id:
        raise BadInput(
            f"a purchase of {package.name} without a payment id",
            remedy="Give the id of the payment, so that it is never booked twice.",
        )
    days = package.expires_after_days
    return Grant(
        id=f"payment/{payment_id}",
        wallet=wallet,
        amount=package.amount,
        granted_at=at,
        expires_at=None if days is None else at + timedelta(days=days),
        priority=package.priority,
        paid=package.price,
        rollover_cap=package.rollover_cap,
        package=package.id,
    )


class CreditTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a credit is: counted tokens, and what a token of each class counts.

    Attributes:
        tokens: counted ones, of one credit.
        weights: what a token of each class counts, such as output = "8"; 1 where none is stated.
    """

    tokens: int = 1_000
    weights: dict[str, str | int] = {}


class PackageTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A package of credits that is sold.

    Attributes:
        id: stable name.
        name: what buyers read.
        credits: in it.
        price: for all of them.
        currency: of the price.
        source: who set the price, and when.
        expires_after_days: how long they last; for ever where it is not stated.
        priority: of their grants; lower burns first.
        rollover_credits: that live on when a grant ends.
    """

    id: str
    name: str
    credits: int
    price: str | int
    currency: str
    source: str
    expires_after_days: int | None = None
    priority: int = DEFAULT_PRIORITY
    rollover_credits: int = 0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    credit: CreditTable = CreditTable()
    package: tuple[PackageTable, ...] = ()


def offer_from_toml(text: str, *, name: str) -> Offer:
    """The packages and weights that a TOML text states; `name` is its file, for errors.

    Raises:
        BadInput: not TOML, an unknown key, a wrong type, a package that cannot be sold.
    """
    tables = tables_in(text, name)
    try:
        stated = msgspec.convert(tables, _File)
    except msgspec.ValidationError as wrong:
        raise BadInput(f"{name}: {wrong}", remedy=_remedy(str(wrong))) from None
    return offer_of(stated.credit, stated.package, name=name)


def offer_of(credit: CreditTable, tables: Sequence[PackageTable], *, name: str) -> Offer:
    """The offer that tables state; `name` is what errors call their place.

    Raises:
        BadInput: a package that cannot be sold, two of one id, or a weight that is none.
    """
    packages = tuple(_package(each, name) for each in tables)
    ids = [package.id for package in packages]
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        raise BadInput(f"{name} has two packages {twice[0]}", remedy="Give each an id of its own.")
    weights = {of: weight_from_text(text, of) for of, text in credit.weights.items()}
    return Offer(packages, Weights(credit.tokens, weights))


def weight_from_text(stated: str | int, of: str) -> Fraction:
    """The exact weight that a text states for a class of tokens: `8`, `0.1` or `1/3`.

    Raises:
        BadInput: it is none of these.
    """
    if not _WEIGHT.fullmatch(str(stated)):
        raise BadInput(f"the weight of {of} is {stated!r}", remedy='Write "8", "0.1" or "1/3".')
    return Fraction(stated)


def _package(stated: PackageTable, name: str) -> Package:
    days = stated.expires_after_days
    price = Money.parse(str(stated.price), stated.currency)
    rolls = stated.rollover_credits
    possible = stated.credits >= 1 and price.sub_units >= 0 and (days is None or days >= 1)
    if not stated.id or not possible or rolls < 0 or (rolls and days is None):
        raise BadInput(
            f'{name}: package "{stated.id}" of {stated.credits} credits for {price}, lasting '
            f"{'for ever' if days is None else f'{days} days'}, {rolls} of which roll over",
            remedy="Give it an id, 1 or more credits and days, a price of 0 or more, and an end if "
            "anything rolls over.",
        )
    return Package(
        id=stated.id,
        name=stated.name,
        amount=stated.credits * MILLI,
        price=price,
        source=stated.source,
        expires_after_days=days,
        priority=stated.priority,
        rollover_cap=rolls * MILLI,
    )


def _remedy(what: str) -> str:
    if unknown := re.search(r"unknown field `(.+?)`", what):
        forms = (_File, CreditTable, PackageTable)
        return meant(unknown[1], sorted({key for form in forms for key in form.__struct_fields__}))
    if missing := re.search(r"missing required field `(.+?)`", what):
        return f"Add {missing[1]}."
    return "See docs/reference/credits.md for what may stand there."
