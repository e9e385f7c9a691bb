from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from tokonomi.errors import BadInput, ImpossibleUsage
from tokonomi.usage import COUNTS, INPUT_BUCKETS, OUTPUT_BUCKETS, Source, Usage

AT = datetime(2026, 1, 30, 12, tzinfo=UTC)
FULL = Usage(
    at=AT,
    uncached_input=1,
    cache_read=2,
    cache_read_audio=4,
    cache_write_5m=8,
    cache_write_1h=16,
    audio_in=32,
    image_in=64,
    output=128,
    reasoning=100,
    audio_out=256,
    image_out=512,
)


def test_the_totals_are_the_sums_of_the_disjoint_buckets():
    assert FULL.total_input == 1 + 2 + 4 + 8 + 16 + 32 + 64
    assert FULL.total_output == 128 + 256 + 512
    assert FULL.total_tokens == FULL.total_input + FULL.total_output


def test_the_names_of_the_buckets_are_those_of_the_record():
    assert sum(getattr(FULL, name) for name in INPUT_BUCKETS) == FULL.total_input
    assert sum(getattr(FULL, name) for name in OUTPUT_BUCKETS) == FULL.total_output
    assert set(COUNTS) - set(INPUT_BUCKETS) - set(OUTPUT_BUCKETS) == {
        "reasoning",
        "searches",
        "requests",
    }


def test_an_empty_usage_is_one_reported_standard_request():
    usage = Usage(at=AT)
    assert (usage.total_tokens, usage.requests, usage.searches) == (0, 1, 0)
    assert (usage.tier, usage.batch, usage.source) == ("standard", False, Source.REPORTED)
    assert usage.reported_cost is None


@pytest.mark.parametrize("name", COUNTS)
def test_a_negative_count_is_refused_with_its_name(name: str):
    with pytest.raises(ImpossibleUsage) as caught:
        replace(Usage(at=AT), **{name: -1})
    assert f"{{'{name}': -1}}" in caught.value.what


def test_a_negative_context_basis_is_refused():
    with pytest.raises(ImpossibleUsage, match="negative counts -7"):
        Usage(at=AT, context_basis=-7)


def test_more_reasoning_than_output_is_refused_with_both_numbers():
    with pytest.raises(ImpossibleUsage, match="6 reasoning tokens inside 5 output tokens"):
        Usage(at=AT, output=5, reasoning=6)


def test_reasoning_is_inside_text_output_and_not_inside_audio():
    with pytest.raises(ImpossibleUsage):
        Usage(at=AT, output=5, audio_out=10, reasoning=6)


def test_an_instant_without_a_zone_or_in_another_one_is_the_callers_mistake():
    jakarta = timezone(timedelta(hours=7))
    for at in (AT.replace(tzinfo=None), AT.astimezone(jakarta)):
        with pytest.raises(BadInput, match="is not in UTC") as caught:
            Usage(at=at)
        assert not isinstance(caught.value, ImpossibleUsage)


def test_utc_by_another_name_is_utc():
    other = AT.astimezone(timezone(timedelta(0), "Z"))
    assert Usage(at=other) == Usage(at=AT)


def test_the_context_tier_is_chosen_by_all_input_unless_a_basis_is_given():
    assert FULL.tier_basis == FULL.total_input
    assert Usage(at=AT, uncached_input=10, context_basis=0).tier_basis == 0
