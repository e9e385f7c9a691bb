"""The configuration is changed under running gateways: at once, and without losing a call."""

import http.client
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from fake_provider import FakeProvider
from gateway_process import ALIASES, GatewayProcess, configuration, until
from prepaid import books_when_quiet, calling, paid_books, prepare

OURS = "allow_private = true\n"
SECRET = "sk-secret-that-is-stored"
HELLO: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
def other() -> Iterator[FakeProvider]:
    """Another provider, to which the configuration is pointed."""
    with FakeProvider() as fake:
        yield fake


def typed(process: GatewayProcess, *words: str, given: str = "") -> str:
    """What a command in the gateway's folder prints."""
    command = [sys.executable, "-m", "tokonomi", *words]
    ran = subprocess.run(
        command, cwd=process.folder, input=given, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def health(process: GatewayProcess) -> dict[str, Any]:
    address = urlsplit(process.url)
    assert address.hostname
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    connection.request("GET", "/healthz")
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def test_a_change_reaches_every_gateway_and_no_call_is_lost(
    provider: FakeProvider, other: FakeProvider, tmp_path: Path
) -> None:
    store = tmp_path / "tokonomi.db"
    key = prepare(store)
    settings = configuration(provider.base_url).replace('"tokonomi.db"', f'"{store}"')
    gateways = [GatewayProcess(tmp_path / f"gateway{number}", settings) for number in range(2)]
    for gateway in gateways:
        gateway.start()
    before, places = len(provider.received), (provider, other)
    with (
        calling(gateways[0].url, key, clients=6) as first,
        calling(gateways[1].url, key, clients=6) as second,
    ):
        first.go_on()
        second.go_on()
        for turn in range(1, 6):
            here, there = places[turn % 2], places[(turn + 1) % 2]
            version = gateways[0].apply(f'[providers.openai]\nbase_url = "{here.base_url}"\n{OURS}')
            for gateway in gateways:
                until(lambda: health(gateway)["configuration"] == {"version": version})  # noqa: B023
            # Calls that were in flight when the version came are done after a few more.
            first.go_on(20)
            second.go_on(20)
            left = len(there.received)
            first.go_on(20)
            second.go_on(20)
            assert len(there.received) == left
    received = len(provider.received) - before + len(other.received)
    assert (first.errors, second.errors) == ([], [])
    assert first.answered + second.answered == received
    assert books_when_quiet(store) == paid_books(received)
    for gateway in gateways:
        assert gateway.stop() == 0


def test_a_version_that_a_gateway_cannot_use_leaves_the_one_before_and_is_told_everywhere(
    provider: FakeProvider, tmp_path: Path
) -> None:
    gateway = GatewayProcess(tmp_path, configuration(provider.base_url))
    gateway.start()
    key, _ = gateway.make_key()
    url = provider.base_url
    wrong = f'[providers.new]\nbase_url = "{url}"\n{OURS}api_key_env = "SET_NOWHERE"\n{ALIASES}'
    wrong += '[models.late]\nprovider = "new"\nmodel = "gpt-4o-mini"\n'
    refused = gateway.apply(wrong)
    until(lambda: health(gateway)["configuration"].get("refused_version") == refused)
    assert health(gateway)["configuration"]["version"] == refused - 1
    assert health(gateway)["status"] == "ok"
    assert f"version {refused} of the configuration cannot be used here" in gateway.log
    [running] = json.loads(typed(gateway, "config", "status", "--format", "json"))["rows"]
    assert int(running["version"]) == refused - 1
    assert "SET_NOWHERE is not set" in running["failure"]
    with gateway.client(key) as client:
        assert client.chat.completions.create(model="gpt-4o-mini", messages=HELLO).choices
        gateway.apply(f'[providers.new]\nbase_url = "{url}"\n{OURS}')
        until(lambda: "refused_version" not in health(gateway)["configuration"])
        assert client.chat.completions.create(model="late", messages=HELLO).choices
    assert gateway.stop() == 0


def test_a_stored_secret_reaches_the_provider_and_nothing_else(
    provider: FakeProvider, tmp_path: Path
) -> None:
    gateway = GatewayProcess(tmp_path, configuration(provider.base_url))
    gateway.start()
    key, _ = gateway.make_key()
    typed(gateway, "secrets", "new-key")
    typed(gateway, "secrets", "set", "providers/openai", given=f"{SECRET}\n")
    version = gateway.apply(
        f'[providers.openai]\nbase_url = "{provider.base_url}"\n{OURS}api_key_stored = true\n'
    )
    until(lambda: health(gateway)["configuration"] == {"version": version})
    with gateway.client(key) as client:
        client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
        assert provider.received[-1].headers["authorization"] == f"Bearer {SECRET}"
        # A new one is in use without a change of the document.
        typed(gateway, "secrets", "new-key")
        typed(gateway, "secrets", "rotate")
        typed(gateway, "secrets", "set", "providers/openai", given=f"{SECRET}-2\n")

        def sent() -> bool:
            client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
            return provider.received[-1].headers["authorization"] == f"Bearer {SECRET}-2"

        until(sent)
    said = [
        typed(gateway, "export", "config"),
        typed(gateway, "secrets", "list"),
        typed(gateway, "config", "history"),
        typed(gateway, "config", "show", str(version)),
        json.dumps(health(gateway)),
        gateway.log,
    ]
    assert gateway.stop() == 0
    assert not [text for text in said if SECRET in text]
    with closing(sqlite3.connect(gateway.store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for file in gateway.folder.iterdir():
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


def breakers_open(process: GatewayProcess) -> list[str]:
    """The targets whose breaker is open by the metrics."""
    address = urlsplit(process.url)
    assert address.hostname
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return re.findall(
        r'^tokonomi_breaker_state{state="open",target="(.*)"} 1\.0$', text, re.MULTILINE
    )


def test_rules_of_breakers_are_changed_while_the_gateway_runs(
    provider: FakeProvider, tmp_path: Path
) -> None:
    gateway = GatewayProcess(tmp_path, configuration(provider.base_url))
    gateway.start()
    key, _ = gateway.make_key()
    with gateway.client(key) as client:

        def fails() -> bool:
            with pytest.raises(openai.APIError):
                client.chat.completions.create(model="fake/refuses-500", messages=HELLO)
            return breakers_open(gateway) == ["openai/*"]

        assert not fails()
        version = gateway.apply("[breaker]\nminimum_calls = 1\nopen_seconds = 600\n")
        until(lambda: health(gateway)["configuration"] == {"version": version})
        until(fails)
        listed = json.loads(typed(gateway, "breakers", "list", "--format", "json"))["rows"]
        assert [(row["target"], row["state"]) for row in listed] == [("openai/*", "open")]
    assert gateway.stop() == 0
