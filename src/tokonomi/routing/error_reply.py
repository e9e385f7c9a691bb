"""What a provider's error means: which kind of failure it is.

Providers of one interface differ in their errors. What is read here is written by OpenAI, Azure,
OpenRouter, Vercel's gateway, Anthropic, Gemini, DeepSeek, Mistral, Groq, vLLM, llama.cpp, Ollama.
A code that is known decides first, then a phrase of the message, then the HTTP status.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Final, TypeGuard

import msgspec

from tokonomi.routing.failure import Failed, FailureKind

Headers = Sequence[tuple[bytes, bytes]]

_LONGEST_CODE: Final = 200
_LONGEST_TEXT: Final = 20_000
SUCCESS: Final = range(200, 300)
_CLIENT_ERRORS: Final = range(400, 500)
_SERVER_ERRORS: Final = range(500, 600)
_ERRORS: Final = range(400, 600)
_decode: Final = msgspec.json.Decoder().decode

_STATUSES: Final[Mapping[int, FailureKind]] = {
    400: FailureKind.BAD_REQUEST,
    401: FailureKind.UNAUTHORIZED,
    402: FailureKind.QUOTA_EXHAUSTED,
    403: FailureKind.FORBIDDEN,
    404: FailureKind.NOT_FOUND,
    405: FailureKind.NOT_FOUND,
    408: FailureKind.REQUEST_TIMEOUT,
    409: FailureKind.CONFLICT,
    410: FailureKind.NOT_FOUND,
    413: FailureKind.TOO_LARGE,
    422: FailureKind.UNPROCESSABLE,
    425: FailureKind.TOO_EARLY,
    429: FailureKind.RATE_LIMITED,
    451: FailureKind.FORBIDDEN,
    498: FailureKind.OVERLOADED,  # Groq: no capacity on its flexible tier
    502: FailureKind.BAD_GATEWAY,
    503: FailureKind.UNAVAILABLE,
    504: FailureKind.GATEWAY_TIMEOUT,
    520: FailureKind.BAD_GATEWAY,  # 520 to 524, and 530: Cloudflare in front of a provider
    521: FailureKind.BAD_GATEWAY,
    522: FailureKind.GATEWAY_TIMEOUT,
    523: FailureKind.BAD_GATEWAY,
    524: FailureKind.GATEWAY_TIMEOUT,
    529: FailureKind.OVERLOADED,
    530: FailureKind.BAD_GATEWAY,
}

_CODES: Final[Mapping[str, FailureKind]] = {
    "context_length_exceeded": FailureKind.CONTEXT_OVERFLOW,
    "exceed_context_size_error": FailureKind.CONTEXT_OVERFLOW,
    "content_filter": FailureKind.CONTENT_FILTER,
    "content_policy_violation": FailureKind.CONTENT_FILTER,
    "responsibleaipolicyviolation": FailureKind.CONTENT_FILTER,
    "insufficient_quota": FailureKind.QUOTA_EXHAUSTED,
    "insufficient_funds": FailureKind.QUOTA_EXHAUSTED,
    "insufficient_balance": FailureKind.QUOTA_EXHAUSTED,
    "billing_error": FailureKind.QUOTA_EXHAUSTED,
    "billing_hard_limit_reached": FailureKind.QUOTA_EXHAUSTED,
    "billing_not_active": FailureKind.QUOTA_EXHAUSTED,
    "rate_limit_exceeded": FailureKind.RATE_LIMITED,
    "rate_limit_error": FailureKind.RATE_LIMITED,
    "rate_limited": FailureKind.RATE_LIMITED,
    "resource_exhausted": FailureKind.RATE_LIMITED,
    "overloaded_error": FailureKind.OVERLOADED,
    "service_tier_capacity_exceeded": FailureKind.OVERLOADED,
    "invalid_api_key": FailureKind.UNAUTHORIZED,
    "api_key_invalid": FailureKind.UNAUTHORIZED,
    "authentication_error": FailureKind.UNAUTHORIZED,
    "unauthenticated": FailureKind.UNAUTHORIZED,
    "permission_error": FailureKind.FORBIDDEN,
    "permission_denied": FailureKind.FORBIDDEN,
    "model_not_found": FailureKind.NOT_FOUND,
    "deploymentnotfound": FailureKind.NOT_FOUND,
    "invalid_model": FailureKind.NOT_FOUND,
    "not_found_error": FailureKind.NOT_FOUND,
    "request_too_large": FailureKind.TOO_LARGE,
    "unavailable": FailureKind.UNAVAILABLE,
    "unavailable_error": FailureKind.UNAVAILABLE,
    "deadline_exceeded": FailureKind.GATEWAY_TIMEOUT,
    "timeout_error": FailureKind.GATEWAY_TIMEOUT,
}
# Words such as `invalid_request_error`, `api_error` and `server_error` stand on errors of any
# status, so they decide nothing.
_VAGUE: Final = frozenset(
    {
        FailureKind.SERVER_ERROR,
        FailureKind.UNAVAILABLE,
        FailureKind.RATE_LIMITED,
        FailureKind.FORBIDDEN,
        FailureKind.NOT_FOUND,
        FailureKind.BAD_REQUEST,
        FailureKind.UNPROCESSABLE,
        FailureKind.TOO_LARGE,
    }
)
"""Kinds behind whose code or status a phrase of the message may tell something narrower."""

_PHRASES: Final[Mapping[FailureKind, Sequence[str]]] = {
    FailureKind.CONTEXT_OVERFLOW: (
        r"maximum context length",
        r"prompt is too long",
        r"exceeds? the available context size",
        r"exceeds? the maximum number of tokens allowed",
        r"input length and `?max_tokens`? exceed context limit",
        r"input length .{0,40}exceeds? .{0,40}context",
        r"exceeds? .{0,40}context window",
        r"too large for model with \d+ maximum context",
    ),
    FailureKind.CONTENT_FILTER: (
        r"content management policy",
        r"flagged as potentially violating",
        r"requires moderation on",
    ),
    FailureKind.PREFIX_REFUSED: (
        r"does not support assistant message prefill",
        r"assistant response prefill is incompatible",
        r"conversation must end with a user message",
        r"expected last role user",
    ),
    FailureKind.UNSUPPORTED: (r"no endpoints found that (?:support|can handle)\b",),
    FailureKind.QUOTA_EXHAUSTED: (
        r"credit balance is too low",
        r"insufficient (?:balance|credits)",
        r"requires more credits",
    ),
    FailureKind.OVERLOADED: (
        r"model is overloaded",
        r"currently overloaded",
        r"tier capacity exceeded",
    ),
    FailureKind.UNAUTHORIZED: (r"api key not valid", r"incorrect api key"),
    FailureKind.FORBIDDEN: (r"user location is not supported",),
    FailureKind.NOT_FOUND: (
        r"is not a valid model id",
        r"model not exist",
        r"invalid model:",
        r"\bmodel [`'\"]?[\w./:@-]{1,200}[`'\"]? (?:does not exist|not found)",
    ),
}
_PATTERNS: Final = [
    (re.compile("|".join(phrases), re.IGNORECASE), kind) for kind, phrases in _PHRASES.items()
]


def failure_of(reply: object, *, status: int = 0, headers: Headers = ()) -> Failed:
    """What an error means, decoded: a whole reply, or an event in the middle of a stream.

    An error under a status of success, and one in a stream, has no status of its own; where it
    states one in its body, that one counts.

    >>> event = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    >>> failure_of(event).kind
    <FailureKind.OVERLOADED: 'overloaded'>
    """
    words = _Words()
    _read(reply, words)
    stated = words.status if status in SUCCESS or not status else status
    kind = _kind(words, stated)
    return Failed(kind, status, words.code, _wait(headers, words))


class _Words:
    """What the parts of an error say."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.texts: list[str] = []
        self.status = 0
        self.per_day = False
        self.delay_seconds: float | None = None

    @property
    def code(self) -> str:
        """The most telling of its codes: one that is known, else the first."""
        known = (code for code in self.codes if code.lower() in _CODES)
        return next(known, self.codes[0] if self.codes else "")

    def add_code(self, value: object) -> None:
        """Takes note of a code; a number may be a status, as OpenRouter and Gemini write it."""
        if isinstance(value, int):
            self.status = self.status or (value if value in _ERRORS else 0)
        elif isinstance(value, str) and value not in {"", "error"} and value.isprintable():
            self.codes.append(value[:_LONGEST_CODE])


