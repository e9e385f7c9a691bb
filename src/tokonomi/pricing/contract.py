"""A user's contract: prices of their own, and discounts compiled to concrete rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Context, Decimal, Inexact
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Final

from tokonomi.errors import BadPrices
from tokonomi.pricing.listing import Listing
from tokonomi.pricing.overlay import compile_models
from tokonomi.pricing.price_file import ContractFile, DiscountTable
from tokonomi.pricing.row import ContextTier, Meter, PriceRow, Rate

_EXACT: Final = Context(prec=100, traps=[Inexact])


@dataclass(frozen=True, slots=True)
class Discount:
    """What remains of some meters' prices (`factor`, above 0) at some models, for a time."""

    provider: str
    model: str
    meters: frozenset[Meter]
    factor: Decimal
    valid_from: datetime
    valid_to: datetime
    source: str

    def covers(self, provider: str, model: str) -> bool:
        """Whether the provider and the model fit the discount's patterns."""
        named = fnmatchcase(provider, self.provider.lower())
        return named and fnmatchcase(model.lower(), self.model.lower())


@dataclass(frozen=True, slots=True)
class Contract:
    """Own prices by provider and lower-case name, and discounts in the order of the file."""

    listings: Mapping[tuple[str, str], Listing]
    discounts: tuple[Discount, ...]


NO_CONTRACT: Final = Contract({}, ())


def compile_contract(name: str, file: ContractFile) -> Contract:
    """The contract of a file.

    Raises:
        BadPrices: a wrong figure, or a discount that is none.
    """
    listings: dict[tuple[str, str], Listing] = {}
    for listing in compile_models(name, file.model, file.calendar):
        for spelling in (listing.model, *listing.aliases):
            listings[listing.provider, spelling.lower()] = listing
    return Contract(listings, tuple(_discount(name, table) for table in file.discount))


def _discount(name: str, table: DiscountTable) -> Discount:
    factor = _factor(table)
    if factor is None or not 0 < factor <= 1:
        raise BadPrices(
            f"{name}, discount on {table.provider}/{table.model}: "
            f"off {table.off!r} and factor {table.factor!r} do not state one discount",
            remedy='Write off = "12.5%" or factor = "0.875". A free model is a price of "0".',
        )
    if table.from_.at >= table.to.at:
        raise BadPrices(
            f"{name}: the discount on {table.provider}/{table.model} ends before it begins"
        )
    return Discount(
        table.provider,
        table.model,
        frozenset(table.meters),
        factor,
        table.from_.at,
        table.to.at,
        table.source,
    )


def _factor(table: DiscountTable) -> Decimal | None:
    if bool(table.off) == bool(table.factor):
        return None
    text = table.factor or table.off.removesuffix("%")
    if not text.replace(".", "", 1).isdecimal() or (table.off and not table.off.endswith("%")):
        return None
    return Decimal(text) if table.factor else 1 - Decimal(text) / 100


def discounted(rows: Iterable[PriceRow], covering: Sequence[Discount]) -> Iterator[PriceRow]:
    """The rows at the contract's prices, for the times at which one of these discounts is valid.

    Discounts do not stack: on each meter the last one in the file that is valid applies. Where
    none is valid nothing comes back, and the lower row holds.
    """
    for row in rows:
        instants = {row.valid_from, row.valid_to}
        for discount in covering:
            instants |= {discount.valid_from, discount.valid_to}
        for start, end in pairwise(sorted(instants)):
            within = row.valid_from <= start and end <= row.valid_to
            valid = [d for d in covering if d.valid_from <= start and end <= d.valid_to]
            if within and valid:
                yield _at_discount(row, valid, start, end)


def _at_discount(row: PriceRow, valid: list[Discount], start: datetime, end: datetime) -> PriceRow:
    last = {meter: discount for discount in valid for meter in discount.meters}
    sources = dict.fromkeys(discount.source for discount in last.values())
    return replace(
        row,
        id=f"contract:{row.id}@{start:%Y-%m-%d}",
        source=f"{'; '.join(sources)}, on {row.source}",
        valid_from=start,
        valid_to=end,
        rates=_lower(row.rates, last, row.currency),
        context_tiers=tuple(
            ContextTier(tier.threshold, tier.comparator, _lower(tier.rates, last, row.currency))
            for tier in row.context_tiers
        ),
    )


def _lower(
    rates: Mapping[Meter, Rate], last: Mapping[Meter, Discount], currency: str
) -> dict[Meter, Rate]:
    return {
        meter: _times(rate, last[meter].factor, currency) if meter in last else rate
        for meter, rate in rates.items()
    }


def _times(rate: Rate, factor: Decimal, currency: str) -> Rate:
    product = _EXACT.multiply(Decimal(rate.text), factor)
    return Rate.of(format(product.normalize(_EXACT), "f"), per=rate.per, currency=currency)
