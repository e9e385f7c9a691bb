"""`tokonomi.toml`: what the gateway listens on, whom it calls, and under which names."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from tokonomi.errors import BadConfig, BadInput
from tokonomi.gateway.logs import LogFormat
from tokonomi.routing.provider import Provider, Section, Timeouts
from tokonomi.storage.keys import networks_from
from tokonomi.storage.location import CONFIG_FILE, DEFAULT_STORE


class Store(Section, frozen=True):
    """`[store]`: where calls are written.

    Attributes:
        path: the embedded store's file; a relative path counts from the file's folder.
        dsn_env: environment variable with the DSN of a PostgreSQL database, which is used instead.
    """

    path: str = str(DEFAULT_STORE)
    dsn_env: str = ""


class Prices(Section, frozen=True):
    """`[prices]`: your own prices over the public ones. A path counts from the file's folder."""

    contract: str = ""


class Credits(Section, frozen=True):
    """`[credits]`: your own packages, in place of the bundled ones, as a path like `contract`."""

    packages: str = ""


class Alerts(Section, frozen=True):
    """`[alerts]`: who is told of events of budgets and wallets, besides the log.

    Attributes:
        webhook: address that each event is sent to.
        allow_private: whether it may lead to a private network or to this host.
        secret_env: environment variable with the secret that signs what is sent.
        secret_file: file that holds it, when no variable does.
    """

    webhook: str = ""
    allow_private: bool = False
    secret_env: str = ""
    secret_file: str = ""


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


class Model(Section, frozen=True):
    """`[models."ALIAS"]`: what a model name of a client means.

    Attributes:
        provider: the name of a `[providers.NAME]` section.
        model: the provider's name of the model. When empty it is the alias itself; for an alias
            that ends with `*` it is what the star stands for.
    """

    provider: str
    model: str = ""


class Config(Section, frozen=True):
    """The whole file."""

    store: Store = Store()
    prices: Prices = Prices()
    credits: Credits = Credits()
    alerts: Alerts = Alerts()
    listen: Listen = Listen()
    limits: Limits = Limits()
    observe: Observe = Observe()
    providers: dict[str, Provider] = msgspec.field(default_factory=dict[str, Provider])
    models: dict[str, Model] = msgspec.field(default_factory=dict[str, Model])


_SECTIONS: Final[Mapping[str, type[Section]]] = {
    "store": Store,
    "prices": Prices,
    "credits": Credits,
    "alerts": Alerts,
    "listen": Listen,
    "limits": Limits,
    "observe": Observe,
}
_NAMED_SECTIONS: Final[Mapping[str, type[Section]]] = {"providers": Provider, "models": Model}
_UNKNOWN: Final = re.compile(r"unknown field `(.+?)`(?: - at `\$\.?(.*)`)?$")
_PLACE: Final = re.compile(r"(.*) - at `\$\.(.*)`$")
_HIGHEST_PORT: Final = 65_535

Place = tuple[str, ...]


def load(path: Path = CONFIG_FILE) -> Config:
    """The configuration in a file, with its paths made to count from the file's folder.

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
    config = parse(text, name=str(path))
    folder = path.absolute().parent
    providers = {
        name: msgspec.structs.replace(
            provider,
            api_key_file=_inside(folder, provider.api_key_file),
            ca_file=_inside(folder, provider.ca_file),
            client_cert_file=_inside(folder, provider.client_cert_file),
            client_key_file=_inside(folder, provider.client_key_file),
        )
        for name, provider in config.providers.items()
    }
    store = msgspec.structs.replace(config.store, path=_inside(folder, config.store.path))
    prices = Prices(contract=_inside(folder, config.prices.contract))
    packages = Credits(packages=_inside(folder, config.credits.packages))
    alerts = msgspec.structs.replace(
        config.alerts, secret_file=_inside(folder, config.alerts.secret_file)
    )
    listen = msgspec.structs.replace(
        config.listen,
        tls_cert=_inside(folder, config.listen.tls_cert),
        tls_key=_inside(folder, config.listen.tls_key),
    )
    return msgspec.structs.replace(
        config,
        listen=listen,
        store=store,
        prices=prices,
        credits=packages,
        alerts=alerts,
        providers=providers,
    )


def parse(text: str, *, name: str = CONFIG_FILE.name) -> Config:
    """The configuration that a text states; `name` is what errors call the text.

    Raises:
        BadConfig: something in it is wrong.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{name} is not TOML: {error}") from error
    try:
        config = _convert(tables)
        _check(config)
    except _WrongAt as wrong:
        line = _line_of(text, wrong.place)
        where = f"{name}:{line}" if line else name
        dotted = ".".join(wrong.place)
        raise BadConfig(f"{where}: {dotted}: {wrong.what}", remedy=wrong.remedy) from None
    return config


