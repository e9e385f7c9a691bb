"""An alarm is told at once, and then once a minute, with how often it came between."""

from datetime import UTC, datetime

import pytest

from tokonomi.calls import Dimensions, Intent
from tokonomi.gateway.aliases import Target
from tokonomi.gateway.fallback_log import ALARM_SECONDS, MOST_ALARMS, Alarms
from tokonomi.gateway.http_client import HttpUpstream
from tokonomi.gateway.request import parse
from tokonomi.gateway.settle import Exchange
from tokonomi.providers.registry import adapter_for
from tokonomi.routing.failure import Failed, FailureKind
from tokonomi.routing.provider import Provider

PROVIDER = Provider(base_url="https://a.example/v1")
REFUSED_KEY = Failed(FailureKind.UNAUTHORIZED, 401, "invalid_api_key")
NO_MODEL = Failed(FailureKind.NOT_FOUND, 404)


def upstream() -> HttpUpstream:
    return HttpUpstream(PROVIDER, "sk-secret", None)


def attempt(model: str = "m") -> Exchange:
    at = datetime(2026, 1, 30, tzinfo=UTC)
    return Exchange(
        Intent(id="a.1", at=at, dimensions=Dimensions(), model=model, input_bound=1),
        Target("a", PROVIDER, model, "alias"),
        parse(b'{"model": "alias"}'),
        adapter_for("openai_chat").stream(),
    )


def test_an_alarm_is_told_once_a_minute_with_a_count(caplog: pytest.LogCaptureFixture) -> None:
    alarms, connection = Alarms(), upstream()
    for second in (0.0, 1.0, 2.0, ALARM_SECONDS, ALARM_SECONDS + 1, 2 * ALARM_SECONDS):
        alarms.tell(attempt(), REFUSED_KEY, connection, now=second)
    counts = [vars(record)["untold"] for record in caplog.records]
    assert counts == [0, 2, 1]
    assert "a/m does not serve us (401" in caplog.messages[0]
    assert "so it was" not in caplog.messages[0]
    assert "so it was 2 more times since" in caplog.messages[1]
    assert "sk-secret" not in caplog.text


def test_a_new_key_and_another_failure_are_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    alarms, connection = Alarms(), upstream()
    alarms.tell(attempt(), REFUSED_KEY, connection, now=0.0)
    alarms.tell(attempt("n"), REFUSED_KEY, connection, now=0.1)
    alarms.tell(attempt(), Failed(FailureKind.QUOTA_EXHAUSTED, 402), connection, now=0.2)
    alarms.tell(attempt(), REFUSED_KEY, upstream(), now=0.3)
    kinds = [vars(record)["failure"] for record in caplog.records]
    assert kinds == ["unauthorized", "quota_exhausted", "unauthorized"]


def test_models_that_are_not_there_are_told_apart_up_to_a_limit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    alarms, connection = Alarms(), upstream()
    for number in range(MOST_ALARMS + 5):
        alarms.tell(attempt(f"m{number}"), NO_MODEL, connection, now=0.0)
    assert len(caplog.records) == MOST_ALARMS + 1


def test_what_passes_by_itself_is_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    alarms, connection = Alarms(), upstream()
    alarms.tell(attempt(), Failed(FailureKind.UNAVAILABLE, 503), connection, now=0.0)
    assert caplog.records == []
