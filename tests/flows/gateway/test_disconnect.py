"""A client that leaves: each provider's policy, for streams and whole answers, to the last row."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import available_timezones

import openai
import pytest
from fake_provider import PIECES, Deaf, FakeProvider
from gateway_process import GatewayProcess, configuration, until

from tokonomi.budgets.table import budget_from_table
from tokonomi.credits.rule_table import StoredRule
from tokonomi.credits.wallet import WalletRule
from tokonomi.storage import budget_store, keys
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.package_files import load_offer
from tokonomi.storage.wallet_rules import set_rule
from tokonomi.storage.wallet_store import buy

POLICIES: Final = ("cancel", "drain", "estimate")
HELLO: Any = [{"role": "user", "content": "Say hello to everybody who is there, one by one."}]
INPUT_RATE: Final = 150_000
OUTPUT_RATE: Final = 600_000
"""Pico-dollars a token, of the models below and of gpt-4o-mini, which the answers name."""
REPLY_BYTES: Final = 200_000
CONNECT_SECONDS: Final = 15.0
TEAM: Final = {"id": "team", "window": "lifetime", "currency": "USD", "amount": "10"}
CONTRACT: Final = "".join(
    f"""
[[prices.model]]
provider = "openai"
id = "{model}"
source = "our tests"

[[prices.model.price]]
source = "our tests"
rates = {{ input = "0.15", cache_read = "0.075", output = "0.60" }}
"""
    for model in ("m", "stall", "silent", "babbles", "slowly:150", "slowly:700")
)


def providers(base_url: str, deaf: str) -> str:
    """A provider for each policy, under the alias `POLICY/*`, and one that takes no connection."""
    return "".join(
        f"""
[providers.{policy}]
base_url = "{base_url}"
allow_private = true
price_as = "openai"
on_disconnect = "{policy}"

[providers.{policy}.timeouts]
first_byte = 5.0
between_chunks = 1.0

[models."{policy}/*"]
provider = "{policy}"

[providers.{policy}-deaf]
base_url = "{deaf}"
allow_private = true
price_as = "openai"
on_disconnect = "{policy}"
timeouts = {{ connect = {CONNECT_SECONDS} }}

