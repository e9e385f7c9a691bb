"""How a model's name may be written: dates compact or dashed, snapshots, providers before it."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from tokonomi.usage import STANDARD_TIER

_DATE: Final = re.compile(r"-(20\d\d)-?([01]\d)-?([0-3]\d)(?=$|:)")


def spellings(provider: str, name: str) -> Iterator[tuple[str, str]]:
    """The names under which a model may be listed, the likeliest first, each with how it came.

    >>> [name for name, _ in spellings("openai", "gpt-5.2-20251211")]
    ['gpt-5.2-20251211', 'gpt-5.2-2025-12-11']
    """
    plain = [(name, "")]
    if name.startswith(f"{provider}/"):
        plain.append((name.removeprefix(f"{provider}/"), f"without the prefix {provider}/"))
    yield from plain
    for spelling, how in plain:
        if (dashed := _dashed(spelling)) != spelling:
            yield dashed, "; ".join(filter(None, (how, "its date written with dashes")))


def without_date(name: str) -> str:
    """The name of the model that a dated snapshot is of, or the same name.

    >>> without_date("gpt-5.2-2026-03-01"), without_date("gpt-5.2")
    ('gpt-5.2', 'gpt-5.2')
    """
    match = _DATE.search(name)
    return name[: match.start()] if match and _day(match) else name


def split_suffix(name: str) -> tuple[str, str]:
    """The name before its last suffix, and the suffix with its colon, or nothing.

    >>> split_suffix("openai/gpt-5.1:online"), split_suffix("openai/gpt-5.1")
    (('openai/gpt-5.1', ':online'), ('openai/gpt-5.1', ''))
    """
    base, colon, suffix = name.rpartition(":")
    return (base, colon + suffix) if colon else (name, "")


def tier_of(tier: str, *, batch: bool) -> tuple[str, bool]:
    """The service tier in our words, and whether it is a batch call.

    Providers write "default" for standard, and some name batch as a tier. "auto" stays as it is:
    it is a wish, and no tier that a call was served at.
    """
    lower = tier.lower()
    if lower == "batch":
        return STANDARD_TIER, True
    return (STANDARD_TIER if lower in {"default", ""} else lower), batch


def _dashed(name: str) -> str:
    match = _DATE.search(name)
    if match is None or (day := _day(match)) is None:
        return name
    return f"{name[: match.start()]}-{day.isoformat()}{name[match.end() :]}"


def _day(match: re.Match[str]) -> date | None:
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
