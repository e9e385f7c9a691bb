"""What watches the calls of one gateway, as its configuration says: opened and closed together."""

import contextlib
import sys
from collections.abc import Mapping
from typing import Protocol

from tokonomi.errors import BadConfig
from tokonomi.gateway.access_log import AccessLog
from tokonomi.gateway.alarms import UnknownKeys
from tokonomi.gateway.config import Observe
from tokonomi.gateway.keys_of_providers import secret_in
from tokonomi.gateway.metrics import Metrics
from tokonomi.gateway.observe import Observer, Observers


class Watching:
    """The observers of one gateway. Close it when no request comes any more."""

    def __init__(self, observe: Observe, metrics: Metrics, environ: Mapping[str, str]) -> None:
        """Opens them; call it on the event loop.

        Raises:
            BadConfig: the extra `otel` is not installed, or the header fields cannot be read.
        """
        self._access_log = _access_log(observe)
        self._traces = _open_traces(observe, environ)
        logs = [] if self._access_log is None else [self._access_log]
        traces = [] if self._traces is None else [self._traces]
        unknown_keys = UnknownKeys(metrics)
        self.observer = Observers(
            of_beginnings=[it.attempt_begins for it in (metrics, *traces)],
            of_attempts=[it.attempt_ended for it in (metrics, unknown_keys, *traces)],
            of_requests=[it.request_ended for it in (metrics, *logs, *traces)],
        )

    def close(self) -> None:
        """Writes and sends what waits. It may take seconds, so call it in a thread."""
        if self._access_log is not None:
            self._access_log.flush()
        if self._traces is not None:
            self._traces.close()


class _Traces(Observer, Protocol):
    """What makes spans, without its package."""

    def close(self) -> None:
        """Sends what waits, and ends."""
        ...


def _open_traces(observe: Observe, environ: Mapping[str, str]) -> _Traces | None:
    """What makes spans and metrics of OpenTelemetry, where a collector is configured.

    Raises:
        BadConfig: the extra `otel` is not installed, or the header fields cannot be read.
    """
    if not observe.otlp_endpoint:
        return None
    try:
        from tokonomi.gateway.traces import Collector, Traces  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise BadConfig(
            "[observe] otlp_endpoint needs the extra `otel`",
            remedy="Install it: pip install 'tokonomi[otel]'.",
        ) from error
    return Traces(
        Collector(
            observe.otlp_endpoint,
            _otlp_headers(observe, environ),
            observe.service_name,
            observe.content,
        )
    )


def _access_log(observe: Observe) -> AccessLog | None:
    return AccessLog(observe.log_format, _to_standard_error) if observe.access_log else None


def _to_standard_error(lines: bytes) -> None:
    """Through the writer that log records go through, so that no line is broken by another.

    Lines that cannot be written, to a closed pipe or a full disk, are lost: it is within a request
    that they are written, and no call may fail for its log.
    """
    with contextlib.suppress(OSError):
        sys.stderr.buffer.write(lines)
        sys.stderr.buffer.flush()


def _otlp_headers(observe: Observe, environ: Mapping[str, str]) -> dict[str, str]:
    """The header fields for the collector, by their names."""
    stated = secret_in("observe", observe.otlp_headers_env, "", environ)
    pairs = [pair.partition("=") for pair in stated.split(",") if pair.strip()]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise BadConfig(
            f"observe: {observe.otlp_headers_env} is no list of header fields",
            remedy="Write it like authorization=Bearer x,team=a.",
        )
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
