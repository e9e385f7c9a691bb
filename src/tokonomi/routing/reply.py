"""Whether a reply is an answer: some errors, filters and empty answers come as a success."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from tokonomi.routing.error_reply import (
    SUCCESS,
    Headers,
    failure_of,
    is_array,
    is_object,
    objects_in,
)
from tokonomi.routing.failure import Failed, FailureKind

_decode: Final = msgspec.json.Decoder().decode
_FILTERED: Final = frozenset(
    {
        "content_filter",
        "refusal",
        "safety",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
        "language",
        "image_safety",
        "image_prohibited_content",
        "image_recitation",
    }
)
"""Why a generation ended, in any dialect, when the provider took the answer away."""
_LENGTH: Final = frozenset(
    {"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"}
)
"""The same when a limit was reached; a model that thinks may have written nothing by then."""
_CONTENT: Final = (
    "content",
    "tool_calls",
    "function_call",
    "refusal",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "audio",
    "images",
)
"""What a message carries, when it carries something."""


def classify(status: int, headers: Headers, body: bytes, *, answers: bool = True) -> Failed | None:
    """What went wrong with a whole reply, `None` when it is an answer.

    Args:
        status: the HTTP status.
        headers: with lower-case names.
        body: all of it.
        answers: whether its endpoint generates; embeddings are not judged for emptiness.

    >>> overflow = b'{"error":{"code":"context_length_exceeded","message":"..."}}'
    >>> classify(400, [], overflow).kind
    <FailureKind.CONTEXT_OVERFLOW: 'context_overflow'>
    """
    try:
        reply: object = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        reply = None
    if status not in SUCCESS:
        return failure_of(reply, status=status, headers=headers)
    if not is_object(reply):
        return Failed(FailureKind.MALFORMED_BODY, status)
    return judged(reply, status=status, answers=answers)


def judged(
    reply: Mapping[str, object], *, status: int = 200, answers: bool = True
) -> Failed | None:
    """The same of a reply with a status of success that is decoded already.

    >>> judged({"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}).kind
    <FailureKind.EMPTY_ANSWER: 'empty_answer'>
    >>> judged({"choices": [{"message": {"content": "Halo"}, "finish_reason": "stop"}]}) is None
    True
    """
    parts = [*_parts(reply)]
    if any(has_content and reason not in _FILTERED for reason, has_content in parts):
        return None
    if reply.get("error") or any(choice.get("error") for choice in objects_in(reply, "choices")):
        return failure_of(reply, status=status)
    if not answers:
        return None
    if any(reason in _FILTERED for reason, _ in parts):
        return Failed(FailureKind.CONTENT_FILTER, status)
    if any(reason in _LENGTH for reason, _ in parts):
        return None
    return Failed(FailureKind.EMPTY_ANSWER, status)


Part = tuple[str, bool]
"""One generation of a reply: why it ended, in lower case, and whether it carries anything."""


def _parts(reply: Mapping[str, object]) -> Iterator[Part]:
    if "choices" in reply:
        yield from map(_choice, objects_in(reply, "choices"))
    elif "candidates" in reply or "promptFeedback" in reply:
        yield from _gemini(reply)
    elif "output" in reply:
        yield _response(reply)
    elif "content" in reply:
        yield _reason(reply.get("stop_reason")), bool(reply["content"])
    elif is_object(message := reply.get("message")):
        yield _reason(reply.get("done_reason") or reply.get("finish_reason")), _carries(message)


def _choice(choice: Mapping[str, object]) -> Part:
    """A choice of chat completions, or of the older completions, whose text stands beside."""
    message = choice.get("message")
    carries = bool(choice.get("text")) or (is_object(message) and _carries(message))
    return _reason(choice.get("finish_reason")), carries


def _carries(message: Mapping[str, object]) -> bool:
    return any(message.get(name) for name in _CONTENT)


def _gemini(reply: Mapping[str, object]) -> Iterator[Part]:
    feedback = reply.get("promptFeedback")
    if is_object(feedback) and feedback.get("blockReason"):
        yield "prohibited_content", False
    for candidate in objects_in(reply, "candidates"):
        content = candidate.get("content")
        carries = is_object(content) and bool(content.get("parts"))
        yield _reason(candidate.get("finishReason")), carries


def _response(reply: Mapping[str, object]) -> Part:
    """An answer of OpenAI's responses; in the background it may not be there yet."""
    if _reason(reply.get("status")) in _NOT_YET:
        return "", True
    details = reply.get("incomplete_details")
    reason = details.get("reason") if is_object(details) else ""
    failed = reply.get("status") == "failed"
    return _reason(reason), not failed and any(map(_output_carries, objects_in(reply, "output")))


_NOT_YET: Final = frozenset({"queued", "in_progress"})


def _output_carries(item: Mapping[str, object]) -> bool:
    """A message with an empty list of contents carries nothing; every other item is something."""
    content: object = item.get("content")
    return item.get("type") != "message" or (is_array(content) and _any_text(content))


def _any_text(contents: Sequence[object]) -> bool:
    return any(is_object(each) and (each.get("text") or each.get("refusal")) for each in contents)


def _reason(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""
