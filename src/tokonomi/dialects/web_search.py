"""Web search as OpenRouter does it: a suffix of the model's name, or a plugin with settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

ONLINE: Final = ":online"
AUTO_ENGINE: Final = "auto"
USUAL_RESULTS: Final = 5
"""What OpenRouter fetches when nothing is said ("Web search": up to 5 results a request)."""
_encode: Final = msgspec.json.Encoder().encode
_ASKING_FIELDS: Final = ("web_search_options", "plugins")


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


def asks_for_search(fields: Mapping[str, msgspec.Raw]) -> bool:
    """Whether a chat completion asks for a web search, in OpenAI's form or OpenRouter's."""
    model = fields.get("model")
    if model is not None and bytes(model).endswith(ONLINE.encode() + b'"'):
        return True
    options = fields.get("web_search_options")
    return (options is not None and bytes(options) != b"null") or _has_plugin(fields.get("plugins"))


def searching_fields(
    fields: Mapping[str, msgspec.Raw], model: str, settings: SearchSettings
) -> dict[str, msgspec.Raw]:
    """A chat completion's fields as OpenRouter searches by them, in place of how the client asked.

    All other fields are the client's own bytes.
    """
    name, plugins = openrouter_model(model, settings)
    kept = {key: raw for key, raw in fields.items() if key not in _ASKING_FIELDS}
    others = [each for each in _plugins(fields.get("plugins")) if each.get("id") != "web"]
    kept["model"] = msgspec.Raw(_encode(name))
    if others or plugins:
        kept["plugins"] = msgspec.Raw(_encode([*others, *plugins]))
    return kept


def _has_plugin(raw: msgspec.Raw | None) -> bool:
    return any(plugin.get("id") == "web" for plugin in _plugins(raw))


def _plugins(raw: msgspec.Raw | None) -> list[dict[str, object]]:
    if raw is None:
        return []
    try:
        return msgspec.json.decode(raw, type=list[dict[str, object]] | None) or []
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return []
