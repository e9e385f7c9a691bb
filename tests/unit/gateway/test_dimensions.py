"""What a call is grouped by, from headers of strangers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokonomi.calls import Dimensions
from tokonomi.gateway.dimensions import dimensions_of
from tokonomi.gateway.wire_errors import WireError
from tokonomi.storage.keys import Key

KEY = Key("key_1", "laptop", "research", "abcd", datetime(2026, 1, 30, tzinfo=UTC))


def of(headers: dict[bytes, bytes], user: str = "") -> Dimensions:
    return dimensions_of(headers, KEY, alias="openai/gpt-4o-mini", user=user)


def test_a_call_without_headers_has_what_is_known_of_its_key() -> None:
    assert of({}, user="from the body") == Dimensions(
        project="research",
        user="from the body",
        key_id="key_1",
        alias="openai/gpt-4o-mini",
    )


def test_headers_go_before_the_body() -> None:
    found = of(
        {
            b"x-tokonomi-feature": "penilaian naskah é".encode(),
            b"x-tokonomi-user": b"u-1",
            b"x-tokonomi-session": b"s-1",
            b"x-tokonomi-tags": b"b=2, a=1 ,a=3",
        },
        user="u-2",
    )
    assert (found.feature, found.user, found.session) == ("penilaian naskah é", "u-1", "s-1")
    assert found.tags == (("a", "3"), ("b", "2"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-tokonomi-feature", b"f" * 257),
        (b"x-tokonomi-user", b"\xff"),
        (b"x-tokonomi-session", b"a\tb"),
        (b"x-tokonomi-tags", b"no equals sign"),
        (b"x-tokonomi-tags", b"=value"),
        (b"x-tokonomi-tags", b"a=" + b"x" * 300),
        (b"x-tokonomi-tags", ",".join(f"t{n}=1" for n in range(17)).encode()),
    ],
)
def test_a_header_that_cannot_be_kept_is_refused_by_its_name(name: bytes, value: bytes) -> None:
    with pytest.raises(WireError) as refused:
        of({name: value})
    assert (refused.value.status, refused.value.param) == (400, name.decode())


@given(st.binary(max_size=80))
def test_no_header_makes_it_fail_otherwise(value: bytes) -> None:
    codes: list[str] = []
    for name in (b"x-tokonomi-feature", b"x-tokonomi-tags"):
        try:
            of({name: value})
        except WireError as error:
            codes.append(error.code)
    assert {*codes} <= {"invalid_header"}
