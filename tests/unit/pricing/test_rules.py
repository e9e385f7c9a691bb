"""One test per rule that wrong bills elsewhere have taught; each comment names the lesson."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from tokonomi.errors import BadPrices, ImpossibleUsage
from tokonomi.money import Money
from tokonomi.pricing.book import PriceBook
from tokonomi.pricing.charge import Charge, Unpriced, charge
from tokonomi.pricing.lint import Rule, lint_row
from tokonomi.pricing.row import (
    PER,
    Comparator,
    ContextTier,
    Meter,
    PriceRow,
    Rate,
    SearchUnit,
)
from tokonomi.storage.price_files import load_book
from tokonomi.usage import Usage

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)


def rates(prices: Mapping[str, str]) -> dict[Meter, Rate]:
    return {
        Meter(name): Rate.of(text, per=PER[Meter(name)], currency="USD")
        for name, text in prices.items()
    }


def row(*tiers: ContextTier, search_unit: SearchUnit = SearchUnit.QUERY, **prices: str) -> PriceRow:
    return PriceRow(
        id="row",
        provider="p",
        model="m",
        currency="USD",
        source="a test",
        rates=rates(prices),
        context_tiers=tiers,
        search_unit=search_unit,
    )


def tier(threshold: int, comparator: str = ">", **prices: str) -> ContextTier:
    return ContextTier(threshold, Comparator(comparator), rates(prices))


def cost(price: PriceRow | Unpriced, **counts: int) -> str:
    """The decimal cost of a call, in dollars."""
    assert isinstance(price, PriceRow)
    charged = charge(replace(Usage(at=AT), **counts), price)
    assert isinstance(charged, Charge), charged
    return charged.total.decimal()


def unpriced(price: PriceRow | Unpriced, **counts: int) -> Unpriced:
    assert isinstance(price, PriceRow)
    charged = charge(replace(Usage(at=AT), **counts), price)
    assert isinstance(charged, Unpriced)
    return charged


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return load_book()


CLAUDE = row(input="3", cache_read="0.30", cache_write_5m="3.75", cache_write_1h="6", output="15")


def test_cache_writes_are_charged_once_and_not_again_as_input() -> None:
    # litellm #9812 charged $0.0913 where the console showed $0.0544.
    assert cost(CLAUDE, uncached_input=100, cache_write_5m=10_000, output=200) == "0.0408"


def test_a_write_for_an_hour_has_the_rate_of_an_hour() -> None:
    # inspect_ai #4705 charged it at the five-minute rate, 1.6 times too low.
    assert cost(CLAUDE, cache_write_1h=1_000_000) == "6"


def test_a_write_for_an_hour_falls_back_to_the_write_then_to_input_and_never_to_nothing() -> None:
    assert cost(row(input="3", cache_write_5m="3.75"), cache_write_1h=1_000_000) == "3.75"
    assert cost(row(input="3"), cache_write_1h=1_000_000) == "3"
    assert unpriced(row(output="15"), cache_write_1h=1).meters == (Meter.CACHE_WRITE_1H,)


def test_a_rate_pasted_from_another_model_raises_an_alarm_and_stays() -> None:
    # litellm #38056: Haiku at 24 times its input price for writes of an hour.
    pasted = row(input="0.25", cache_write_1h="6", output="1.25")
    assert [finding.rule for finding in lint_row(pasted)] == [Rule.HOUR_NOT_TWICE]
    assert cost(pasted, cache_write_1h=1_000_000) == "6"


def test_a_context_tier_is_a_cliff_for_all_tokens_of_the_request() -> None:
    # genai-prices #241: a marginal tier charges only the tokens above it.
    gemini = row(tier(200_000, input="2.50", output="15"), input="1.25", output="10")
    assert cost(gemini, uncached_input=200_000, output=1_000) == "0.26"
    assert cost(gemini, uncached_input=200_001, output=1_000) == "0.5150025"


def test_cached_tokens_count_towards_the_context_tier() -> None:
    gemini = row(tier(200_000, input="2.50", cache_read="0.25"), input="1.25", cache_read="0.125")
    assert cost(gemini, uncached_input=1, cache_read=200_000) == "0.0500025"


def test_thresholds_are_ordered_as_numbers_and_the_highest_that_is_crossed_holds() -> None:
    # litellm #30345 sorted 90k behind 128k as texts.
    steps = row(tier(90_000, input="2"), tier(128_000, input="4"), input="1")
    assert [cost(steps, uncached_input=n) for n in (90_000, 90_001, 128_001)] == [
        "0.09",
        "0.180002",
        "0.512004",
    ]
    with pytest.raises(BadPrices, match="not in rising order"):
        row(tier(128_000, input="4"), tier(90_000, input="2"), input="1")


def test_how_a_threshold_is_crossed_is_data_of_the_row() -> None:
    # Helicone takes >=, others >, and x.ai bills from the boundary on.
    above = row(tier(200_000, ">", input="2"), input="1")
    from_it = row(tier(200_000, ">=", input="2"), input="1")
    assert [cost(each, uncached_input=200_000) for each in (above, from_it)] == ["0.2", "0.4"]
    assert [cost(each, uncached_input=199_999) for each in (above, from_it)] == ["0.199999"] * 2


def test_a_tier_replaces_what_it_names_and_the_rest_keeps_the_price_of_the_row() -> None:
    # Helicone left cache writes and thinking on the lower tier although they had a price above.
    steps = row(tier(10, input="6", cache_write_5m="7.50"), input="3", output="15")
    assert cost(steps, cache_write_5m=1_000_000) == "7.5"
    assert cost(steps, uncached_input=1_000_000, output=1_000_000) == "21"


def test_a_tier_without_an_output_price_does_not_make_output_free() -> None:
    # litellm, "tier_without_an_output_rate".
    steps = row(tier(10, input="6"), input="3", output="15")
    assert cost(steps, uncached_input=11, output=1_000_000) == "15.000066"


def test_a_price_of_nothing_that_a_tier_states_is_honoured() -> None:
    steps = row(tier(10, output="0"), input="3", output="15")
    assert cost(steps, uncached_input=11, output=1_000_000) == "0.000033"


def test_default_is_the_standard_tier_and_auto_is_none(book: PriceBook) -> None:
    # litellm #31837 and #38802 billed the tier that was asked for.
    standard = book.row_at("openai", "gpt-5.1", AT)
    assert book.row_at("openai", "gpt-5.1", AT, "default") == standard
    auto = book.row_at("openai", "gpt-5.1", AT, "auto")
    assert auto == Unpriced("openai/gpt-5.1 has no auto price")


def test_a_dated_snapshot_has_all_dimensions_of_its_model(book: PriceBook) -> None:
    # litellm #37046: the snapshot had no flex price and was charged the standard one.
    names = ("gpt-5.1", "gpt-5.1-2025-11-13", "gpt-5.1-20251113")
    flex = {book.row_at("openai", name, AT, "flex") for name in names}
    assert [cost(row, uncached_input=1_000_000) for row in flex] == ["0.625"]


def test_a_tier_without_a_price_is_unknown_and_never_the_standard_one(book: PriceBook) -> None:
    early = datetime(2026, 10, 11, tzinfo=UTC)
    flex = book.row_at("openai", "gpt-5.1", early, "flex")
    misspelled = book.row_at("openai", "gpt-5.1", AT, "flexx")
    assert flex == Unpriced("openai/gpt-5.1 has no flex price at 2026-10-11 00:00 UTC")
    assert misspelled == Unpriced("openai/gpt-5.1 has no flexx price")


def test_reasoning_has_the_output_price_of_its_tier_unless_the_row_gives_its_own() -> None:
    # litellm #35925 charged reasoning at the wrong tier's rate.
    steps = row(tier(10, output="20"), input="0", output="10")
    assert cost(steps, uncached_input=11, output=1_000_000, reasoning=400_000) == "20"
    own = row(input="0", output="8", reasoning="3")
    assert cost(own, output=1_000_000, reasoning=400_000) == "6"
    charged = charge(Usage(at=AT, output=10, reasoning=4), own)
    assert isinstance(charged, Charge)
    assert [(line.meter, line.quantity) for line in charged.lines] == [
        (Meter.OUTPUT, 6),
        (Meter.REASONING, 4),
    ]


def test_batch_is_a_price_of_each_meter_and_not_half_of_everything(book: PriceBook) -> None:
    # litellm #38341; Gemini's cached tokens cost as much in a batch as outside it.
    batch = book.row_at("google", "gemini-2.5-flash", AT, batch=True)
    plain = book.row_at("google", "gemini-2.5-flash", AT)
    million = 1_000_000
    assert (cost(batch, uncached_input=million), cost(plain, uncached_input=million)) == (
        "0.15",
        "0.3",
    )
    assert cost(batch, cache_read=million) == cost(plain, cache_read=million) == "0.03"


def test_an_unknown_model_is_unpriced_and_never_free(book: PriceBook) -> None:
    # litellm 1.106.2 prices this invented name at (0.0, 0.0).
    assert book.find("google", "gemini-9.9-flash") is None
    assert book.row_at("google", "gemini-9.9-flash", AT) == Unpriced(
        "no price source knows google/gemini-9.9-flash"
    )


def test_openrouters_name_before_its_model_does_not_make_it_free(book: PriceBook) -> None:
    # litellm 1.106.2 returns (0.0, 0.0) for it.
    found = book.row_at("openrouter", "openrouter/openai/gpt-5.1", AT)
    assert cost(found, uncached_input=1_000_000, output=1_000_000) == "11.25"


def test_free_is_a_price_that_a_source_states(book: PriceBook) -> None:
    found = book.row_at("openrouter", "deepseek/deepseek-r1:free", AT)
    assert isinstance(found, PriceRow)
    assert found.free
    assert cost(found, uncached_input=1_000_000, output=1_000_000) == "0"


def test_a_model_that_is_listed_without_a_price_is_not_free(book: PriceBook) -> None:
    found = book.row_at("github-copilot", "gpt-4o", AT)
    assert found == Unpriced("genai-prices 0.2.3 lists it without a price")


def test_a_model_billed_by_the_hour_is_not_free_per_token(book: PriceBook) -> None:
    found = book.row_at("groq", "whisper-large-v3", AT)
    assert isinstance(found, Unpriced)
    assert "audio_hours" in found.reason


def test_a_rerank_costs_by_the_search(book: PriceBook) -> None:
    # litellm #13797 and #35194: rerank at 0.
    assert cost(book.row_at("cohere", "rerank-v3.5", AT), searches=3) == "0.006"


def test_a_search_without_a_price_leaves_the_call_unpriced() -> None:
    missing = unpriced(row(input="1", output="2"), uncached_input=10, searches=1)
    assert missing == Unpriced("row has no price for search", (Meter.SEARCH,))


def test_what_one_billed_search_is_is_data_of_the_row(book: PriceBook) -> None:
    # litellm #31363: per prompt up to Gemini 2.5, per unique query from Gemini 3 on.
    by_prompt = book.row_at("google", "gemini-2.5-flash", AT)
    by_query = book.row_at("google", "gemini-3-flash-preview", AT)
    assert cost(by_prompt, searches=3) == "0.035"
    assert cost(by_query, searches=3) == "0.042"


def test_a_child_without_a_price_stays_in_its_parent() -> None:
    # genai-prices PR #354: audio and image tokens at 0.
    plain = row(input="2", output="8")
    assert cost(plain, audio_in=1_000_000, image_in=1_000_000) == "4"
    assert cost(plain, audio_out=1_000_000, image_out=1_000_000) == "16"


def test_cached_audio_has_no_discount_that_its_source_does_not_state() -> None:
    full = row(input="2", cache_read="0.20", audio_in="32", cache_read_audio="0.40")
    no_own = row(input="2", cache_read="0.20", audio_in="32")
    text_only = row(input="2", cache_read="0.20")
    million = 1_000_000
    assert [cost(each, cache_read_audio=million) for each in (full, no_own, text_only)] == [
        "0.4",
        "32",
        "0.2",
    ]


def test_peak_hours_know_weekdays_and_holidays(book: PriceBook) -> None:
    # genai-prices charges a Saturday 02:00 UTC at the peak price.
    def input_price(day: int, hour: int) -> str:
        at = datetime(2026, 10, day, hour, tzinfo=UTC)
        return cost(book.row_at("deepseek", "deepseek-flash", at), uncached_input=1_000_000)

    monday, saturday, holiday = 12, 10, 2
    assert input_price(monday, 2) == "0.3"
    assert input_price(saturday, 2) == "0.15"
    assert input_price(holiday, 2) == "0.15"
    assert [input_price(monday, hour) for hour in (0, 1, 3, 4, 6, 9, 10)] == [
        "0.15",
        "0.3",
        "0.3",
        "0.15",
        "0.3",
        "0.3",
        "0.15",
    ]


def test_peak_hours_do_not_apply_before_they_were_introduced(book: PriceBook) -> None:
    # genai-prices applies its hours of the day to every date.
    at = datetime(2026, 8, 11, 2, tzinfo=UTC)
    found = book.row_at("deepseek", "deepseek-v4-pro", at)
    assert cost(found, uncached_input=1_000_000) == "0.435"
    begun = book.row_at("deepseek", "deepseek-v4-pro", at + timedelta(days=6))
    assert cost(begun, uncached_input=1_000_000) == "1.32"


def test_impossible_usage_is_refused_and_not_clamped() -> None:
    # litellm returned 2.5e-05 for 20 cached of 10 prompt tokens.
    with pytest.raises(ImpossibleUsage, match="negative counts"):
        Usage(at=AT, uncached_input=10 - 20, cache_read=20)


def test_a_negative_price_means_dynamic_and_is_refused() -> None:
    with pytest.raises(BadPrices, match="negative price -1"):
        Rate.of("-1", per=1, currency="USD")


def test_an_online_request_of_openrouter_pays_its_model_and_the_search_fee(
    book: PriceBook,
) -> None:
    # genai-prices raises LookupError for the suffix.
    found = book.row_at("openrouter", "openai/gpt-5.1:online", AT)
    assert cost(found, uncached_input=1_000, output=100) == "0.02225"
    assert cost(found, uncached_input=1_000, output=100, searches=1) == "0.02225"


def test_a_figure_finer_than_a_sub_unit_is_rounded_once_and_says_so() -> None:
    # 56 of the catalogue's prices, such as OpenRouter's cache write of .0833333333333333.
    fine = Rate.of("0.0833333333333333", per=10**6, currency="USD")
    assert (fine.sub_units, fine.exact, fine.text) == (83_333, False, "0.0833333333333333")
    assert [finding.rule for finding in lint_row(row(output="0.0833333333333333"))] == [
        Rule.RATE_ROUNDED
    ]


def test_a_charge_opens_to_lines_that_are_quantity_times_price() -> None:
    charged = charge(Usage(at=AT, uncached_input=7, cache_read=5, output=3), CLAUDE)
    assert isinstance(charged, Charge)
    assert [(line.meter, line.quantity, line.rate, line.amount) for line in charged.lines] == [
        (Meter.INPUT, 7, 3_000_000, 21_000_000),
        (Meter.CACHE_READ, 5, 300_000, 1_500_000),
        (Meter.OUTPUT, 3, 15_000_000, 45_000_000),
    ]
    assert charged.total == Money(67_500_000, "USD")


def test_a_cost_that_64_bits_do_not_hold_is_not_priced() -> None:
    found = charge(Usage(at=AT, uncached_input=10**13), row(input="1.25"))
    assert isinstance(found, Unpriced)
    assert found.reason.startswith(f"amount_too_large: {125 * 10**17} sub-units do not fit")
