"""The price book: every source of prices laid over one another, looked up by name and instant."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Final

from tokonomi.errors import BadPrices
from tokonomi.pricing.catalogue import Catalogue
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.contract import NO_CONTRACT, Contract, discounted
from tokonomi.pricing.listing import Listing, ModelCard, Rank, Suffix, SuffixEffect
from tokonomi.pricing.names import spellings, split_suffix, tier_of, without_date
from tokonomi.pricing.overlay import Overlay
from tokonomi.pricing.row import Meter, PriceRow
from tokonomi.pricing.schedule import RankedRow, Schedule
from tokonomi.usage import STANDARD_TIER

CACHED_NAMES: Final = 10_000
"""Resolved names kept in memory; names come from outside, so that there must be a limit."""


@dataclass(frozen=True)
class ModelEntry:
    """What the book knows of one model.

    Attributes:
        provider: who bills, as the rows name it.
        model: the resolved id.
        asked: the name that was looked up, as `provider/model`.
        how: how the name was resolved, step by step; empty when it is the id itself.
        card: context window, longest output, display name, deprecation.
        rows: all rows, of every tier and time, with the rank of their source.
        unpriced: why there are no rows.
        uncounted: prices that the sources state for what no usage record counts.
    """

    provider: str
    model: str
    asked: str
    how: tuple[str, ...]
    card: ModelCard
    rows: tuple[RankedRow, ...]
    unpriced: str = ""
    uncounted: tuple[str, ...] = ()

    @cached_property
    def meters(self) -> frozenset[Meter]:
        """The meters that one of its rows has a price of its own for."""
        return frozenset(meter for each in self.rows for meter in each.row.rates)


class PriceBook:
    """Contract over overlay over catalogue.

    Per model, tier, batch mode and instant the row of the highest rank that is valid wins: a
    contract's own price, then a contract's discount, then the overlay, then the catalogue. Within a
    rank a row for certain hours beats one for always, and a later `valid_from` an earlier one.
    """

    def __init__(
        self, catalogue: Catalogue, overlay: Overlay, contract: Contract = NO_CONTRACT
    ) -> None:
        self._catalogue = catalogue
        self._overlay = overlay
        self._contract = contract
        self._providers = overlay.providers | {provider for provider, _ in contract.listings}
        self._entries: dict[tuple[str, str], ModelEntry | None] = {}
        self._schedules: dict[tuple[str, str, str, bool], Schedule] = {}

    def find(self, provider: str, model: str) -> ModelEntry | None:
        """The entry of a model by any of its names, or None when no source knows it.

        Without a provider (`""`) the name must begin with one, or belong to a family of names that
        the catalogue ascribes to one.
        """
        key = provider, model
        if key not in self._entries:
            if len(self._entries) >= CACHED_NAMES:
                self._entries.clear()
            self._entries[key] = self._resolve(provider.lower().strip(), model.strip())
        return self._entries[key]

    def row_at(
        self,
        provider: str,
        model: str,
        at: datetime,
        tier: str = STANDARD_TIER,
        *,
        batch: bool = False,
    ) -> PriceRow | Unpriced:
        """The row that prices a call at an instant in UTC, or why there is none.

        A tier without a price of its own is unpriced; it never takes the standard price.
        """
        schedule = self._schedules.get((provider, model, tier, batch))
        if schedule is None:
            schedule = self.schedule(provider, model, tier, batch=batch)
        return schedule.at(at)

    def schedule(
        self, provider: str, model: str, tier: str = STANDARD_TIER, *, batch: bool = False
    ) -> Schedule:
        """The rows that price a model's calls of one tier, by time."""
        key = provider, model, tier, batch
        if key not in self._schedules:
            if len(self._schedules) >= CACHED_NAMES:
                self._schedules.clear()
            self._schedules[key] = self._scheduled(key)
        return self._schedules[key]

    def entries(self) -> Iterator[ModelEntry]:
        """Every model that a source lists, once, by its id."""
        seen: set[tuple[str, str]] = set()
        own = [*self._contract.listings.values(), *self._overlay.listings.values()]
        for listing in [*own, *self._catalogue.listings()]:
            key = listing.provider, listing.model.lower()
            if key not in seen:
                seen.add(key)
                entry = self._merged(listing.provider, listing.model, (), seller=listing.provider)
                if entry is not None:
                    yield entry

    def _scheduled(self, key: tuple[str, str, str, bool]) -> Schedule:
        provider, model, stated, stated_batch = key
        tier, batch = tier_of(stated, batch=stated_batch)
        entry = self.find(provider, model)
        named = f"{provider}/{model}" if provider else model
        if entry is None:
            return Schedule((), missing=f"no price source knows {named}")
        if not entry.rows:
            return Schedule((), missing=entry.unpriced)
        rows = [r for r in entry.rows if r.row.tier == tier and r.row.batch is batch]
        what = f"{tier} batch" if batch else tier
        return Schedule(rows, missing=f"{named} has no {what} price")

    def _resolve(self, provider: str, model: str) -> ModelEntry | None:
        if not provider:
            return self._resolve_without_provider(model)
        known = self._provider_id(provider)
        entry = self._resolve_at(known, model, (), seller=known)
        if entry is None and known in self._overlay.resellers.values():
            return self._resold(known, model)
        return entry

    def _provider_id(self, name: str) -> str:
        if name in self._providers:
            return name
        return self._overlay.resellers.get(name) or self._catalogue.provider_id(name) or name

    def _resolve_without_provider(self, model: str) -> ModelEntry | None:
        provider, slash, rest = model.partition("/")
        if slash and (entry := self._resolve(provider.lower(), rest)) is not None:
            return replace(entry, asked=model, how=(f"{provider}/ names the provider", *entry.how))
        maker = self._catalogue.maker_of(model)
        if maker is None or (entry := self._resolve(maker, model)) is None:
            return None
        return replace(entry, asked=model, how=(f"its name is one of {maker}'s", *entry.how))

    def _resold(self, seller: str, model: str) -> ModelEntry | None:
        name, slash, rest = model.removeprefix(f"{seller}/").partition("/")
        if not slash:
            return None
        maker = self._provider_id(name.lower())
        how = f"{seller} sells {maker}'s models at their list price"
        entry = self._resolve_at(maker, rest, (how,), seller=seller)
        return None if entry is None else replace(entry, asked=f"{seller}/{model}")

    def _resolve_at(
        self, provider: str, model: str, how: tuple[str, ...], *, seller: str
    ) -> ModelEntry | None:
        for name, step in spellings(provider, model):
            steps = (*how, step) if step else how
            if (entry := self._merged(provider, name, steps, seller=seller)) is not None:
                return entry
        base, text = split_suffix(model)
        suffix = self._overlay.suffixes.get(provider, {}).get(text)
        if suffix is not None:
            entry = self._resolve_at(provider, base, how, seller=seller)
            return None if entry is None else _with_suffix(entry, suffix)
        if (undated := without_date(model)) != model:
            step = f"a dated snapshot of {undated} that no source lists apart"
            return self._resolve_at(provider, undated, (*how, step), seller=seller)
        return None

    def _merged(
        self, provider: str, name: str, how: tuple[str, ...], *, seller: str
    ) -> ModelEntry | None:
        """The entry of one exact spelling: what each source says, an alias with its base's rows."""
        key = provider, name.lower()
        own = self._contract.listings.get(key) or self._overlay.listings.get(key)
        below = self._catalogue.find(provider, own.model if own else name)
        base = (below.provider, below.model.lower()) if below else key
        contract = self._contract.listings.get(key) or self._contract.listings.get(base)
        overlay = self._overlay.listings.get(key) or self._overlay.listings.get(base)
        sources = (Rank.CONTRACT, contract), (Rank.OVERLAY, overlay), (Rank.CATALOGUE, below)
        found = [(rank, listing) for rank, listing in sources if listing is not None]
        if not found:
            return None
        top = own or found[0][1]
        if key[1] != top.model.lower():
            how = (*how, f"an alias of {top.model}")
        if top.provider != provider:
            how = (*how, f"{provider} sells it at {top.provider}'s price")
        listings, asked = [listing for _, listing in found], f"{provider}/{name}"
        try:
            rows = tuple(row for pair in found for row in self._ranked(*pair, seller=seller))
        except BadPrices as wrong:
            # A discount that leaves no price is found when its model is: no call may fail by it.
            return replace(_entry(listings, top, asked, how, ()), unpriced=wrong.what)
        return _entry(listings, top, asked, how, rows)

    def _ranked(self, rank: Rank, listing: Listing, *, seller: str) -> Iterator[RankedRow]:
        rows = listing.rows
        if rank is Rank.CATALOGUE:
            rows = tuple(self._searched(row) for row in rows)
        yield from (RankedRow(rank, row) for row in rows)
        if lowered := _DISCOUNTED.get(rank):
            covering = [d for d in self._contract.discounts if d.covers(seller, listing.model)]
            yield from (RankedRow(lowered, row) for row in discounted(rows, covering))

    def _searched(self, row: PriceRow) -> PriceRow:
        unit = self._overlay.search_unit_of(row.provider, row.model)
        stays = unit is None or unit is row.search_unit or Meter.SEARCH not in row.rates
        return row if stays else replace(row, search_unit=unit)


