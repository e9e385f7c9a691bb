"""The gateway as a process: what it opens, in which order, and how it ends."""

import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn

from tokonomi.errors import StartError
from tokonomi.gateway.alarms import UnknownKeys
from tokonomi.gateway.app import Application, Gateway
from tokonomi.gateway.config import Config, store_of
from tokonomi.gateway.dispatch import Dispatcher
from tokonomi.gateway.in_use import ConfigurationInUse, Read, read_configuration
from tokonomi.gateway.keys_of_providers import Surroundings
from tokonomi.gateway.messenger import Messenger
from tokonomi.gateway.metrics import Metrics
from tokonomi.gateway.rules import RulesInForce
from tokonomi.gateway.snapshot import Snapshot
from tokonomi.gateway.upkeep import Upkeep, Worker
from tokonomi.storage import workers
from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store
from tokonomi.storage.location import MASTER_KEY_FILE, MasterKeyPlace
from tokonomi.storage.recorder import Recorder

_log: Final = logging.getLogger("tokonomi.gateway")
_BACKLOG: Final = 2_048
_COLLECT_AFTER: Final = 10_000
"""New objects before a collection; requests leave few cycles behind."""
_KEEP_ALIVE_SECONDS: Final = 75


def run(
    config: Config,
    *,
    environ: Mapping[str, str] = os.environ,
    announce: Callable[[str], None] = _log.info,
    beside: Mapping[str, Application] | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; then finishes the calls in flight and returns.

    `announce` is called once with the URL, when requests are accepted. `beside` are applications
    that answer the paths under their names, such as the admin API under `/admin`.

    Raises:
        BadConfig: a provider's key or certificates are missing.
        StartError: the address cannot be listened on.
        StoreError: the store cannot be opened.
    """
    listener = _listen(config.listen.host, config.listen.port)
    stopping = _Stopping()
    with listener, stopping.signals(), asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(config, listener, environ, announce, beside=beside, stopping=stopping))


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
) -> None:
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    gateway = await open_gateway(config, environ, beside=beside)
    server = uvicorn.Server(
        uvicorn.Config(
            gateway,
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(config.limits.drain_seconds)),
        )
    )
    stopping.stops(server)
    _spare_the_collector()
    host, port = listener.getsockname()[:2]
    announce(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    await server.serve(sockets=[listener])


async def open_gateway(
    config: Config,
    environ: Mapping[str, str],
    *,
    beside: Mapping[str, Application] | None = None,
) -> Gateway:
    """The application with everything open behind it. It closes all when the server ends.

    Raises:
        BadConfig: the configuration in the store cannot be used here.
        StoreError: the store cannot be opened.
    """
    store, around = store_of(config, environ), surroundings_of(config, environ)
    database, first = await asyncio.to_thread(_opened, store, around)
    metrics, rules = Metrics(), RulesInForce(output_cap=config.limits.output_tokens)
    unknown_keys = UnknownKeys(metrics)
    worker_id = workers.register(database, now=datetime.now(UTC))
    recorder = Recorder(store, worker_id)

    def dispatcher_of(snapshot: Snapshot) -> Dispatcher:
        return Dispatcher(
            recorder,
            snapshot.book,
            rules,
            snapshot.upstreams,
            metrics,
            config.limits.reply_bytes,
            unknown_keys,
        )

    in_use = ConfigurationInUse(first, around, dispatcher_of)
    upkeep = Upkeep(store, rules, in_use, metrics, worker=Worker(database, worker_id))
    await asyncio.to_thread(upkeep.run_once)
    messenger = Messenger(store, lambda: in_use.now.snapshot.webhook)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(each) for each in (upkeep.run(), messenger.run())]
    _warn_of_strangers(config)

    async def close() -> None:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.to_thread(upkeep.stop)
        await asyncio.to_thread(messenger.close)
        await recorder.close()
        workers.retire(database, worker_id, now=datetime.now(UTC))
        database.close()
        upkeep.close()
        in_use.close()

    return Gateway(
        in_use=in_use,
        keys=upkeep.keys,
        limits=config.limits,
        close=close,
        beside=beside,
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
    if not _is_loopback(config.listen.host):
        _log.warning(
            "the gateway listens on %s without TLS: put a proxy before it, and keep /metrics and"
            " /healthz, which need no key, from strangers",
            config.listen.host,
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


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
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
