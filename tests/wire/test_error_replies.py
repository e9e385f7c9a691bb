"""Errors, filters and empty answers as providers write them; ids and names are made up."""

import pytest

from tokonomi.routing.error_reply import failure_of
from tokonomi.routing.failure import Failed, FailureKind, Telling
from tokonomi.routing.reply import classify


def one_line(body: str) -> bytes:
    """The samples are broken where the page is too narrow; JSON's texts hold no line breaks."""
    return body.replace("\n        ", " ").encode()


ERRORS: dict[str, tuple[int, str, FailureKind]] = {
    "openai, prompt too long": (
        400,
        """{"error":{"message":"This model's maximum context length is 4097 tokens. However, your
        messages resulted in 4301 tokens. Please reduce the length of the messages.",
        "type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}""",
        FailureKind.CONTEXT_OVERFLOW,
    ),
    "openai, no money": (
        429,
        """{"error":{"message":"You exceeded your current quota, please check your plan and billing
        details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}""",
        FailureKind.QUOTA_EXHAUSTED,
    ),
    "openai, too fast": (
        429,
        """{"error":{"message":"Rate limit reached for gpt-4o in organization org-abc on tokens per
        min (TPM): Limit 30000, Used 29000, Requested 4000.","type":"tokens","param":null,
        "code":"rate_limit_exceeded"}}""",
        FailureKind.RATE_LIMITED,
    ),
    "openai, overloaded": (
        503,
        """{"error":{"message":"The engine is currently overloaded, please try again later",
        "type":"server_error","param":null,"code":null}}""",
        FailureKind.OVERLOADED,
    ),
    "openai, wrong key": (
        401,
        """{"error":{"message":"Incorrect API key provided: sk-ab***yz.","type":
        "invalid_request_error","param":null,"code":"invalid_api_key"}}""",
        FailureKind.UNAUTHORIZED,
    ),
    "openai, no such model": (
        404,
        """{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.",
        "type":"invalid_request_error","param":null,"code":"model_not_found"}}""",
        FailureKind.NOT_FOUND,
    ),
    "openai, flagged prompt": (
        400,
        """{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our
        usage policy.","type":"invalid_request_error","param":null,"code":"invalid_prompt"}}""",
        FailureKind.CONTENT_FILTER,
    ),
    "openrouter, nobody serves such a request": (
        404,
        """{"error":{"message":"No endpoints found that support image input","code":404}}""",
        FailureKind.UNSUPPORTED,
    ),
    "openrouter, nobody serves these parameters": (
        404,
        """{"error":{"message":"No endpoints found that can handle the requested parameters. To
        learn more about provider routing, visit: https://openrouter.ai/docs/provider-routing",
        "code":404}}""",
        FailureKind.UNSUPPORTED,
    ),
    "openrouter, nobody serves such a model": (
        404,
        """{"error":{"message":"No endpoints found for openai/gpt-9.","code":404}}""",
        FailureKind.NOT_FOUND,
    ),
    "openrouter, our privacy settings": (
        404,
        """{"error":{"message":"No endpoints found matching your data policy (Free model
        publication). Configure: https://openrouter.ai/settings/privacy","code":404}}""",
        FailureKind.NOT_FOUND,
    ),
    "openai, wrong request": (
        400,
        """{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this
        model.","type":"invalid_request_error","param":"max_tokens",
        "code":"unsupported_parameter"}}""",
        FailureKind.BAD_REQUEST,
    ),
    "azure, filtered prompt": (
        400,
        """{"error":{"message":"The response was filtered due to the prompt triggering Azure
        OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter",
        "status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":
        {"violence":{"filtered":true,"severity":"medium"}}}}}""",
        FailureKind.CONTENT_FILTER,
    ),
    "azure, too fast": (
        429,
        """{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation under
        Azure OpenAI API version 2023-05-15 have exceeded token rate limit of your current
        AIServices S0 pricing tier. Please retry after 60 seconds."}}""",
        FailureKind.RATE_LIMITED,
    ),
    "azure, no such deployment": (
        404,
        """{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource
        does not exist."}}""",
        FailureKind.NOT_FOUND,
    ),
    "openrouter, provider too fast": (
        429,
        """{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"z-ai/glm is
        temporarily rate-limited upstream. Please retry shortly","provider_name":"BaseTen",
        "limit_source":"upstream_provider_shared_pool"}},"user_id":"user_1"}""",
        FailureKind.RATE_LIMITED,
    ),
    "openrouter, no money": (
        402,
        """{"error":{"message":"This request requires more credits, or fewer max_tokens. You
        requested up to 64000 tokens, but can only afford 2666.","code":402,
        "metadata":{"provider_name":null}}}""",
        FailureKind.QUOTA_EXHAUSTED,
    ),
    "openrouter, no such model": (
        400,
        """{"error":{"message":"deepseek-chat is not a valid model ID","code":400}}""",
        FailureKind.NOT_FOUND,
    ),
    "openrouter, moderated": (
        403,
        """{"error":{"message":"openai/gpt-5.1 requires moderation on OpenAI. Your input was
        flagged","code":403,"metadata":{"reasons":["violence"],"flagged_input":"...","provider_name":
        "OpenAI","model_slug":"openai/gpt-5.1"}}}""",
        FailureKind.CONTENT_FILTER,
    ),
    "openrouter, what its provider said": (
        400,
        r"""{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":
        "{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}",
        "provider_name":"Azure"}}}""",
        FailureKind.CONTEXT_OVERFLOW,
    ),
    "vercel, no such model": (
        404,
        """{"error":{"message":"Model 'google/gemini-9' not found","type":"model_not_found",
        "param":{"modelId":"google/gemini-9"}}}""",
        FailureKind.NOT_FOUND,
    ),
    "vercel, down": (
        503,
        """{"error":{"message":"Service temporarily unavailable",
        "type":"internal_server_error"}}""",
        FailureKind.UNAVAILABLE,
    ),
    "vercel, its own failure": (
        500,
        """{"error":{"message":"Failed to initialize model database: no valid data found",
        "type":"internal_server_error"}}""",
        FailureKind.SERVER_ERROR,
    ),
    "anthropic, prompt too long": (
        400,
        """{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long:
        208310 tokens > 200000 maximum"},"request_id":"req_1"}""",
        FailureKind.CONTEXT_OVERFLOW,
    ),
    "anthropic, prompt and answer too long": (
        400,
        """{"type":"error","error":{"type":"invalid_request_error","message":"input length and
        `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}""",
        FailureKind.CONTEXT_OVERFLOW,
    ),
    "anthropic, overloaded": (
        529,
        """{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}""",
        FailureKind.OVERLOADED,
    ),
    "anthropic, too fast": (
        429,
        """{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed
        your account's rate limit. Please try again later."}}""",
        FailureKind.RATE_LIMITED,
    ),
    "anthropic, no money": (
        400,
        """{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is
        too low to access the Anthropic API. Please go to Plans & Billing."}}""",
        FailureKind.QUOTA_EXHAUSTED,
    ),
    "anthropic, no prefix": (
        400,
        """{"type":"error","error":{"type":"invalid_request_error","message":"This model does not
        support assistant message prefill. The conversation must end with a user message."}}""",
        FailureKind.PREFIX_REFUSED,
    ),
    "anthropic, wrong key": (
        401,
        """{"type":"error","error":{"type":"authentication_error","message":"Invalid authentication
        credentials"},"request_id":"req_1"}""",
        FailureKind.UNAUTHORIZED,
    ),
    "anthropic, failed": (
        500,
        """{"type":"error","error":{"type":"api_error","message":"Internal server error"}}""",
        FailureKind.SERVER_ERROR,
    ),
    "gemini, prompt too long": (
        400,
        """{"error":{"code":400,"message":"The input token count (1091639) exceeds the maximum
        number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}""",
        FailureKind.CONTEXT_OVERFLOW,
    ),
    "gemini through its interface of openai, in a list": (
        429,
        """[{"error":{"code":429,"message":"Resource exhausted. Please try again later.",
        "status":"RESOURCE_EXHAUSTED"}}]""",
        FailureKind.RATE_LIMITED,
    ),
    "gemini, the day's quota": (
        429,
        """{"error":{"code":429,"message":"You exceeded your current quota","status":
        "RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure",
        "violations":[{"quotaId":"GenerateContentInputTokensPerModelPerDay-FreeTier",
        "quotaValue":"6000000"}]}]}}""",
        FailureKind.QUOTA_EXHAUSTED,
    ),
    "gemini, overloaded": (
        503,
        """{"error":{"code":503,"message":"The model is overloaded. Please try again later.",
        "status":"UNAVAILABLE"}}""",
        FailureKind.OVERLOADED,
    ),
    "gemini, wrong key": (
        400,
        """{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.",
        "status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",
        "reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}""",
        FailureKind.UNAUTHORIZED,
    ),
    "gemini, wrong country": (
        400,
        """{"error":{"code":400,"message":"User location is not supported for the API use.",
        "status":"FAILED_PRECONDITION"}}""",
        FailureKind.FORBIDDEN,
    ),
    "deepseek, no money": (
        402,
        """{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,
        "code":"invalid_request_error"}}""",
        FailureKind.QUOTA_EXHAUSTED,
    ),
    "deepseek, no such model": (
        400,
        """{"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,
        "code":"invalid_request_error"}}""",
        FailureKind.NOT_FOUND,
    ),
    "deepseek, prompt too long": (
        400,
        """{"error":{"message":"This model's maximum context length is 131072 tokens. However, you
        requested 131134 tokens (122942 in the messages, 8192 in the completion).",
        "type":"invalid_request_error","param":null,"code":"invalid_request_error"}}""",
        FailureKind.CONTEXT_OVERFLOW,
    ),
    "mistral, too fast": (
        429,
        """{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,
        "code":"1300","raw_status_code":429}""",
        FailureKind.RATE_LIMITED,
    ),
    "mistral, no capacity": (
        429,
        """{"object":"error","message":"Service tier capacity exceeded for this model.",
        "type":"invalid_request_error","param":null,"code":null}""",
        FailureKind.OVERLOADED,
    ),
    "mistral, no such model": (
        400,
        """{"object":"error","message":"Invalid model: mistral-9","type":"invalid_model",
        "param":null,"code":"1500"}""",
        FailureKind.NOT_FOUND,
    ),
    "mistral, wrong value": (
        422,
        """{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],
        "msg":"Extra inputs are not permitted","input":{}}]}""",
        FailureKind.UNPROCESSABLE,
    ),
    "mistral, wrong key": (401, """{"detail":"Unauthorized"}""", FailureKind.UNAUTHORIZED),
    "vllm, prompt too long": (
        400,
        """{"object":"error","message":"This model's maximum context length is 4096 tokens. However,
        you requested 6379 tokens (6029 in the messages, 350 in the completion).","type":
        "BadRequestError","param":null,"code":400}""",
        FailureKind.CONTEXT_OVERFLOW,
    ),
    "vllm, no such model": (
        404,
        """{"object":"error","message":"The model `llama` does not exist.","type":"NotFoundError",
        "param":null,"code":404}""",
        FailureKind.NOT_FOUND,
    ),
    "llama.cpp, prompt too long": (
        400,
        """{"error":{"code":400,"message":"the request exceeds the available context size. try
        increasing the context size or enable context shift","type":"exceed_context_size_error",
        "n_prompt_tokens":14429,"n_ctx":8192}}""",
        FailureKind.CONTEXT_OVERFLOW,
    ),
    "llama.cpp, as a failure of its own": (
        500,
        """{"error":{"code":500,"message":"the request exceeds the available context size",
        "type":"server_error"}}""",
        FailureKind.CONTEXT_OVERFLOW,
    ),
    "llama.cpp, still loading": (
        503,
        """{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}""",
        FailureKind.UNAVAILABLE,
    ),
    "llama.cpp, no prefix": (
        400,
        """{"error":{"code":400,"message":"Assistant response prefill is incompatible with
        enable_thinking.","type":"invalid_request_error"}}""",
        FailureKind.PREFIX_REFUSED,
    ),
    "ollama, no such model": (
        404,
        r"""{"error":{"message":"model \"llama2\" not found, try pulling it first",
        "type":"api_error","param":null,"code":null}}""",
        FailureKind.NOT_FOUND,
    ),
    "ollama's own interface": (
        503,
        """{"error":"server busy, please try again.  maximum pending requests exceeded"}""",
        FailureKind.UNAVAILABLE,
    ),
    "groq, no flexible capacity": (498, "", FailureKind.OVERLOADED),
    "a proxy without words": (502, "<html>Bad Gateway</html>", FailureKind.BAD_GATEWAY),
    "a redirect, which we do not follow": (302, "", FailureKind.MALFORMED_BODY),
    "a teapot": (418, "", FailureKind.BAD_REQUEST),
    "cloudflare, too slow": (524, "", FailureKind.GATEWAY_TIMEOUT),
    "an unknown failure of a server": (599, "", FailureKind.SERVER_ERROR),
}


