"""A provider and a gateway for the tests of one file, and a client with a key."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

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
    with FakeProvider() as fake:
        yield fake


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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key in one file, made here."""
    path = tmp_path_factory.mktemp("tls") / "provider.pem"
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    subject = "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    files = f"-keyout {path} -out {path}.crt"
    subprocess.run(
        f"{command} {subject} {files}".split(),
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path