def _kind(words: _Words, status: int) -> FailureKind:
    coded = next((_CODES[code.lower()] for code in words.codes if code.lower() in _CODES), None)
    if words.per_day and coded is FailureKind.RATE_LIMITED:
        return FailureKind.QUOTA_EXHAUSTED
    kind = coded or _kind_of_status(status)
    if kind not in _VAGUE:
        return kind
    text = "\n".join(words.texts)[:_LONGEST_TEXT]
    return next((narrow for pattern, narrow in _PATTERNS if pattern.search(text)), kind)


def _kind_of_status(status: int) -> FailureKind:
    if (known := _STATUSES.get(status)) is not None:
        return known
    if status in _CLIENT_ERRORS:
        return FailureKind.BAD_REQUEST
    if status in _SERVER_ERRORS or not status:
        return FailureKind.SERVER_ERROR
    return FailureKind.MALFORMED_BODY


def _read(part: object, words: _Words, depth: int = 0) -> None:
    """Takes note of an error and of what is nested in it: an `error`, a list, a raw reply."""
    if isinstance(part, str):
        words.texts.append(part)
        return
    if is_array(part) and part and depth < _DEEPEST:
        _read(part[0], words, depth + 1)  # Gemini's OpenAI interface puts its errors into a list.
    if not is_object(part):
        return
    for name in _CODE_FIELDS:
        words.add_code(part.get(name))
    if isinstance(message := part.get("message"), str):
        words.texts.append(message)
    if depth >= _DEEPEST:
        return
    for name in _NESTED_FIELDS:
        _read(part.get(name), words, depth + 1)
    _read_raw(part.get("raw"), words, depth)
    for detail in objects_in(part, "details"):
        _read_detail(detail, words)
    for choice in objects_in(part, "choices"):
        _read(choice.get("error"), words, depth + 1)


