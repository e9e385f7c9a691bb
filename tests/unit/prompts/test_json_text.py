"""JSON knows where its values stand, and is refused with the place of what is wrong."""

import json

import pytest

from tokonomi.errors import BadInput
from tokonomi.prompts.json_text import JsonList, JsonObject, JsonOther, JsonText, parse_json


def test_every_character_of_a_string_is_found_in_the_file() -> None:
    source = r'["a\nb", "\ud83d\ude00x\"", 1, null]'
    value = parse_json(source, "p.json")
    assert isinstance(value, JsonList)
    first, second, number, nothing = value.items
    assert isinstance(first, JsonText)
    assert isinstance(second, JsonText)
    assert (first.text, [first.offsets.at(n) for n in range(4)]) == ("a\nb", [2, 3, 5, 6])
    assert (second.text, [second.offsets.at(n) for n in range(4)]) == ('😀x"', [10, 22, 23, 25])
    assert (number, nothing) == (JsonOther("1"), JsonOther("null"))


def test_an_object_tells_its_compact_text_and_where_that_stands() -> None:
    source = '{ "name" : "find",\n  "of": [1, 2] }'
    value = parse_json(source, "p.json")
    assert isinstance(value, JsonObject)
    compact = value.compact()
    assert compact.text == '{"name":"find","of":[1,2]}'
    assert json.loads(compact.text) == json.loads(source)
    for word in ("find", "of", "2"):
        assert compact.offsets.at(compact.text.index(word)) == source.index(word)


def test_a_repeated_key_has_its_last_value_as_everywhere() -> None:
    value = parse_json('{"a": "1", "a": "2"}', "p.json")
    assert isinstance(value, JsonObject)
    assert isinstance(last := value.fields["a"], JsonText)
    assert last.text == "2"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('{"a": 1,\n "b" 2}', "bad_input: p.json:2:6 is not JSON: Expecting ':' delimiter."),
        ("", "bad_input: p.json:1:1 is not JSON: Expecting value."),
        ('["\x01"]', "bad_input: p.json:1:3 is not JSON: Invalid control character at."),
        ("[NaN]", "bad_input: p.json cannot be read as a request: NaN is not a JSON number."),
        ("[" * 100_000, "bad_input: p.json cannot be read as a request: maximum recursion depth"),
        ("[" + "1" * 5_000 + "]", "bad_input: p.json cannot be read as a request: Exceeds"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(source: str, said: str) -> None:
    with pytest.raises(BadInput) as wrong:
        parse_json(source, "p.json")
    assert str(wrong.value).startswith(said)
