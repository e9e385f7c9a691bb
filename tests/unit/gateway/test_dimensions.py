"""What a call is grouped by, from headers of strangers."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokonomi.calls import Dimensions
from tokonomi.gateway.dimensions import dimensions_of
from tokonomi.gateway.wire_errors import WireError
from tokonomi.storage.keys import Key, Terms, bound_to

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


BOUND = replace(KEY, terms=Terms(bound=bound_to(user="ani", tags={"plan": "pro"})))


def of_bound(headers: dict[bytes, bytes], user: str = "") -> Dimensions:
    return dimensions_of(headers, BOUND, alias="m", user=user)


def test_a_bound_key_says_who_calls_whether_the_request_does_or_not() -> None:
    silent = of_bound({b"x-tokonomi-feature": b"growth", b"x-tokonomi-user": b""})
    assert (silent.user, silent.feature) == ("ani", "growth")
    assert silent.tags == (("plan", "pro"),)
    agreeing = of_bound(
        {b"x-tokonomi-user": b"ani", b"x-tokonomi-tags": b"plan=pro,more=1"}, user="ani"
    )
    assert agreeing.user == "ani"
    assert agreeing.tags == (("more", "1"), ("plan", "pro"))


@pytest.mark.parametrize(
    ("headers", "user", "param", "named"),
    [
        ({b"x-tokonomi-user": b"budi"}, "", "x-tokonomi-user", ("user 'ani'", "'budi'")),
        ({}, "budi", "user", ("user 'ani'", "'budi'")),
        ({b"x-tokonomi-user": b"ani"}, "budi", "user", ("user 'ani'", "'budi'")),
        ({}, "ani" + " " * 300, "user", ("user 'ani'",)),
        ({b"x-tokonomi-tags": b"plan=free"}, "", "x-tokonomi-tags", ("tag:plan 'pro'", "'free'")),
    ],
)
def test_a_bound_key_refuses_who_says_otherwise_and_names_both(
    headers: dict[bytes, bytes], user: str, param: str, named: tuple[str, ...]
) -> None:
    with pytest.raises(WireError) as refused:
        of_bound(headers, user=user)
    assert (refused.value.status, refused.value.code) == (403, "bound_otherwise")
    assert refused.value.param == param
    assert all(each in refused.value.message for each in ("key_1", *named))


@given(
    user=st.sampled_from(["", "ani", "budi"]),
    body=st.sampled_from(["", "ani", "budi"]),
    feature=st.sampled_from(["", "growth"]),
    plan=st.sampled_from([None, "", "pro", "free"]),
)
def test_no_request_of_a_bound_key_counts_as_anybody_else(
    user: str, body: str, feature: str, plan: str | None
) -> None:
    headers = {b"x-tokonomi-user": user.encode(), b"x-tokonomi-feature": feature.encode()}
    if plan is not None:
        headers[b"x-tokonomi-tags"] = f"plan={plan}".encode()
    agrees = {user, body} <= {"", "ani"} and plan in {None, "", "pro"}
    try:
        found = of_bound(headers, user=body)
    except WireError:
        assert not agrees
    else:
        assert agrees
        assert (found.user, found.tags, found.feature) == ("ani", (("plan", "pro"),), feature)


def test_a_bound_key_leaves_room_for_its_own_tags() -> None:
    most = ",".join(f"t{number}=1" for number in range(16))
    with pytest.raises(WireError, match="16 tags besides the 1 of the key"):
        of_bound({b"x-tokonomi-tags": most.encode()})
