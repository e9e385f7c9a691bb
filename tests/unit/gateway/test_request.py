"""A request's body: what is decoded, and that all else keeps its bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokonomi.gateway.request import parse
from tokonomi.gateway.wire_errors import WireError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OURS = {"model", "stream", "stream_options", "user"}


@given(
    fields=st.dictionaries(st.text().filter(lambda name: name not in OURS), JSON),
    stream=st.booleans(),
)
def test_a_new_model_name_changes_nothing_else(fields: dict[str, object], *, stream: bool) -> None:
    body = json.dumps({**fields, "model": "alias", "stream": stream}).encode()
    sent = json.loads(parse(body).body_for("real"))
    forced = {"stream_options": {"include_usage": True}} if stream else {}
    assert sent == {**fields, "model": "real", "stream": stream, **forced}


def test_a_body_that_needs_no_change_is_the_clients_own() -> None:
    body = b'{ "model" : "m", "x": 1.0 }'
    assert parse(body).body_for("m") is body


def test_a_stream_that_already_asks_for_its_usage_is_left_alone() -> None:
    body = b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}'
    request = parse(body)
    assert request.wants_usage
    assert request.body_for("m") is body


@pytest.mark.parametrize(
    "options", ["null", "{}", '{"include_usage":false}', '{"include_usage":null}']
)
def test_usage_is_asked_for_where_the_client_did_not(options: str) -> None:
    request = parse(f'{{"model":"m","stream":true,"stream_options":{options}}}'.encode())
    assert not request.wants_usage
    sent = json.loads(request.body_for("m"))
    assert sent["stream_options"] == {"include_usage": True}


def test_a_body_without_a_stream_is_not_asked_for_its_usage() -> None:
    request = parse(b'{"model":"m","stream":null}')
    assert (request.stream, request.body_for("m")) == (False, request.body)


@pytest.mark.parametrize(("user", "taken"), [('"u-1"', "u-1"), ("7", ""), ('"a\\nb"', "")])
def test_the_bodys_user_is_taken_where_it_is_a_text_that_prints(user: str, taken: str) -> None:
    assert parse(f'{{"model":"m","user":{user}}}'.encode()).user == taken


@given(st.binary(max_size=60))
def test_no_bytes_make_the_parser_fail_otherwise_than_by_a_400(body: bytes) -> None:
    status = 200
    try:
        parse(body)
    except WireError as error:
        status = error.status
    assert status in {200, 400}
