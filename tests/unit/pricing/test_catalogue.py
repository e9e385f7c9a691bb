"""The compiled catalogue: dates, hours, variants and tiers of bundled and made-up data."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ClauseStartsWith,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from tokonomi.pricing.catalogue import Catalogue, compile_model
from tokonomi.pricing.listing import Listing
from tokonomi.pricing.row import BEGINNING, FOREVER, Comparator, Meter, PriceRow

CATALOGUE = Catalogue(providers, "0.2.3")


def compiled(
    prices: ModelPrice | list[ConditionalPrice],
    variants: list[PriceVariant] | None = None,
    name: str = "m",
) -> Listing:
    model = ModelInfo(name, ClauseEquals(name), prices=prices, price_variants=variants)
    return compile_model("p", model, "data 1")


def day(month: int, number: int = 1) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


def texts(row: PriceRow) -> dict[Meter, str]:
    return {meter: rate.text for meter, rate in row.rates.items()}


def test_start_dates_become_ranges_that_follow_one_another() -> None:
    o3 = CATALOGUE.find("openai", "o3")
    assert o3 is not None
    standard = [row for row in o3.rows if row.tier == "standard" and not row.batch]
    change = datetime(2025, 6, 10, tzinfo=UTC)
    assert [(row.valid_from, row.valid_to, texts(row)[Meter.INPUT]) for row in standard] == [
        (BEGINNING, change, "10"),
        (change, FOREVER, "2"),
    ]


def test_a_price_that_a_later_one_replaced_from_an_earlier_day_never_held() -> None:
    listing = compiled(
        [
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(1))),
            ConditionalPrice(
                StartDateConstraint(date(2026, 6, 1)), prices=ModelPrice(input_mtok=Decimal(2))
            ),
            ConditionalPrice(
                StartDateConstraint(date(2026, 3, 1)), prices=ModelPrice(input_mtok=Decimal(3))
            ),
        ]
    )
    assert [(row.valid_to, texts(row)[Meter.INPUT]) for row in listing.rows] == [
        (day(3), "1"),
        (FOREVER, "3"),
    ]


def test_hours_of_the_day_become_windows_in_utc() -> None:
    zone = timezone(timedelta(hours=8))
    listing = compiled(
        [
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(1))),
            ConditionalPrice(
                TimeOfDateConstraint(time(9, tzinfo=zone), time(12, 30, tzinfo=zone)),
                prices=ModelPrice(input_mtok=Decimal(2)),
            ),
            ConditionalPrice(
                TimeOfDateConstraint(time(22), time(1)), prices=ModelPrice(input_mtok=Decimal(3))
            ),
        ]
    )
    assert [row.window and row.window.name for row in listing.rows] == [
        None,
        "01:00-04:30",
        "22:00-01:00",
    ]


def test_a_variant_lies_over_its_base_and_keeps_what_it_does_not_name() -> None:
    batch = compiled(
        ModelPrice(input_mtok=Decimal(4), cache_read_mtok=Decimal("0.4"), output_mtok=Decimal(8)),
        [
            PriceVariant({"processing": "batch"}, ModelPrice(input_mtok=Decimal(2))),
            PriceVariant({"service_tier": "default"}, ModelPrice()),
            PriceVariant({"speed": "fast"}, ModelPrice(output_mtok=Decimal(16))),
            PriceVariant({"route": "eu"}, ModelPrice(output_mtok=Decimal(9))),
        ],
    )
    assert [(row.id, row.tier, row.batch) for row in batch.rows] == [
        ("data-1:p/m", "standard", False),
        ("data-1:p/m+batch", "standard", True),
        ("data-1:p/m+fast", "fast", False),
    ]
    assert texts(batch.rows[1]) == {Meter.INPUT: "2", Meter.CACHE_READ: "0.4", Meter.OUTPUT: "8"}
    assert batch.uncounted == ("route=eu",)


def test_a_variant_holds_from_its_own_date_and_ends_where_the_next_one_starts() -> None:
    listing = compiled(
        [
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(10))),
            ConditionalPrice(
                StartDateConstraint(date(2026, 4, 1)), prices=ModelPrice(input_mtok=Decimal(8))
            ),
        ],
        [
            PriceVariant(
                {"service_tier": "flex"},
                ModelPrice(input_mtok=Decimal(5)),
                StartDateConstraint(date(2026, 3, 1)),
            ),
            PriceVariant(
                {"service_tier": "flex"},
                ModelPrice(input_mtok=Decimal(4)),
                StartDateConstraint(date(2026, 5, 1)),
            ),
        ],
    )
    flex = [row for row in listing.rows if row.tier == "flex"]
    assert [(row.valid_from, row.valid_to, texts(row)[Meter.INPUT]) for row in flex] == [
        (day(3), day(4), "5"),
        (day(4), day(5), "5"),
        (day(5), FOREVER, "4"),
    ]


def test_tiers_of_the_catalogue_are_crossed_above_their_start() -> None:
    listing = compiled(
        ModelPrice(
            input_mtok=TieredPrices(
                Decimal(1), [Tier(128_000, Decimal(3)), Tier(32_000, Decimal(2))]
            ),
            output_mtok=TieredPrices(Decimal(4), [Tier(128_000, Decimal(8))]),
            cache_read_mtok=Decimal("0.1"),
        )
    )
    tiers = listing.rows[0].context_tiers
    assert [
        (tier.threshold, tier.comparator, {m: rate.text for m, rate in tier.rates.items()})
        for tier in tiers
    ] == [
        (32_000, Comparator.ABOVE, {Meter.INPUT: "2"}),
        (128_000, Comparator.ABOVE, {Meter.INPUT: "3", Meter.OUTPUT: "8"}),
    ]


def test_a_negative_price_leaves_the_model_unpriced() -> None:
    listing = compiled(ModelPrice(input_mtok=Decimal(-1), output_mtok=Decimal(1)))
    assert (listing.rows, listing.unpriced) == ((), "negative price -1 per 1000000")


def test_a_free_model_is_free_only_where_its_name_says_so() -> None:
    assert compiled(ModelPrice(), name="m:free").rows[0].free
    assert compiled(ModelPrice(), name="m").unpriced == "data 1 lists it without a price"


def test_what_no_usage_record_counts_is_named_and_not_charged() -> None:
    listing = compiled(ModelPrice(input_mtok=Decimal(1), storage_searches_kcount=Decimal(2)))
    assert listing.uncounted == ("storage_searches_kcount",)
    pages = compiled(ModelPrice(input_mtok=Decimal(1), input_document_kpages=Decimal(2)))
    assert pages.rows == ()
    assert "input_document_kpages" in pages.unpriced


def test_an_embedding_model_needs_no_output_price() -> None:
    embedding = CATALOGUE.find("openai", "text-embedding-3-small")
    assert embedding is not None
    assert texts(embedding.rows[0]) == {Meter.INPUT: "0.02"}


def test_a_reseller_has_its_makers_standard_price_and_no_other_tier() -> None:
    resold = CATALOGUE.find("azure", "gpt-5.1")
    assert resold is not None
    assert {(row.provider, row.tier, row.batch) for row in resold.rows} == {
        ("openai", "standard", False)
    }


def test_a_makers_model_without_standard_prices_is_not_resold() -> None:
    maker = Provider(
        "maker",
        "Maker",
        "maker",
        models=[ModelInfo("m", ClauseStartsWith("m"), prices=ModelPrice())],
    )
    shop = Provider("shop", "Shop", "shop", fallback_model_providers=["maker"])
    catalogue = Catalogue([maker, shop], "1")
    found = catalogue.find("shop", "m-1")
    assert found is not None
    assert (found.rows, found.unpriced) == ((), "genai-prices 1 lists it without a price")
    assert catalogue.find("shop", "x") is None
    assert catalogue.find("nobody", "m") is None


def test_providers_go_by_the_names_that_the_catalogue_knows() -> None:
    assert [CATALOGUE.provider_id(name) for name in ("xai", "OpenAI ", "vertex", "nobody")] == [
        "x-ai",
        "openai",
        "google",
        None,
    ]
    assert CATALOGUE.maker_of("claude-opus-4-6") == "anthropic"
    assert CATALOGUE.maker_of("no such family") is None


def test_the_whole_catalogue_compiles_and_every_row_has_its_own_id() -> None:
    listings = [*CATALOGUE.listings()]
    ids = [row.id for listing in listings for row in listing.rows]
    assert len(ids) == len(set(ids)) > 2_500
    assert all(bool(listing.rows) is not bool(listing.unpriced) for listing in listings)


def test_no_rate_of_the_catalogue_becomes_0_unless_its_source_says_0() -> None:
    found = compiled(ModelPrice(input_mtok=Decimal("0.0000004"), output_mtok=Decimal(1)))
    assert found.rows == ()
    assert "would round to 0" in found.unpriced
    assert not [one for one in CATALOGUE.listings() if "would round to 0" in one.unpriced]
