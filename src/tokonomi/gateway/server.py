"""The gateway as a process: what it opens, in which order, and how it ends."""

import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import random
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn

from tokonomi.errors import BadConfig, StartError
from tokonomi.gateway.app import Application, Gateway
from tokonomi.gateway.attempts import Attempts
from tokonomi.gateway.batches.desk import Desk
from tokonomi.gateway.batches.keeper import Keeper
from tokonomi.gateway.bookkeeping import Bookkeeper
from tokonomi.gateway.breakers import Breakers
from tokonomi.gateway.config import HIGHEST_PORT, Config, store_of
from tokonomi.gateway.dispatch import Dispatcher
from tokonomi.gateway.fallback_log import Alarms
from tokonomi.gateway.in_use import ConfigurationInUse, Read, read_configuration
from tokonomi.gateway.keys_of_providers import Surroundings, secret_in
from tokonomi.gateway.listener import Connections
from tokonomi.gateway.messenger import Messenger
from tokonomi.gateway.metrics import Metrics
from tokonomi.gateway.observe import Observer
from tokonomi.gateway.rules import RulesInForce
from tokonomi.gateway.snapshot import Snapshot
from tokonomi.gateway.steady_clock import SteadyClock
from tokonomi.gateway.store_turns import StoreTurns
from tokonomi.gateway.targets import Targets
from tokonomi.gateway.upkeep import Upkeep, Worker
from tokonomi.gateway.watching import Watching
from tokonomi.storage import workers
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.keys import networks_from
from tokonomi.storage.location import MASTER_KEY_FILE, MasterKeyPlace
from tokonomi.storage.recorder import Recorder

_log: Final = logging.getLogger("tokonomi.gateway")
_BACKLOG: Final = 2_048
_COLLECT_AFTER: Final = 10_000
"""New objects before a collection; requests leave few cycles behind."""


def run(
    config: Config,
    *,
    environ: Mapping[str, str] = os.environ,
    announce: Callable[[str], None] = _log.info,
    beside: Mapping[str, Application] | None = None,
) -> int:
    """How many requests a stop has cut, once the gateway has ended.

    It serves until SIGINT or SIGTERM. Then it takes no new connection and finishes the calls in
    flight; those that are not done after `limits.drain_seconds` are cut, and their rows say so.

    `announce` is called once with the URL, when requests are accepted. `beside` are applications
    that answer the paths under their names, such as the admin API under `/admin`.

    Raises:
        BadConfig: a provider's key or certificates are missing.
        StartError: the address cannot be listened on.
        StoreError: the store cannot be opened.
    """
    _check_certificate(config)
    listener = _listen(config.listen.host, config.listen.port)
    stopping = _Stopping()
    with listener, stopping.signals(), asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(
            _serve(config, listener, environ, announce, beside=beside, stopping=stopping)
        )