[models."{policy}-deaf"]
targets = [{{ provider = "{policy}-deaf", model = "m" }}, {{ provider = "openai", model = "m" }}]
"""
        for policy in POLICIES
    )


@dataclass
class Setting:
    """A gateway with a budget and a wallet on the path, and its provider."""

    location: str
    process: GatewayProcess
    provider: FakeProvider
    client: openai.OpenAI

    def stream(self, model: str, **more: Any) -> Any:
        return self.client.chat.completions.create(
            model=model, messages=HELLO, stream=True, user="ani", max_tokens=50, **more
        )

    def leave_before_the_answer(self, model: str, **more: Any) -> None:
        """Asks for a whole answer, and leaves before it is there."""
        hasty = self.client.with_options(timeout=0.3)
        with pytest.raises(openai.APITimeoutError):
            hasty.chat.completions.create(
                model=model, messages=HELLO, user="ani", max_tokens=50, **more
            )

    def settled(self, model: str) -> dict[str, Any]:
        """The newest row of a model once nothing is in flight, with what was captured for it."""
        with closing(open_store(self.location)) as database:
            flying = "SELECT count(*) FROM attempt"
            until(lambda: database.execute(flying).fetchall() == [(0,)])
            columns = (
                "id, status, source, uncached_input, cache_read, output, amount, note"
                ", unpriced, exposure, duration_ms"
            )
            row = database.execute(
                f"SELECT {columns} FROM call WHERE alias = ? ORDER BY seq DESC LIMIT 1", (model,)
            ).fetchone()
            assert row is not None
            found: dict[str, Any] = dict(zip(columns.split(", "), row, strict=True))
            for name, sink in (("of_budget", "spent"), ("of_wallet", "revenue")):
                moved = database.execute(
                    "SELECT amount FROM transfer WHERE call_id = ? AND sink = ?", (row[0], sink)
                ).fetchall()
                found[name] = sum(amount for (amount,) in moved)
            assert verify(database).imbalances == ()
            assert verify(database).open_holds == 0
            return found


@pytest.fixture(scope="module")
def setting(
    provider: FakeProvider,
    new_store: Callable[[], Path | str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Setting]:
    location = str(new_store())
    now = datetime.now(UTC)
    with closing(open_store(location)) as database:
        text, _ = keys.create(database, "test", "tests", now=now)
        budget = budget_from_table(TEAM, zones=available_timezones())
        budget_store.create(database, budget, now=now)
        set_rule(database, StoredRule(WalletRule(per="user")), now=now)
        # What a provider goes on to write without its client is far above what its call held.
        for number in range(20):
            package = load_offer().package("paper")
            buy(database, package, wallet="tests:user:ani", payment_id=f"p-{number}", now=now)
    where = 'dsn_env = "TOKONOMI_TEST_DSN"' if "://" in location else f'path = "{location}"'
    settings = configuration(
        provider.base_url,
        more=f"{CONTRACT.lstrip()}\n[limits]\nreply_bytes = {REPLY_BYTES}\n",
    ).replace('path = "tokonomi.db"', where)
    with Deaf() as deaf:
        process = GatewayProcess(
            tmp_path_factory.mktemp("leaving") / "gateway",
            settings + providers(provider.base_url, deaf),
            environ={"TOKONOMI_TEST_DSN": location},
        )
        process.start()
        with process.client(text) as client:
            yield Setting(location, process, provider, client)
        process.stop()


def estimated_cost(row: dict[str, Any]) -> int:
    return row["uncached_input"] * INPUT_RATE + row["output"] * OUTPUT_RATE


@pytest.mark.parametrize("model", ["cancel/stall", "fake/stall"])
def test_a_cancelled_stream_is_closed_and_counts_what_was_relayed(
    setting: Setting, model: str
) -> None:
    before = setting.provider.hangups
    stream = setting.stream(model)
    assert [next(stream).choices[0].delta.content for _ in range(3)] == list(PIECES[:3])
    stream.close()
    assert until(lambda: setting.provider.hangups > before)
    row = setting.settled(model)
    assert (row["status"], row["source"], row["output"]) == ("disconnected", "estimated", 3)
    assert 10 < row["uncached_input"] < 40
    assert row["note"] == (
        "the client left in the middle of its answer; on_disconnect = cancel: the call was ended,"
        " and what was sent of it is counted; the provider reported no usage; this is an estimate"
    )
    assert row["amount"] == row["of_budget"] == estimated_cost(row)
    assert row["of_wallet"] == row["uncached_input"] + row["output"]


def test_a_cancelled_whole_answer_is_closed_and_counts_its_input(setting: Setting) -> None:
    before = setting.provider.hangups
    setting.leave_before_the_answer("cancel/silent")
    assert until(lambda: setting.provider.hangups > before)
    row = setting.settled("cancel/silent")
    assert (row["status"], row["source"], row["output"]) == ("disconnected", "estimated", 0)
    assert 10 < row["uncached_input"] < 40
    assert "the client left before its answer; on_disconnect = cancel" in row["note"]
    assert row["amount"] == row["of_budget"] == estimated_cost(row)
    assert row["of_wallet"] == row["uncached_input"]


def test_a_stream_that_is_taken_to_be_finished_counts_the_longest_answer(setting: Setting) -> None:
    before = setting.provider.hangups
    stream = setting.stream("estimate/stall", n=2)
    for _ in range(3):
        next(stream)
    stream.close()
    assert until(lambda: setting.provider.hangups > before)
    row = setting.settled("estimate/stall")
    assert (row["status"], row["source"], row["output"]) == ("disconnected", "estimated", 100)
    assert "on_disconnect = estimate: the call was ended, and counts as if" in row["note"]
    assert row["amount"] == row["of_budget"] == estimated_cost(row)
    # The customer pays for what they got, and not for what nobody has seen.
    assert row["of_wallet"] == row["uncached_input"] + 3


def test_a_whole_answer_that_is_taken_to_be_finished_counts_the_longest_one(
    setting: Setting,
) -> None:
    before = setting.provider.hangups
    setting.leave_before_the_answer("estimate/silent")
    assert until(lambda: setting.provider.hangups > before)
    row = setting.settled("estimate/silent")
    assert (row["status"], row["source"], row["output"]) == ("disconnected", "estimated", 50)
    assert row["amount"] == row["of_budget"] == estimated_cost(row)
    assert row["of_wallet"] == row["uncached_input"]


def test_a_drained_stream_has_the_usage_that_the_provider_reports(setting: Setting) -> None:
    before = setting.provider.hangups
    stream = setting.stream("drain/slowly:150")
    assert next(stream).choices[0].delta.content == PIECES[0]
    stream.close()
    row = setting.settled("drain/slowly:150")
    assert (row["status"], row["source"]) == ("disconnected", "reported")
    assert (row["uncached_input"], row["cache_read"], row["output"]) == (16, 5, 7)
    assert row["note"] == (
        "the client left before the end; on_disconnect = drain: the answer was read to its end"
    )
    assert row["amount"] == row["of_budget"] == 16 * INPUT_RATE + 5 * 75_000 + 7 * OUTPUT_RATE
    assert row["of_wallet"] == 28
    assert setting.provider.hangups == before


@pytest.mark.parametrize("model", ["drain/slowly:700", "fake/slowly:700"])
def test_a_drained_whole_answer_has_the_usage_that_the_provider_reports(
    setting: Setting, model: str
) -> None:
    before = setting.provider.hangups
    setting.leave_before_the_answer(model)
    row = setting.settled(model)
    assert (row["status"], row["source"]) == ("disconnected", "reported")
    assert (row["uncached_input"], row["cache_read"], row["output"]) == (16, 5, 7)
    assert "on_disconnect = drain: the answer was read to its end" in row["note"]
    assert setting.provider.hangups == before


def test_a_drained_stream_that_stalls_is_given_up_and_counts_what_was_read(
    setting: Setting,
) -> None:
    before = setting.provider.hangups
    stream = setting.stream("drain/stall")
    next(stream)
    stream.close()
    assert until(lambda: setting.provider.hangups > before)
    row = setting.settled("drain/stall")
    assert (row["status"], row["source"], row["output"]) == ("disconnected", "estimated", 3)
    assert "the answer was not read to its end, and what was read is counted" in row["note"]
    assert "nothing came for 1 s" in row["note"]


def test_a_drained_stream_is_read_no_further_than_a_reply_may_be_long(setting: Setting) -> None:
    stream = setting.stream("drain/babbles")
    next(stream)
    stream.close()
    row = setting.settled("drain/babbles")
    assert (row["status"], row["source"]) == ("disconnected", "estimated")
    assert f"more than {REPLY_BYTES} bytes came without its client" in row["note"]
    assert row["output"] > 5_000


def test_a_call_whose_client_stays_is_settled_as_ever_under_each_policy(setting: Setting) -> None:
    for policy in POLICIES:
        model = f"{policy}/gpt-4o-mini"
        answer = setting.client.chat.completions.create(model=model, messages=HELLO, user="ani")
        assert answer.choices[0].message.content == "".join(PIECES)
        assert setting.settled(model)["status"] == "ok"
        text = [each.choices[0].delta.content for each in setting.stream(model)]
        assert "".join(filter(None, text)) == "".join(PIECES)
        row = setting.settled(model)
        assert (row["status"], row["source"], row["note"]) == ("ok", "reported", "")
    sent = [json.loads(each.body) for each in setting.provider.received[-2 * len(POLICIES) :]]
    assert {each["model"] for each in sent} == {"gpt-4o-mini"}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_before_the_call_was_sent_pays_nothing(
    setting: Setting, policy: str, *, stream: bool
) -> None:
    setting.leave_before_the_answer(f"{policy}-deaf", stream=stream)
    row = setting.settled(f"{policy}-deaf")
    assert (row["status"], row["source"], row["amount"]) == ("disconnected", "absent", None)
    assert row["unpriced"] == "the client left before the call was sent: the provider got nothing"
    assert (row["of_budget"], row["of_wallet"], row["exposure"]) == (0, 0, None)
    assert row["duration_ms"] < CONNECT_SECONDS * 1_000