@pytest.mark.parametrize(("status", "body", "kind"), ERRORS.values(), ids=ERRORS)
def test_an_error_is_known_by_its_code_its_words_or_its_status(
    status: int, body: str, kind: FailureKind
):
    failed = classify(status, [], one_line(body))
    assert failed is not None
    assert (failed.kind, failed.status) == (kind, status)


STREAMED: dict[str, tuple[object, FailureKind]] = {
    "anthropic, overloaded": (
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        FailureKind.OVERLOADED,
    ),
    "openrouter, its provider fell": (
        {
            "id": "gen-1",
            "error": {"code": 502, "message": "Provider disconnected"},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        },
        FailureKind.BAD_GATEWAY,
    ),
    "responses, failed": (
        {
            "type": "response.failed",
            "response": {"error": {"code": "rate_limit_exceeded", "message": "..."}},
        },
        FailureKind.RATE_LIMITED,
    ),
    "without a word": ({"error": {}}, FailureKind.SERVER_ERROR),
}


@pytest.mark.parametrize(("event", "kind"), STREAMED.values(), ids=STREAMED)
def test_an_error_in_a_stream_is_known_without_a_status(event: object, kind: FailureKind):
    assert failure_of(event).kind == kind


NOW = b"Thu, 26 Nov 2026 08:00:00 GMT"
WAITS: dict[str, tuple[list[tuple[bytes, bytes]], str, float | None]] = {
    "seconds": ([(b"retry-after", b"7")], "", 7.0),
    "fractions": ([(b"retry-after", b"1.5")], "", 1.5),
    "milliseconds go first": ([(b"retry-after", b"1"), (b"retry-after-ms", b"350")], "", 0.35),
    "a date": ([(b"date", NOW), (b"retry-after", b"Thu, 26 Nov 2026 08:00:30 GMT")], "", 30.0),
    "a date that is over": (
        [(b"date", NOW), (b"retry-after", b"Thu, 26 Nov 2026 07:00:00 GMT")],
        "",
        0.0,
    ),
    "a date and no clock": ([(b"retry-after", b"Thu, 26 Nov 2026 08:00:30 GMT")], "", None),
    "google's words": (
        [],
        """{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":
        "type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}}""",
        34.07,
    ),
    "nothing": ([], "", None),
    "no number": ([(b"retry-after", b"soon")], "", None),
    "below nothing": ([(b"retry-after", b"-4")], "", None),
}


