"""`tokonomi serve`: the gateway, on the store that `tokonomi.toml` names."""

import logging
import os
import sys
from pathlib import Path
from typing import Final

import msgspec

from tokonomi.cli.admin_mount import AdminMount
from tokonomi.gateway.config import Config, load, store_of
from tokonomi.gateway.logs import LogFormat, formatter
from tokonomi.gateway.server import run, surroundings_of
from tokonomi.storage.location import CONFIG_FILE

CUT: Final = 6
"""The exit code when the stop had to cut requests."""


def serve(
    *,
    config: Path = CONFIG_FILE,
    host: str = "",
    port: int | None = None,
    log_format: LogFormat | None = None,
) -> int:
    """Run the gateway until it is told to stop; then finish the calls in flight.

    Args:
        config: the file to boot from; without it, and without one here, the defaults hold.
        host: listen here instead of where the file says.
        port: listen on this port instead; 0 takes a free one.
        log_format: write logs as text or as json instead.
    """
    # Everything in the file has a default, so only one that was named has to be there.
    absent = config == CONFIG_FILE and not config.exists()
    settings = Config(folder=Path.cwd()) if absent else load(config)
    observe = settings.observe
    if log_format is not None:
        observe = msgspec.structs.replace(observe, log_format=log_format)
    start_logging(observe.log_format)
    listen = msgspec.structs.replace(
        settings.listen,
        host=host or settings.listen.host,
        port=settings.listen.port if port is None else port,
    )
    cut = run(
        msgspec.structs.replace(settings, listen=listen, observe=observe),
        announce=_announce,
        beside=applications(settings),
    )
    return CUT if cut else 0


def start_logging(form: LogFormat) -> None:
    """From now on records go to standard error, a line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def applications(settings: Config) -> dict[str, AdminMount]:
    """What is served beside the data plane: the admin API."""
    store, around = store_of(settings, os.environ), surroundings_of(settings, os.environ)
    return {"/admin": AdminMount(store, around.master_keys)}


def _announce(url: str) -> None:
    sys.stdout.write(f"Tokonomi's gateway listens on {url}\n")
    sys.stdout.flush()
