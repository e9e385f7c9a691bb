"""A provider and a gateway for the tests of one file, and a client with a key."""

from collections.abc import Iterator

import openai
import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind(provider: FakeProvider) -> Iterator[None]:
    """Ends every gateway before the provider, which would lose its connections otherwise."""
    assert provider.port > 0
    yield
    for process in GatewayProcess.started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    GatewayProcess.started.clear()


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    fake = FakeProvider()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def gateway(
    provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), configuration(provider.base_url))
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def key(gateway: GatewayProcess) -> str:
    text, _ = gateway.make_key()
    return text


@pytest.fixture(scope="module")
def client(gateway: GatewayProcess, key: str) -> Iterator[openai.OpenAI]:
    with gateway.client(key) as ready:
        yield ready
