"""Where each dialect is spoken: paths below a provider's base address, and its key's header."""

import re
from typing import Final

from tokonomi.dialects.destination import Destination

_PATHS: Final = {
    "openai_chat": "/chat/completions",
    "openai_responses": "/responses",
    "anthropic_messages": "/messages",
}
_RESERVED: Final = re.compile(rb"[^A-Za-z0-9._~-]")
ANTHROPIC_VERSION: Final = "2023-06-01"


def path_of(to: Destination, *, stream: bool) -> str:
    """The path of a call, with its query.

    >>> azure = Destination(dialect="openai_chat", model="gpt-5.1", azure=True)
    >>> path_of(azure, stream=False)
    '/chat/completions'
    >>> path_of(Destination(dialect="gemini", model="gemini-2.5-flash"), stream=True)
    '/models/gemini-2.5-flash:streamGenerateContent?alt=sse'
    """
    model = _quoted(to.model)
    if to.dialect == "gemini":
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"/models/{model}:{verb}"
    path = _PATHS[to.dialect]
    if not to.azure_api_version:
        return path
    # Azure's responses have no deployment in the path: the body names it.
    deployment = f"/deployments/{model}" if to.dialect == "openai_chat" else ""
    return f"/openai{deployment}{path}?api-version={_quoted(to.azure_api_version)}"


def key_headers(to: Destination, key: str) -> tuple[tuple[str, str], ...]:
    """The headers that show a key to a provider, and name the version where one is demanded."""
    if to.azure:
        return (("api-key", key),)
    match to.dialect:
        case "anthropic_messages":
            return (("x-api-key", key), ("anthropic-version", ANTHROPIC_VERSION))
        case "gemini":
            return (("x-goog-api-key", key),)
        case "openai_chat" | "openai_responses":
            return (("authorization", f"Bearer {key}"),)


def _quoted(text: str) -> str:
    """The text as one segment of a path, or one value of a query."""
    return _RESERVED.sub(lambda byte: b"%%%02X" % byte[0][0], text.encode()).decode()
