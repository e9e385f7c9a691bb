"""The bundled catalogue: genai-prices' data compiled to price rows, one model at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Final, cast

from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from tokonomi.errors import BadPrices
from tokonomi.pricing.listing import FREE_RATES, Listing, ModelCard
from tokonomi.pricing.row import (
    BEGINNING,
    DAY_MINUTES,
    FOREVER,
    PER,
    Comparator,
    ContextTier,
    Meter,
    PriceRow,
    Rate,
    Window,
)
from tokonomi.usage import STANDARD_TIER

METERS: Final[Mapping[str, Meter]] = {
    "input_mtok": Meter.INPUT,
    "cache_read_mtok": Meter.CACHE_READ,
    "cache_audio_read_mtok": Meter.CACHE_READ_AUDIO,
    "cache_write_mtok": Meter.CACHE_WRITE_5M,
    "cache_write_5m_mtok": Meter.CACHE_WRITE_5M,
    "cache_write_1h_mtok": Meter.CACHE_WRITE_1H,
    "input_audio_mtok": Meter.AUDIO_IN,
    "input_image_mtok": Meter.IMAGE_IN,
    "output_mtok": Meter.OUTPUT,
    "output_reasoning_mtok": Meter.REASONING,
    "output_audio_mtok": Meter.AUDIO_OUT,
    "output_image_mtok": Meter.IMAGE_OUT,
    "web_searches_kcount": Meter.SEARCH,
    "rerank_searches_kcount": Meter.SEARCH,
    "requests_kcount": Meter.REQUEST,
}

NOT_PER_TOKEN: Final = ("_hours", "_mchars", "_messages_kcount", "_gpixels", "_kpages")
"""Price keys of a model that is billed by something else than tokens: no usage record has it."""

Prices = Mapping[str, Decimal | TieredPrices]


@dataclass(frozen=True, slots=True)
class Period:
    """Prices, and when they hold."""

    prices: Prices
    start: datetime
    end: datetime
    window: Window | None


class Catalogue:
    """The models of a genai-prices snapshot; each is compiled when it is first asked for.

    `version` names the snapshot in row ids and sources.
    """

    def __init__(self, providers: Sequence[Provider], version: str) -> None:
        self.source = f"genai-prices {version}"
        self._providers = {provider.id: provider for provider in providers}
        self._ids = {p.id: {m.id.lower(): m for m in p.models} for p in providers}
        self._listings: dict[tuple[str, str], Listing] = {}

    def provider_id(self, name: str) -> str | None:
        """The id of the provider that goes by this name, such as "x-ai" for "xai"."""
        wanted = name.lower().strip()
        if wanted in self._providers:
            return wanted
        for provider in self._providers.values():
            if provider.provider_match and provider.provider_match.is_match(wanted):
                return provider.id
        return None

    def maker_of(self, model: str) -> str | None:
        """The provider whose models are named like this one, when no provider is given."""
        wanted = model.lower()
        for provider in self._providers.values():
            if provider.model_match is not None and provider.model_match.is_match(wanted):
                return provider.id
        return None

    def find(self, provider_id: str, name: str) -> Listing | None:
        """The listing of a model by its id or by the catalogue's matching clauses.

        A provider that resells others' models falls back on theirs, with standard prices only: the
        catalogue does not say that it has their other tiers.
        """
        provider = self._providers.get(provider_id)
        if provider is None:
            return None
        if model := self._match(provider, name.lower()):
            return self._listing(provider, model)
        for maker_id in provider.fallback_model_providers or ():
            maker = self._providers[maker_id]
            if model := self._match(maker, name.lower()):
                return _resold(self._listing(maker, model))
        return None

    def listings(self) -> Iterator[Listing]:
        """Every model of the catalogue, compiled."""
        for provider in self._providers.values():
            for model in provider.models:
                yield self._listing(provider, model)

    def _match(self, provider: Provider, name: str) -> ModelInfo | None:
        exact = self._ids[provider.id].get(name)
        return exact or next((model for model in provider.models if model.is_match(name)), None)

    def _listing(self, provider: Provider, model: ModelInfo) -> Listing:
        key = provider.id, model.id
        if key not in self._listings:
            self._listings[key] = compile_model(provider.id, model, self.source)
        return self._listings[key]


def _resold(listing: Listing) -> Listing:
    rows = tuple(row for row in listing.rows if row.tier == STANDARD_TIER and not row.batch)
    unpriced = listing.unpriced or ("" if rows else "its maker's prices are not standard ones")
    return Listing(listing.provider, listing.model, listing.card, rows, unpriced, listing.uncounted)


def compile_model(provider: str, model: ModelInfo, source: str) -> Listing:
    """The rows of one catalogue model, or why it has none.

    Start dates become validity ranges, hours of the day become windows, price variants become rows
    of their tier or batch over the base rows of the same time. A price for something that is not
    counted in tokens, searches or requests leaves the model without a price, never at 0.
    """
    card = ModelCard(model.name or "", model.context_window, deprecated=bool(model.deprecated))
    compiler = _Compiler(provider, model.id, source)
    try:
        rows = compiler.rows(_periods(model.prices), model.price_variants or ())
    except BadPrices as wrong:
        return Listing(provider, model.id, card, unpriced=wrong.what)
    if rows:
        return Listing(provider, model.id, card, rows, uncounted=tuple(sorted(compiler.uncounted)))
    reason = f"{source} lists it without a price"
    if compiler.not_per_token:
        names = ", ".join(sorted(compiler.not_per_token))
        reason = f"{source} prices it by {names}, which no usage record counts"
    return Listing(provider, model.id, card, unpriced=reason)


class _Compiler:
    """Compiles one model, and notes on the way what its source prices that we do not count."""

    def __init__(self, provider: str, model: str, source: str) -> None:
        self.provider = provider
        self.model = model
        self.source = source
        self.uncounted: set[str] = set()
        self.not_per_token: set[str] = set()

    def rows(
        self, periods: Sequence[Period], variants: Sequence[PriceVariant]
    ) -> tuple[PriceRow, ...]:
        rows = [self._row(period, STANDARD_TIER, batch=False) for period in periods]
        for when in dict.fromkeys(tuple(sorted(variant.when.items())) for variant in variants):
            tier, batch = _dimension(dict(when))
            if tier is None:
                self.uncounted.add(" ".join("=".join(pair) for pair in when))
            if tier is None or (tier == STANDARD_TIER and not batch):
                continue
            same = [variant for variant in variants if tuple(sorted(variant.when.items())) == when]
            rows += [self._row(p, tier, batch=batch) for p in _varied(periods, same)]
        return tuple(row for row in rows if row is not None)

    def _row(self, period: Period, tier: str, *, batch: bool) -> PriceRow | None:
        spoilers = {key for key in period.prices if key.endswith(NOT_PER_TOKEN)}
        self.not_per_token |= spoilers
        self.uncounted |= period.prices.keys() - METERS.keys()
        rates, tiers = _rates(period.prices), _context_tiers(period.prices)
        if not period.prices and self.model.endswith(":free"):
            rates = FREE_RATES
        if spoilers or not rates:
            return None
        return PriceRow(
            id=self._id(period, tier, batch=batch),
            provider=self.provider,
            model=self.model,
            currency="USD",
            source=self.source,
            rates=rates,
            tier=tier,
            batch=batch,
            valid_from=period.start,
            valid_to=period.end,
            window=period.window,
            context_tiers=tiers,
        )

    def _id(self, period: Period, tier: str, *, batch: bool) -> str:
        parts = [f"{self.source.replace(' ', '-')}:{self.provider}/{self.model}"]
        parts += [f"@{period.start:%Y-%m-%d}"] * (period.start != BEGINNING)
        parts += [f"+{tier}"] * (tier != STANDARD_TIER) + ["+batch"] * batch
        parts += [f"+{period.window.name}"] if period.window else []
        return "".join(parts)


def _dimension(when: Mapping[str, str]) -> tuple[str | None, bool]:
    """The tier and batch that a variant's conditions select; no tier: we cannot tell from usage."""
    match when:
        case {"service_tier": "default", **rest} if not rest:
            return STANDARD_TIER, False
        case {"service_tier": tier, **rest} if not rest:
            return tier, False
        case {"speed": tier, **rest} if not rest:
            return tier, False
        case {"processing": "batch", **rest} if not rest:
            return STANDARD_TIER, True
        case _:
            return None, False


