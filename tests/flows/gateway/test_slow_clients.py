"""What a client may send before it is known, and how slowly it may send and read."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until

LIMITS = """
[limits]
head_bytes = 4000
head_fields = 20
target_bytes = 1000
head_seconds = 1.0
idle_seconds = 1.0
read_seconds = 1.0
connections = 12
"""


@pytest.fixture(scope="module")
def narrow(
    provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway with low limits on connections. Its provider is patient, so no blame is on it."""
    text = configuration(provider.base_url, more=LIMITS, patience_seconds=0.4)
    process = GatewayProcess(tmp_path_factory.mktemp("narrow"), text)
    process.start()
    yield process
    process.stop()


def connected(gateway: GatewayProcess, *, read_bytes: int = 0) -> socket.socket:
    host, port = gateway.url.removeprefix("http://").split(":")
    connection = socket.socket()
    if read_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, read_bytes)
    connection.settimeout(20)
    connection.connect((host, int(port)))
    return connection


def everything(connection: socket.socket) -> bytes:
    """All that comes until the gateway closes the connection."""
    data = b""
    try:
        while piece := connection.recv(65_536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def answer(data: bytes) -> tuple[int, str]:
    """The status and the code of an error."""
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def told(gateway: GatewayProcess, request: bytes) -> tuple[int, str]:
    with closing(connected(gateway)) as connection:
        connection.sendall(request)
        return answer(everything(connection))


def refusals(gateway: GatewayProcess, code: str) -> float:
    with closing(connected(gateway)) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        lines = everything(connection).decode().splitlines()
    name = f'tokonomi_requests_refused_total{{code="{code}"}} '
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


HEAD = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (HEAD + b"a: " + b"x" * 5_000 + b"\r\n\r\n", (431, "head_too_large")),
        (HEAD + b"a: " + b"x" * 5_000, (431, "head_too_large")),
        (HEAD + b"a: b\r\n" * 30 + b"\r\n", (431, "head_too_large")),
        (b"GET /" + b"x" * 1_500 + b" HTTP/1.1\r\nhost: x\r\n\r\n", (414, "target_too_long")),
        (b"GET /" + b"x" * 5_000, (431, "head_too_large")),
        (b"x" * 5_000, (400, "invalid_http")),
        (b"\x16\x03\x01 hello\r\n\r\n", (400, "invalid_http")),
    ],
)
def test_a_head_beyond_its_limits_is_refused_before_it_is_whole(
    narrow: GatewayProcess, request_bytes: bytes, expected: tuple[int, str]
) -> None:
    before = refusals(narrow, expected[1])
    assert told(narrow, request_bytes) == expected
    assert refusals(narrow, expected[1]) == before + 1


def send_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x" * 500)


@pytest.mark.parametrize("endless", [b"5;" + b"x" * 500, b"0\r\ntrailer: " + b"x" * 500])
def test_what_is_neither_head_nor_body_ends_where_a_head_would(
    narrow: GatewayProcess, endless: bytes
) -> None:
    key, _ = narrow.make_key()
    with closing(connected(narrow)) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n"
            b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n%b" % (key.encode(), endless)
        )
        with pytest.raises(OSError, match=r"reset|Broken"):
            send_for_ever(connection)


def test_fields_after_a_body_are_not_taken_for_those_of_its_head(
    narrow: GatewayProcess,
) -> None:
    key, _ = narrow.make_key()
    body = b'{"model": "gpt-4o-mini", "messages": []}'
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nauthorization: Bearer %b\r\n\r\n"
        % (len(body), body, key.encode())
    )
    assert told(narrow, request) == (401, "invalid_api_key")


def test_a_head_that_does_not_come_in_time_is_not_waited_for(narrow: GatewayProcess) -> None:
    assert told(narrow, HEAD) == (408, "head_too_slow")


def test_a_head_that_comes_byte_by_byte_has_no_more_time_than_another(
    narrow: GatewayProcess,
) -> None:
    begun = time.monotonic()
    with closing(connected(narrow)) as connection:
        connection.settimeout(0.2)
        data = b""
        for byte in HEAD * 20:
            try:
                connection.sendall(bytes([byte]))
                if not (piece := connection.recv(1_000)):
                    break
                data += piece
            except TimeoutError:
                continue
            except OSError:
                break
    assert answer(data) == (408, "head_too_slow")
    assert time.monotonic() - begun < 10


def test_a_connection_that_says_nothing_is_closed(narrow: GatewayProcess) -> None:
    with closing(connected(narrow)) as connection:
        assert everything(connection) == b""


def test_a_connection_that_was_kept_is_closed_when_nothing_more_comes(
    narrow: GatewayProcess,
) -> None:
    with closing(connected(narrow)) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert everything(connection).startswith(b"HTTP/1.1 200")
    with closing(connected(narrow)) as connection:
        connection.sendall(HEAD + b"\r\n" + HEAD)
        assert everything(connection).startswith(b"HTTP/1.1 200")


def call_for(key: str, model: str, *, stream: bool) -> bytes:
    body = json.dumps({"model": model, "messages": [], "stream": stream}).encode()
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n"
        b"content-length: %d\r\n\r\n%b" % (key.encode(), len(body), body)
    )


def test_a_client_that_does_not_read_its_stream_is_taken_for_gone_and_its_call_is_settled(
    narrow: GatewayProcess,
) -> None:
    key, _ = narrow.make_key()
    before = len(narrow.rows())
    with closing(connected(narrow, read_bytes=4_096)) as connection:
        connection.sendall(call_for(key, "fake/babbles", stream=True))
        [row] = until(lambda: narrow.rows()[before:])
        assert (row["status"], row["source"]) == ("disconnected", "estimated")
        assert "on_disconnect = cancel" in row["note"]
        assert row["output"] > 0
    assert refusals(narrow, "client_too_slow") >= 1
    assert narrow.in_flight() == 0


def test_a_client_that_reads_slowly_gets_its_whole_stream(narrow: GatewayProcess) -> None:
    key, _ = narrow.make_key()
    before = len(narrow.rows())
    got = 0
    with closing(connected(narrow, read_bytes=4_096)) as connection:
        connection.sendall(call_for(key, "fake/babbles", stream=True))
        end = time.monotonic() + 4
        while time.monotonic() < end:
            got += len(connection.recv(65_536))
    assert got > 100_000
    [row] = until(lambda: narrow.rows()[before:])
    assert row["status"] == "disconnected"
    assert "in the middle of its answer" in row["note"]


def test_more_connections_than_the_limit_are_told_to_go(narrow: GatewayProcess) -> None:
    held = [connected(narrow) for _ in range(12)]
    with closing(connected(narrow)) as another:
        assert answer(everything(another)) == (503, "too_many_connections")
    for each in held:
        each.close()
    until(lambda: narrow.accepts(narrow.make_key()[0]))


def test_another_protocol_is_told_apart_and_not_logged(narrow: GatewayProcess) -> None:
    before = narrow.log
    with closing(connected(narrow)) as plain:
        context: Any = ssl.create_default_context()
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname="localhost")
    assert narrow.log == before
