"""The main job with real parts: `tokonomi up`, the official client, and a model that bills."""

import fcntl
import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import Any

import openai
import pytest
from running_demo import SECONDS, TOKONOMI, Demo, running_demo, tokonomi

from tokonomi.cli.demo import DemoFolder, free_port
from tokonomi.money import Money
from tokonomi.providers import local_model

pytestmark = pytest.mark.skipif(
    not local_model.is_installed(), reason="the demo's local model is not installed; use make test"
)

CHAT = local_model.CHAT_MODEL
EMBEDDING = local_model.EMBEDDING_MODEL
HELLO: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo") / "var") as running:
        yield running


def test_up_prints_a_real_answer_and_its_exact_cost(demo: Demo) -> None:
    row = demo.rows()[0]
    rate = {"input": Fraction("0.11") / 10**6, "output": Fraction("0.13") / 10**6}
    exact = row["uncached_input"] * rate["input"] + row["output"] * rate["output"]
    assert row["amount"] == exact * 10**12
    assert "Jakarta" in demo.printed
    assert f"input {row['uncached_input']:>4} x $0.11 a million = " in demo.printed
    assert f"output {row['output']:>3} x $0.13 a million = " in demo.printed
    assert f" {Money(row['amount'], 'USD')}\n" in demo.printed


def test_up_prints_the_address_the_key_a_call_and_the_report(demo: Demo) -> None:
    key = demo.folder.key_file.read_text().strip()
    assert f"http://127.0.0.1:{demo.port}/v1" in demo.printed
    assert f"curl http://127.0.0.1:{demo.port}/v1/chat/completions" in demo.printed
    assert f"Authorization: Bearer {key}" in demo.printed
    assert re.search(
        rf"report --data {demo.folder.path}\nSpend, all time\n(?:.*\n)+? smollm2-135m +1 +37 ",
        demo.printed,
    )


def test_the_demos_key_is_readable_by_its_owner_only(demo: Demo) -> None:
    files = [demo.folder.key_file, demo.folder.model_key_file]
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600, 0o600]
    assert demo.folder.key_file.read_text().strip() not in demo.config()


def test_a_second_up_says_that_it_is_already_running(demo: Demo) -> None:
    second = tokonomi("up", "--detach", "--data", str(demo.folder.path))
    assert (second.returncode, second.stderr) == (0, "")
    assert f"already running on http://127.0.0.1:{demo.port}" in second.stdout


def test_a_chat_is_answered_and_its_reported_tokens_are_stored(demo: Demo) -> None:
    raw = demo.client.chat.completions.with_raw_response.create(
        model=CHAT, messages=HELLO, max_tokens=20
    )
    reply, row = raw.parse(), demo.row_of(raw.headers["x-tokonomi-request-id"])
    assert reply.choices[0].message.content
    assert reply.usage is not None
    assert (row["uncached_input"] + row["cache_read"], row["output"]) == (
        reply.usage.prompt_tokens,
        reply.usage.completion_tokens,
    )
    assert (row["source"], row["status"], row["model_served"]) == ("reported", "ok", CHAT)


def test_a_stream_without_usage_is_stored_with_the_reported_tokens(demo: Demo) -> None:
    with demo.client.chat.completions.with_streaming_response.create(
        model=CHAT, messages=HELLO, max_tokens=20, stream=True
    ) as raw:
        request_id = raw.headers["x-tokonomi-request-id"]
        chunks = [*raw.parse()]
    row = demo.row_of(request_id)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert [chunk.usage for chunk in chunks if chunk.usage] == []
    assert all(chunk.choices for chunk in chunks)
    assert (row["source"], row["status"]) == ("reported", "ok")
    assert row["output"] > 0


def test_a_stream_that_asks_for_usage_gets_what_is_stored(demo: Demo) -> None:
    with demo.client.chat.completions.with_streaming_response.create(
        model=CHAT,
        messages=HELLO,
        max_tokens=20,
        stream=True,
        stream_options={"include_usage": True},
    ) as raw:
        request_id = raw.headers["x-tokonomi-request-id"]
        usages = [chunk.usage for chunk in raw.parse() if chunk.usage]
    row = demo.row_of(request_id)
    assert [(each.prompt_tokens, each.completion_tokens) for each in usages] == [
        (row["uncached_input"] + row["cache_read"], row["output"])
    ]


