"""Markers of a prompt cache, as Anthropic and OpenRouter write them on a part."""

from collections.abc import Mapping
from typing import Final

from tokonomi.dialects.conversation import CacheTime
from tokonomi.dialects.fields import Fields

_TIMES: Final[Mapping[str, CacheTime]] = {"5m": "5m", "1h": "1h"}


def cache_time(part: Fields) -> CacheTime:
    """How long the part's `cache_control` asks the provider to keep what stands before it."""
    control = part.child("cache_control")
    if control is None:
        return _breakpoint(part)
    control.choice("type", {"ephemeral": True}, default=True)
    time: CacheTime = control.choice("ttl", _TIMES, "5m")
    control.done()
    return time


def _breakpoint(part: Fields) -> CacheTime:
    """OpenAI's own marker; the times that it can name are nearest to an hour."""
    control = part.child("prompt_cache_breakpoint")
    if control is None:
        return ""
    control.choice("mode", {"explicit": True}, default=True)
    named = control.text("ttl")
    control.done()
    return "1h" if named else "5m"


def marker(cache: CacheTime) -> dict[str, object]:
    """The fields that mark a part; none for no marker."""
    match cache:
        case "":
            return {}
        case "5m":
            return {"cache_control": {"type": "ephemeral"}}
        case "1h":
            return {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
