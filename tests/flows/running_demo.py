"""What `tokonomi up` starts: the gateway and a real model, with what tests want to know of them."""

import json
import re
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai

from tokonomi.cli.demo import DemoFolder, free_port
from tokonomi.storage.config_store import in_force
from tokonomi.storage.engine import open_store

TOKONOMI = str(Path(sys.executable).with_name("tokonomi"))
SECONDS = 120


def tokonomi(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command prints, and how it ended."""
    return subprocess.run(
        [TOKONOMI, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
    )


@dataclass(frozen=True)
class Demo:
    """A gateway that runs, and a client with its key."""

    folder: DemoFolder
    port: int
    printed: str
    client: openai.OpenAI

    def rows(self) -> list[dict[str, Any]]:
        """The settled calls, in the order of their commits."""
        # Whoever opens the store brings in what is in the logs beside it.
        open_store(self.folder.store).close()
        with closing(sqlite3.connect(self.folder.store)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM call ORDER BY seq")]

    def row_of(self, request_id: str) -> dict[str, Any]:
        [row] = [row for row in self.rows() if row["request_id"] == request_id]
        return row

    def ask_model(self, path: str, body: Mapping[str, object] | None = None) -> str:
        """What the local model itself answers, past the gateway."""
        with closing(open_store(self.folder.store)) as database:
            local = in_force(database).document.providers["local"]
        base = local.base_url.removesuffix("/v1")
        key = self.folder.model_key_file.read_text().strip()
        request = urllib.request.Request(
            base + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as reply:
            return reply.read().decode()

    def config(self) -> str:
        return self.folder.config.read_text()

    def counters(self) -> dict[str, int]:
        """The model's own counters of tokens."""
        found = re.findall(
            r"^llamacpp:(\w*tokens\w*_total) (\d+)", self.ask_model("/metrics"), re.MULTILINE
        )
        return {name: int(value) for name, value in found}


@contextmanager
def running_demo(path: Path) -> Generator[Demo]:
    """The demo in a folder, from `tokonomi up` to `tokonomi down`."""
    folder, port = DemoFolder(path), free_port()
    started = tokonomi("up", "--detach", "--port", str(port), "--data", str(path))
    try:
        assert (started.returncode, started.stderr) == (0, "")
        key = folder.key_file.read_text().strip()
        with openai.OpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0, timeout=SECONDS
        ) as client:
            yield Demo(folder, port, started.stdout, client)
    finally:
        stopped = tokonomi("down", "--data", str(path))
    assert (stopped.returncode, stopped.stderr) == (0, "")
    assert folder.running() is None
