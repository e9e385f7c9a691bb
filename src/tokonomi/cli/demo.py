"""The demo's folder: what `tokonomi up` writes into it, and whether something runs there."""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tokonomi.configuration.document import Document, Item, Kind, Table
from tokonomi.errors import StartError
from tokonomi.providers.local_model import (
    CHAT_MODEL,
    EMBEDDING_MODEL,
    LOOPBACK,
    LocalModel,
)
from tokonomi.storage.changes import Author
from tokonomi.storage.config_files import stated_in
from tokonomi.storage.config_store import apply, in_force, last_author
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.keys import KeyRing, create
from tokonomi.storage.location import MASTER_KEY_FILE
from tokonomi.storage.master_keys import write_key_first

KEY_NAME: Final = "demo"
OWNER_ONLY: Final = 0o600

HOSTED: Final = (
    ("OPENAI_API_KEY", "openai", "https://api.openai.com/v1"),
    ("OPENROUTER_API_KEY", "openrouter", "https://openrouter.ai/api/v1"),
    ("AI_GATEWAY_API_KEY", "vercel", "https://ai-gateway.vercel.sh/v1"),
)
"""Variable that holds the key, name of the provider here, address of its API."""


AUTHOR: Final = Author("tokonomi up", "the demo")
_LOCAL: Final = frozenset({Item(Kind.PROVIDER, "local"), Item(Kind.PROVIDER, "local-embedding")})


@dataclass(frozen=True, slots=True)
class Running:
    """A stack that runs: the process that holds the folder's lock, and the gateway's port."""

    pid: int
    port: int


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """The files of one demo, all in one folder."""

    path: Path

    @property
    def config(self) -> Path:
        """What the gateway boots from; each start writes it anew."""
        return self.path / "tokonomi.toml"

    @property
    def store(self) -> Path:
        """The embedded store."""
        return self.path / "tokonomi.db"

    @property
    def key_file(self) -> Path:
        """The demo's virtual key, readable by its owner only."""
        return self.path / "demo.key"

    @property
    def model_key_file(self) -> Path:
        """The key that the gateway shows to the local model."""
        return self.path / "local-model.key"

    @property
    def master_key_file(self) -> Path:
        """What the store's secrets are sealed with, readable by its owner only."""
        return self.path / MASTER_KEY_FILE

    @property
    def log(self) -> Path:
        """What the gateway and the model print."""
        return self.path / "up.log"

    @property
    def lock(self) -> Path:
        """Held by the running stack for as long as it lives; says its process and port."""
        return self.path / "up.lock"

    def running(self) -> Running | None:
        """The stack that runs in this folder. A dead one's lock is gone, however it died."""
        try:
            file = self.lock.open("r+")
        except FileNotFoundError:
            return None
        with file:
            if _locked(file.fileno()):
                return None
            state = json.loads(file.read() or "{}")
            return Running(state.get("pid", 0), state.get("port", 0))

    @contextmanager
    def hold(self, port: int) -> Generator[None]:
        """Keeps the folder's lock while the stack runs.

        Raises:
            StartError: another stack holds it.
        """
        with self.lock.open("a+") as file:
            if not _locked(file.fileno()):
                raise StartError(f"another `tokonomi up` is running in {self.path}")
            file.truncate(0)
            file.write(json.dumps({"pid": os.getpid(), "port": port}))
            file.flush()
            yield


def prepare(folder: DemoFolder, port: int, environ: Mapping[str, str]) -> LocalModel:
    """Where the local model shall listen, after everything that the gateway needs is written."""
    folder.path.mkdir(parents=True, exist_ok=True)
    model = LocalModel(free_port(), free_port(), secrets.token_urlsafe(16))
    write_secret(folder.model_key_file, model.api_key)
    if not folder.master_key_file.exists():
        write_key_first(folder.master_key_file)
    folder.config.write_text(boot_file(folder, port), "utf-8")
    with closing(open_store(folder.store)) as database:
        configure(database, document(folder, model, environ), now=datetime.now(UTC))
    return model


def boot_file(folder: DemoFolder, port: int) -> str:
    """The text of the gateway's `tokonomi.toml`."""
    return f"""\
# Written by `tokonomi up` at each start. For one of your own, copy it and use `tokonomi serve`.
# Providers and models are in the store: `tokonomi export config --data {folder.path}` shows them.
[store]
path = "{folder.store.name}"

[secrets]
key_file = "{folder.master_key_file.name}"

[listen]
host = "{LOOPBACK}"
port = {port}
"""


def document(folder: DemoFolder, model: LocalModel, environ: Mapping[str, str]) -> Document:
    """The demo's configuration: the local model, and each provider whose key is at hand."""
    local = f"""\
[providers.local]
base_url = "{model.chat_url}"
allow_private = true
api_key_file = "{folder.model_key_file.name}"

[models."{CHAT_MODEL}"]
provider = "local"

[providers.local-embedding]
base_url = "{model.embedding_url}"
allow_private = true
api_key_file = "{folder.model_key_file.name}"
price_as = "local"

[models."{EMBEDDING_MODEL}"]
provider = "local-embedding"
"""
    hosted = [
        f"""
[providers.{name}]
base_url = "{url}"
api_key_env = "{variable}"

[models."{name}/*"]
provider = "{name}"
"""
        for variable, name, url in HOSTED
        if environ.get(variable)
    ]
    return stated_in({"the demo": "".join([local, *hosted])}).document


def configure(database: Database, demo: Document, *, now: datetime) -> None:
    """Brings the demo's configuration into the store, and leaves alone what others have changed.

    What `up` wrote, and nobody has changed since, follows the demo: it is written anew or removed.
    What somebody has changed or removed stays so; only the local model's address, which differs
    from start to start, is set in it.
    """
    stored = in_force(database)
    tables = dict(stored.document.tables)
    for item in dict.fromkeys([*tables, *demo.tables]):
        own, wanted = tables.get(item), demo.tables.get(item)
        if last_author(database, item) in {None, AUTHOR.who}:
            tables[item] = wanted or {}
        elif own is not None and wanted is not None and item in _LOCAL:
            tables[item] = {**own, "base_url": wanted["base_url"]}
    for provider in _named_by_models(tables):
        # A model of somebody else still names it: its missing key is told when the gateway starts.
        item = Item(Kind.PROVIDER, provider)
        tables[item] = tables[item] or stored.document.tables[item]
    apply(database, Document.of(tables), based_on=stored.version, now=now, by=AUTHOR)


def _named_by_models(tables: Mapping[Item, Table]) -> set[str]:
    models = Document.of(tables).models.values()
    return {target.provider for alias in models for target in alias.targets}


def demo_key(folder: DemoFolder) -> str:
    """The demo's virtual key; made once, and again when its file or its record is gone."""
    with closing(open_store(folder.store)) as store:
        if folder.key_file.exists():
            text = folder.key_file.read_text("utf-8").strip()
            if KeyRing(store).find(text.encode()):
                return text
        text, _ = create(store, KEY_NAME, KEY_NAME, now=datetime.now(UTC))
    write_secret(folder.key_file, text)
    return text


def write_secret(path: Path, text: str) -> None:
    """Writes a file that only its owner may read, also while it is written."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w") as file:
        file.write(f"{text}\n")


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def refuse_taken_port(port: int, *, instead: str) -> None:
    """Returns when the port is free.

    Raises:
        StartError: something listens there; says to type `instead`.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise StartError(
                f"port {port} of {LOOPBACK} cannot be used: {error.strerror}",
                remedy=f"Stop what listens there, or choose another: {instead}",
            ) from None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
