"""What the log says when a request goes to another target than its first."""

import logging
from typing import Final

from tokonomi.dialects.web_search import SearchSettings
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.settle import Exchange
from tokonomi.routing.failure import Failed

_log: Final = logging.getLogger("tokonomi.gateway")
_PROPER_NAMES: Final = {
    "anthropic": "Anthropic",
    "azure": "Azure",
    "google": "Google",
    "openai": "OpenAI",
    "openrouter": "OpenRouter",
    "vercel": "Vercel AI Gateway",
}
"""How people write the names of providers; any other stands as it is configured."""


def tell_switch(exchange: Exchange, failed: Failed, search: SearchSettings | None) -> None:
    """Writes that the target before has failed, where the request goes, and how it searches."""
    target = exchange.target
    _log.warning(
        "[Fallback] Primary failed, switching to %s",
        _proper_name(target),
        extra={
            "request_id": exchange.intent.request_id,
            "alias": target.label,
            "failure": failed.kind.value,
            "http_status": failed.status,
            "provider": target.name,
            "model": target.model,
        },
    )
    if search is not None:
        _log.info(
            '[Fallback] Web search config: { engine: "%s", maxResults: %d }',
            search.engine,
            search.max_results,
            extra={"request_id": exchange.intent.request_id, "alias": target.label},
        )


def _proper_name(target: Target) -> str:
    return _PROPER_NAMES.get(target.name, target.name)