@pytest.mark.parametrize(("headers", "body", "wait"), WAITS.values(), ids=WAITS)
def test_the_wait_that_a_provider_asks_for_is_read_in_all_its_forms(
    headers: list[tuple[bytes, bytes]], body: str, wait: float | None
):
    failed = classify(429, headers, body.encode())
    assert failed is not None
    assert failed.retry_after_seconds == wait


def test_the_provider_s_own_word_is_kept_and_its_message_is_not():
    body = b'{"error":{"type":"invalid_request_error","code":"unsupported_value","message":"Ani"}}'
    assert classify(400, [], body) == Failed(FailureKind.BAD_REQUEST, 400, "unsupported_value")


@pytest.mark.parametrize("code", [True, 1.5, None, [], "with\x00control", ""])
def test_a_code_that_is_no_word_is_none(code: object):
    assert failure_of({"error": {"code": code}}, status=400) == Failed(FailureKind.BAD_REQUEST, 400)


def test_an_error_nested_without_end_is_read_to_a_depth():
    nested: object = {"code": "context_length_exceeded"}
    for _ in range(50):
        nested = {"error": nested}
    assert failure_of(nested, status=400).kind is FailureKind.BAD_REQUEST


def test_what_nobody_serves_for_this_request_is_no_alarm() -> None:
    status, body, _ = ERRORS["openrouter, nobody serves such a request"]
    failed = classify(status, [], one_line(body))
    assert failed is not None
    assert (failed.rule.alarm, failed.rule.telling) == (False, Telling.REQUEST)
