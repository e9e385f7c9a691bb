"""Our dated prices over the catalogue: price files compiled to listings."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tokonomi.errors import BadPrices
from tokonomi.pricing.listing import FREE_RATES, Listing, ModelCard, Suffix, SuffixEffect
from tokonomi.pricing.price_file import (
    CalendarTable,
    ModelTable,
    PriceFile,
    PriceTable,
    SearchUnitTable,
    rates_of,
    window_of,
)
from tokonomi.pricing.row import BEGINNING, ContextTier, PriceRow, SearchUnit, Window
from tokonomi.usage import STANDARD_TIER


@dataclass(frozen=True, slots=True)
class Overlay:
    """Everything that price files say, by provider and lower-case name.

    Attributes:
        listings: by provider and id, and by provider and alias.
        suffixes: by provider, then by their text.
        resellers: provider ids and aliases, to the provider id.
    """

    listings: Mapping[tuple[str, str], Listing]
    suffixes: Mapping[str, Mapping[str, Suffix]]
    resellers: Mapping[str, str]
    search_units: tuple[SearchUnitTable, ...]

    @property
    def providers(self) -> frozenset[str]:
        """The ids of the providers that the overlay has models of."""
        return frozenset(provider for provider, _ in self.listings)

    def search_unit_of(self, provider: str, model: str) -> SearchUnit | None:
        """What one billed search is at a model of the catalogue, where the overlay says so."""
        for table in self.search_units:
            if table.provider == provider and fnmatchcase(model, table.model):
                return table.unit
        return None


def compile_overlay(files: Mapping[str, PriceFile]) -> Overlay:
    """The overlay of these files, by name.

    Raises:
        BadPrices: a wrong figure, window or calendar, or two prices for the same time, or two
            models of one name; with the file and the model.
    """
    listings: dict[tuple[str, str], Listing] = {}
    suffixes: dict[str, dict[str, Suffix]] = {}
    for name, file in files.items():
        for listing in compile_models(name, file.model, file.calendar):
            for spelling in (listing.model, *listing.aliases):
                key = listing.provider, spelling.lower()
                if key in listings:
                    raise BadPrices(
                        f"{name}: {listing.provider}/{spelling} is listed twice",
                        remedy="Put all prices of a model under one [[model]].",
                    )
                listings[key] = listing
        for table in file.suffix:
            free = table.effect is SuffixEffect.FREE
            rates = FREE_RATES if free else rates_of(table.rates, "USD")
            suffix = Suffix(table.provider, table.suffix, table.effect, table.source, rates)
            suffixes.setdefault(table.provider, {})[table.suffix] = suffix
    resellers = {
        alias: table.provider
        for file in files.values()
        for table in file.reseller
        for alias in (table.provider, *table.aliases)
    }
    units = tuple(table for file in files.values() for table in file.search_unit)
    return Overlay(listings, suffixes, resellers, units)


def compile_models(
    name: str, models: Iterable[ModelTable], calendars: Mapping[str, CalendarTable]
) -> Iterator[Listing]:
    """The listings of a file's models.

    Raises:
        BadPrices: as `compile_overlay`.
    """
    for model in models:
        card = ModelCard(model.name, model.context_window, model.max_output, model.deprecated)
        try:
            rows = [
                _row(name, model, price, window)
                for price in model.price
                for window in [window_of(w, calendars) for w in price.windows] or [None]
            ]
            _refuse_twins(rows)
        except BadPrices as wrong:
            place = f"{name}, model {model.provider}/{model.id}"
            raise BadPrices(f"{place}: {wrong.what}", remedy=wrong.remedy) from None
        yield Listing(model.provider, model.id, card, tuple(rows), aliases=model.aliases)


def _row(name: str, model: ModelTable, price: PriceTable, window: Window | None) -> PriceRow:
    start = price.from_.at
    parts = [f"{name}:{model.provider}/{model.id}"]
    parts += [f"@{start:%Y-%m-%dT%H:%M:%SZ}".replace("T00:00:00Z", "")] * (start != BEGINNING)
    parts += [f"+{price.tier}"] * (price.tier != STANDARD_TIER) + ["+batch"] * price.batch
    parts += [f"+{window.name}"] if window else []
    return PriceRow(
        id="".join(parts),
        provider=model.provider,
        model=model.id,
        currency=price.currency,
        source=price.source,
        rates=rates_of(price.rates, price.currency),
        tier=price.tier,
        batch=price.batch,
        valid_from=start,
        valid_to=price.to.at,
        window=window,
        context_tiers=tuple(
            ContextTier(above.threshold, above.comparator, rates_of(above.rates, price.currency))
            for above in price.above
        ),
        search_unit=price.search_unit,
    )


def _refuse_twins(rows: list[PriceRow]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise BadPrices(
                f"two prices begin at {row.valid_from:%Y-%m-%d} for the same tier and hours",
                remedy="Give each its own from date, tier or window.",
            )
        seen.add(row.id)
