"""The upper bound of a request, with the prices of real models."""

from dataclasses import replace

import pytest

from tokonomi.errors import BadInput
from tokonomi.pricing.bound import Bounds, upper_bound
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import Comparator, ContextTier, Media, Meter, PriceRow, Rate, SearchUnit


def priced(**rates: str) -> dict[Meter, Rate]:
    """USD a million tokens, or a single event."""
    events = {Meter.SEARCH, Meter.REQUEST}
    return {
        Meter(name): Rate.of(text, per=1 if Meter(name) in events else 10**6, currency="USD")
        for name, text in rates.items()
    }


def row(*tiers: ContextTier, **rates: str) -> PriceRow:
    return PriceRow(
        id="row",
        provider="provider",
        model="model",
        currency="USD",
        source="a test",
        rates=priced(**rates),
        context_tiers=tiers,
    )


MICRO = 10**6
REQUEST = Bounds(input_tokens=1000, output_tokens=100)


def test_every_choice_is_bounded_at_the_full_output() -> None:
    bounds = Bounds(input_tokens=1000, output_tokens=500, choices=3)
    assert upper_bound(row(input="1.25", output="10"), bounds) == (1250 + 3 * 5000) * MICRO


def test_a_request_may_write_all_its_input_to_the_dearest_cache() -> None:
    sonnet = row(
        input="3", cache_read="0.3", cache_write_5m="3.75", cache_write_1h="6", output="15"
    )
    assert upper_bound(sonnet, REQUEST) == (6000 + 1500) * MICRO


def test_reasoning_that_is_dearer_than_output_sets_the_bound() -> None:
    assert upper_bound(row(input="1", output="2", reasoning="8"), REQUEST) == 1800 * MICRO


def test_the_dearest_context_tier_counts_only_when_the_input_can_reach_it() -> None:
    long_context = ContextTier(
        1000, Comparator.ABOVE, priced(input="2.50", output="15", cache_read="0.25")
    )
    gemini = row(long_context, input="1.25", output="10", cache_read="0.125")
    below = upper_bound(gemini, REQUEST)
    above = upper_bound(gemini, Bounds(input_tokens=1001, output_tokens=100))
    assert (below, above) == (2250 * MICRO, (2502 * MICRO + MICRO // 2) + 1500 * MICRO)


def test_a_cheaper_tier_above_does_not_lower_the_bound() -> None:
    cheaper = ContextTier(10, Comparator.FROM, priced(input="0.5", output="0.5"))
    assert upper_bound(row(cheaper, input="1", output="1"), REQUEST) == 1100 * MICRO


def test_audio_and_images_count_only_when_the_request_has_them() -> None:
    voice = row(input="1", output="2", audio_in="40", audio_out="80", image_in="5", image_out="30")
    plain = upper_bound(voice, REQUEST)
    speaking = upper_bound(
        voice,
        Bounds(input_tokens=1000, output_tokens=100, media=Media(audio_in=True, audio_out=True)),
    )
    seeing = upper_bound(
        voice,
        Bounds(input_tokens=1000, output_tokens=100, media=Media(image_in=True, image_out=True)),
    )
    assert (plain, speaking, seeing) == (1200 * MICRO, 48_000 * MICRO, 8000 * MICRO)


def test_searches_and_request_fees_are_added() -> None:
    bounds = Bounds(input_tokens=0, output_tokens=0, searches=4)
    sonar = row(input="1", output="1", search="0.01", request="0.005")
    assert upper_bound(sonar, bounds) == 45_000 * MICRO
    once = replace(sonar, search_unit=SearchUnit.PROMPT)
    assert upper_bound(once, bounds) == 15_000 * MICRO


def test_a_meter_without_a_price_makes_the_bound_unknown_and_is_named() -> None:
    bounds = Bounds(input_tokens=10, output_tokens=0, searches=1)
    assert upper_bound(row(output="1"), bounds) == Unpriced(
        "row has no price for input, cache_read, cache_write_5m, cache_write_1h, search",
        (
            Meter.INPUT,
            Meter.CACHE_READ,
            Meter.CACHE_WRITE_5M,
            Meter.CACHE_WRITE_1H,
            Meter.SEARCH,
        ),
    )


def test_a_meter_that_the_request_cannot_use_needs_no_price() -> None:
    embedding = row(input="0.02")
    assert upper_bound(embedding, Bounds(input_tokens=10, output_tokens=0)) == 200_000


@pytest.mark.parametrize(
    ("input_tokens", "output_tokens", "choices", "searches"),
    [(-1, 1, 1, 0), (1, -1, 1, 0), (1, 1, 0, 0), (1, 1, 1, -1)],
)
def test_bounds_that_no_request_has_are_refused(
    input_tokens: int, output_tokens: int, choices: int, searches: int
) -> None:
    with pytest.raises(BadInput, match="max_tokens of 0 or more"):
        Bounds(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            choices=choices,
            searches=searches,
        )
