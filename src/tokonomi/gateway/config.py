"""`tokonomi.toml`: where the store is, and what one gateway process listens on and accepts.

All else is in the store (`storage.config_store`), where it is changed while gateways run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from tokonomi.configuration.checks import positive
from tokonomi.configuration.document import SECTIONS
from tokonomi.configuration.mistakes import WrongAt, converted, nearest
from tokonomi.configuration.reading import BOOT_SECTIONS
from tokonomi.errors import BadConfig, BadInput
from tokonomi.gateway.logs import LogFormat
from tokonomi.routing.provider import Section
from tokonomi.storage.keys import networks_from
from tokonomi.storage.location import CONFIG_FILE, DEFAULT_STORE
from tokonomi.toml_places import places_of
from tokonomi.toml_reading import tables_in


class Store(Section, frozen=True):
    """`[store]`: where calls are written.

    Attributes:
        path: the embedded store's file; a relative path counts from the file's folder.
        dsn_env: environment variable with the DSN of a PostgreSQL database, which is used instead.
    """

    path: str = str(DEFAULT_STORE)
    dsn_env: str = ""


class Secrets(Section, frozen=True):
    """`[secrets]`: where the master key is that seals secrets in the store.

    Attributes:
        key_env: environment variable that holds it.
        key_file: file that holds it, when no variable does; beside the store when left out.
    """

    key_env: str = ""
    key_file: str = ""


class Listen(Section, frozen=True):
    """`[listen]`: the address that clients call. Port 0 takes a free one.

    Attributes:
        host: the address.
        port: the port.
        tls_cert: our certificate, in PEM; with it clients speak TLS.
        tls_key: the file of its key, when that is not in the same file.
        metrics_token_env: environment variable with the token that `/metrics` and `/healthz` ask
            for; left out, they need none.
        trusted_proxies: networks of proxies whose `X-Forwarded-For` says who the client is.
    """

    host: str = "127.0.0.1"
    port: int = 4000
    tls_cert: str = ""
    tls_key: str = ""
    metrics_token_env: str = ""
    trusted_proxies: tuple[str, ...] = ()


class Limits(Section, frozen=True):
    """`[limits]`: what one gateway process accepts.

    Attributes:
        body_bytes: largest request body.
        reply_bytes: largest reply that is not a stream, and largest single event of a stream.
        concurrent: requests in flight; further ones are answered 429 at once.
        connections: open connections of clients; further ones are answered 503 and closed.
        head_bytes: largest head of a request, its address and header fields together.
        head_fields: most header fields of a request.
        target_bytes: longest address in a request.
        head_seconds: how long a client may take to send a head, from its connection or its first
            byte on.
        idle_seconds: how long a connection is kept for the next request.
        read_seconds: how long a client may let an answer wait without reading 16 KiB of it.
        body_seconds: how long a client may take to send its body.
        drain_seconds: how long calls in flight may go on after SIGTERM.
        output_tokens: the most output of a request that names no limit of its own and that a
            budget or a wallet binds; it is sent upstream. Left out, the model's maximum bounds it.
    """

    body_bytes: int = 20 * 1024 * 1024
    reply_bytes: int = 64 * 1024 * 1024
    concurrent: int = 1_000
    connections: int = 2_000
    head_bytes: int = 32 * 1024
    head_fields: int = 100
    target_bytes: int = 8 * 1024
    head_seconds: float = 10.0
    idle_seconds: float = 75.0
    read_seconds: float = 30.0
    body_seconds: float = 30.0
    drain_seconds: float = 30.0
    output_tokens: int | None = None


class Batches(Section, frozen=True):
    """`[batches]`: what files and batches may take, and how they are looked after.

    Attributes:
        file_bytes: largest file of requests.
        file_lines: most requests in one file.
        project_bytes: what the files of one project may take together.
        project_open: batches of one project that have not ended.
        output_bytes: what is read and kept of the results of one batch.
        upload_seconds: how long a client may take to send a file.
        keep_days: how long files are kept, and how long a batch is shown after its end.
        poll_seconds: how often a provider is asked how far a batch is.
        doubt_seconds: how long a batch is looked for at the provider before it is sent again, when
            nobody knows whether it was begun.
    """

    file_bytes: int = 200 * 1024 * 1024
    file_lines: int = 50_000
    project_bytes: int = 1024 * 1024 * 1024
    project_open: int = 100
    output_bytes: int = 1024 * 1024 * 1024
    upload_seconds: float = 600.0
    keep_days: int = 30
    poll_seconds: float = 30.0
    doubt_seconds: float = 60.0


class Observe(Section, frozen=True):
    """`[observe]`: what the gateway writes of its requests, besides metrics and the store.

    Attributes:
        log_format: `text`, or `json` for a JSON object a line.
        access_log: whether each request has a line.
        otlp_endpoint: where spans and metrics of OpenTelemetry are sent over HTTP, such as
            `http://127.0.0.1:4318`; left out, there are none.
        otlp_headers_env: environment variable with header fields for it, `name=value,name=value`.
        service_name: what the gateway is called there.
        content: whether spans carry prompts and answers.
    """

    log_format: LogFormat = "text"
    access_log: bool = True
    otlp_endpoint: str = ""
    otlp_headers_env: str = ""
    service_name: str = "tokonomi"
    content: bool = False


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file, and the folder from which relative paths count."""

    store: Store = Store()
    secrets: Secrets = Secrets()
    listen: Listen = Listen()
    limits: Limits = Limits()
    batches: Batches = Batches()
    observe: Observe = Observe()
    folder: Path = Path()

    def inside(self, path: str) -> str:
        """A path that counts from the file's folder; empty when it is."""
        return str(self.folder / path) if path else ""


