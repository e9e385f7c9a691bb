"""What a request can consume at most: read from its body, or said to be unknown."""

import pytest

from tokonomi.gateway.request import parse
from tokonomi.gateway.request_asked import Asked
from tokonomi.gateway.request_bounds import bounds_of, longest_output
from tokonomi.gateway.request_reading import asked_of
from tokonomi.pricing.book import ModelEntry
from tokonomi.pricing.bound import Bounds, Unbounded
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.listing import ModelCard, Rank
from tokonomi.pricing.row import Meter, PriceRow, Rate
from tokonomi.pricing.schedule import RankedRow


def entry(
    *meters: Meter, window: int | None = 100_000, longest: int | None = None, price: str = "1"
) -> ModelEntry:
    """A model that has a price for these meters besides input and output."""
    rates = {
        meter: Rate.of(price, per=10**6, currency="USD")
        for meter in (Meter.INPUT, Meter.OUTPUT, *meters)
    }
    row = PriceRow("row", "provider", "m", "USD", "a test", rates)
    card = ModelCard(context_window=window, max_output=longest)
    return ModelEntry("provider", "m", "provider/m", (), card, (RankedRow(Rank.OVERLAY, row),))


def asked(body: str) -> Asked:
    found = asked_of(parse(('{"model":"m"' + (f",{body}}}" if body else "}")).encode()))
    assert isinstance(found, Asked), found
    return found


def bounds(
    body: str, model: ModelEntry, *, name: str = "m", text: int = 5_000, answers: bool = True
) -> Bounds | Unpriced:
    found = bounds_of(
        asked(body), model=name, entry=model, input_bound=text, output_cap=None, answers=answers
    )
    return found if isinstance(found, Unpriced) else found[0]


def of(body: str, model: ModelEntry | None = None, *, name: str = "m", text: int = 5_000) -> Bounds:
    found = bounds(body, model or entry(), name=name, text=text)
    assert isinstance(found, Bounds), found
    return found


@pytest.mark.parametrize("odd", [b'"\xff\xfe"', b"1" * 5_000])
def test_messages_that_cannot_be_read_have_no_bound(odd: bytes) -> None:
    request = parse(b'{"model":"m", "messages":[ {"content":[{"image_url":' + odd + b"}]}]}")
    assert asked_of(request) == Unbounded(
        "`messages` cannot be read, so what it holds has no bound",
        remedy="Send JSON.",
        param="messages",
    )


def test_images_in_the_body_count_no_more_bytes_than_the_window_could_hold() -> None:
    image = '{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}'
    few, many = image % ("A" * 1_000), image % ("A" * 200_000)
    message = '"messages":[{"role":"user","content":[%s]}]'
    assert of(message % few).input_tokens == 5_000 + 48_169
    sent = len("data:image/png;base64,") + 200_000
    assert of(message % many, text=sent + 70).input_tokens == 70 + 100_000 + 48_169
    unknown = entry(window=None, longest=9)
    assert of(message % many, unknown, text=sent + 70).input_tokens == sent + 70 + 48_169


def test_what_stands_at_the_provider_fills_the_window_or_has_no_bound() -> None:
    body = '"messages":[{"role":"assistant","audio":{"id":"a"}}]'
    assert of(body).input_tokens == 100_000
    assert bounds(body, entry(window=None, longest=9)) == Unpriced(
        "`audio` can fill the context window of m, whose size is not known"
    )


def test_sound_needs_a_price_of_its_own() -> None:
    sound = '{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}'
    heard = f'"messages":[{{"role":"user","content":[{sound}]}}]'
    spoken = '"modalities":["text","audio"]'
    for body, meter in ((heard, Meter.AUDIO_IN), (spoken, Meter.AUDIO_OUT)):
        assert isinstance(bounds(body, entry()), Unbounded)
        found = of(body, entry(meter))
        assert (found.media.audio_in, found.media.audio_out) == (body == heard, body == spoken)
        assert isinstance(bounds(body, entry(price="0")), Bounds)


def test_a_model_that_draws_is_held_to_its_longest_answer_asked_or_not() -> None:
    for body in ('"max_tokens":5', '"max_tokens":5,"modalities":["image","text"]'):
        found = of(body, entry(Meter.IMAGE_OUT, longest=32_000))
        assert (found.output_tokens, found.media.image_out) == (32_000, True)
    assert isinstance(bounds('"max_tokens":5', entry(Meter.IMAGE_OUT, window=None)), Unpriced)
    assert isinstance(bounds('"modalities":["image"]', entry()), Unbounded)


def test_thinking_within_the_limit_counts_once_and_beyond_it_beside_the_answer() -> None:
    assert of('"max_tokens":50,"thinking":{"budget_tokens":20}').output_tokens == 50
    assert of('"max_tokens":50,"thinking":{"budget_tokens":80}').output_tokens == 130


def test_an_answer_without_any_limit_is_the_longest_that_the_model_writes() -> None:
    assert of("", entry(longest=700)).output_tokens == 700
    assert of("").output_tokens == 100_000
    assert isinstance(bounds("", entry(window=None)), Unpriced)
    assert isinstance(bounds("", entry(window=None), answers=False), Bounds)


@pytest.mark.parametrize(
    ("name", "body", "searches", "fees", "turns"),
    [
        ("m:online", "", 10, 1, 1),
        ("openai/m:online", "", 10, 1, 10),
        ("m", '"plugins":[{"id":"web"}]', 10, 1, 1),
        ("m", '"plugins":[{"id":"web","engine":"native"}]', 10, 1, 10),
        ("anthropic/m", '"plugins":[{"id":"web","engine":"exa","max_results":11}]', 3, 3, 1),
        ("m", '"plugins":[{"id":"web","enabled":false}]', 0, 1, 1),
        ("m", '"plugins":[{"id":"response-healing"}]', 0, 1, 1),
        ("m", '"web_search_options":{"search_context_size":"low"}', 10, 1, 1),
    ],
)
def test_searches_are_bounded_by_the_engine_and_the_results(
    name: str, body: str, searches: int, fees: int, turns: int
) -> None:
    found = of('"max_tokens":5' + (f",{body}" if body else ""), name=name)
    assert (found.searches, found.requests, found.choices) == (searches, fees, turns)
    assert found.input_tokens == (100_000 * turns if searches else 5_000)


@pytest.mark.parametrize(
    ("body", "longest"),
    [
        ('"max_tokens":9', 9),
        ('"max_tokens":9,"n":2', 18),
        ('"max_tokens":"9"', 700),
        ('"max_tokens":-9,"n":"x"', 700),
        ('"max_tokens":1' + "0" * 30, 700),
    ],
)
def test_the_longest_output_of_a_request_that_has_left_takes_what_it_can_read(
    body: str, longest: int
) -> None:
    request = parse(f'{{"model":"m",{body}}}'.encode())
    assert longest_output(request, model_maximum=700, cap=None) == longest


def test_nothing_bounds_an_output_whose_model_is_not_known() -> None:
    assert longest_output(parse(b'{"model":"m"}'), model_maximum=None, cap=None) is None
