"""TLS on both sides: our certificate for clients, and what a provider may ask for and must show."""

import json
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until

HELLO: Any = [{"role": "user", "content": "Say hello."}]


@contextmanager
def secure_provider(
    certificate: Path, *, asks: bool = False, newest: ssl.TLSVersion | None = None
) -> Generator[FakeProvider]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    if asks:
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(certificate)
    if newest is not None:
        tls.maximum_version = newest
    with FakeProvider(tls=tls) as provider:
        yield provider


def outcome(provider: FakeProvider, folder: Path, settings: dict[str, str]) -> str:
    """What a call of a provider with these settings comes to: `ok`, or why its row has no cost."""
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    gateway = GatewayProcess(folder, configuration(provider.base_url, provider=lines))
    gateway.start()
    key, _ = gateway.make_key()
    with gateway.client(key) as client:
        try:
            client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
        except openai.APIStatusError:
            until(lambda: gateway.rows() and gateway.in_flight() == 0)
            return gateway.rows()[-1]["unpriced"]
        finally:
            gateway.stop()
    return "ok"


def test_a_provider_that_asks_for_a_certificate_gets_ours(
    certificate: Path, tmp_path: Path
) -> None:
    with secure_provider(certificate, asks=True) as provider:
        ours = {"ca_file": str(certificate), "client_cert_file": str(certificate)}
        assert outcome(provider, tmp_path / "with", ours) == "ok"
        assert outcome(provider, tmp_path / "without", {"ca_file": str(certificate)}) != "ok"
        assert len(provider.received) == 1


def test_an_older_version_of_tls_than_the_minimum_is_not_spoken(
    certificate: Path, tmp_path: Path
) -> None:
    with secure_provider(certificate, newest=ssl.TLSVersion.TLSv1_2) as provider:
        trusted = {"ca_file": str(certificate)}
        assert outcome(provider, tmp_path / "old", trusted) == "ok"
        newer = outcome(provider, tmp_path / "new", {**trusted, "tls_minimum": "1.3"})
        assert "could not be reached" in newer
        assert len(provider.received) == 1


def test_the_name_that_a_certificate_must_have_can_be_another_than_the_address(
    certificate: Path, tmp_path: Path
) -> None:
    with secure_provider(certificate) as provider:
        trusted = {"ca_file": str(certificate)}
        named = {**trusted, "server_name": "models.example"}
        assert "models.example" in outcome(provider, tmp_path / "named", named)
        assert (
            outcome(provider, tmp_path / "right", {**trusted, "server_name": "127.0.0.1"}) == "ok"
        )


def test_clients_speak_tls_where_the_gateway_has_a_certificate_and_show_a_token_to_watch_it(
    provider: FakeProvider, certificate: Path, tmp_path: Path
) -> None:
    tls = f'[listen]\nport = 0\ntls_cert = "{certificate}"\nmetrics_token_env = "WATCH"\n'
    text = configuration(provider.base_url).replace("[listen]\nport = 0\n", tls)
    gateway = GatewayProcess(tmp_path / "tls", text)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WATCH", "a-token")
        patched.setenv("SSL_CERT_FILE", str(certificate))
        gateway.start()
        assert gateway.url.startswith("https://")
        key, _ = gateway.make_key()
        with gateway.client(key) as client:
            stream = client.chat.completions.create(
                model="gpt-4o-mini", messages=HELLO, stream=True
            )
            assert len(list(stream)) > 1
        context = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(base_url=gateway.url, verify=context) as watcher:
            for path in ("/metrics", "/healthz"):
                assert watcher.get(path).json()["error"]["code"] == "invalid_metrics_token"
                told = {"authorization": "Bearer a-token"}
                assert watcher.get(path, headers=told).status_code == 200
                told = {"authorization": "Bearer a-toke"}
                assert watcher.get(path, headers=told).status_code == 401
    assert gateway.stop() == 0
