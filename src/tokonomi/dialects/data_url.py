"""Addresses that hold the data themselves, as base64."""

import re
from typing import Final

_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,", re.ASCII)


def split_data_url(url: str) -> tuple[str, str]:
    """The media type and the base64 of a data address; two empty texts for any other.

    >>> split_data_url("data:image/png;base64,iVBO")
    ('image/png', 'iVBO')
    """
    match = _DATA_URL.match(url)
    return (match[1] or "", url[match.end() :]) if match else ("", "")


def data_url(media_type: str, data: str) -> str:
    """Base64 with its media type as an address."""
    return f"data:{media_type};base64,{data}"
