"""Limits of keys over two gateway processes on one store, as official clients see them."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openai
import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, configuration, until

from tokonomi.budgets.rate_limit import RateLimits
from tokonomi.gateway.upkeep import SWEEP_SECONDS
from tokonomi.storage import keys
from tokonomi.storage.engine import open_store
from tokonomi.storage.keys import Terms, networks_from

HELLO: Any = [{"role": "user", "content": "Say hello."}]
LIMITS = '[listen]\nport = 0\ntrusted_proxies = ["127.0.0.1"]\n'


@pytest.fixture(scope="module")
def store(new_store: Any) -> Path | str:
    return new_store()


@pytest.fixture(scope="module")
def gateways(
    provider: FakeProvider, store: Path | str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[GatewayProcess]]:
    """Two processes on one store, behind a proxy that is this test."""
    dsn = "://" in str(store)
    where = 'dsn_env = "TOKONOMI_TEST_DSN"' if dsn else f'path = "{store}"'
    text = configuration(provider.base_url).replace('path = "tokonomi.db"', where)
    text = text.replace("[listen]\nport = 0\n", LIMITS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TOKONOMI_TEST_DSN", str(store))
        both = [GatewayProcess(tmp_path_factory.mktemp("gateway"), text) for _ in range(2)]
        for each in both:
            each.start()
    yield both
    for each in both:
        each.stop()


def make_key(store: Path | str, gateways: list[GatewayProcess], terms: Terms) -> tuple[str, str]:
    """The text and the id of a new key that both gateways know."""
    with closing(open_store(store)) as database:
        text, key = keys.create(database, "limited", "tests", now=datetime.now(UTC), terms=terms)
    until(lambda: all(each.accepts(text) for each in gateways))
    return text, key.id


def ask(client: openai.OpenAI, **more: Any) -> str:
    """What became of a call: `ok`, or the code of its refusal."""
    asked: dict[str, Any] = {"model": "gpt-4o-mini", "messages": HELLO, "max_tokens": 5, **more}
    try:
        client.chat.completions.create(**asked)
    except openai.APIStatusError as refused:
        return str(refused.code)
    return "ok"


def test_no_more_requests_pass_than_the_limit_over_both_gateways(
    store: Path | str, gateways: list[GatewayProcess], provider: FakeProvider
) -> None:
    # One a minute comes back, so none does while this test runs.
    key, _ = make_key(store, gateways, Terms(limits=RateLimits(requests=1)))
    before = len(provider.received)
    clients = [each.client(key) for each in gateways]
    with ThreadPoolExecutor(8) as pool:
        outcomes = Counter(pool.map(ask, clients * 8))
    assert outcomes == {"ok": 1, "rate_limit_exceeded": 15}
    assert len(provider.received) == before + 1
    with pytest.raises(openai.RateLimitError) as refused:
        clients[0].chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    headers = refused.value.response.headers
    assert 1 <= int(headers["retry-after"]) <= 60
    assert headers["x-ratelimit-limit-requests"] == "1"
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.value.type == "rate_limit_error"
    error: Any = refused.value.body
    assert error["metadata"] == {
        "limit_source": "requests",
        "limit": "1",
        "available": "0",
        "needed": "1",
    }
    for client in clients:
        client.close()


def test_tokens_are_held_at_their_bound_and_settle_to_what_was_used(
    store: Path | str, gateways: list[GatewayProcess]
) -> None:
    key, _ = make_key(store, gateways, Terms(limits=RateLimits(tokens=100_000)))
    with gateways[0].client(key) as client, gateways[1].client(key) as other:
        with client.chat.completions.with_streaming_response.create(
            model="fake/stall", messages=HELLO, max_tokens=90_000, stream=True
        ) as held:
            assert int(held.headers["x-ratelimit-remaining-tokens"]) < 10_000
            assert ask(other, max_tokens=20_000) == "rate_limit_exceeded"
        # The client has left: what was not used of the hold is there again.
        until(lambda: ask(other, max_tokens=20_000) == "ok")
        raw = other.chat.completions.with_raw_response.create(
            model="gpt-4o-mini", messages=HELLO, max_tokens=7
        )
        assert int(raw.headers["x-ratelimit-remaining-tokens"]) > 99_000
        with pytest.raises(openai.RateLimitError) as never:
            client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, max_tokens=200_000)
        assert never.value.response.headers["x-should-retry"] == "false"
        assert "retry-after" not in never.value.response.headers
        assert ask(client, model="fake/nobody-knows-it", max_tokens=None) == "tokens_unbounded"


def test_requests_at_once_are_counted_over_both_gateways_and_after_a_crash(
    store: Path | str, gateways: list[GatewayProcess]
) -> None:
    key, _ = make_key(store, gateways, Terms(limits=RateLimits(concurrent=2)))
    clients = [each.client(key) for each in gateways]
    streams = [
        each.chat.completions.create(model="fake/stall", messages=HELLO, stream=True)
        for each in clients
    ]
    assert [ask(each) for each in clients] == ["rate_limit_exceeded"] * 2
    streams[0].close()
    until(lambda: ask(clients[0]) == "ok")
    gateways[1].kill()
    killed = time.monotonic()
    assert until(lambda: ask(clients[0]) == "ok")
    assert time.monotonic() - killed < 2 * SWEEP_SECONDS
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TOKONOMI_TEST_DSN", str(store))
        gateways[1].start()
    for each in clients:
        each.close()


def test_a_changed_limit_is_in_force_with_the_next_request(
    store: Path | str, gateways: list[GatewayProcess]
) -> None:
    key, key_id = make_key(store, gateways, Terms(limits=RateLimits(requests=1)))
    with gateways[0].client(key) as client:
        assert [ask(client), ask(client)] == ["ok", "rate_limit_exceeded"]
        with closing(open_store(store)) as database:
            faster = Terms(limits=RateLimits(requests=3))
            keys.change_terms(database, key_id, lambda _: faster, now=datetime.now(UTC))
        assert [ask(client) for _ in range(3)] == ["ok", "ok", "rate_limit_exceeded"]


def test_a_key_is_refused_where_its_terms_do_not_let_it_in(
    store: Path | str, gateways: list[GatewayProcess]
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    office = Terms(networks=networks_from(["10.0.0.0/8", "2001:db8::/32", "127.0.0.1"]))
    at_office, _ = make_key(store, gateways, office)
    limited, _ = make_key(store, gateways, Terms(models=("gpt-4o-mini", "fake/*")))
    ending, _ = make_key(store, gateways, Terms(expires=soon))
    with gateways[0].client(at_office) as client:
        outcomes = {
            address: ask(client, extra_headers={"x-forwarded-for": address})
            for address in ("10.1.2.3", "2001:db8::1", "11.1.2.3", "nonsense", "10.1.1.1, 11.0.0.1")
        }
    assert outcomes == {
        "10.1.2.3": "ok",
        "2001:db8::1": "ok",
        "11.1.2.3": "address_not_allowed",
        "nonsense": "address_not_allowed",
        "10.1.1.1, 11.0.0.1": "address_not_allowed",
    }
    with gateways[0].client(limited) as client:
        assert ask(client, model="house-model") == "model_not_allowed"
        assert ask(client, model="fake/gpt-4o-mini") == "ok"
        assert [each.id for each in client.models.list()] == ["gpt-4o-mini"]
    with gateways[0].client(ending) as client:
        until(lambda: ask(client) == "key_expired")
