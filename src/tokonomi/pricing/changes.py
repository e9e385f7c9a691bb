"""What changed in prices between two instants, or between two books."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from tokonomi.pricing.book import ModelEntry, PriceBook
from tokonomi.pricing.row import Meter, PriceRow, Rate


@dataclass(frozen=True, slots=True)
class Change:
    """One meter of one model whose stated price differs; None is unknown.

    Prices are those of the base context tier, or of the tier from `first_tokens` on.
    """

    provider: str
    model: str
    tier: str
    batch: bool
    meter: Meter
    first_tokens: int
    before: Rate | None
    after: Rate | None
    row_before: str
    row_after: str

    @property
    def ratio(self) -> Fraction | None:
        """The change as a share of the former price, where both are known and it was not 0."""
        if self.before is None or self.after is None or not self.before.sub_units:
            return None
        return Fraction(self.after.text) / Fraction(self.before.text) - 1


def changes_between(book: PriceBook, before: datetime, after: datetime) -> Iterator[Change]:
    """What a call costs otherwise at `after` than at `before`, both instants in UTC."""
    for entry in book.entries():
        for tier, batch in _selectors(entry):
            found = [_row(book, entry, at, tier=tier, batch=batch) for at in (before, after)]
            yield from _differences(entry, tier, found[0], found[1], batch=batch)


def changes_of_books(lower: PriceBook, upper: PriceBook, at: datetime) -> Iterator[Change]:
    """What a call costs otherwise by the upper book than by the lower one, where both price it."""
    for entry in upper.entries():
        for tier, batch in _selectors(entry):
            below = _row(lower, entry, at, tier=tier, batch=batch)
            if below is not None:
                above = _row(upper, entry, at, tier=tier, batch=batch)
                yield from _differences(entry, tier, below, above, batch=batch)


def _selectors(entry: ModelEntry) -> list[tuple[str, bool]]:
    return sorted({(ranked.row.tier, ranked.row.batch) for ranked in entry.rows})


def _row(
    book: PriceBook, entry: ModelEntry, at: datetime, *, tier: str, batch: bool
) -> PriceRow | None:
    row = book.row_at(entry.provider, entry.model, at, tier, batch=batch)
    return row if isinstance(row, PriceRow) else None


def _differences(
    entry: ModelEntry,
    tier: str,
    before: PriceRow | None,
    after: PriceRow | None,
    *,
    batch: bool,
) -> Iterator[Change]:
    if before is after:
        return
    olds, news = _stated(before), _stated(after)
    for first_tokens, meter in sorted(olds.keys() | news.keys()):
        old, new = olds.get((first_tokens, meter)), news.get((first_tokens, meter))
        if (old and old.sub_units) != (new and new.sub_units):
            yield Change(
                entry.provider,
                entry.model,
                tier,
                batch,
                meter,
                first_tokens,
                old,
                new,
                before.id if before else "",
                after.id if after else "",
            )


def _stated(row: PriceRow | None) -> Mapping[tuple[int, Meter], Rate]:
    if row is None:
        return {}
    base = {(0, meter): rate for meter, rate in row.rates.items()}
    above = {
        (tier.first_tokens, meter): rate
        for tier in row.context_tiers
        for meter, rate in tier.rates.items()
    }
    return base | above