def test_embeddings_are_priced_by_their_input_alone(demo: Demo) -> None:
    raw = demo.client.embeddings.with_raw_response.create(model=EMBEDDING, input="A short text.")
    reply, row = raw.parse(), demo.row_of(raw.headers["x-tokonomi-request-id"])
    assert len(reply.data[0].embedding) == 576
    assert (row["uncached_input"], row["output"]) == (reply.usage.prompt_tokens, 0)
    assert row["amount"] == reply.usage.prompt_tokens * 110_000


def test_a_wrong_key_is_refused_as_openais_client_expects(demo: Demo) -> None:
    stranger = demo.client.with_options(api_key="tk-" + "x" * 43)
    with pytest.raises(openai.AuthenticationError) as refused:
        stranger.chat.completions.create(model=CHAT, messages=HELLO)
    assert refused.value.code == "invalid_api_key"


def test_an_unknown_model_is_refused_with_the_names_that_exist(demo: Demo) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        demo.client.chat.completions.create(model="smollm", messages=HELLO)
    assert refused.value.code == "model_not_found"
    assert CHAT in refused.value.message


def test_a_body_that_is_not_a_request_is_refused_with_400(demo: Demo) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        demo.client.post("/chat/completions", body=["not", "an object"], cast_to=object)
    assert refused.value.status_code == 400


def test_a_prompt_that_does_not_fit_is_told_so_and_not_charged(demo: Demo) -> None:
    before = demo.rows()
    with pytest.raises(openai.BadRequestError) as refused:
        demo.client.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "river " * 3000}]
        )
    [row] = demo.rows()[len(before) :]
    assert "context" in refused.value.message
    assert (row["status"], row["http_status"], row["output"]) == ("failed", 400, 0)
    assert (row["amount"], row["source"]) == (None, "absent")


def test_our_tokens_equal_the_models_tokenizer_and_its_counters(demo: Demo) -> None:
    stored, counted = demo.rows(), demo.counters()
    messages: Any = [{"role": "user", "content": "Count to five, please, and stop there."}]
    reply = demo.client.chat.completions.create(model=CHAT, messages=messages, max_tokens=24)
    streamed = demo.client.chat.completions.create(
        model=CHAT, messages=messages, max_tokens=24, stream=True
    )
    assert [*streamed]
    prompt = json.loads(demo.ask_model("/apply-template", {"messages": messages}))["prompt"]
    question = {"content": prompt, "add_special": True, "parse_special": True}
    tokens = json.loads(demo.ask_model("/tokenize", question))["tokens"]
    rows = demo.rows()[len(stored) :]
    moved = {name: value - counted[name] for name, value in demo.counters().items()}

    assert [row["uncached_input"] + row["cache_read"] for row in rows] == [len(tokens)] * 2
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == len(tokens)
    assert sum(row["uncached_input"] for row in rows) == moved["prompt_tokens_total"]
    assert sum(row["output"] for row in rows) == moved["tokens_predicted_total"]


def test_a_taken_port_is_named_with_the_flag_that_chooses_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: int = taken.getsockname()[1]
        refused = tokonomi("up", "--detach", "--port", str(port), "--data", str(tmp_path / "var"))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert re.fullmatch(
        rf"start_failed: port {port} of 127.0.0.1 cannot be used: .+\. "
        rf"Stop what listens there, or choose another: \S*tokonomi up --detach "
        rf"--port {port + 1} --data {tmp_path}/var\n",
        refused.stderr,
    )


def test_down_without_up_says_that_nothing_is_running(tmp_path: Path) -> None:
    stopped = tokonomi("down", "--data", str(tmp_path / "var"))
    assert (stopped.returncode, stopped.stderr) == (0, "")
    assert stopped.stdout.startswith("Nothing is running in ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["told", "killed"])
def test_up_in_the_foreground_ends_everything_when_it_ends(
    number: signal.Signals, tmp_path: Path
) -> None:
    folder = DemoFolder(tmp_path / "var")
    command = [TOKONOMI, "up", "--port", str(free_port()), "--data", str(folder.path)]
    # A run in the background ignores SIGINT, and children inherit that; a handler is not inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        printed = [*takewhile(lambda line: "Ctrl-C" not in line, up.stdout)]
        assert folder.running() is not None
        up.send_signal(number)
        up.wait(SECONDS)
    with folder.lock.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the stack lets go of it when it ends
    assert any("Jakarta" in line for line in printed)
    assert up.returncode == (0 if number is signal.SIGINT else -signal.SIGKILL)
    assert folder.running() is None
