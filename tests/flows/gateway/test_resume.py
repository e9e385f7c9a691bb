"""Answers that break off and are taken up by the next target, up to the client's last byte."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import available_timezones

import anthropic
import openai
import pytest
from fake_provider import (
    STALL,
    STREAM_END,
    STREAM_HEAD,
    Answer,
    FakeProvider,
    Hangup,
    Received,
    chunk,
    chunked,
    event,
    refusing,
    usage_chunk,
    whole,
)
from gateway_process import GatewayProcess, until
from spoken_answers import Says

from tokonomi.budgets.table import budget_from_table
from tokonomi.providers.token_estimate import estimated_tokens
from tokonomi.storage import budget_store
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify

HELLO: Final[Any] = [{"role": "user", "content": "Which city is the capital of Indonesia?"}]
WHOLE: Final = "Jakarta is the capital of Indonesia."
HALF: Final = ("Jakarta", " is the", " ")
REST: Final = ("capital of", " Indonesia", ".")
ANEW: Final = ("Jak", "arta is", " the capital", " of Indonesia.")
USAGE: Final = {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35}
INPUT_RATE: Final = 150_000
OUTPUT_RATE: Final = 600_000
"""Pico-dollars a token, of every model here."""
REPORTED: Final = 30 * INPUT_RATE + 5 * OUTPUT_RATE
PROVIDERS: Final = ("one", "two", "three")
PATIENCE: Final = "timeouts = { first_byte = 0.5, between_chunks = 0.5 }"
MODEL: Final = "gpt-4o-mini"


def configuration(urls: Sequence[str]) -> str:
    providers = "".join(
        f"""
[providers.{name}]
base_url = "{url}"
allow_private = true
price_as = "openai"
"""
        for name, url in zip(PROVIDERS, urls, strict=True)
    )
    return f"""
[store]
path = "tokonomi.db"

[listen]
port = 0

[breaker]
minimum_calls = 1000
{providers}
[providers.claude]
base_url = "{urls[0]}"
allow_private = true
dialect = "anthropic"
price_as = "anthropic"

[providers.native]
base_url = "{urls[0]}"
allow_private = true
price_as = "openai"
also = ["responses"]

[models.off]
targets = [{_target("one")}, {_target("two")}]
{"".join(_resumed(name, targets) for name, targets in CHAINS.items())}
"""


CHAINS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "once": (("one", "none"),),
    "fresh": (("one", "none"), ("two", "none"), ("three", "none")),
    "continued": (("one", "none"), ("two", "trailing"), ("three", "trailing")),
    "flagged": (("one", "none"), ("two", "flagged")),
    "vllm": (("one", "none"), ("two", "vllm")),
    "echoed": (("one", "none"), ("two", "echoed")),
    "claude": (("claude", "none"), ("two", "trailing")),
    "native": (("native", "none"), ("two", "trailing")),
}
"""Aliases that resume: each target's provider, and how it takes a beginning."""


def _resumed(alias: str, targets: Sequence[tuple[str, str]]) -> str:
    chain = ", ".join(_target(provider, prefix) for provider, prefix in targets)
    return f"\n[models.{alias}]\nresume = true\ntargets = [{chain}]\n"


def _target(provider: str, prefix: str = "none") -> str:
    model = "claude-haiku-4-5" if provider == "claude" else MODEL
    return f'{{ provider = "{provider}", model = "{model}", prefix = "{prefix}", {PATIENCE} }}'


def create_budget(location: str, stated: dict[str, object]) -> None:
    """A hard budget that lasts for ever, in a store of either database."""
    table = {"window": "lifetime", "currency": "USD", **stated}
    with closing(open_store(location)) as database:
        budget = budget_from_table(table, zones=available_timezones())
        budget_store.create(database, budget, now=datetime.now(UTC))


