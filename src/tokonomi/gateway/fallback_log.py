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


def tell_switch(exchange: Exchange, failed: Failed | None, search: SearchSettings | None) -> None:
    """Writes that the target before has failed, where the request goes, and how it searches.

    Without a failure the target before was not asked, since its circuit breaker is open.
    """
    target = exchange.target
    _log.warning(
        "[Fallback] Primary %s, switching to %s",
        "is out of service" if failed is None else "failed",
        _proper_name(target),
        extra={
            "request_id": exchange.intent.request_id,
            "alias": target.label,
            "failure": "breaker_open" if failed is None else failed.kind.value,
            "http_status": 0 if failed is None else failed.status,
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
