"""How many credits a call uses, and may use."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from tokonomi.credits.weights import Weights, credits_bound, credits_used
from tokonomi.errors import AmountTooLarge, BadInput
from tokonomi.pricing.bound import Bounds
from tokonomi.pricing.row import Media
from tokonomi.usage import Usage

NOON = datetime(2026, 1, 30, 12, tzinfo=UTC)
THINKING = Usage(at=NOON, uncached_input=100, cache_read=50, output=40, reasoning=30, searches=2)


def test_a_token_is_a_milli_credit_unless_weights_say_otherwise() -> None:
    assert credits_used(THINKING, Weights()) == 190


def test_weights_count_each_class_and_reasoning_as_output_unless_it_has_its_own() -> None:
    as_output = Weights(stated={"output": Fraction(8), "cache_read": Fraction(1, 10)})
    apart = Weights(stated={"output": Fraction(8), "reasoning": Fraction(2)})
    assert credits_used(THINKING, as_output) == 100 + 5 + 40 * 8
    assert credits_used(THINKING, apart) == 150 + 10 * 8 + 30 * 2


def test_searches_and_requests_count_only_where_a_weight_says_so() -> None:
    stated = Weights(stated={"searches": Fraction(1_000), "requests": Fraction(5)})
    assert credits_used(THINKING, stated) == 190 + 2_000 + 5


def test_the_sum_is_rounded_once_and_half_up() -> None:
    half = Weights(stated={"uncached_input": Fraction(1, 2), "output": Fraction(1, 2)})
    one_of_each = Usage(at=NOON, uncached_input=1, output=1)
    assert credits_used(one_of_each, half) == 1
    assert credits_used(Usage(at=NOON, uncached_input=1), half) == 1
    assert credits_used(one_of_each, Weights(tokens_per_credit=3_000)) == 1


def test_a_bound_takes_the_dearest_class_target_and_every_attempt_and_rounds_up() -> None:
    weights = Weights(stated={"cache_write_1h": Fraction(2), "audio_out": Fraction(20)})
    text = Bounds(input_tokens=100, output_tokens=10, choices=2)
    speech = Bounds(input_tokens=10, output_tokens=10, media=Media(audio_out=True, audio_in=True))
    assert credits_bound([text], weights) == 220
    assert credits_bound([text, speech], weights) == 220
    assert credits_bound([speech, speech], weights, billed_attempts=3) == 3 * 220
    thirds = Weights(stated={"output": Fraction(1, 3)})
    assert credits_bound([Bounds(input_tokens=0, output_tokens=1)], thirds) == 1


def test_images_and_events_are_bounded_too() -> None:
    weights = Weights(
        stated={
            "image_in": Fraction(3),
            "image_out": Fraction(5),
            "searches": Fraction(7),
            "requests": Fraction(11),
        }
    )
    images = Media(image_in=True, image_out=True)
    seeing = Bounds(input_tokens=10, output_tokens=10, media=images, searches=2)
    assert credits_bound([seeing], weights) == 30 + 50 + 14 + 11


@pytest.mark.parametrize(("targets", "attempts"), [(0, 1), (1, 0)])
def test_a_request_that_goes_nowhere_is_refused(targets: int, attempts: int) -> None:
    with pytest.raises(BadInput, match="targets and"):
        credits_bound(
            [Bounds(input_tokens=1, output_tokens=1)] * targets,
            Weights(),
            billed_attempts=attempts,
        )


def test_credits_that_no_column_can_keep_are_refused() -> None:
    with pytest.raises(AmountTooLarge):
        credits_bound([Bounds(input_tokens=2**63, output_tokens=0)], Weights())


@pytest.mark.parametrize(
    ("tokens", "stated", "text"),
    [
        (0, {}, "0 tokens in a credit"),
        (1_000, {"outptu": Fraction(1)}, 'Did you mean "output"?'),
        (1_000, {"output": Fraction(-1)}, "the weight of output is -1"),
    ],
)
def test_weights_that_make_no_sense_are_refused(
    tokens: int, stated: dict[str, Fraction], text: str
) -> None:
    with pytest.raises(BadInput) as wrong:
        Weights(tokens_per_credit=tokens, stated=stated)
    assert text in str(wrong.value)