@dataclass
class Setting:
    one: FakeProvider
    two: FakeProvider
    three: FakeProvider
    gateway: GatewayProcess
    key: str
    client: openai.OpenAI

    def script(self, *answers: Callable[[Received], Answer]) -> None:
        for fake, answer in zip((self.one, self.two, self.three), answers, strict=False):
            fake.always = answer
            fake.received.clear()

    def ask(self, model: str, **more: Any) -> str:
        """The text of a streamed answer, read to its end by the official client."""
        stream = self.client.chat.completions.create(
            model=model, messages=HELLO, stream=True, **more
        )
        return "".join(each.choices[0].delta.content or "" for each in stream if each.choices)

    def budget(self, stated: dict[str, object]) -> None:
        """A hard budget that lasts for ever."""
        create_budget(self.gateway.location, stated)

    def rows(self) -> list[dict[str, Any]]:
        """The attempts of the request that was asked last, settled, with nothing held."""
        until(lambda: self.gateway.in_flight() == 0)
        last = self.gateway.rows()[-1]["request_id"]
        with closing(open_store(self.gateway.location)) as database:
            assert verify(database).imbalances == ()
            pending = "SELECT COALESCE(sum(debits_pending), 0) FROM account"
            assert only_row(database, pending) == (0,)
        return self.gateway.rows("request_id = ?", last)


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module")
def setting(provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    two, three = FakeProvider(), FakeProvider()
    for fake in (two, three):
        fake.start()
    urls = [fake.base_url for fake in (provider, two, three)]
    gateway = GatewayProcess(tmp_path_factory.mktemp("resume"), configuration(urls))
    gateway.start()
    key, _ = gateway.make_key()
    with gateway.client(key) as client:
        yield Setting(provider, two, three, gateway, key, client)
    gateway.stop()
    two.stop()
    three.stop()


def saying(*pieces: str, then: str = "end") -> Callable[[Received], Answer]:
    """A stream of these pieces that ends well, is cut, stalls, or breaks off with an error."""

    async def answer(_request: Received) -> Answer:
        yield STREAM_HEAD
        for piece in pieces:
            yield chunked(event(chunk(piece, model=MODEL)))
        if then == "cut":
            raise Hangup
        if then == "stall":
            yield STALL
        if then == "error":
            yield chunked(event({"error": {"message": "overloaded", "code": 503}}))
            yield STREAM_END
            return
        if then == "early":
            yield STREAM_END
            return
        yield chunked(event(chunk(None, finish="stop", model=MODEL)))
        yield chunked(event(usage_chunk(USAGE)))
        yield chunked(b"data: [DONE]\n\n")
        yield STREAM_END

    return answer


async def refusing_a_prefix(request: Received) -> Answer:
    """Refuses a beginning of its answer, and answers without one."""
    turns = request.fields["messages"]
    refused = refusing(400) if turns[-1]["role"] == "assistant" else saying(*ANEW)
    async for part in refused(request):
        yield part


def estimate_of(text: str) -> int:
    """What the estimate of a cut answer to `HELLO` costs, worked out beside the gateway."""
    question = estimated_tokens("user\n" + HELLO[0]["content"]) + 4
    return question * INPUT_RATE + estimated_tokens(text) * OUTPUT_RATE


@pytest.mark.parametrize("then", ["cut", "stall", "error", "early"])
def test_a_target_that_takes_a_beginning_continues_what_broke_off(
    setting: Setting, then: str
) -> None:
    setting.script(saying(*HALF, then=then), saying(*REST))
    assert setting.ask("continued") == WHOLE
    [asked] = setting.two.received
    assert asked.fields["messages"] == [*HELLO, {"role": "assistant", "content": "Jakarta is the"}]
    first, second = setting.rows()
    assert (first["status"], second["status"]) == ("cut", "ok")
    assert "attempt 2 is to resume its answer" in first["note"]
    assert second["note"] == "it continues attempt 1 behind 15 characters"
    assert (first["source"], second["source"]) == ("estimated", "reported")
    assert second["amount"] == REPORTED


def test_a_target_that_takes_none_begins_anew_and_the_repetition_is_dropped(
    setting: Setting,
) -> None:
    setting.script(saying(*HALF, then="cut"), saying(*ANEW))
    assert setting.ask("fresh") == WHOLE
    assert setting.two.received[0].fields["messages"] == HELLO
    first, second = setting.rows()
    assert second["note"] == "it repeats attempt 1 and goes on behind 15 characters"
    assert second["amount"] == REPORTED
    assert first["amount"] > 0


def test_an_answer_that_goes_another_way_follows_whole_after_a_blank_line(
    setting: Setting,
) -> None:
    setting.script(saying(*HALF, then="cut"), saying("Jakarta", "."))
    assert setting.ask("fresh") == "Jakarta is the \n\nJakarta."
    assert setting.rows()[1]["note"] == "it begins anew behind 15 characters of attempt 1"


def test_an_answer_that_ends_within_what_was_sent_follows_whole_too(setting: Setting) -> None:
    setting.script(saying(*HALF, then="cut"), saying("Jakarta"))
    assert setting.ask("fresh") == "Jakarta is the \n\nJakarta"


def test_a_second_cut_is_taken_up_by_the_third_target(setting: Setting) -> None:
    setting.script(saying(*HALF, then="cut"), saying(REST[0], then="stall"), saying(*REST[1:]))
    assert setting.ask("continued") == WHOLE
    turns = setting.three.received[0].fields["messages"]
    assert turns[-1] == {"role": "assistant", "content": "Jakarta is the capital of"}
    rows = setting.rows()
    assert [row["status"] for row in rows] == ["cut", "cut", "ok"]
    assert "continues attempt 1" in rows[1]["note"]
    assert "attempt 3 is to resume" in rows[1]["note"]
    assert rows[2]["note"] == "it continues attempt 2 behind 25 characters"


def test_the_client_never_sees_that_a_beginning_was_refused(setting: Setting) -> None:
    setting.script(saying(*HALF, then="cut"), refusing_a_prefix)
    assert setting.ask("continued") == WHOLE
    rows = setting.rows()
    assert [row["status"] for row in rows] == ["cut", "failed", "ok"]
    assert "it was to continue behind 15 characters of attempt 1" in rows[1]["note"]
    assert rows[1]["amount"] is None
    assert rows[2]["note"] == "it repeats attempt 1 and goes on behind 15 characters"


def test_when_nobody_takes_it_up_the_client_hears_of_the_answer_that_broke_off(
    setting: Setting,
) -> None:
    setting.script(saying(*HALF, then="cut"), refusing(400), refusing(500))
    with pytest.raises(openai.APIError, match="one broke off its answer"):
        setting.ask("continued")
    assert [row["status"] for row in setting.rows()] == ["cut", "failed", "failed", "failed"]


@pytest.mark.parametrize(
    "second",
    [saying(), saying(then="cut"), refusing(503), refusing(429)],
    ids=["empty", "cut early", "503", "429"],
)
def test_a_target_that_adds_nothing_is_left_for_the_next(
    setting: Setting, second: Callable[[Received], Answer]
) -> None:
    setting.script(saying(*HALF, then="cut"), second, saying(*ANEW))
    assert setting.ask("fresh") == WHOLE
    assert len(setting.rows()) == 3


async def not_streaming(_request: Received) -> Answer:
    message = {"role": "assistant", "content": WHOLE}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    yield whole(200, json.dumps({"choices": [choice], "usage": USAGE}).encode())


def test_a_whole_reply_behind_half_a_stream_is_no_part_of_it(setting: Setting) -> None:
    setting.script(saying(*HALF, then="cut"), not_streaming, saying(*ANEW))
    assert setting.ask("fresh") == WHOLE
    assert [row["status"] for row in setting.rows()] == ["cut", "failed", "ok"]


def test_a_continuation_need_not_add_anything(setting: Setting) -> None:
    setting.script(saying(WHOLE, then="cut"), saying())
    assert setting.ask("continued") == WHOLE
    assert [row["status"] for row in setting.rows()] == ["cut", "ok"]


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        ("flagged", {"prefix": True}),
        ("echoed", {"prefix": True}),
        ("vllm", {}),
    ],
)
def test_each_provider_is_given_the_beginning_as_it_takes_it(
    setting: Setting, model: str, flags: dict[str, object]
) -> None:
    rest = ANEW if model == "echoed" else REST
    setting.script(saying(*HALF, then="cut"), saying(*rest))
    assert setting.ask(model) == WHOLE
    fields = setting.two.received[0].fields
    turn = {"role": "assistant", "content": "Jakarta is the"}
    assert fields["messages"] == [*HELLO, turn | flags]
    assert fields.get("continue_final_message", False) is (model == "vllm")