T = TypeVar("T", bound=Section)
_IN_THE_STORE: Final = frozenset({*SECTIONS, "credits"})
HIGHEST_PORT: Final = 65_535


def load(path: Path = CONFIG_FILE) -> Config:
    """The configuration in a file.

    Raises:
        BadConfig: the file cannot be read, or something in it is wrong; says which line where the
            line can be told, and the nearest known name.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(
            f"{path} cannot be read: {error}", remedy="Name it with --config."
        ) from error
    return parse(text, name=str(path), folder=path.absolute().parent)


def parse(text: str, *, name: str = CONFIG_FILE.name, folder: Path = Path()) -> Config:
    """The configuration that a text states; `name` is what errors call the text.

    Raises:
        BadConfig: something in it is wrong.
    """
    tables = tables_in(text, name, error=BadConfig)
    try:
        return _config(tables, folder)
    except WrongAt as wrong:
        raise wrong.told(name, places_of(text)) from None


def store_of(config: Config, environ: Mapping[str, str]) -> str:
    """Where the store is, as `open_store` takes it.

    Raises:
        BadConfig: the variable that should hold the DSN is not set.
    """
    store = config.store
    if not store.dsn_env:
        return config.inside(store.path)
    if not (dsn := environ.get(store.dsn_env, "")):
        raise BadConfig(
            f"[store] dsn_env names {store.dsn_env}, which is not set",
            remedy=f"export {store.dsn_env}=postgresql://user@host/tokonomi",
        )
    return dsn


def _config(tables: Mapping[str, object], folder: Path) -> Config:
    for section in tables:
        if section in _IN_THE_STORE:
            raise WrongAt(
                (section,),
                "stands in the store, not in this file",
                "Move it to a file of its own, and apply that: tokonomi apply -f FILE.",
            )
        if section not in BOOT_SECTIONS:
            raise WrongAt((section,), "no such section", nearest(section, BOOT_SECTIONS))
    config = Config(
        store=_section(tables, "store", Store),
        secrets=_section(tables, "secrets", Secrets),
        listen=_section(tables, "listen", Listen),
        limits=_section(tables, "limits", Limits),
        batches=_section(tables, "batches", Batches),
        observe=_section(tables, "observe", Observe),
        folder=folder,
    )
    _check(config)
    return config


def _section(tables: Mapping[str, object], name: str, form: type[T]) -> T:
    try:
        return converted(tables.get(name, {}), form)
    except WrongAt as wrong:
        raise wrong.under((name,)) from None


def _check(config: Config) -> None:
    if not 0 <= config.listen.port <= HIGHEST_PORT:
        raise WrongAt(("listen", "port"), f"{config.listen.port} is not a port")
    try:
        networks_from(config.listen.trusted_proxies)
    except BadInput as error:
        raise WrongAt(("listen", "trusted_proxies"), error.what, error.remedy) from None
    for section, table in (("limits", config.limits), ("batches", config.batches)):
        for name, value in msgspec.structs.asdict(table).items():
            if value is not None:
                positive((section, name), value)
    if config.secrets.key_env and config.secrets.key_file:
        raise WrongAt(("secrets",), "names both key_env and key_file", "Keep one of them.")
    _check_observe(config.observe)


def _check_observe(observe: Observe) -> None:
    if not observe.otlp_endpoint:
        return
    address = urlsplit(observe.otlp_endpoint)
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise WrongAt(
            ("observe", "otlp_endpoint"),
            f"{observe.otlp_endpoint!r} is not the address of a collector",
            "Write it like http://127.0.0.1:4318.",
        )