_DEEPEST: Final = 4
_CODE_FIELDS: Final = ("code", "type", "status", "error_type")
_NESTED_FIELDS: Final = ("error", "innererror", "inner_error", "metadata", "response", "detail")


def _read_raw(raw: object, words: _Words, depth: int) -> None:
    """OpenRouter hands on what its provider wrote, as text."""
    if not isinstance(raw, str):
        return
    try:
        _read(_decode(raw), words, depth + 1)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        words.texts.append(raw)


def _read_detail(detail: Mapping[str, object], words: _Words) -> None:
    """Google's details: a reason, the wait that it asks for, the quota that is used up."""
    words.add_code(detail.get("reason"))
    if isinstance(delay := detail.get("retryDelay"), str):
        words.delay_seconds = _seconds(delay.removesuffix("s"))
    for violation in objects_in(detail, "violations"):
        quota = violation.get("quotaId")
        words.per_day = words.per_day or (isinstance(quota, str) and "PerDay" in quota)


def _wait(headers: Headers, words: _Words) -> float | None:
    """The wait that a reply asks for, in seconds."""
    fields = {name: value.decode("latin-1").strip() for name, value in headers}
    if (milliseconds := _seconds(fields.get(b"retry-after-ms", ""))) is not None:
        return milliseconds / 1_000
    stated = fields.get(b"retry-after", "")
    if (seconds := _seconds(stated)) is not None:
        return seconds
    until, sent = _date(stated), _date(fields.get(b"date", ""))
    if until is not None and sent is not None:
        return max(until - sent, 0.0)
    return words.delay_seconds


def _seconds(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


_NUMBER: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?")


def _date(text: str) -> float | None:
    """An HTTP date as seconds; the reply's own `date` says when it was written."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def objects_in(part: Mapping[str, object], name: str) -> Iterator[Mapping[str, object]]:
    """The objects in the array under a name; none when something else stands there."""
    if is_array(value := part.get(name)):
        yield from filter(is_object, value)


def is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a decoded value is a JSON object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[object]]:
    """Whether a decoded value is a JSON array."""
    return isinstance(value, list)