def tool_call(_request: Received) -> Answer:
    async def answer() -> Answer:
        function = {"name": "weather", "arguments": '{"ci'}
        call = {"index": 0, "id": "call_1", "type": "function", "function": function}
        piece = {**chunk(None), "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
        yield STREAM_HEAD
        yield chunked(event(piece))
        raise Hangup

    return answer()


UNRESUMED: dict[str, tuple[str, dict[str, Any], Callable[[Received], Answer]]] = {
    "without resume": ("off", {}, saying(*HALF, then="cut")),
    "without another target": ("once", {}, saying(*HALF, then="cut")),
    "half a tool call": ("continued", {}, tool_call),
    "several choices": ("continued", {"n": 2}, saying(*HALF, then="cut")),
    "a form, begun anew": (
        "fresh",
        {"response_format": {"type": "json_object"}},
        saying('{"city"', then="cut"),
    ),
}


@pytest.mark.parametrize("case", UNRESUMED)
def test_what_cannot_be_taken_up_ends_with_an_error_in_the_stream(
    setting: Setting, case: str
) -> None:
    model, more, cut = UNRESUMED[case]
    setting.script(cut, saying(*REST))
    with pytest.raises(openai.APIError, match="one broke off its answer"):
        setting.ask(model, **more)
    assert setting.two.received == []
    [row] = setting.rows()
    assert row["status"] == "cut"


def test_json_of_a_form_is_continued(setting: Setting) -> None:
    setting.script(saying('{"city": "Band', then="cut"), saying('ung"}'))
    text = setting.ask("continued", response_format={"type": "json_object"})
    assert json.loads(text) == {"city": "Bandung"}


def test_each_attempt_costs_what_it_used_and_its_hold_was_made_before_the_first(
    setting: Setting,
) -> None:
    """Two targets may be billed, so twice the worst case is held, and no more is ever spent."""
    setting.budget({"id": "team", "amount": "10"})
    setting.script(saying(*HALF, then="cut"), saying(*REST))

    def of_the_budget() -> list[dict[str, Any]]:
        assert setting.ask("flagged", max_tokens=50) == WHOLE
        rows = setting.rows()
        return rows if all(row["held"] for row in rows) else []

    first, second = until(of_the_budget)
    worst = first["amount"] + first["exposure"]
    # The second attempt reads the beginning too: 15 characters in a turn of its own.
    assert 2 * worst == held_by(first)
    assert worst < held_by(second) < worst + 100 * INPUT_RATE
    assert first["amount"] == estimate_of("".join(HALF))
    assert (second["amount"], second["exposure"]) == (REPORTED, None)


def test_a_budget_that_refuses_the_next_part_is_named_in_the_stream(setting: Setting) -> None:
    """The beginning that the next target reads besides was not in the hold; no cap is passed."""
    setting.script(saying(*HALF, then="cut"), saying(*REST))
    assert setting.ask("flagged", max_tokens=50, user="poor") == WHOLE
    held = held_by(setting.rows()[0])
    setting.budget({"id": "poor", "scope": {"user": "poor"}, "amount": f"0.{held:012d}"})

    def in_force() -> bool:
        setting.script(saying(*REST))
        try:
            setting.ask("off", max_tokens=16_000, user="poor")
        except openai.APIStatusError:
            return True
        return False

    until(in_force)
    setting.script(saying(*HALF, then="cut"), saying(*REST))
    with pytest.raises(openai.APIError, match="It was not resumed: budget poor"):
        setting.ask("flagged", max_tokens=50, user="poor")
    assert setting.two.received == []
    [row] = setting.rows()
    assert row["status"] == "cut"


def held_by(row: dict[str, Any]) -> int:
    """What an attempt had held, in pico-dollars."""
    return sum(amount for _, _, parts in json.loads(bytes(row["held"])) for _, amount in parts)


def test_a_client_that_leaves_the_second_part_ends_both_attempts(setting: Setting) -> None:
    setting.script(saying(*HALF, then="cut"), saying(REST[0], then="stall"))
    stream = setting.client.chat.completions.create(model="flagged", messages=HELLO, stream=True)
    text = ""
    while not text.endswith(REST[0]):
        text += next(stream).choices[0].delta.content or ""
    stream.close()
    until(lambda: setting.gateway.in_flight() == 0)
    assert [row["status"] for row in setting.rows()] == ["cut", "disconnected"]


def test_anthropics_client_reads_a_joined_stream(setting: Setting) -> None:
    setting.script(saying(*HALF, then="cut"), saying(*REST))
    with (
        anthropic.Anthropic(base_url=setting.gateway.url, api_key=setting.key) as client,
        client.messages.stream(model="continued", max_tokens=50, messages=HELLO) as stream,
    ):
        message = stream.get_final_message()
    [block] = message.content
    assert block.type == "text"
    assert block.text == WHOLE
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == 5
    assert [row["status"] for row in setting.rows()] == ["cut", "ok"]


def test_a_stream_of_one_dialect_is_continued_in_another(setting: Setting) -> None:
    setting.script(Says(HALF, then="cut"), saying(*REST))
    with (
        anthropic.Anthropic(base_url=setting.gateway.url, api_key=setting.key) as client,
        client.messages.stream(model="claude", max_tokens=50, messages=HELLO) as stream,
    ):
        assert stream.get_final_text() == WHOLE
    first, second = setting.rows()
    assert (first["provider"], second["provider"]) == ("anthropic", "openai")


@pytest.mark.parametrize("model", ["continued", "native"])
def test_a_stream_of_responses_is_joined(setting: Setting, model: str) -> None:
    setting.script(Says(HALF, then="cut"), saying(*REST))
    with setting.client.responses.stream(model=model, input="hello") as stream:
        final = stream.get_final_response()
    assert final.output_text == WHOLE
    assert final.status == "completed"
    assert [row["status"] for row in setting.rows()] == ["cut", "ok"]


def test_each_part_has_its_cost_in_the_stream(setting: Setting) -> None:
    setting.script(saying(*HALF, then="cut"), saying(*REST))
    raw = setting.client.chat.completions.with_raw_response.create(
        model="continued", messages=HELLO, stream=True
    )
    lines = raw.http_response.read().decode().splitlines()
    told = [json.loads(line.removeprefix(": tokonomi ")) for line in lines if line[:2] == ": "]
    assert [each["status"] for each in told] == ["cut", "ok"]
    rows = setting.rows()
    assert [float(each["cost"]) for each in told] == [row["amount"] / 1e12 for row in rows]
    assert lines[-2] == "data: [DONE]"