_DISCOUNTED: Final = {
    Rank.CATALOGUE: Rank.DISCOUNTED_CATALOGUE,
    Rank.OVERLAY: Rank.DISCOUNTED_OVERLAY,
}


def _entry(
    found: list[Listing],
    top: Listing,
    asked: str,
    how: tuple[str, ...],
    rows: tuple[RankedRow, ...],
) -> ModelEntry:
    card = ModelCard()
    for listing in found:
        card = card.over(listing.card)
    reasons = [listing.unpriced for listing in found if listing.unpriced]
    unpriced = "" if rows else next(iter(reasons), "its sources list it without a price")
    uncounted = dict.fromkeys(name for listing in found for name in listing.uncounted)
    return ModelEntry(top.provider, top.model, asked, how, card, rows, unpriced, tuple(uncounted))


def _with_suffix(entry: ModelEntry, suffix: Suffix) -> ModelEntry:
    match suffix.effect:
        case SuffixEffect.SAME:
            rows, what = entry.rows, "does not change the price"
        case SuffixEffect.ADDS:
            rows = tuple(
                RankedRow(ranked.rank, _adding(ranked.row, suffix)) for ranked in entry.rows
            )
            what = f"adds {', '.join(suffix.rates)}: {suffix.source}"
        case SuffixEffect.FREE:
            rows, what = (RankedRow(Rank.OVERLAY, _free(entry, suffix)),), "is free of charge"
    return replace(
        entry,
        asked=f"{entry.asked}{suffix.text}",
        how=(*entry.how, f"{suffix.text} {what}"),
        rows=rows,
    )


def _adding(row: PriceRow, suffix: Suffix) -> PriceRow:
    return replace(
        row,
        id=f"{row.id}{suffix.text}",
        source=f"{row.source}; {suffix.text}: {suffix.source}",
        rates={**row.rates, **suffix.rates},
    )


def _free(entry: ModelEntry, suffix: Suffix) -> PriceRow:
    return PriceRow(
        id=f"{suffix.provider}/{entry.model}{suffix.text}",
        provider=suffix.provider,
        model=f"{entry.model}{suffix.text}",
        currency="USD",
        source=suffix.source,
        rates=suffix.rates,
    )