def _periods(prices: ModelPrice | list[ConditionalPrice]) -> list[Period]:
    """When each price holds, where the last one whose condition is met is the one that applies."""
    conditions = [ConditionalPrice(prices=prices)] if isinstance(prices, ModelPrice) else prices
    periods: list[Period] = []
    end = FOREVER
    for condition in reversed(conditions):
        start, window = _when(condition.constraint)
        if start < end:
            periods.append(Period(_stated(condition.prices), start, end, window))
        if window is None:
            end = min(end, start)
    return periods[::-1]


def _varied(periods: Sequence[Period], variants: Sequence[PriceVariant]) -> Iterator[Period]:
    """The base periods with the variant's prices laid over; meters it leaves out keep the base's.

    Variants of one selector follow one another in time: each ends where a later one starts.
    """
    dated = sorted(((_when(v.constraint)[0], v) for v in variants), key=lambda pair: pair[0])
    ends = [start for start, _ in dated[1:]] + [FOREVER]
    for (variant_start, variant), variant_end in zip(dated, ends, strict=True):
        for base in periods:
            start, end = max(base.start, variant_start), min(base.end, variant_end)
            if start < end:
                yield Period({**base.prices, **_stated(variant.prices)}, start, end, base.window)


def _when(
    constraint: StartDateConstraint | TimeOfDateConstraint | None,
) -> tuple[datetime, Window | None]:
    match constraint:
        case StartDateConstraint(start_date=day):
            return _midnight(day), None
        case TimeOfDateConstraint(start_time=start, end_time=end):
            return BEGINNING, Window(from_minute=_minute(start), to_minute=_minute(end))
        case None:
            return BEGINNING, None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _minute(clock: time) -> int:
    offset = clock.utcoffset()
    shift = int(offset.total_seconds()) // 60 if offset else 0
    return (clock.hour * 60 + clock.minute - shift) % DAY_MINUTES


