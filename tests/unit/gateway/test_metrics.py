"""What the gateway counts, as Prometheus reads it."""

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.gateway.metrics import Metrics
from tokonomi.pricing.charge import Charge, Unpriced
from tokonomi.usage import Quarantined, Usage

AT = datetime(2026, 1, 30, tzinfo=UTC)


def a_call(
    cost: Charge | Unpriced, *, usage: Usage | Quarantined | None = None, duration_ms: int = 30
) -> Call:
    return Call(
        intent=Intent(id="a.1", at=AT, dimensions=Dimensions(provider="openai"), model="m"),
        model_served="m",
        usage=usage or Usage(at=AT, uncached_input=20, cache_read=1, output=7),
        cost=cost,
        status=Status.OK,
        first_token_ms=4,
        duration_ms=duration_ms,
    )


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    text = metrics.exposition().decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_calls_are_counted_with_their_tokens_and_cost() -> None:
    metrics = Metrics()
    metrics.count(a_call(Charge("row", "USD", 2_500_000_000_000, ())), "openai/*")
    metrics.count(a_call(Charge("row", "USD", 500_000_000_000, ())), "openai/*")
    metrics.count(a_call(Unpriced("x")), "openai/*")
    metrics.count(a_call(Unpriced("x"), usage=Quarantined("x", "{}")), "openai/*")
    found = samples(metrics)
    assert found["tokonomi_calls_total", "openai/*", "openai", "ok"] == 4
    assert found["tokonomi_tokens_total", "uncached_input", "openai/*", "openai"] == 60
    assert found["tokonomi_tokens_total", "cache_read", "openai/*", "openai"] == 3
    assert found["tokonomi_tokens_total", "output", "openai/*", "openai"] == 21
    assert found["tokonomi_cost_total", "USD", "openai/*", "openai"] == 3.0
    assert found["tokonomi_unpriced_calls_total", "openai/*", "openai"] == 2
    assert found["tokonomi_quarantined_calls_total", "openai/*", "openai"] == 1


def test_a_duration_counts_in_every_bucket_that_holds_it() -> None:
    metrics = Metrics()
    for duration_ms in (5, 6, 70_000):
        metrics.count(a_call(Unpriced("x"), duration_ms=duration_ms), "m")
    found = samples(metrics)
    bounds = [found["tokonomi_call_seconds_bucket", le, "m", "openai"] for le in ("0.005", "0.01")]
    assert bounds == [1, 2]
    assert found["tokonomi_call_seconds_bucket", "60.0", "m", "openai"] == 2
    assert found["tokonomi_call_seconds_bucket", "+Inf", "m", "openai"] == 3
    assert found["tokonomi_call_seconds_sum", "m", "openai"] == 70.011
