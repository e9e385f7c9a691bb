"""The gateway as a real process, with what a test wants to know of it."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import openai
import psycopg
from psycopg.rows import dict_row

from tokonomi.configuration.reading import BOOT_SECTIONS
from tokonomi.gateway.config import load, store_of
from tokonomi.storage import keys
from tokonomi.storage.config_files import apply_text
from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store

T = TypeVar("T")
DEADLINE_SECONDS = 20.0
SECTION = re.compile(r"[\[\].\s]+")
ALIASES = """
[models."gpt-4o-mini"]
provider = "openai"

[models."text-embedding-3-small"]
provider = "openai"

[models."house-model"]
provider = "openai"
model = "gpt-4o-mini"

[models."unreachable"]
provider = "nobody"

[models."fake/*"]
provider = "openai"
"""


def until(holds: Callable[[], T]) -> T:
    """What `holds` gives as soon as it is true; fails after a deadline."""
    end = time.monotonic() + DEADLINE_SECONDS
    turn = threading.Event()
    while not (found := holds()):
        assert time.monotonic() < end, "waited in vain"
        turn.wait(0.01)
    return found


def configuration(
    base_url: str, *, provider: str = "", more: str = "", patience_seconds: float = 1.0
) -> str:
    """A tokonomi.toml and a document, in one text, which `GatewayProcess` takes apart.

    The provider `openai` is at `base_url`; nobody listens at `nobody`.
    """
    return f"""{more}
[store]
path = "tokonomi.db"

[listen]
port = 0

[providers.openai]
base_url = "{base_url}"
allow_private = true
api_key_file = "provider.key"
{provider}

[providers.openai.timeouts]
first_byte = {patience_seconds}
between_chunks = {patience_seconds}

[providers.nobody]
base_url = "http://127.0.0.1:9/v1"
allow_private = true
{ALIASES}"""


def taken_apart(text: str) -> tuple[str, str]:
    """The sections of a text that boot a gateway, and those that stand in its store."""
    sections = [f"[{part}" for part in re.split(r"^\[", text, flags=re.MULTILINE)[1:]]
    boots = [SECTION.split(part)[1] in BOOT_SECTIONS for part in sections]
    boot = [part for part, is_boot in zip(sections, boots, strict=True) if is_boot]
    stored = [part for part, is_boot in zip(sections, boots, strict=True) if not is_boot]
    return "".join(boot), "".join(stored)


@dataclass
class GatewayProcess:
    """A gateway in a folder. The store in it outlives the process."""

    folder: Path
    configuration: str
    url: str = ""
    environ: dict[str, str] = field(default_factory=dict[str, str])
    """What its environment has besides ours."""
    started: ClassVar["list[subprocess.Popen[str]]"] = []
    """Every process that a test started, so that none is left behind by a failed one."""

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        boot, document = taken_apart(self.configuration)
        (self.folder / "tokonomi.toml").write_text(boot, encoding="utf-8")
        (self.folder / "provider.key").write_text("sk-of-the-provider\n", encoding="ascii")
        self.apply(document)

    @property
    def location(self) -> str:
        """Where its store is, on either database."""
        return store_of(load(self.folder / "tokonomi.toml"), os.environ | self.environ)

    def apply(self, document: str) -> int:
        """The version that a document has become."""
        with closing(open_store(self.location)) as database:
            return apply_text(database, document, now=datetime.now(UTC)).version

    @property
    def store(self) -> Path:
        return self.folder / "tokonomi.db"

    @property
    def log(self) -> str:
        return (self.folder / "gateway.log").read_text(encoding="utf-8")

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "tokonomi", "serve", "--config", "tokonomi.toml"]

    def start(self) -> None:
        with (self.folder / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=os.environ | self.environ,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.started.append(self.process)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "listens on" in line, self.log
        self.url = line.split()[-1]

    def kill(self) -> None:
        self.process.kill()
        self._gone()

    def stop(self) -> int:
        """Asks it to end, and gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._gone()

    def _gone(self) -> int:
        code = self.process.wait(DEADLINE_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def make_key(self, project: str = "tests") -> tuple[str, str]:
        """The text and the id of a new key, which the gateway knows by now."""
        with closing(open_store(self.location)) as connection:
            text, key = keys.create(connection, "test", project, now=datetime.now(UTC))
        until(lambda: self.accepts(text))
        return text, key.id

    def accepts(self, key: str) -> bool:
        """Whether the gateway lets this key in."""
        with self.client(key) as client:
            try:
                client.models.list()
            except openai.AuthenticationError:
                return False
        return True

    def client(self, key: str) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, timeout=20)

    def rows(self, where: str = "true", *values: object) -> list[dict[str, Any]]:
        """Settled calls, in the order of their commits."""
        query = f"SELECT * FROM call WHERE {where} ORDER BY seq"
        if "://" in self.location:
            with psycopg.connect(self.location) as postgres:
                cursor = postgres.cursor(row_factory=dict_row)
                return cursor.execute(query.replace("?", "%s").encode(), values).fetchall()
        # Whoever opens the store brings in what is in the logs beside it.
        open_store(self.location).close()
        with closing(sqlite3.connect(self.location)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    def row(self, request_id: str) -> dict[str, Any]:
        """The one row of a request, as soon as it is there."""
        until(lambda: self.rows("request_id = ?", request_id))
        [row] = self.rows("request_id = ?", request_id)
        return row

    def in_flight(self) -> int:
        """Attempts that are not settled."""
        with closing(open_store(self.location)) as database:
            return int(only_row(database, "SELECT count(*) FROM attempt")[0])