def _spare_the_collector() -> None:
    """Takes what lives as long as the process, the price catalogue above all, out of collections.

    A full collection would walk through all of it, while every stream stands still.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


async def _serve(
    config: Config,
    listener: socket.socket,
    environ: Mapping[str, str],
    announce: Callable[[str], None],
    *,
    beside: Mapping[str, Application] | None,
    stopping: "_Stopping",
) -> int:
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    gateway = await open_gateway(config, environ, beside=beside)
    connections = Connections(config.limits, gateway.metrics)
    server = uvicorn.Server(
        uvicorn.Config(
            gateway,
            http=connections.protocol(),
            ssl_certfile=config.inside(config.listen.tls_cert) or None,
            ssl_keyfile=config.inside(config.listen.tls_key) or None,
            interface="asgi3",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=max(1, round(config.limits.idle_seconds)),
            timeout_graceful_shutdown=max(1, round(config.limits.drain_seconds)),
        )
    )
    stopping.stops(server)
    _spare_the_collector()
    host, port = listener.getsockname()[:2]
    scheme = "https" if config.listen.tls_cert else "http"
    announce(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")
    try:
        await server.serve(sockets=[listener])
    finally:
        connections.close()
    if gateway.cut:
        _log.error(
            "%d requests were not done %g s after the stop and were cut; their rows say so",
            gateway.cut,
            config.limits.drain_seconds,
        )
    return gateway.cut


async def open_gateway(
    config: Config,
    environ: Mapping[str, str],
    *,
    beside: Mapping[str, Application] | None = None,
    clock: SteadyClock | None = None,
) -> Gateway:
    """The application with everything open behind it. It closes all when the server ends.

    Raises:
        BadConfig: the configuration in the store cannot be used here.
        StoreError: the store cannot be opened.
    """
    store, around = store_of(config, environ), surroundings_of(config, environ)
    database, first = await asyncio.to_thread(_opened, store, around)
    metrics, rules = Metrics(), RulesInForce(output_cap=config.limits.output_tokens)
    metrics.breakers = breakers = Breakers()
    desk = _desk(store, config, around)
    watching = Watching(config.observe, metrics, environ)
    worker = Worker(database, workers.register(database, now=datetime.now(UTC)))
    recorder = Recorder(store, worker.id)

    dispatchers = _Dispatchers(
        recorder, rules, metrics, watching.observer, breakers, config.limits.reply_bytes
    )
    in_use = ConfigurationInUse(first, around, dispatchers.of)
    upkeep = Upkeep(store, rules, in_use, metrics, worker=worker, breakers=breakers, clock=clock)
    await asyncio.to_thread(upkeep.run_once)
    messenger = Messenger(store, lambda: in_use.now.snapshot.webhook)
    keeper = Keeper(store, desk, in_use, limits=config.limits, worker=worker.id, rules=rules)
    tasks = [asyncio.create_task(each.run()) for each in (upkeep, messenger, keeper)]
    _warn_of_strangers(config)

    async def close() -> None:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for end in (upkeep.stop, messenger.close, keeper.close):
            await asyncio.to_thread(end)
        await recorder.close()
        await asyncio.to_thread(watching.close)
        workers.retire(database, worker.id, now=datetime.now(UTC))
        database.close()
        upkeep.close()
        in_use.close()

    return Gateway(
        in_use=in_use,
        keys=upkeep.keys,
        limits=config.limits,
        desk=desk,
        metrics_token=secret_in("listen", config.listen.metrics_token_env, "", environ),
        trusted=networks_from(config.listen.trusted_proxies),
        close=close,
        beside=beside,
    )


@dataclass(frozen=True, slots=True)
class _Dispatchers:
    """What the dispatchers of all versions of the configuration share."""

    recorder: Recorder
    rules: RulesInForce
    metrics: Metrics
    observer: Observer
    breakers: Breakers
    reply_bytes: int
    alarms: Alarms = field(default_factory=Alarms)

    def of(self, snapshot: Snapshot) -> Dispatcher:
        """The dispatcher of a version; the metrics and breakers follow it."""
        clients = snapshot.clients.items()
        self.metrics.upstreams = {name: each.upstream for name, each in clients}
        self.breakers.follow(snapshot.breaker, snapshot.aliases.breakers)
        books = Bookkeeper(self.recorder, snapshot.book, self.rules, self.metrics, self.observer)
        attempts = Attempts(books, snapshot.upstreams, self.reply_bytes)
        # Draws spread retries and weights; nobody gains by guessing them.
        draw = random.Random().random  # noqa: S311
        return Dispatcher(attempts, Targets(snapshot.book, self.breakers), draw, self.alarms)


def _desk(store: str, config: Config, around: Surroundings) -> Desk:
    """Where requests for files and batches are answered."""
    return Desk(
        StoreTurns(store),
        config.batches,
        body_bytes=config.limits.body_bytes,
        body_seconds=config.limits.body_seconds,
        around=around,
    )


def _opened(store: str, around: Surroundings) -> tuple[Database, Read]:
    """The store, and the configuration that is in force in it."""
    database = open_store(store)
    try:
        return database, read_configuration(database, around)
    except BaseException:
        database.close()
        raise


def surroundings_of(config: Config, environ: Mapping[str, str]) -> Surroundings:
    """What the configuration in the store is completed with in this process."""
    file = config.inside(config.secrets.key_file)
    beside = Path(config.inside(config.store.path)).parent / MASTER_KEY_FILE
    place = MasterKeyPlace(config.secrets.key_env, Path(file) if file else beside)
    return Surroundings(environ, config.folder, place)


def _warn_of_strangers(config: Config) -> None:
    listen = config.listen
    if _is_loopback(listen.host):
        return
    if not listen.tls_cert:
        _log.warning(
            "the gateway listens on %s without TLS: set tls_cert, or use a proxy", listen.host
        )
    if not listen.metrics_token_env:
        _log.warning(
            "/metrics and /healthz need no token, and the gateway listens on %s: set"
            " metrics_token_env, or keep them from strangers in a proxy",
            listen.host,
        )


class _Stopping:
    """What stops the gateway from outside: SIGINT and SIGTERM, whenever they come.

    The server listens to them only while it serves. One that comes before is passed on to it; and
    it raises the one that stopped it again when it has ended, which is over then.
    """

    def __init__(self) -> None:
        self._told: int | None = None
        self._server: uvicorn.Server | None = None

    def stops(self, server: uvicorn.Server) -> None:
        """From now on there is a server to stop; it is stopped if that was wanted before."""
        self._server = server
        if self._told is not None:
            server.handle_exit(self._told, None)

    @contextlib.contextmanager
    def signals(self) -> Generator[None]:
        """Both signals are taken inside, where that can be done: in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {stop: signal.signal(stop, self._tell) for stop in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for stop, handler in before.items():
                signal.signal(stop, handler)

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self._told = number
        if self._server is not None:
            self._server.handle_exit(number, frame)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_certificate(config: Config) -> None:
    listen = config.listen
    if not listen.tls_cert:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            config.inside(listen.tls_cert), config.inside(listen.tls_key) or None
        )
    except (OSError, ssl.SSLError) as error:
        raise BadConfig(
            f"listen: tls_cert {listen.tls_cert} cannot be used: {error}",
            remedy="Name a certificate in PEM, and the file of its key in tls_key.",
        ) from error


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not 0 <= port <= HIGHEST_PORT:
        raise StartError(f"{port} is not a port", remedy=f"Choose one up to {HIGHEST_PORT}.")
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise StartError(
            f"the gateway cannot listen on {host}:{port}: {error.strerror or error}",
            remedy="Choose another [listen] port, or stop what uses this one.",
        ) from error


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - not made for every system
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