def _stated(prices: ModelPrice) -> Prices:
    values = cast("Mapping[str, Decimal | TieredPrices | None]", vars(prices))
    return {key: value for key, value in values.items() if value is not None}


def _rates(prices: Prices) -> dict[Meter, Rate]:
    return {
        METERS[key]: _rate(value.base if isinstance(value, TieredPrices) else value, METERS[key])
        for key, value in prices.items()
        if key in METERS
    }


def _context_tiers(prices: Prices) -> tuple[ContextTier, ...]:
    """The cliffs; at each threshold a meter has its highest tier that starts there or below."""
    tiered = {
        METERS[key]: value.tiers
        for key, value in prices.items()
        if key in METERS and isinstance(value, TieredPrices)
    }
    starts = sorted({tier.start for tiers in tiered.values() for tier in tiers})
    return tuple(
        ContextTier(
            start,
            Comparator.ABOVE,
            {
                meter: _rate(reached[-1].price, meter)
                for meter, tiers in tiered.items()
                if (reached := [tier for tier in tiers if tier.start <= start])
            },
        )
        for start in starts
    )


def _rate(price: Decimal, meter: Meter) -> Rate:
    return _rate_of(format(price, "f"), PER[meter])


@cache
def _rate_of(text: str, per: int) -> Rate:
    return Rate.of(text, per=per, currency="USD")
