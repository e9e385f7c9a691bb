"""Lines of input files: what is taken, what is refused, and how bytes become lines."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokonomi.batches.line import LONGEST_CUSTOM_ID, LineSplitter, WrongLine, read_line

GOOD: dict[str, Any] = {
    "custom_id": "a",
    "method": "POST",
    "url": "/v1/embeddings",
    "body": {"model": "m", "input": "x"},
}


def test_a_line_is_read_and_its_body_is_its_authors_bytes() -> None:
    text = b'{ "custom_id": "a", "method": "POST", "url": "/u", "body": {"b" : 1.0} }'
    line = read_line(3, text)
    assert (line.number, line.custom_id, line.url, line.body) == (3, "a", "/u", b'{"b" : 1.0}')


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"custom_id": 7}, "`custom_id` is not a text"),
        ({"custom_id": ""}, "has 0 characters"),
        ({"custom_id": "x" * (LONGEST_CUSTOM_ID + 1)}, "has 257 characters"),
        ({"custom_id": "a\nb"}, "do not print"),
        ({"method": "GET"}, "its method is 'GET'"),
        ({"body": []}, "`body` is not an object"),
        ({"priority": 1}, "`priority` is not known here"),
    ],
)
def test_a_line_with_a_wrong_value_is_refused_by_its_number(
    change: dict[str, Any], says: str
) -> None:
    with pytest.raises(WrongLine, match=says) as refused:
        read_line(12, json.dumps(GOOD | change).encode())
    assert refused.value.number == 12
    assert str(refused.value).startswith("line 12: ")


@pytest.mark.parametrize("name", [*GOOD])
def test_a_line_without_one_of_its_fields_is_refused_by_name(name: str) -> None:
    rest = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(WrongLine, match=f"`{name}` is missing"):
        read_line(1, json.dumps(rest).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"custom_id":"\xff"}', b'"a"'])
def test_what_is_no_object_is_no_line(text: bytes) -> None:
    with pytest.raises(WrongLine):
        read_line(1, text)


@given(
    st.lists(st.binary(max_size=12).map(lambda part: part.replace(b"\n", b"")), max_size=8),
    st.data(),
)
def test_lines_are_the_same_in_whatever_pieces_they_come(
    lines: list[bytes], data: st.DataObject
) -> None:
    whole = b"\n".join(lines)
    longest = 8
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=6).map(sorted))
    splitter, found = LineSplitter(longest), list[tuple[int, bytes | None]]()
    for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += splitter.feed(whole[begin:end])
    found += splitter.rest()
    expected = [
        (number, None if len(line) > longest else line.strip())
        for number, line in enumerate(lines or [b""], 1)
        if len(line) > longest or line.strip()
    ]
    assert found == expected
