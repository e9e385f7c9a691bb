"""Usage under unknown keys is said once for each, and counted for all."""

from datetime import UTC, datetime

import pytest

from tokonomi.calls import Call, Dimensions, Intent, Status
from tokonomi.gateway.alarms import UnknownKeys
from tokonomi.gateway.metrics import Metrics
from tokonomi.pricing.charge import Unpriced
from tokonomi.usage import Quarantined, Usage

AT = datetime(2026, 1, 30, tzinfo=UTC)


def a_call(usage: Usage | Quarantined, provider: str) -> Call:
    dimensions = Dimensions(provider=provider)
    return Call(
        intent=Intent(id="a.1", at=AT, dimensions=dimensions, model="m"),
        model_served="m",
        usage=usage,
        cost=Unpriced("x"),
        status=Status.OK,
    )


def test_an_unknown_key_is_logged_once_for_each_provider_and_counted_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    alarms = UnknownKeys(metrics)
    odd = Usage(at=AT, unknown_keys=("dream_tokens", "details.dreams"))
    for provider in ("openai", "openai", "mistral"):
        alarms.note(a_call(odd, provider))
    alarms.note(a_call(Usage(at=AT), "openai"))
    alarms.note(a_call(Quarantined("x", "{}"), "openai"))
    told = [record.getMessage().partition(",")[0] for record in caplog.records]
    assert told == [
        f"{provider} reports usage under {key!r}"
        for provider in ("openai", "mistral")
        for key in ("dream_tokens", "details.dreams")
    ]
    text = metrics.exposition().decode()
    assert 'tokonomi_unknown_usage_keys_total{provider="openai"} 4.0' in text
    assert 'tokonomi_unknown_usage_keys_total{provider="mistral"} 2.0' in text


def test_a_provider_that_makes_up_keys_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    alarms = UnknownKeys(Metrics())
    for number in range(1_100):
        alarms.note(a_call(Usage(at=AT, unknown_keys=(f"k{number}",)), "openai"))
    assert len(caplog.records) == 1_000
