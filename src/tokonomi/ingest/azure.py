"""The Azure LLM inference trace: `TIMESTAMP,ContextTokens,GeneratedTokens`, one call a line.

Source: Azure/AzurePublicDataset, CC-BY 4.0; Patel et al., "Splitwise", ISCA 2024. Its times have
seven decimals of a second and no zone: they are read as UTC, cut to microseconds.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from tokonomi.ingest.draft import Draft, Identity, Rejected, Target, rejected
from tokonomi.ingest.lines import Lines
from tokonomi.usage import Usage

HEADER: Final = b"TIMESTAMP,ContextTokens,GeneratedTokens"
MOST_TOKENS: Final = 10**12
_TO_MICROSECONDS: Final = 26
_FIELDS: Final = 3


def read(lines: Lines, target: Target) -> Iterator[Draft | Rejected]:
    """The calls of a trace, taken to be the target's model's, and the lines that are none."""
    identity = Identity("azure", target.provider, target.model)
    for number, raw in lines:
        fields = raw.strip().split(b",")
        if number == 1 and raw.lstrip(b"\xef\xbb\xbf").strip() == HEADER:
            continue
        if not raw.strip():
            continue
        usage = _usage(fields)
        if isinstance(usage, str):
            yield rejected(number, usage, raw)
            continue
        yield Draft(
            id=identity.of(number, raw),
            at=usage.at,
            usage=usage,
            model=target.model,
            model_asked=target.asked,
            dimensions=target.dimensions,
        )


def _usage(fields: list[bytes]) -> Usage | str:
    """The usage that a line states, or why it states none."""
    if len(fields) != _FIELDS:
        return f"{len(fields)} fields instead of {_FIELDS}"
    stamp, context, generated = fields
    if not (context.isdigit() and generated.isdigit()):
        return "token counts that are not whole numbers"
    given, made = int(context), int(generated)
    if max(given, made) > MOST_TOKENS:
        return f"more than {MOST_TOKENS} tokens in one call"
    try:
        at = datetime.fromisoformat(stamp[:_TO_MICROSECONDS].decode("ascii"))
    except (ValueError, UnicodeDecodeError):
        return "a time that is not like 2023-11-16 18:15:46.6805900"
    if at.tzinfo is not None:
        return "a time with a zone, which this trace does not have"
    return Usage(at=at.replace(tzinfo=UTC), uncached_input=given, output=made)
