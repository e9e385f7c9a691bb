"""What the log says when a target fails: who must act, and where the request goes instead."""

import logging
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from tokonomi.dialects.web_search import SearchSettings
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.settle import Exchange
from tokonomi.gateway.upstream import Upstream
from tokonomi.routing.failure import WHAT, Failed, FailureKind

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


ALARM_SECONDS: Final = 60.0
"""How often the same alarm is told at most."""
MOST_ALARMS: Final = 1_000
"""Alarms of one provider that are told apart: clients may make up models without end."""
_OF_ONE_MODEL: Final = frozenset({FailureKind.NOT_FOUND, FailureKind.FORBIDDEN})


@dataclass(slots=True)
class _Alarm:
    """When an alarm was told last, and how often it came since then."""

    told_at: float
    untold: int = 0


class Alarms:
    """Targets that serve nobody until a person acts: each is told, but not with every request.

    A connection stands for a provider and our key there: a new key is another connection, and its
    failures are told at once.
    """

    def __init__(self) -> None:
        self._told: WeakKeyDictionary[Upstream, dict[tuple[FailureKind, str], _Alarm]] = (
            WeakKeyDictionary()
        )

    def tell(self, exchange: Exchange, failed: Failed, upstream: Upstream, *, now: float) -> None:
        """Writes that a target serves nobody, where that is so and was not told just now.

        `now` is in monotonic seconds. The line says how often it happened since the one before.
        """
        if not failed.rule.alarm:
            return
        alarms = self._told.setdefault(upstream, {})
        model = exchange.target.model if failed.kind in _OF_ONE_MODEL else ""
        place = (failed.kind, model if len(alarms) < MOST_ALARMS else "")
        known = alarms.get(place)
        if known is not None and now < known.told_at + ALARM_SECONDS:
            known.untold += 1
            return
        alarms[place] = _Alarm(now)
        _tell_alarm(exchange, failed, 0 if known is None else known.untold)


def _tell_alarm(exchange: Exchange, failed: Failed, untold: int) -> None:
    target = exchange.target
    _log.error(
        "%s/%s does not serve us (%s)%s%s. Waiting does not help: look at its certificate, our key"
        " and account there, and the name of the model",
        target.name,
        target.model,
        WHAT[failed.kind],
        f" and says {failed.code}" if failed.code else "",
        f"; so it was {untold} more times since this was told last" if untold else "",
        extra=_fields(exchange, failed.kind.value, failed.status) | {"untold": untold},
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
