"""How OpenRouter is made to search the web, and what its client's own words for that cost."""

from collections.abc import Mapping

import msgspec
import pytest

from tokonomi.dialects.web_search import Searched, passed_to_openrouter


def raw(fields: Mapping[str, object]) -> dict[str, msgspec.Raw]:
    return msgspec.json.decode(msgspec.json.encode(fields), type=dict[str, msgspec.Raw])


@pytest.mark.parametrize(
    ("fields", "sold", "searched"),
    [
        ({}, "m", Searched.AS_SHOWN),
        ({"plugins": [{"id": "web"}]}, "m:online", Searched.AS_SHOWN),
        ({"plugins": [3, {"id": "web", "max_results": 5}]}, "m:online", Searched.AS_SHOWN),
        ({"plugins": [{"id": "web", "max_results": 9}]}, "m", Searched.CERTAINLY),
        ({"plugins": [{"id": "web", "max_results": "5"}]}, "m", Searched.CERTAINLY),
        ({"plugins": [{"id": "web", "engine": "exa"}]}, "m", Searched.CERTAINLY),
        ({"plugins": [{"id": "web", "enabled": False}]}, "m", Searched.AS_SHOWN),
        ({"plugins": [{"id": "file-parser"}]}, "m", Searched.AS_SHOWN),
        ({"plugins": "web"}, "m", Searched.AS_SHOWN),
        ({"web_search_options": {}}, "m", Searched.PERHAPS),
        ({"web_search_options": None}, "m", Searched.AS_SHOWN),
        ({"tools": [{"type": "openrouter:web_search"}]}, "m", Searched.PERHAPS),
        ({"tools": [{"type": "function", "name": "web_search"}]}, "m", Searched.AS_SHOWN),
        ({"models": ["n", "n:online"]}, "m", Searched.PERHAPS),
        ({"models": ["n", 4]}, "m", Searched.AS_SHOWN),
    ],
)
def test_a_clients_own_search_at_openrouter_is_charged_as_it_was_asked_for(
    fields: dict[str, object], sold: str, searched: Searched
) -> None:
    assert passed_to_openrouter(raw(fields), "m", chat=True) == (sold, searched)


def test_a_model_that_is_sold_with_a_search_has_its_fee_in_its_price() -> None:
    asking = raw({"web_search_options": {}, "models": ["n:online"]})
    assert passed_to_openrouter(asking, "m:online", chat=True) == ("m:online", Searched.AS_SHOWN)


def test_a_reply_of_responses_lists_the_searches_that_its_tool_made() -> None:
    asking = raw({"tools": [{"type": "web_search"}]})
    assert passed_to_openrouter(asking, "m", chat=False) == ("m", Searched.AS_SHOWN)
