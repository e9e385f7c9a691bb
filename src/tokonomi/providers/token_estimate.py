"""Token counts that nobody reported: estimates for cut replies, and upper bounds for holds.

An estimate and a bound are different things. The estimate is the best guess at what a text costs;
the bound is a number that the text cannot exceed. Characters divided by four is neither: a hundred
emoji are a hundred tokens and more.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Final, Literal, cast

from tokonomi.providers.adapter import KEPT_BYTES, Relayed, Seen, utf8_size
from tokonomi.providers.served_tier import served_tier
from tokonomi.usage import Source, Usage

Encoding = Literal["o200k_base", "cl100k_base"]

_BYTES_PER_TOKEN: Final = 3
TEMPLATE_TOKENS_PER_MESSAGE: Final = 16
"""Above what chat templates put around a message: the longest seen, Llama 3's, takes 5 and a role;
OpenAI's takes 3 or 4."""
TEMPLATE_TOKENS_PER_REQUEST: Final = 64
"""Above what templates put around a conversation: a beginning, a dated preamble, a reply's head."""


def estimated_tokens(text: str, encoding: Encoding = "o200k_base") -> int:
    """About how many tokens a text is.

    Counted with OpenAI's vocabulary, which other vendors' counts exceed by 0 to 9 % on mixed text.
    Where that vocabulary cannot be loaded or cannot read the text: UTF-8 bytes divided by 3,
    rounded up.

    >>> estimated_tokens("hello world")
    2
    """
    counter = _counter(encoding)
    if counter is not None:
        try:
            return counter(text)
        except (TypeError, UnicodeError):
            # A lone surrogate; such a text has no UTF-8 form and no vocabulary reads it.
            pass
    return tokens_of_bytes(len(text.encode(errors="surrogatepass")))


def has_vocabulary(encoding: Encoding = "o200k_base") -> bool:
    """Whether texts are counted with this vocabulary here, and not by their bytes."""
    return _counter(encoding) is not None


def bounded_estimate(text: str, encoding: Encoding = "o200k_base") -> int:
    """About how many tokens a text of any length is, in a time that is bounded.

    Counted up to `KEPT_BYTES` characters; the rest by its bytes.
    """
    head = text[:KEPT_BYTES]
    return estimated_tokens(head, encoding) + tokens_of_bytes(utf8_size(text[KEPT_BYTES:]))


def relayed_tokens(relayed: Relayed, encoding: Encoding = "o200k_base") -> int:
    """About how many tokens the text of a reply is; what was not kept of it by its bytes."""
    kept = relayed.text
    beyond = relayed.utf8_bytes - utf8_size(kept)
    return estimated_tokens(kept, encoding) + tokens_of_bytes(beyond)


def tokens_of_bytes(utf8_bytes: int) -> int:
    """About how many tokens that many bytes of text are: a third, rounded up.

    >>> tokens_of_bytes(100)
    34
    """
    return -(-utf8_bytes // _BYTES_PER_TOKEN)


def estimated_usage(
    seen: Seen,
    *,
    input_tokens: int,
    at: datetime,
    batch: bool = False,
    encoding: Encoding = "o200k_base",
) -> Usage:
    """The consumption of a reply that ended before it reported any, marked as estimated.

    The input is billed in full as soon as a provider answers, so `input_tokens` is all of it; the
    output is what was relayed. Thinking that the provider kept to itself cannot be seen.

    Raises:
        BadInput: `at` is not in UTC.
        ImpossibleUsage: `input_tokens` is negative.
    """
    return Usage(
        at=at,
        uncached_input=input_tokens,
        output=relayed_tokens(seen.relayed, encoding),
        tier=served_tier(seen.service_tier),
        batch=batch,
        source=Source.ESTIMATED,
    )


def input_upper_bound(body: bytes) -> int:
    """A number of input tokens that a request's JSON body cannot exceed, for a hold.

    Each token of a byte-level vocabulary stands for at least one byte, so the body's bytes bound
    its text; JSON escapes only make it longer. The chat template adds tokens that are not in the
    body, at most a fixed number a message, and a message takes at least two braces and a role.

    It holds for byte-level vocabularies, and for those that fall back to bytes without rewriting
    the text first. Not bounded by it: images, audio and files, which are charged by their size and
    not by their bytes, and tokens that the provider adds on its own account, such as the results of
    its own tools.

    >>> input_upper_bound(b'{"messages":[{"role":"user","content":"hi"}]}')
    125
    """
    messages = body.count(b'"role"')
    return len(body) + TEMPLATE_TOKENS_PER_MESSAGE * messages + TEMPLATE_TOKENS_PER_REQUEST


@cache
def _counter(encoding: Encoding) -> Callable[[str], int] | None:
    try:
        import quicktok  # noqa: PLC0415  # half a second of vocabulary, and no wheel for every Python
    except ImportError:
        return None
    # `count` reads text like <|endoftext|> as text, where `encode` refuses it: users write it.
    return cast("Callable[[str], int]", quicktok.get_encoding(encoding).count)  # pyright: ignore[reportUnknownMemberType]  # its wheel has no types
