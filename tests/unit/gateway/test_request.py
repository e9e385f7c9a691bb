"""A request's body: what is decoded, and that all else keeps its bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokonomi.gateway.request import parse
from tokonomi.gateway.wire_errors import WireError
from tokonomi.providers.adapter import Dialect

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


NAMES = st.text(min_size=1).filter(lambda name: name not in OURS | {"model"})


@given(
    fields=st.dictionaries(NAMES, JSON, max_size=6),
    spaces=st.sampled_from([None, 0, 2]),
    escaped=st.booleans(),
)
def test_a_body_whose_names_differ_is_never_taken_for_one_with_a_name_twice(
    fields: dict[str, object], *, spaces: int | None, escaped: bool
) -> None:
    body = json.dumps({"model": "m", **fields}, indent=spaces, ensure_ascii=escaped)
    assert {*parse(body.encode()).fields} == {"model", *fields}


def in_escapes(name: str) -> str:
    units = name.encode("utf-16-be")
    return '"' + "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)) + '"'


@given(
    fields=st.dictionaries(NAMES, JSON, min_size=1, max_size=6),
    value=JSON,
    data=st.data(),
    colon=st.sampled_from([":", " : ", ":\n"]),
    escaped=st.booleans(),
)
def test_a_name_that_stands_twice_is_refused_wherever_and_however_it_is_written(
    fields: dict[str, object], value: object, data: st.DataObject, colon: str, *, escaped: bool
) -> None:
    pairs = [*{"model": "m", **fields}.items()]
    twice = data.draw(st.sampled_from([name for name, _ in pairs]))
    pairs.insert(data.draw(st.integers(0, len(pairs))), (twice, value))
    body = ",".join(
        (in_escapes(name) if escaped else json.dumps(name)) + colon + json.dumps(each)
        for name, each in pairs
    )
    with pytest.raises(WireError) as refused:
        parse(f"{{{body}}}".encode())
    assert (refused.value.status, refused.value.code) == (400, "invalid_request")
    assert refused.value.param == twice


def test_names_inside_a_value_are_none_of_the_bodys() -> None:
    body = b'{"model":"m", "x":{"a":1,"a":2}, "a":{"x":3}}'
    assert parse(body).body_for("m") is body


def test_a_body_that_only_looks_like_one_with_its_names_once_is_refused() -> None:
    # The fields that were read follow one another here, up to the length of a value.
    with pytest.raises(WireError) as refused:
        parse(b'{"model":"m","n":1,"a":[2],"n":12,"a":[2]}')
    assert refused.value.param == "n"


def test_a_limit_of_output_is_sent_under_the_name_that_the_dialect_knows() -> None:
    for dialect, name in (
        (Dialect.OPENAI_CHAT, "max_tokens"),
        (Dialect.OPENAI_RESPONSES, "max_output_tokens"),
        (Dialect.ANTHROPIC_MESSAGES, "max_tokens"),
    ):
        sent = json.loads(parse(b'{"model":"m"}', dialect).body_for("m", max_tokens=5))
        assert sent == {"model": "m", name: 5}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model":"\xff"}', "model"),
        (b'{"model":"m","stream":"\xff"}', "stream"),
        (b'{"model":"m","stream":true,"stream_options":{"\xff":1}}', "stream_options"),
    ],
)
def test_text_that_is_not_utf_8_is_a_wrong_value_and_no_defect(body: bytes, param: str) -> None:
    with pytest.raises(WireError) as refused:
        parse(body)
    assert (refused.value.status, refused.value.param) == (400, param)
    assert parse(b'{"model":"m","user":"\xff"}').user == ""
