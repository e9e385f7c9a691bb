"""Web search as OpenRouter does it: a suffix of the model's name, or a plugin with settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeGuard

import msgspec

ONLINE: Final = ":online"
AUTO_ENGINE: Final = "auto"
USUAL_RESULTS: Final = 5
"""What OpenRouter fetches when nothing is said ("Web search": up to 5 results a request)."""
_encode: Final = msgspec.json.Encoder().encode
_ASKING_FIELDS: Final = ("web_search_options", "plugins")
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Searched(Enum):
    """Whether a request that leaves makes its provider search the web for a fee."""

    AS_SHOWN = 1
    """As often as the reply shows, if at all; or its price has the fee already."""
    PERHAPS = 2
    """It may, and its reply need not show it."""
    CERTAINLY = 3
    """At least once, even if its reply shows no search."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How a target searches, when a request asks for it.

    Attributes:
        engine: `auto` is OpenRouter's own choice.
        max_results: results that a search may bring, at most.
    """

    engine: str = AUTO_ENGINE
    max_results: int = USUAL_RESULTS


def openrouter_model(model: str, settings: SearchSettings) -> tuple[str, list[dict[str, object]]]:
    """The model's name and the plugins that make OpenRouter search.

    The suffix is short for the plugin with its usual settings; others need the plugin itself.

    >>> openrouter_model("openai/gpt-5.1", SearchSettings())
    ('openai/gpt-5.1:online', [])
    >>> openrouter_model("openai/gpt-5.1", SearchSettings("exa", 3))
    ('openai/gpt-5.1', [{'id': 'web', 'engine': 'exa', 'max_results': 3}])
    """
    bare = model.removesuffix(ONLINE)
    if settings == SearchSettings():
        return bare + ONLINE, []
    engine: dict[str, object] = (
        {} if settings.engine == AUTO_ENGINE else {"engine": settings.engine}
    )
    return bare, [{"id": "web", **engine, "max_results": settings.max_results}]


def passed_to_openrouter(
    fields: Mapping[str, msgspec.Raw], model: str, *, chat: bool
) -> tuple[str, Searched]:
    """The name that OpenRouter sells a model under, by the client's own fields, and if it searches.

    A web plugin with its usual settings costs what the suffix does. With others it searches for a
    fee that nobody has listed. What a chat says beside it only allows a search, which OpenRouter
    may make without a trace in the reply; a reply of `responses` or `messages` lists its searches.

    >>> plugins = msgspec.Raw(b'[{"id": "web"}]')
    >>> passed_to_openrouter({"plugins": plugins}, "openai/gpt-5.1", chat=True)
    ('openai/gpt-5.1:online', <Searched.AS_SHOWN: 1>)
    """
    for plugin in _objects(fields.get("plugins")):
        if _searches(plugin):
            name, plugins = openrouter_model(model, _settings_of(plugin))
            return name, Searched.CERTAINLY if plugins else Searched.AS_SHOWN
    if model.endswith(ONLINE):
        return model, Searched.AS_SHOWN
    allowed = _has_online_model(fields) or (
        chat and (_has_options(fields) or asks_by_tool(fields.get("tools")))
    )
    return model, Searched.PERHAPS if allowed else Searched.AS_SHOWN


def asks_for_search(fields: Mapping[str, msgspec.Raw]) -> bool:
    """Whether a request asks for a web search, by a tool or as chats do at OpenAI or OpenRouter."""
    model = fields.get("model")
    if model is not None and bytes(model).endswith(ONLINE.encode() + b'"'):
        return True
    return (
        _has_options(fields)
        or any(_searches(plugin) for plugin in _objects(fields.get("plugins")))
        or asks_by_tool(fields.get("tools"))
    )


def asks_by_tool(raw: msgspec.Raw | None) -> bool:
    """Whether a provider's own search stands among the tools; a function of that name is none."""
    return any("web_search" in str(tool.get("type")) for tool in _objects(raw))


def searching_fields(
    fields: Mapping[str, msgspec.Raw], model: str, settings: SearchSettings
) -> dict[str, msgspec.Raw]:
    """A chat completion's fields as OpenRouter searches by them, in place of how the client asked.

    All other fields are the client's own bytes.
    """
    name, plugins = openrouter_model(model, settings)
    kept = {key: raw for key, raw in fields.items() if key not in _ASKING_FIELDS}
    others = [each for each in _objects(fields.get("plugins")) if each.get("id") != "web"]
    kept["model"] = msgspec.Raw(_encode(name))
    if others or plugins:
        kept["plugins"] = msgspec.Raw(_encode([*others, *plugins]))
    return kept


def _has_options(fields: Mapping[str, msgspec.Raw]) -> bool:
    options = fields.get("web_search_options")
    return options is not None and bytes(options) != b"null"


def _has_online_model(fields: Mapping[str, msgspec.Raw]) -> bool:
    """Whether one of the other models that may serve is sold with a search."""
    models = _items(fields.get("models"))
    return any(isinstance(each, str) and each.endswith(ONLINE) for each in models)


def _searches(plugin: Mapping[str, object]) -> bool:
    return plugin.get("id") == "web" and plugin.get("enabled") is not False


def _settings_of(plugin: Mapping[str, object]) -> SearchSettings:
    engine, results = plugin.get("engine"), plugin.get("max_results")
    return SearchSettings(
        AUTO_ENGINE if engine is None else str(engine),
        USUAL_RESULTS if results is None else results if type(results) is int else 0,
    )


def _objects(raw: msgspec.Raw | None) -> Iterator[dict[str, object]]:
    """The objects of an array; what is none is the provider's to judge."""
    return filter(_is_object, _items(raw))


def _items(raw: msgspec.Raw | None) -> list[object]:
    if raw is None:
        return []
    try:
        found: object = msgspec.json.decode(raw)
    except _UNREADABLE:
        return []
    return found if _is_array(found) else []


def _is_array(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)
