"""Errors of providers, as clients of another dialect receive them."""

import anthropic
import httpx2
import msgspec
import openai
import pytest

from tokonomi.dialects import translate
from tokonomi.dialects.answer import ErrorKind, Failure
from tokonomi.dialects.destination import EgressName, IngressName
from tokonomi.dialects.openai_errors import failure_of

OPENAI_429 = (
    b'{"error":{"message":"Slow down","type":"tokens","param":null,"code":"rate_limit_exceeded"}}'
)
CONTEXT = (
    b'{"error":{"message":"Too long","type":"invalid_request_error","param":"messages",'
    b'"code":"context_length_exceeded"}}'
)
ANTHROPIC_529 = (
    b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}'
)
GOOGLE_400 = b'{"error":{"code":400,"message":"Bad schema","status":"INVALID_ARGUMENT"}}'
CASES: list[tuple[EgressName, int, bytes, ErrorKind, str]] = [
    ("openai_chat", 429, OPENAI_429, "rate_limit", "rate_limit_exceeded"),
    ("openai_chat", 400, CONTEXT, "invalid_request", "context_length_exceeded"),
    ("openai_responses", 429, OPENAI_429, "rate_limit", "rate_limit_exceeded"),
    (
        "openai_chat",
        401,
        b'{"error":{"code":"invalid_api_key"}}',
        "authentication",
        "invalid_api_key",
    ),
    (
        "openai_chat",
        429,
        b'{"error":{"code":"insufficient_quota"}}',
        "billing",
        "insufficient_quota",
    ),
    ("openai_chat", 402, b'{"error":{"code":402,"message":"Pay"}}', "billing", ""),
    ("openai_chat", 500, b'{"error":"boom"}', "server", ""),
    ("openai_chat", 503, b"<html>", "overloaded", ""),
    ("anthropic_messages", 529, ANTHROPIC_529, "overloaded", "overloaded_error"),
    ("anthropic_messages", 413, b"", "too_large", ""),
    ("anthropic_messages", 404, b'{"error":{"message":"no such model"}}', "not_found", ""),
    ("gemini", 400, GOOGLE_400, "invalid_request", "invalid_argument"),
    (
        "gemini",
        429,
        b'[{"error":{"status":"RESOURCE_EXHAUSTED"}}]',
        "rate_limit",
        "resource_exhausted",
    ),
    ("gemini", 403, b"[]", "permission", ""),
    ("gemini", 504, b"null", "timeout", ""),
]


@pytest.mark.parametrize(("egress", "status", "body", "kind", "code"), CASES)
def test_an_error_keeps_its_status_and_says_its_kind_in_every_dialect(
    egress: EgressName, status: int, body: bytes, kind: ErrorKind, code: str
) -> None:
    names: list[IngressName] = ["openai_chat", "openai_responses", "anthropic_messages"]
    for ingress in names:
        failure, written = translate.error(ingress, egress, status, body)
        assert (failure.status, failure.kind, failure.code) == (status, kind, code)
        assert failure.message
        error = msgspec.json.decode(written)["error"]
        assert error["message"] == failure.message
        assert error["type"].removesuffix("_error") in {
            kind,
            "api",
            "request_too_large",
            "invalid_request",
        }


def responding(status: int, body: bytes) -> httpx2.Client:
    def respond(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=body, headers={"content-type": "application/json"})

    return httpx2.Client(transport=httpx2.MockTransport(respond))


def test_official_clients_raise_what_the_error_means() -> None:
    _, chat = translate.error("openai_chat", "anthropic_messages", 429, ANTHROPIC_529)
    client = openai.OpenAI(api_key="k", max_retries=0, http_client=responding(429, chat))
    with pytest.raises(openai.RateLimitError, match="Overloaded") as raised:
        client.chat.completions.create(model="m", messages=[])
    assert raised.value.type == "overloaded_error"
    _, message = translate.error("anthropic_messages", "gemini", 400, GOOGLE_400)
    other = anthropic.Anthropic(api_key="k", max_retries=0, http_client=responding(400, message))
    with pytest.raises(anthropic.BadRequestError, match="Bad schema"):
        other.messages.create(model="m", max_tokens=1, messages=[])


def test_an_error_of_ours_is_said_in_the_clients_dialect() -> None:
    failure = Failure(402, "billing", "The budget is used up.", "budget_exceeded")
    assert msgspec.json.decode(translate.error_body("anthropic_messages", failure)) == {
        "type": "error",
        "error": {"type": "billing_error", "message": "The budget is used up."},
    }
    assert msgspec.json.decode(translate.error_body("openai_responses", failure)) == {
        "error": {
            "message": "The budget is used up.",
            "type": "billing_error",
            "param": None,
            "code": "budget_exceeded",
        }
    }


def test_an_error_in_a_stream_has_the_status_that_it_would_have_had() -> None:
    assert failure_of(b'{"code":429,"message":"x"}').status == 429
    assert failure_of(b'{"code":7}').status == 502
    assert failure_of(b"3").message == "The provider sent an error that cannot be read."
