"""What the gateway refuses, as the official client sees it, and that nothing of it leaves."""

import json
import socket
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import openai
import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until

from tokonomi.storage import keys
from tokonomi.storage.engine import open_store

HELLO: Any = [{"role": "user", "content": "Say hello."}]


def raw_answer(gateway: GatewayProcess, request: bytes) -> tuple[int, dict[str, Any]]:
    """The status and the JSON that a hand-written request gets."""
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        data = b""
        while piece := connection.recv(65_536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_a_request_without_a_working_key_is_refused(
    gateway: GatewayProcess, provider: FakeProvider
) -> None:
    before = len(provider.received)
    with (
        gateway.client("tk-nobody") as stranger,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        stranger.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    assert refused.value.code == "invalid_api_key"
    assert len(provider.received) == before


def test_a_revoked_key_is_refused_by_a_running_gateway(gateway: GatewayProcess) -> None:
    text, key_id = gateway.make_key()
    assert gateway.accepts(text)
    with closing(open_store(gateway.store)) as connection:
        keys.revoke(connection, key_id, now=datetime.now(UTC))
    assert until(lambda: not gateway.accepts(text))


def test_an_unknown_model_is_refused_with_the_nearest_names(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="gpt-4o-mni", messages=HELLO)
    assert refused.value.code == "model_not_found"
    assert "gpt-4o-mini" in refused.value.message


def test_a_header_that_cannot_be_kept_is_refused_by_name(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model="gpt-4o-mini", messages=HELLO, extra_headers={"x-tokonomi-feature": "f" * 300}
        )
    assert (refused.value.code, refused.value.param) == ("invalid_header", "x-tokonomi-feature")


def test_embeddings_have_no_streams(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(
            model="text-embedding-3-small", input="x", extra_body={"stream": True}
        )
    assert refused.value.code == "invalid_request"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"{", "invalid_json", None),
        (b"[]", "invalid_json", None),
        (b"\xff", "invalid_json", None),
        (b"{}", "invalid_request", "model"),
        (b'{"model": 3}', "invalid_request", "model"),
        (b'{"model": "gpt-4o-mini", "stream": "yes"}', "invalid_request", "stream"),
        (
            b'{"model": "gpt-4o-mini", "stream": true, "stream_options": 1}',
            "invalid_request",
            "stream_options",
        ),
        (b'{"model": "x", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "invalid_json", None),
    ],
)
def test_a_body_that_is_no_request_is_refused(
    gateway: GatewayProcess, key: str, body: bytes, code: str, param: str | None
) -> None:
    status, answer = raw_answer(
        gateway,
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
        % (key.encode(), len(body), body),
    )
    assert (status, answer["error"]["code"], answer["error"]["param"]) == (400, code, param)


@pytest.mark.parametrize(
    "line",
    [
        "GET /",
        "GET /v1/chat/completions",
        "POST /v1/models",
        "POST /v1/completions",
        "GET /v1/responses/resp_1",
        "POST /v1/chat/completions/",
        "POST /v1/audio/speech",
        "PUT /v1/files",
        "POST /v1/files/x/content",
        "GET /v1/files/",
        "GET /v1/batches/x/cancel/y",
        "DELETE /v1/models/gpt-4o-mini",
        "POST /v1/embeddings/../files",
    ],
)
def test_every_other_route_is_refused(
    gateway: GatewayProcess, key: str, provider: FakeProvider, line: str
) -> None:
    before = len(provider.received)
    head = f"{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\n"
    status, answer = raw_answer(gateway, f"{head}content-length: 2\r\n\r\n{{}}".encode())
    assert (status, answer["error"]["code"]) == (404, "unknown_route")
    assert len(provider.received) == before


@pytest.fixture(scope="module")
def narrow(provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A gateway with low limits."""
    limits = "[limits]\nbody_bytes = 1000\nbody_seconds = 0.5\nconcurrent = 2\n"
    process = GatewayProcess(
        tmp_path_factory.mktemp("narrow"), configuration(provider.base_url, more=limits)
    )
    process.start()
    yield process
    process.stop()


def test_a_body_above_the_limit_is_refused_by_its_stated_length(narrow: GatewayProcess) -> None:
    key, _ = narrow.make_key()
    with narrow.client(key) as client, pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "x" * 2_000}]
        )
    assert (refused.value.status_code, refused.value.code) == (413, "body_too_large")


def test_a_body_above_the_limit_is_refused_when_no_length_was_stated(
    narrow: GatewayProcess,
) -> None:
    key, _ = narrow.make_key()
    status, answer = raw_answer(
        narrow,
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        b"authorization: Bearer %b\r\ntransfer-encoding: chunked\r\n\r\n%b0\r\n\r\n"
        % (key.encode(), b"400\r\n" + b" " * 1024 + b"\r\n"),
    )
    assert (status, answer["error"]["code"]) == (413, "body_too_large")


def test_a_client_that_does_not_send_its_body_is_not_waited_for(narrow: GatewayProcess) -> None:
    key, _ = narrow.make_key()
    status, answer = raw_answer(
        narrow,
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        b"authorization: Bearer %b\r\ncontent-length: 500\r\n\r\n{" % key.encode(),
    )
    assert (status, answer["error"]["code"]) == (408, "body_too_slow")


def test_more_requests_than_the_limit_are_refused_at_once(narrow: GatewayProcess) -> None:
    key, _ = narrow.make_key()
    with narrow.client(key) as client:
        held = [
            client.chat.completions.create(model="fake/stall", messages=HELLO, stream=True)
            for _ in range(2)
        ]
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
        assert refused.value.code == "too_many_requests"
        assert refused.value.response.headers["retry-after"] == "1"
        for stream in held:
            stream.close()
