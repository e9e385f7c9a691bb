"""A provider for the tests of one file, a store on each database, and what is in it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from sdk_provider import SdkProvider

from tokonomi import sdk
from tokonomi.storage.call_rows import COLUMNS
from tokonomi.storage.engine import open_store

Rows = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def provider() -> Iterator[SdkProvider]:
    with SdkProvider() as fake:
        yield fake


@pytest.fixture
def store(new_store: Callable[[], Path | str]) -> Path | str:
    return new_store()


@pytest.fixture
def rows(store: Path | str) -> Rows:
    """All calls of the store, in the order of their ids, when everything has been delivered."""

    def found() -> list[dict[str, Any]]:
        assert sdk.flush(20)
        with closing(open_store(store)) as database:
            query = f"SELECT {', '.join(COLUMNS)} FROM call ORDER BY id"
            return [dict(zip(COLUMNS, row, strict=True)) for row in database.execute(query)]

    return found


@pytest.fixture
def client(provider: SdkProvider, store: Path | str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.base_url, api_key="k", timeout=5) as plain:
        yield sdk.track(plain, provider="openai", feature="draft", store=store)


@pytest.fixture
def claude(provider: SdkProvider, store: Path | str) -> Iterator[anthropic.Anthropic]:
    url = provider.base_url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=url, api_key="k", timeout=5) as plain:
        yield sdk.track(plain, provider="anthropic", feature="draft", store=store)


@pytest.fixture(autouse=True)
def nothing_goes_wrong() -> Iterator[None]:
    """No test here may pass because a failure of ours was swallowed."""
    before = sdk.failures()
    yield
    assert sdk.failures() == before
