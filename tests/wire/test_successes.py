"""Replies with a status of success: errors, filters and empty answers among them."""

import pytest

from tokonomi.routing.failure import Failed, FailureKind
from tokonomi.routing.reply import classify


def one_line(body: str) -> bytes:
    """The samples are broken where the page is too narrow; JSON's texts hold no line breaks."""
    return body.replace("\n        ", " ").encode()


NO_ANSWERS: dict[str, tuple[str, FailureKind]] = {
    "openrouter, an error as a success": (
        """{"error":{"message":"Provider returned error","code":502},"user_id":"user_1"}""",
        FailureKind.BAD_GATEWAY,
    ),
    "openrouter, an error in a choice": (
        """{"id":"gen-1","choices":[{"index":0,"finish_reason":"error","message":{"content":""},
        "error":{"code":429,"message":"Rate limited"}}]}""",
        FailureKind.RATE_LIMITED,
    ),
    "openrouter, a provider that died": (
        """{"id":"gen-1","choices":[{"finish_reason":"stop","message":{"role":"assistant",
        "content":null}}]}""",
        FailureKind.EMPTY_ANSWER,
    ),
    "no choices at all": ("""{"id":"1","choices":[]}""", FailureKind.EMPTY_ANSWER),
    "an object that says nothing": ("{}", FailureKind.EMPTY_ANSWER),
    "an answer that was filtered": (
        """{"choices":[{"finish_reason":"content_filter","message":{"content":"I"}}]}""",
        FailureKind.CONTENT_FILTER,
    ),
    "anthropic, a refusal": (
        """{"type":"message","content":[],"stop_reason":"refusal"}""",
        FailureKind.CONTENT_FILTER,
    ),
    "anthropic, nothing": (
        """{"type":"message","content":[],"stop_reason":"end_turn"}""",
        FailureKind.EMPTY_ANSWER,
    ),
    "gemini, a blocked prompt": (
        """{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},
        "usageMetadata":{"promptTokenCount":13,"totalTokenCount":13}}""",
        FailureKind.CONTENT_FILTER,
    ),
    "gemini, a blocked answer": (
        """{"candidates":[{"finishReason":"SAFETY","index":0}]}""",
        FailureKind.CONTENT_FILTER,
    ),
    "gemini, nothing": (
        """{"candidates":[{"finishReason":"STOP","content":{"role":"model"}}]}""",
        FailureKind.EMPTY_ANSWER,
    ),
    "responses, failed": (
        """{"object":"response","status":"failed","error":{"code":"rate_limit_exceeded",
        "message":"slow down"},"output":[]}""",
        FailureKind.RATE_LIMITED,
    ),
    "responses, filtered": (
        """{"object":"response","status":"incomplete","incomplete_details":{"reason":
        "content_filter"},"output":[{"type":"message","content":[]}]}""",
        FailureKind.CONTENT_FILTER,
    ),
    "responses, empty": (
        """{"object":"response","status":"completed","output":[{"type":"message","content":[
        {"type":"output_text","text":""}]}]}""",
        FailureKind.EMPTY_ANSWER,
    ),
    "responses, with a status that is no text": (
        """{"object":"response","status":[],"output":[]}""",
        FailureKind.EMPTY_ANSWER,
    ),
    "ollama's own interface, empty": (
        """{"model":"llama3","message":{"role":"assistant","content":""},"done_reason":"stop"}""",
        FailureKind.EMPTY_ANSWER,
    ),
    "no JSON": ("<html>Welcome</html>", FailureKind.MALFORMED_BODY),
    "JSON, but no object": ("[]", FailureKind.MALFORMED_BODY),
    "half of a body": ("""{"choices":[{"mess""", FailureKind.MALFORMED_BODY),
}

ANSWERS = {
    "text": """{"choices":[{"finish_reason":"stop","message":{"content":"Halo"}}]}""",
    "text of the older completions": """{"choices":[{"finish_reason":"stop","text":"Halo"}]}""",
    "a tool call": """{"choices":[{"finish_reason":"tool_calls","message":{"content":null,
        "tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}}]}""",
    "a refusal in words": """{"choices":[{"finish_reason":"stop","message":{"content":null,
        "refusal":"I cannot help with that."}}]}""",
    "thinking alone": """{"choices":[{"finish_reason":"stop","message":{"content":"",
        "reasoning_content":"The user asks"}}]}""",
    "a limit that thinking used up": """{"choices":[{"finish_reason":"length",
        "message":{"content":""}}]}""",
    "one good choice of two": """{"choices":[{"finish_reason":"content_filter","message":{}},
        {"finish_reason":"stop","message":{"content":"Halo"}}]}""",
    "an answer beside an error": """{"error":{"code":500},"choices":[{"finish_reason":"stop",
        "message":{"content":"Halo"}}]}""",
    "anthropic": """{"type":"message","content":[{"type":"text","text":"Halo"}],
        "stop_reason":"end_turn"}""",
    "anthropic, one token": """{"content":[],"stop_reason":"max_tokens"}""",
    "gemini": """{"candidates":[{"content":{"parts":[{"text":"Halo"}]},"finishReason":"STOP"}]}""",
    "responses": """{"status":"completed","error":null,"output":[{"type":"message","content":[
        {"type":"output_text","text":"Halo"}]}]}""",
    "responses, a tool call": """{"status":"completed","output":[{"type":"function_call",
        "name":"f","arguments":"{}"}]}""",
    "responses, in the background": """{"status":"queued","output":[]}""",
    "ollama's own interface": """{"message":{"content":"Halo"},"done_reason":"stop"}""",
}


@pytest.mark.parametrize(("body", "kind"), NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_a_success_that_is_no_answer_is_a_failure(body: str, kind: FailureKind):
    failed = classify(200, [], one_line(body))
    assert failed is not None
    assert failed.kind == kind


@pytest.mark.parametrize("body", ANSWERS.values(), ids=ANSWERS)
def test_whatever_carries_something_for_the_client_is_an_answer(body: str):
    assert classify(200, [], one_line(body)) is None


def test_an_endpoint_that_generates_nothing_is_not_judged_for_emptiness():
    embeddings = b'{"object":"list","data":[{"embedding":[0.5]}]}'
    assert classify(200, [], embeddings, answers=False) is None
    assert classify(200, [], b'{"error":{"code":429}}', answers=False) == Failed(
        FailureKind.RATE_LIMITED, 200
    )
