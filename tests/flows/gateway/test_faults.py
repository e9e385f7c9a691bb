"""Every fault of a provider and of a client: what the client sees, and what the row says."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fake_provider import PIECES, FakeProvider
from gateway_process import GatewayProcess, configuration, until

HELLO: Any = [{"role": "user", "content": "Say hello."}]
SENT = "".join(PIECES[:3])


def last_row(gateway: GatewayProcess, alias: str) -> dict[str, Any]:
    """The newest row of a model, when nothing is in flight any more."""
    until(lambda: gateway.rows("alias = ?", alias) and gateway.in_flight() == 0)
    return gateway.rows("alias = ?", alias)[-1]


def failure(client: openai.OpenAI, model: str, *, stream: bool = False) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as failed:
        client.chat.completions.create(model=model, messages=HELLO, stream=stream)
    return failed.value


@pytest.fixture(autouse=True)
def healthy_afterwards(gateway: GatewayProcess, client: openai.OpenAI) -> Iterator[None]:
    """After each fault the next call is fine, and nothing is left in flight."""
    yield
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    assert answer.choices[0].message.content == "".join(PIECES)
    assert until(lambda: gateway.in_flight() == 0)


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_of_the_provider_passes_through_and_is_recorded(
    gateway: GatewayProcess, client: openai.OpenAI, status: int, *, stream: bool
) -> None:
    error = failure(client, f"fake/refuses-{status}", stream=stream)
    assert (error.status_code, error.code) == (status, f"c{status}")
    assert f"provider says {status}" in error.message
    row = gateway.row(error.response.headers["x-tokonomi-request-id"])
    assert (row["status"], row["http_status"], row["source"]) == ("failed", status, "absent")
    assert (row["amount"], row["requests"]) == (None, 0)
    assert f"(HTTP {status}) and reported no usage" in row["unpriced"]


@pytest.mark.parametrize("status", [401, 402, 403, 404])
@pytest.mark.parametrize("stream", [False, True])
def test_what_a_provider_has_against_us_is_no_fault_of_the_client(
    gateway: GatewayProcess, client: openai.OpenAI, status: int, *, stream: bool
) -> None:
    error = failure(client, f"fake/refuses-{status}", stream=stream)
    assert (error.status_code, error.code) == (502, "provider_refused_us")
    assert "openai" in error.message
    assert "provider says" not in error.response.text
    assert error.response.headers["x-should-retry"] == "false"
    row = last_row(gateway, f"fake/refuses-{status}")
    assert (row["status"], row["http_status"], row["source"]) == ("failed", status, "absent")
    assert f"(HTTP {status}, c{status}) and reported no usage" in row["unpriced"]
    assert f"and says c{status}." in gateway.log


def test_a_stream_that_begins_with_what_a_provider_has_against_us_does_not_tell_it(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    error = failure(client, "fake/refuses-us-inside", stream=True)
    assert (error.status_code, error.code) == (502, "provider_refused_us")
    assert "account of Ani" not in error.response.text
    assert last_row(gateway, "fake/refuses-us-inside")["status"] == "failed"


def test_what_a_provider_has_against_us_in_the_middle_of_a_stream_is_an_alarm(
    provider: FakeProvider, tmp_path: Path
) -> None:
    own = GatewayProcess(tmp_path / "own", configuration(provider.base_url))
    own.start()
    key, _ = own.make_key()
    with own.client(key) as client:
        for _ in range(2):
            with pytest.raises(openai.APIError) as broken:
                list(
                    client.chat.completions.create(
                        model="fake/refuses-us-midway", messages=HELLO, stream=True
                    )
                )
            assert "account of Ani" not in str(broken.value)
            assert last_row(own, "fake/refuses-us-midway")["status"] == "cut"
    assert own.stop() == 0
    told = [line for line in own.log.splitlines() if "does not serve us" in line]
    assert len(told) == 1, "the same alarm is told once a minute"
    assert "401: the provider's key is not taken) and says invalid_api_key" in told[0]


def test_the_wait_that_a_provider_asks_for_reaches_the_client(client: openai.OpenAI) -> None:
    headers = failure(client, "fake/refuses-429").response.headers
    assert (headers["retry-after"], headers["x-ratelimit-limit-requests"]) == ("7", "60")


def test_a_provider_that_cannot_be_reached_is_told_apart(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    error = failure(client, "unreachable")
    assert (error.status_code, error.code) == (502, "provider_unreachable")
    assert "127.0.0.1" not in error.message
    assert "Errno" not in error.message
    row = last_row(gateway, "unreachable")
    assert "Errno" in row["unpriced"]
    assert (row["status"], row["http_status"], row["amount"]) == ("failed", 0, None)
    assert "got nothing" in row["unpriced"]
    counted = httpx.get(f"{gateway.url}/metrics", timeout=20).text
    assert 'tokonomi_calls_total{model="unreachable"' in counted
    assert 'tokonomi_unpriced_calls_total{model="unreachable"' not in counted


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_stays_silent_is_given_up(
    gateway: GatewayProcess, client: openai.OpenAI, provider: FakeProvider, *, stream: bool
) -> None:
    before = provider.hangups
    error = failure(client, "fake/silent", stream=stream)
    assert (error.status_code, error.code) == (504, "provider_timeout")
    assert "did not begin to answer within 1 s" in error.message
    row = last_row(gateway, "fake/silent")
    assert (row["status"], row["source"]) == ("failed", "absent")
    assert "may bill up to" in row["unpriced"]
    assert until(lambda: provider.hangups > before)


@pytest.mark.parametrize("model", ["fake/cut", "fake/not-http", "fake/redirects"])
def test_an_answer_that_is_not_whole_or_not_one_is_an_error(
    gateway: GatewayProcess, client: openai.OpenAI, model: str
) -> None:
    error = failure(client, model)
    assert (error.status_code, error.code) == (502, "provider_failed")
    assert last_row(gateway, model)["status"] == "failed"


@pytest.mark.parametrize(
    ("model", "told", "may_be_billed"),
    [
        ("fake/cut", "broke off before its end", True),
        ("fake/not-http", "the connection broke before the answer began", True),
        ("fake/redirects", "unexpected HTTP 302", False),
    ],
)
def test_what_came_of_an_answer_is_told_as_it_was(
    gateway: GatewayProcess, client: openai.OpenAI, model: str, told: str, *, may_be_billed: bool
) -> None:
    error = failure(client, model)
    assert told in error.message
    assert ("it may bill the failed call" in error.message) is may_be_billed
    row = last_row(gateway, model)
    assert ("may bill" in row["unpriced"]) is may_be_billed


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_that_is_not_json_is_an_error_in_our_words_and_not_priced(
    gateway: GatewayProcess, client: openai.OpenAI, *, stream: bool
) -> None:
    error = failure(client, "fake/not-json", stream=stream)
    assert (error.status_code, error.code) == (502, "provider_failed")
    assert "what came is no answer of this interface" in error.message
    assert "somebody else" not in error.response.text
    assert error.response.headers["content-type"] == "application/json"
    row = gateway.row(error.response.headers["x-tokonomi-request-id"])
    assert (row["status"], row["amount"], row["source"]) == ("failed", None, "absent")
    assert "not JSON" in row["unpriced"]


def test_an_error_under_a_status_of_success_is_a_failure_and_not_charged(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    with pytest.raises(openai.InternalServerError, match="overloaded") as told:
        client.chat.completions.create(model="fake/error-inside", messages=HELLO)
    assert told.value.status_code == 502
    row = gateway.row(told.value.response.headers["x-tokonomi-request-id"])
    assert (row["status"], row["source"], row["amount"]) == ("failed", "absent", None)
    assert "HTTP 200 with an error (503)" in row["unpriced"]


@pytest.mark.parametrize(
    ("model", "told", "noted"),
    [
        ("fake/cut", "broke off before its end", "closed before the end"),
        ("fake/ends-early", "ended without [DONE]", "ended without [DONE]"),
        ("fake/stall", "nothing came for 1 s", "nothing came for 1 s"),
    ],
)
def test_a_stream_that_breaks_off_raises_and_is_charged_for_what_was_sent(
    gateway: GatewayProcess, client: openai.OpenAI, model: str, told: str, noted: str
) -> None:
    got: list[str] = []
    with pytest.raises(openai.APIError) as broken:
        got.extend(
            chunk.choices[0].delta.content or ""
            for chunk in client.chat.completions.create(model=model, messages=HELLO, stream=True)
        )
    assert told in str(broken.value)
    row = last_row(gateway, model)
    assert (row["status"], row["source"], row["output"]) == ("cut", "estimated", 3)
    assert row["amount"] is not None or row["unpriced"]
    assert noted in row["note"]


def test_an_error_in_the_middle_of_a_stream_is_the_providers_own(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    with pytest.raises(openai.APIError) as broken:
        list(client.chat.completions.create(model="fake/breaks-off", messages=HELLO, stream=True))
    assert "overloaded" in str(broken.value)
    row = last_row(gateway, "fake/breaks-off")
    assert (row["status"], row["source"]) == ("cut", "estimated")


def test_a_stream_without_done_is_whole_when_its_usage_came(
    gateway: GatewayProcess, client: openai.OpenAI
) -> None:
    chunks = list(client.chat.completions.create(model="fake/no-done", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "".join(PIECES)
    row = last_row(gateway, "fake/no-done")
    assert (row["status"], row["source"], row["output"]) == ("ok", "reported", 7)


def test_a_client_that_leaves_a_stream_ends_the_call_and_is_charged_for_what_was_sent(
    gateway: GatewayProcess, client: openai.OpenAI, provider: FakeProvider
) -> None:
    before = provider.hangups
    stream = client.chat.completions.create(model="fake/stall:left", messages=HELLO, stream=True)
    got = [next(stream).choices[0].delta.content for _ in range(3)]
    stream.close()
    assert got == list(PIECES[:3])
    assert until(lambda: provider.hangups > before)
    row = last_row(gateway, "fake/stall:left")
    assert (row["status"], row["source"], row["output"]) == ("disconnected", "estimated", 3)
    assert row["uncached_input"] > 0


def test_a_client_that_leaves_before_the_stream_begins_ends_the_call(
    gateway: GatewayProcess, key: str, provider: FakeProvider
) -> None:
    before = provider.hangups
    with (
        gateway.client(key).with_options(timeout=0.4) as hasty,
        pytest.raises(openai.APITimeoutError),
    ):
        hasty.chat.completions.create(model="fake/silent:left", messages=HELLO, stream=True)
    assert until(lambda: provider.hangups > before)
    row = last_row(gateway, "fake/silent:left")
    assert (row["status"], row["amount"]) == ("disconnected", None)


def test_calls_in_flight_are_finished_when_the_gateway_is_told_to_stop(
    provider: FakeProvider, tmp_path: Path
) -> None:
    own = GatewayProcess(tmp_path / "own", configuration(provider.base_url))
    own.start()
    key, _ = own.make_key()
    with own.client(key) as client:
        stream = client.chat.completions.create(model="fake/stall", messages=HELLO, stream=True)
        next(stream)
        code = own.stop()
        with pytest.raises(openai.APIError):
            list(stream)
    assert code == 0
    [row] = own.rows()
    assert (row["status"], row["source"]) == ("cut", "estimated")
    assert own.in_flight() == 0


@pytest.mark.parametrize("trusted", [True, False])
def test_a_provider_with_tls_is_called_only_when_its_certificate_is_trusted(
    certificate: Path, tmp_path: Path, *, trusted: bool
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    secure = FakeProvider(tls=tls)
    secure.start()
    ca_file = f"ca_file = {json.dumps(str(certificate))}" if trusted else ""
    own = GatewayProcess(tmp_path / "own", configuration(secure.base_url, provider=ca_file))
    own.start()
    key, _ = own.make_key()
    with own.client(key) as client:
        if trusted:
            for stream in (False, True, True):
                answer = client.chat.completions.create(
                    model="gpt-4o-mini", messages=HELLO, stream=stream
                )
                assert not stream or len(list(answer)) == len(PIECES) + 1
        else:
            error = failure(client, "gpt-4o-mini")
            assert error.code == "provider_unreachable"
            assert "certificate" not in error.message.lower()
            assert "certificate" in last_row(own, "gpt-4o-mini")["unpriced"].lower()
    assert own.stop() == 0
    assert len(secure.received) == (3 if trusted else 0)
    secure.stop()


def test_a_gateway_that_is_told_to_stop_while_it_starts_stops(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, configuration("http://127.0.0.1:9/v1"))
    for _ in range(3):
        gateway.start()
        assert gateway.stop() == 0
