"""Which requests are metered, and whose they are."""

import pytest

from tokonomi.providers.adapter import Dialect
from tokonomi.sdk.endpoints import endpoint_of, provider_of
from tokonomi.storage.price_files import load_book

READ = {
    "/v1/chat/completions": Dialect.OPENAI_CHAT,
    "/openai/deployments/small/chat/completions": Dialect.OPENAI_CHAT,
    "/v1/completions": Dialect.OPENAI_CHAT,
    "/v1/responses": Dialect.OPENAI_RESPONSES,
    "/v1/responses/compact": Dialect.OPENAI_RESPONSES,
    "/v1/embeddings": Dialect.OPENAI_EMBEDDINGS,
    "/v1/messages": Dialect.ANTHROPIC_MESSAGES,
}
BILLED_BUT_NOT_READ = (
    "/v1/images/generations",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/videos",
    "/v1/videos/v_1/remix",
    "/v1/threads/t_1/runs",
    "/v1/threads/runs",
    "/v1/threads/t_1/runs/r_1/submit_tool_outputs",
)
FREE = (
    "/v1/messages/count_tokens",
    "/v1/messages/batches",
    "/v1/responses/input_tokens",
    "/v1/responses/r_1/cancel",
    "/v1/threads/t_1/messages",
    "/v1/files",
    "/v1/batches",
    "/v1/moderations",
)


def test_what_a_provider_bills_is_metered_and_what_it_does_not_is_left_alone() -> None:
    read = {path: endpoint_of("POST", path) for path in READ}
    assert {path: found and found.dialect for path, found in read.items()} == READ
    unread = [endpoint_of("POST", path) for path in BILLED_BUT_NOT_READ]
    assert all(found is not None and found.dialect is None for found in unread)
    assert [endpoint_of("POST", path) for path in FREE] == [None] * len(FREE)
    assert endpoint_of("GET", "/v1/responses") is None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.openai.com", "openai"),
        ("eu.api.openai.com", "openai"),
        ("openrouter.ai", "openrouter"),
        ("ai-gateway.vercel.sh", "vercel"),
        ("api.anthropic.com", "anthropic"),
        ("api.deepseek.com", "deepseek"),
        ("generativelanguage.googleapis.com", "google"),
        ("us-central1-aiplatform.googleapis.com", "vertex"),
        ("my-company.openai.azure.com", "azure"),
        ("api.x.ai", "xai"),
        ("notopenai.com", "notopenai.com"),
        ("10.0.0.7", "10.0.0.7"),
        ("", ""),
    ],
)
def test_a_host_tells_its_provider(host: str, name: str) -> None:
    assert provider_of(host) == name


@pytest.mark.parametrize(
    ("host", "model"),
    [
        ("api.openai.com", "gpt-4o-mini"),
        ("api.anthropic.com", "claude-sonnet-4-5"),
        ("openrouter.ai", "openai/gpt-4o-mini"),
        ("api.deepseek.com", "deepseek-chat"),
        ("generativelanguage.googleapis.com", "gemini-2.5-flash"),
        ("us-central1-aiplatform.googleapis.com", "gemini-2.5-flash"),
        ("api.x.ai", "grok-4"),
        ("api.mistral.ai", "mistral-large-latest"),
        ("x.openai.azure.com", "gpt-4o-mini"),
    ],
)
def test_the_price_book_knows_providers_by_these_names(host: str, model: str) -> None:
    entry = load_book().find(provider_of(host), model)
    assert entry is not None
