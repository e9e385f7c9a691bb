"""A gateway that is told to end: what it still does, what it does not, and what its end says."""

import signal
import socket
import threading
from pathlib import Path
from typing import Any

import openai
import pytest
from fake_provider import PIECES, Deaf, FakeProvider
from gateway_process import DEADLINE_SECONDS, GatewayProcess, configuration, until

from tokonomi.cli.serve import CUT

HELLO: Any = [{"role": "user", "content": "Say hello."}]


def takes_connections(gateway: GatewayProcess) -> bool:
    host, port = gateway.url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_stop_lets_calls_in_flight_finish_and_takes_no_new_connection(
    provider: FakeProvider, tmp_path: Path
) -> None:
    gateway = GatewayProcess(tmp_path / "drain", configuration(provider.base_url))
    gateway.start()
    key, _ = gateway.make_key()
    whole: list[str | None] = []
    with gateway.client(key) as client, gateway.client(key) as idle, gateway.client(key) as other:
        idle.models.list()

        def ask() -> None:
            answer = other.chat.completions.create(model="fake/slowly:900", messages=HELLO)
            whole.append(answer.choices[0].message.content)

        asking = threading.Thread(target=ask)
        asking.start()
        stream = client.chat.completions.create(
            model="fake/slowly:300", messages=HELLO, stream=True
        )
        contents = [next(stream).choices[0].delta.content]
        until(lambda: gateway.in_flight() == 2)
        gateway.process.send_signal(signal.SIGTERM)
        until(lambda: not takes_connections(gateway))
        assert gateway.process.poll() is None
        contents += [chunk.choices[0].delta.content for chunk in stream]
        asking.join(DEADLINE_SECONDS)
    assert (contents, whole) == ([*PIECES, None], ["".join(PIECES)])
    assert gateway.process.wait(DEADLINE_SECONDS) == 0
    assert [row["status"] for row in gateway.rows()] == ["ok", "ok"]
    assert gateway.in_flight() == 0


def test_what_is_not_done_in_time_is_cut_and_settled_and_the_exit_code_says_so(
    provider: FakeProvider, tmp_path: Path
) -> None:
    limits = "[limits]\ndrain_seconds = 1.0\n"
    gateway = GatewayProcess(
        tmp_path / "cut", configuration(provider.base_url, more=limits, patience_seconds=60)
    )
    gateway.start()
    key, _ = gateway.make_key()
    with gateway.client(key) as client:
        stream = client.chat.completions.create(model="fake/stall", messages=HELLO, stream=True)
        until(lambda: gateway.in_flight() == 1)
        gateway.process.send_signal(signal.SIGTERM)
        with pytest.raises(openai.APIConnectionError):
            list(stream)
    assert gateway.process.wait(DEADLINE_SECONDS) == CUT
    [row] = gateway.rows()
    assert (row["status"], row["source"], row["output"] > 0) == ("cut", "estimated", True)
    assert "the gateway stopped" in row["note"]
    assert gateway.in_flight() == 0
    assert "1 requests were not done 1 s after the stop" in gateway.log


def test_a_call_that_was_not_sent_when_its_gateway_stopped_exposes_nothing(tmp_path: Path) -> None:
    with Deaf() as deaf:
        settings = configuration(
            deaf,
            more="[limits]\ndrain_seconds = 0.5\n",
        ).replace("[providers.openai.timeouts]", "[providers.openai.timeouts]\nconnect = 30.0")
        gateway = GatewayProcess(tmp_path / "unsent", settings)
        gateway.start()
        key, _ = gateway.make_key()

        def ask() -> None:
            with gateway.client(key) as client, pytest.raises(openai.APIError):
                client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, max_tokens=50)

        asking = threading.Thread(target=ask)
        asking.start()
        until(lambda: gateway.in_flight() == 1)
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(DEADLINE_SECONDS) == CUT
        asking.join(DEADLINE_SECONDS)
    [row] = gateway.rows()
    assert (row["status"], row["source"], row["exposure"]) == ("failed", "absent", None)
    assert row["unpriced"] == "the gateway stopped before the call was sent"
    assert gateway.in_flight() == 0
