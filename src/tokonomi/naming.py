"""Names: joining free texts into one name without mixing them up, and the name that was meant."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

_MARKS: Final = "%:,="
_ESCAPES: Final = {ord(mark): f"%{ord(mark):02X}" for mark in _MARKS}


def escaped(text: str) -> str:
    """The text with the marks that separate names (`%`, `:`, `,`, `=`) written as `%25` and so on.

    Texts joined by a mark after this can be taken apart again, so no two lists of texts share one
    name.

    >>> escaped("team:a,b"), unescaped("team%3Aa%2Cb")
    ('team%3Aa%2Cb', 'team:a,b')
    """
    return text.translate(_ESCAPES)


def unescaped(text: str) -> str:
    """The text that `escaped` was given."""
    for mark in reversed(_MARKS):
        text = text.replace(f"%{ord(mark):02X}", mark)
    return text


def meant(name: str, known: Iterable[str]) -> str:
    """One sentence that helps a person who wrote an unknown name: the nearest one, or the list.

    >>> meant("feture", ["feature", "user"]), meant("x", ["feature", "user"])
    ('Did you mean "feature"?', 'Use one of feature, user.')
    """
    names = list(known)
    return nearest(name, names) or f"Use one of {', '.join(names)}."


def nearest(name: str, known: Sequence[str]) -> str:
    """The question whether the nearest name was meant; empty when none is near.

    >>> nearest("openai/gpt-4oo", ["openai/gpt-4o", "openai/o3"]), nearest("x", ["openai/o3"])
    ('Did you mean "openai/gpt-4o"?', '')
    """
    close = difflib.get_close_matches(name, known, n=1)
    return f'Did you mean "{close[0]}"?' if close else ""