def store_of(store: Store, environ: Mapping[str, str]) -> str:
    """Where the store is, as `open_store` takes it.

    Raises:
        BadConfig: the variable that should hold the DSN is not set.
    """
    if not store.dsn_env:
        return store.path
    if not (dsn := environ.get(store.dsn_env, "")):
        raise BadConfig(
            f"[store] dsn_env names {store.dsn_env}, which is not set",
            remedy=f"export {store.dsn_env}=postgresql://user@host/tokonomi",
        )
    return dsn


def secret_of(name: str, provider: Provider, environ: Mapping[str, str] = os.environ) -> str:
    """The provider's key, empty when its section names none.

    Raises:
        BadConfig: the variable is not set, or the file cannot be read.
    """
    return secret_in(f"providers.{name}", provider.api_key_env, provider.api_key_file, environ)


def signing_secret_of(alerts: Alerts, environ: Mapping[str, str] = os.environ) -> str:
    """The secret that signs what the webhook is sent.

    Raises:
        BadConfig: the variable is not set, or the file is empty or cannot be read.
    """
    secret = secret_in("alerts", alerts.secret_env, alerts.secret_file, environ)
    if not secret:
        raise BadConfig(f"alerts: the key file {alerts.secret_file} is empty")
    return secret


def secret_in(section: str, variable: str, file: str, environ: Mapping[str, str]) -> str:
    """The secret in a variable or in a file, empty where a section names neither.

    Raises:
        BadConfig: the variable is not set, or the file cannot be read.
    """
    if variable:
        secret = environ.get(variable, "").strip()
        if not secret:
            raise BadConfig(
                f"{section}: the environment variable {variable} is not set",
                remedy="Set it, or remove the section.",
            )
        return secret
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"{section}: the key file {file} cannot be read: {error}") from error


def _inside(folder: Path, path: str) -> str:
    return str(folder / path) if path else ""


class _WrongAt(Exception):
    """Something is wrong at a place of the file."""

    def __init__(self, place: Place, what: str, remedy: str = "") -> None:
        self.place = place
        self.what = what
        self.remedy = remedy
        super().__init__(what)


def _convert(tables: Mapping[str, object]) -> Config:
    known = [*_SECTIONS, *_NAMED_SECTIONS]
    for section in tables:
        if section not in known:
            raise _WrongAt((section,), "no such section", _nearest(section, known))
    plain = {
        name: _section((name,), tables[name], kind)
        for name, kind in _SECTIONS.items()
        if name in tables
    }
    named = {
        name: {
            own: _section((name, own), table, kind)
            for own, table in _table((name,), tables.get(name, {})).items()
        }
        for name, kind in _NAMED_SECTIONS.items()
    }
    return msgspec.convert({**plain, **named}, Config)


def _table(place: Place, value: object) -> Mapping[str, object]:
    try:
        return msgspec.convert(value, dict[str, object])
    except msgspec.ValidationError:
        raise _WrongAt(place, "is not a table of named sections") from None


def _section(place: Place, table: object, kind: type[Section]) -> Section:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise _explained(place, str(error), kind) from None


def _explained(place: Place, message: str, kind: type[Section]) -> _WrongAt:
    if match := _UNKNOWN.search(message):
        inner = tuple((match[2] or "").split(".")) if match[2] else ()
        fields = Timeouts.__struct_fields__ if inner else kind.__struct_fields__
        return _WrongAt((*place, *inner, match[1]), "no such key", _nearest(match[1], fields))
    if match := _PLACE.match(message):
        return _WrongAt((*place, *match[2].split(".")), match[1])
    return _WrongAt(place, message)


def _nearest(name: str, known: tuple[str, ...] | list[str]) -> str:
    if name == "api_key":
        return "A key does not belong in the file: set api_key_env or api_key_file."
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}."


