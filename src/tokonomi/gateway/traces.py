"""Spans and metrics of OpenTelemetry, after its conventions for generative AI.

A request is a span, each attempt at a provider a child of it. The client's `traceparent` is taken
over, and each provider gets that of its attempt. What is recorded goes out from a thread, in
batches; what a collector does not take in time is dropped. The store has every call, this has not.

Prompts and answers are in none of it, unless the operator says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tokonomi import __version__
from tokonomi.calls import Call
from tokonomi.calls import Status as Outcome
from tokonomi.gateway.asked import Asked
from tokonomi.gateway.http_client import PORTS
from tokonomi.gateway.logs import plain
from tokonomi.gateway.messages import input_messages, output_messages
from tokonomi.gateway.settle import Exchange
from tokonomi.ledger.hold import Captured
from tokonomi.pricing.charge import Charge
from tokonomi.usage import Usage

_EXPORT_SECONDS: Final = 5.0
_METRICS_MS: Final = 10_000
_MS_PER_SECOND: Final = 1_000
_SERVER_ERRORS: Final = 500
_TOKEN_BOUNDS: Final = tuple(4**power for power in range(14))
_SECOND_BOUNDS: Final = tuple(0.01 * 2**power for power in range(14))
_PROVIDER_NAMES: Final[Mapping[str, str]] = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshotai": "moonshot_ai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
    "x-ai": "x_ai",
}
"""What the conventions call those providers that price books call otherwise."""
Attributes = dict[str, str | int | float | bool | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Collector:
    """Where spans and metrics are sent, and as what.

    Attributes:
        endpoint: its address over HTTP, without the path of a signal.
        headers: header fields for it.
        service_name: what the gateway is called there.
        content: whether spans carry prompts and answers.
    """

    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    service_name: str = "tokonomi"
    content: bool = False


class Traces:
    """An observer that makes spans and metrics of what it is told."""

    def __init__(self, collector: Collector) -> None:
        service = {"service.name": collector.service_name, "service.version": __version__}
        resource = Resource.create(service)
        base, headers = collector.endpoint.rstrip("/"), dict(collector.headers)
        self._content = collector.content
        self._spans = TracerProvider(resource=resource, shutdown_on_exit=False)
        spans = OTLPSpanExporter(f"{base}/v1/traces", headers=headers, timeout=_EXPORT_SECONDS)
        self._spans.add_span_processor(BatchSpanProcessor(spans))
        points = OTLPMetricExporter(f"{base}/v1/metrics", headers=headers, timeout=_EXPORT_SECONDS)
        reader = PeriodicExportingMetricReader(points, export_interval_millis=_METRICS_MS)
        self._metrics = MeterProvider([reader], resource, shutdown_on_exit=False)
        self._tracer = self._spans.get_tracer("tokonomi", __version__)
        self._durations, self._first_chunks, self._tokens = _instruments(self._metrics)
        self._carrier = TraceContextTextMapPropagator()
        self._requests: dict[str, Span] = {}
        self._attempts: dict[str, Span] = {}

    def attempt_begins(self, exchange: Exchange) -> bytes:
        """See `Observer.attempt_begins`: the provider gets the attempt as its parent."""
        within = set_span_in_context(self._request(exchange.asked))
        name = f"{_operation(exchange.asked)} {plain(exchange.intent.model)}"
        span = self._tracer.start_span(name, context=within, kind=SpanKind.CLIENT)
        self._attempts[exchange.intent.id] = span
        carried: dict[str, str] = {}
        self._carrier.inject(carried, set_span_in_context(span))
        lines = [f"{field_name}: {value}\r\n" for field_name, value in carried.items()]
        return "".join(lines).encode("ascii")

    def attempt_ended(self, exchange: Exchange, call: Call, _captured: Sequence[Captured]) -> None:
        """See `Observer.attempt_ended`."""
        told = _told_of(exchange, call)
        self._measure(call, told)
        span = self._attempts.pop(call.intent.id, None)
        if span is None:
            return
        span.set_attributes(told | _details(exchange, call))
        if self._content:
            span.set_attributes(
                {
                    "gen_ai.input.messages": input_messages(exchange.request),
                    "gen_ai.output.messages": output_messages(exchange.reading.seen),
                }
            )
        if call.status is not Outcome.OK:
            span.set_status(Status(StatusCode.ERROR, call.status))
        span.end()

    def request_ended(self, asked: Asked) -> None:
        """See `Observer.request_ended`."""
        span = self._request(asked)
        self._requests.pop(asked.id, None)
        method, _, route = asked.route.partition(" ")
        told: Attributes = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": asked.status,
            "gen_ai.request.model": plain(asked.alias),
            "tokonomi.request.id": asked.id,
            "tokonomi.key.id": asked.key_id,
            "error.type": asked.refused,
        }
        span.set_attributes({name: value for name, value in told.items() if value})
        if asked.status >= _SERVER_ERRORS or not asked.status:
            span.set_status(Status(StatusCode.ERROR, asked.refused or None))
        span.end()

    def close(self) -> None:
        """Sends what waits, for a few seconds at most, and ends. Call it in a thread."""
        self._spans.shutdown()
        self._metrics.shutdown(timeout_millis=_EXPORT_SECONDS * _MS_PER_SECOND)

    def _request(self, asked: Asked) -> Span:
        """The span of a request; it begins with the first attempt, or at the end if there is none.

        Its start is that of the request all the same.
        """
        found = self._requests.get(asked.id)
        if found is not None:
            return found
        parent: Context | None = None
        if asked.traceparent:
            carried = {"traceparent": asked.traceparent.decode("latin-1")}
            parent = self._carrier.extract(carried)
        span = self._tracer.start_span(
            asked.route, context=parent, kind=SpanKind.SERVER, start_time=asked.begun_at_ns
        )
        if asked.id:
            self._requests[asked.id] = span
        return span

    def _measure(self, call: Call, told: Attributes) -> None:
        self._durations.record(call.duration_ms / _MS_PER_SECOND, told)
        if call.first_token_ms is not None:
            self._first_chunks.record(call.first_token_ms / _MS_PER_SECOND, told)
        if isinstance(call.usage, Usage):
            self._tokens.record(call.usage.total_input, told | {"gen_ai.token.type": "input"})
            self._tokens.record(call.usage.total_output, told | {"gen_ai.token.type": "output"})


def _instruments(metrics: MeterProvider) -> tuple[Histogram, Histogram, Histogram]:
    meter = metrics.get_meter("tokonomi", __version__)
    return (
        meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_SECOND_BOUNDS,
        ),
        meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Time to receive the first chunk of a stream.",
            explicit_bucket_boundaries_advisory=_SECOND_BOUNDS,
        ),
        meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKEN_BOUNDS,
        ),
    )


def _operation(asked: Asked) -> str:
    return "embeddings" if asked.route.endswith("/embeddings") else "chat"


def _told_of(exchange: Exchange, call: Call) -> Attributes:
    """What spans and metrics of a call share: configured names, and what a provider calls itself.

    With an alias that ends with a star the model is the client's own text, which would make as many
    series as clients like: there the alias itself stands in the metrics.
    """
    provider = exchange.target.price_as
    address = urlsplit(exchange.target.provider.base_url)
    label = exchange.target.label
    told: Attributes = {
        "gen_ai.operation.name": _operation(exchange.asked),
        "gen_ai.provider.name": _PROVIDER_NAMES.get(provider, provider),
        "gen_ai.request.model": label if label.endswith("*") else exchange.intent.model,
        "server.address": address.hostname or "",
        "server.port": address.port or PORTS[address.scheme],
    }
    if call.status is not Outcome.OK:
        told["error.type"] = str(call.http_status) if call.http_status >= 400 else call.status  # noqa: PLR2004 - HTTP
    return told


def _details(exchange: Exchange, call: Call) -> Attributes:
    """What only a span of a call says."""
    seen = exchange.reading.seen
    details: Attributes = {
        "gen_ai.request.model": plain(exchange.intent.model),
        "gen_ai.request.stream": exchange.request.stream,
        "gen_ai.response.model": call.model_served,
        "tokonomi.request.id": call.intent.request_id,
        "tokonomi.attempt": call.intent.attempt,
        "tokonomi.outcome": call.status,
        "http.response.status_code": call.http_status,
    }
    if call.provider_request_id:
        details["gen_ai.response.id"] = call.provider_request_id
    if seen.finish_reason:
        details["gen_ai.response.finish_reasons"] = [plain(seen.finish_reason)]
    if call.first_token_ms is not None:
        details["gen_ai.response.time_to_first_chunk"] = call.first_token_ms / _MS_PER_SECOND
    return details | _usage(call) | _cost(call)


def _usage(call: Call) -> Attributes:
    usage = call.usage
    if not isinstance(usage, Usage):
        return {"tokonomi.usage.source": "quarantined"}
    return {
        "tokonomi.usage.source": usage.source,
        "gen_ai.usage.input_tokens": usage.total_input,
        "gen_ai.usage.output_tokens": usage.total_output,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read + usage.cache_read_audio,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
    }


def _cost(call: Call) -> Attributes:
    """The exact cost as a decimal text, which no float can hold."""
    if not isinstance(call.cost, Charge):
        return {"tokonomi.unpriced": call.cost.reason}
    return {
        "tokonomi.cost.amount": call.cost.total.decimal(),
        "tokonomi.cost.currency": call.cost.currency,
        "tokonomi.cost.price_row": call.cost.row_id,
    }
