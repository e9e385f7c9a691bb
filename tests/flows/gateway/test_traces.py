"""Spans and metrics as a collector on a real socket gets them, and what is never in them."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest
from fake_provider import PIECES, FakeProvider
from gateway_process import GatewayProcess, configuration
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SECRET = "the-blue-heron-lands-at-dawn"
HELLO: Any = [{"role": "user", "content": SECRET}]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@dataclass
class Receiver:
    """A collector that keeps what it is sent."""

    port: int = 0
    bodies: dict[str, list[bytes]] = field(default_factory=dict[str, list[bytes]])
    headers: list[str] = field(default_factory=list[str])

    @property
    def everything(self) -> bytes:
        return b"".join(body for bodies in self.bodies.values() for body in bodies)

    def spans(self) -> list[Any]:
        found: list[Any] = []
        for body in self.bodies.get("/v1/traces", []):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                found += [span for scope in resource.scope_spans for span in scope.spans]
        return found

    def metrics(self) -> set[str]:
        found: set[str] = set()
        for body in self.bodies.get("/v1/metrics", []):
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                found |= {each.name for scope in resource.scope_metrics for each in scope.metrics}
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            kept.bodies.setdefault(self.path, []).append(body)
            kept.headers.append(self.headers.get("x-team", ""))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the server's name
            assert format or args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes
    }


def traced(
    provider: FakeProvider, folder: Path, receiver: Receiver, more: str = ""
) -> GatewayProcess:
    observe = (
        f'[observe]\notlp_endpoint = "http://127.0.0.1:{receiver.port}"\n'
        f'otlp_headers_env = "TOKONOMI_TEST_OTLP"\n{more}'
    )
    gateway = GatewayProcess(folder, configuration(provider.base_url, more=observe))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TOKONOMI_TEST_OTLP", "x-team=a")
        gateway.start()
    return gateway


def call_twice(gateway: GatewayProcess) -> str:
    """The key's text, after a whole answer and a stream."""
    key, _ = gateway.make_key()
    with gateway.client(key) as client:
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=HELLO,
            extra_headers={"traceparent": f"00-{TRACE}-{PARENT}-01"},
        )
        list(client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, stream=True))
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="nobody-knows-it", messages=HELLO)
    assert gateway.stop() == 0
    return key


def test_a_request_and_its_attempt_are_spans_of_the_clients_trace_without_what_was_said(
    provider: FakeProvider, receiver: Receiver, tmp_path: Path
) -> None:
    before = len(provider.received)
    gateway = traced(provider, tmp_path / "traced", receiver)
    key = call_twice(gateway)
    spans = receiver.spans()
    assert sorted(span.name for span in spans) == [
        *["POST /v1/chat/completions"] * 3,
        *["chat gpt-4o-mini"] * 2,
    ]
    [request] = [span for span in spans if span.parent_span_id.hex() == PARENT]
    [attempt] = [span for span in spans if span.parent_span_id == request.span_id]
    assert {request.trace_id.hex(), attempt.trace_id.hex()} == {TRACE}
    sent = provider.received[before].headers["traceparent"]
    assert sent == f"00-{TRACE}-{attempt.span_id.hex()}-01"
    told = attributes(attempt)
    assert (
        told.items()
        >= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
            "gen_ai.usage.input_tokens": 21,
            "gen_ai.usage.output_tokens": 7,
            "gen_ai.usage.cache_read.input_tokens": 5,
            "server.address": "127.0.0.1",
            "tokonomi.cost.amount": "0.000006975",
            "tokonomi.cost.currency": "USD",
            "tokonomi.usage.source": "reported",
        }.items()
    )
    assert attributes(request)["tokonomi.request.id"] == told["tokonomi.request.id"]
    assert request.start_time_unix_nano <= attempt.start_time_unix_nano
    assert {attributes(span).get("error.type") for span in spans} == {None, "model_not_found"}
    assert receiver.metrics() == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.token.usage",
    }
    assert set(receiver.headers) == {"a"}
    said = [SECRET, *PIECES[:2], key, "sk-of-the-provider"]
    assert [each for each in said if each.encode() in receiver.everything] == []
    assert [each for each in said if each in gateway.log] == []


def test_prompts_and_answers_are_in_spans_only_where_the_operator_says_so(
    provider: FakeProvider, receiver: Receiver, tmp_path: Path
) -> None:
    gateway = traced(provider, tmp_path / "content", receiver, "content = true\n")
    key = call_twice(gateway)
    [attempt, *_] = [span for span in receiver.spans() if span.name == "chat gpt-4o-mini"]
    told = attributes(attempt)
    assert json.loads(told["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": SECRET}]}
    ]
    [answer] = json.loads(told["gen_ai.output.messages"])
    assert answer["parts"] == [{"type": "text", "content": "".join(PIECES)}]
    assert key.encode() not in receiver.everything
    assert SECRET not in gateway.log


def test_a_collector_that_is_gone_costs_no_call(provider: FakeProvider, tmp_path: Path) -> None:
    gateway = traced(provider, tmp_path / "gone", Receiver(port=9))
    call_twice(gateway)
    assert [row["status"] for row in gateway.rows()] == ["ok", "ok"]


def test_every_request_has_its_line_in_the_log_without_what_was_said(
    provider: FakeProvider, tmp_path: Path
) -> None:
    observe = '[observe]\nlog_format = "json"\n'
    gateway = GatewayProcess(tmp_path / "log", configuration(provider.base_url, more=observe))
    gateway.start()
    key = call_twice(gateway)
    records = [json.loads(line) for line in gateway.log.splitlines()]
    lines = [each for each in records if "route" in each]
    rows = gateway.rows()
    assert [(each["status"], each.get("cost")) for each in lines] == [
        (200, "0.000006975 USD"),
        (200, "0.000006975 USD"),
        (404, None),
    ]
    assert [each["request_id"] for each in lines[:2]] == [row["request_id"] for row in rows]
    assert lines[2]["refused"] == "model_not_found"
    assert [each for each in (SECRET, PIECES[0], key) if each in gateway.log] == []
