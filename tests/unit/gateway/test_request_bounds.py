"""What a request can consume at most: read from its body, or said to be unknown."""

import pytest

from tokonomi.gateway.request import parse
from tokonomi.gateway.request_bounds import bounds_of
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.listing import ModelCard


@pytest.mark.parametrize("odd", [b'"\xff\xfe"', b"1e999"])
def test_messages_that_cannot_be_read_have_no_bound(odd: bytes) -> None:
    request = parse(b'{"model":"m","messages":[{"content":[{"image_url":' + odd + b"}]}]}")
    bounds = bounds_of(request, input_bound=100, card=ModelCard(), output_cap=10)
    assert bounds == Unpriced(
        "the request's messages cannot be read, so what they hold has no bound"
    )
