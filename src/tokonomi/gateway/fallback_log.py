"""What the log says when a target fails: who must act, and where the request goes instead."""

import logging
from typing import Final

from tokonomi.dialects.web_search import SearchSettings
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.settle import Exchange
from tokonomi.routing.failure import WHAT, Failed

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


def tell_alarm(exchange: Exchange, failed: Failed) -> None:
    """Writes that a target serves nobody until a person acts, where that is so."""
    if not failed.rule.alarm:
        return
    target = exchange.target
    _log.error(
        "%s/%s does not serve us (%s)%s. Waiting does not help: look at its certificate, our key"
        " and account there, and the name of the model",
        target.name,
        target.model,
        WHAT[failed.kind],
        f" and says {failed.code}" if failed.code else "",
        extra=_fields(exchange, failed.kind.value, failed.status),
    )


def tell_switch(exchange: Exchange, failed: Failed | None, search: SearchSettings | None) -> None:
    """Writes that the target before has failed, where the request goes, and how it searches.

    Without a failure the target before was not asked, since its circuit breaker is open.
    """
    kind, status = ("breaker_open", 0) if failed is None else (failed.kind.value, failed.status)
    _log.warning(
        "[Fallback] Primary %s, switching to %s",
        "is out of service" if failed is None else "failed",
        _proper_name(exchange.target),
        extra=_fields(exchange, kind, status),
    )
    if search is not None:
        _log.info(
            '[Fallback] Web search config: { engine: "%s", maxResults: %d }',
            search.engine,
            search.max_results,
            extra={"request_id": exchange.intent.request_id, "alias": exchange.target.label},
        )


def _fields(exchange: Exchange, failure: str, http_status: int) -> dict[str, str | int]:
    """Which request, what failed, and the target that the line is about."""
    target = exchange.target
    return {
        "request_id": exchange.intent.request_id,
        "alias": target.label,
        "failure": failure,
        "http_status": http_status,
        "provider": target.name,
        "model": target.model,
    }


def _proper_name(target: Target) -> str:
    return _PROPER_NAMES.get(target.name, target.name)