def _check(config: Config) -> None:
    if not 0 <= config.listen.port <= _HIGHEST_PORT:
        raise _WrongAt(("listen", "port"), f"{config.listen.port} is not a port")
    try:
        networks_from(config.listen.trusted_proxies)
    except BadInput as error:
        raise _WrongAt(("listen", "trusted_proxies"), error.what, error.remedy) from None
    for name, value in msgspec.structs.asdict(config.limits).items():
        if value is not None:
            _positive(("limits", name), value)
    _check_alerts(config.alerts)
    _check_observe(config.observe)
    for name, provider in config.providers.items():
        _check_provider(("providers", name), provider)
    for alias, model in config.models.items():
        _check_model(("models", alias), model, config)


def _check_alerts(alerts: Alerts) -> None:
    if not alerts.webhook:
        return
    address = urlsplit(alerts.webhook)
    plain = alerts.webhook.isascii() and alerts.webhook.isprintable() and " " not in alerts.webhook
    if address.scheme not in {"http", "https"} or not address.hostname or not plain:
        raise _WrongAt(
            ("alerts", "webhook"),
            f"{alerts.webhook!r} is not an address to send to",
            "Write it like https://hooks.example.com/tokonomi.",
        )
    if address.username or address.password:
        raise _WrongAt(("alerts", "webhook"), "holds a secret", "Check the signature instead.")
    if bool(alerts.secret_env) == bool(alerts.secret_file):
        raise _WrongAt(
            ("alerts",),
            "names both secret_env and secret_file" if alerts.secret_env else "names no secret",
            "Set secret_env or secret_file, so that the receiver can tell who sent it.",
        )


def _check_observe(observe: Observe) -> None:
    if not observe.otlp_endpoint:
        return
    address = urlsplit(observe.otlp_endpoint)
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise _WrongAt(
            ("observe", "otlp_endpoint"),
            f"{observe.otlp_endpoint!r} is not the address of a collector",
            "Write it like http://127.0.0.1:4318.",
        )


def _check_provider(place: Place, provider: Provider) -> None:
    parts = urlsplit(provider.base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise _WrongAt(
            (*place, "base_url"),
            f"{provider.base_url!r} is not the address of an API",
            "Write it like https://api.openai.com/v1.",
        )
    if parts.username or parts.password:
        raise _WrongAt((*place, "base_url"), "holds a secret", "Set api_key_env instead.")
    if provider.api_key_env and provider.api_key_file:
        raise _WrongAt(place, "names both api_key_env and api_key_file", "Keep one of them.")
    for name, value in msgspec.structs.asdict(provider.timeouts).items():
        _positive((*place, "timeouts", name), value)


def _check_model(place: Place, model: Model, config: Config) -> None:
    if model.provider not in config.providers:
        known = [*config.providers]
        remedy = _nearest(model.provider, known) if known else "Add a [providers.NAME] section."
        raise _WrongAt((*place, "provider"), f"no provider {model.provider!r}", remedy)
    if "*" in place[1].removesuffix("*"):
        raise _WrongAt(place, "a star stands only at the end of an alias")
    if "*" in model.model:
        raise _WrongAt((*place, "model"), "a model's name has no star", "Leave it out.")
    if place[1].endswith("*") and model.model:
        raise _WrongAt(
            (*place, "model"), "an alias with a star has no model of its own", "Leave it out."
        )


def _positive(place: Place, value: float) -> None:
    if value <= 0:
        raise _WrongAt(place, f"{value} is not more than 0")


def _line_of(text: str, place: Place) -> int | None:
    """The line on which a key, or else its section, stands."""
    found: int | None = None
    for number, path in _paths(text):
        if path == place:
            return number
        if path and path == place[: len(path)]:
            found = number
    return found


def _paths(text: str) -> Iterator[tuple[int, Place]]:
    section: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            section = _path_of(f"{stripped}\n")
            yield number, section
        elif "=" in stripped and not stripped.startswith("#"):
            yield number, (*section, *_path_of(f"{stripped.partition('=')[0]}= 0\n"))


def _path_of(line: str) -> Place:
    """The names on a TOML line, `[a."b c"]` or `a.b = 0`, one inside the other."""
    try:
        inner: object = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(inner, dict) and inner:
        name, inner = next(iter(inner.items()))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        path.append(str(name))  # pyright: ignore[reportUnknownArgumentType]
    return tuple(path)
