"""Seed 001 from a healthy primary to the last rupiah: killed, watched, told, billed, back again."""

import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import openai
import paper_provider
import pytest
from fake_provider import FakeProvider
from gateway_process import GatewayProcess, until
from receiver import Receiver

from tokonomi.storage.engine import open_store
from tokonomi.storage.workers import running_workers

HELLO: Any = [{"role": "user", "content": "Tulis bab satu."}]
SEARCHING: Any = {"web_search_options": {}}
CALLS: Final = 200
ROOM_SECONDS: Final = 90
"""The watch counts by the hour, so the story must not run into the next one."""
SWITCHED: Final = "[Fallback] Primary failed, switching to OpenRouter"
SEARCHED: Final = '[Fallback] Web search config: { engine: "auto", maxResults: 5 }'


def seed(vercel: int, openrouter: str, webhook: str, *, fallback: str) -> str:
    """The configuration of the how-to, at providers of ours."""
    return f"""
[store]
path = "tokonomi.db"

[listen]
port = 0

[alerts]
webhook = "{webhook}"
allow_private = true
secret_file = "provider.key"

[providers.vercel]
base_url = "http://127.0.0.1:{vercel}/v1"
allow_private = true

[providers.openrouter]
base_url = "{openrouter}"
allow_private = true

[models.paper]
targets = [
  {{ provider = "vercel", model = "google/gemini-2.5-flash" }},
  {{ provider = "openrouter", model = "{fallback}", web_search = {{ engine = "auto" }} }},
]

[[rate]]
base = "USD"
quote = "IDR"
rate = "16000"
on = "2026-01-30"
source = "seed 001"

[[budget]]
id = "fallback"
scope = {{ route = "fallback" }}
window = "month"
zone = "Asia/Jakarta"
currency = "IDR"
amount = "2000000"
mode = "notify"
alerts = ["10%", "25%", "100%"]
"""


@dataclass
class Vercel:
    """The primary, in a process of its own."""

    process: "subprocess.Popen[str]"
    port: int

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def vercel_at(port: int) -> Generator[Vercel]:
    command = [sys.executable, paper_provider.__file__, str(port)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield Vercel(process, int(process.stdout.readline()))
        finally:
            process.kill()


def typed(gateway: GatewayProcess, *words: str) -> str:
    """What a command in the gateway's folder prints."""
    command = [sys.executable, "-m", "tokonomi", *words]
    ran = subprocess.run(command, cwd=gateway.folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def rows(gateway: GatewayProcess, *words: str) -> Any:
    """The rows that a command answers."""
    return json.loads(typed(gateway, *words, "--format", "json"))["rows"]


def change_over_http(gateway: GatewayProcess, fallback: str) -> None:
    """What the admin panel does: another model is the fallback, while the gateway runs."""
    token = typed(gateway, "admin", "token", "create", "--name", "panel", "--role", "admin").strip()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=20)
    connection.request("GET", "/admin/config", headers=headers)
    stored = connection.getresponse()
    headers["if-match"] = stored.headers["etag"]
    alias = json.loads(stored.read())["document"]["models"]["paper"]
    alias["targets"][1]["model"] = fallback
    body = json.dumps({"models": {"paper": alias}})
    connection.request("POST", "/admin/config/apply", body, headers)
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    assert answer.status == 200, said
    version = json.loads(said)["version"]
    # Within a second, like every change; calls take less.
    until(lambda: is_in_use(gateway, version))


def is_in_use(gateway: GatewayProcess, version: int) -> bool:
    with closing(open_store(gateway.store)) as database:
        return [each.version for each in running_workers(database)] == [version]


def wait_for_an_hour_with_room() -> None:
    """Returns at once, but for the end of an hour."""
    left = 3_600 - datetime.now(UTC).timestamp() % 3_600
    if left < ROOM_SECONDS:
        threading.Event().wait(left + 1)


@dataclass
class Story:
    """Who takes part."""

    vercel: Vercel
    openrouter: FakeProvider
    receiver: Receiver
    gateway: GatewayProcess
    client: openai.OpenAI

    def write(self, count: int = 1, **more: Any) -> Any:
        """The last of so many answers."""
        completions: Any = self.client.chat.completions
        return [completions.create(model="paper", messages=HELLO, **more) for _ in range(count)][-1]

    def told(self) -> set[str]:
        """The events that have reached the webhook, without their hours and days."""
        names = [str(json.loads(each.body)["event"]) for each in self.receiver.told]
        return {" ".join(name.split()[:2]) for name in names}


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    openrouter, receiver = FakeProvider(always=paper_provider.paper), Receiver()
    openrouter.start()
    receiver.start()
    with vercel_at(0) as vercel:
        text = seed(vercel.port, openrouter.base_url, receiver.url, fallback="openai/gpt-4o")
        gateway = GatewayProcess(tmp_path / "gateway", text)
        gateway.start()
        key, _ = gateway.make_key()
        with gateway.client(key) as client:
            yield Story(vercel, openrouter, receiver, gateway, client)
        gateway.stop()
    receiver.stop()
    openrouter.stop()


def test_the_primary_is_killed_and_everything_that_the_seed_says_happens(story: Story) -> None:
    gateway = story.gateway
    wait_for_an_hour_with_room()
    change_over_http(gateway, "openai/gpt-5.1")
    story.write(CALLS)
    assert story.openrouter.received == []
    assert SWITCHED not in gateway.log

    story.vercel.kill()
    answer = story.write(**SEARCHING)
    [cited] = answer.choices[0].message.annotations
    assert cited.url_citation.url == "https://example.com/jurnal"
    assert story.openrouter.received[-1].fields["model"] == "openai/gpt-5.1:online"
    assert gateway.log.count(SWITCHED) == gateway.log.count(SEARCHED) == 1
    story.write(11)
    assert {each.fields["model"] for each in story.openrouter.received[1:]} == {"openai/gpt-5.1"}
    assert gateway.log.count(SWITCHED) == 12
    until(lambda: {"fallback_rate warning", "fallback_cost warning"} <= story.told())
    assert "fallback_rate critical" not in story.told()

    story.write(28)
    until(lambda: {"fallback_rate critical", "fallback_cost critical"} <= story.told())
    until(lambda: {"spent 10%", "spent 25%"} <= story.told())
    assert "spent 100%" not in story.told()
    check_the_money(gateway)

    with vercel_at(story.vercel.port):
        words = ["breakers", "close", "vercel/google/gemini-2.5-flash"]
        subprocess.run([sys.executable, "-m", "tokonomi", *words], cwd=gateway.folder, check=True)
        until(lambda: story.write() and gateway.rows()[-1]["route"] == "primary")
    assert gateway.in_flight() == 0


def check_the_money(gateway: GatewayProcess) -> None:
    """40 Papers for Rp 27.000 each and a search for Rp 320; Rp 6.720 and Rp 560 at the primary."""
    [day] = rows(gateway, "fallback", "report", "--by", "day", "--last", "1d")
    assert (day["calls"], day["fallbacks"]) == (240, 40)
    assert day["rate"] == "0.166667"
    assert day["level"] == "critical"
    assert day["fallback_cost"] == str(40 * 27_000 + 320)
    assert day["primary_cost"] == str(40 * 6_720 + 560)
    assert day["extra_cost"] == str(40 * 20_280 - 240)
    [standing] = rows(gateway, "budget", "show", "fallback")
    assert standing["spent"] == "1080320"
