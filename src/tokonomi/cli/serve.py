"""`tokonomi serve`: the gateway, on the store that `tokonomi.toml` names."""

import logging
import os
import sys
from pathlib import Path

import msgspec

from tokonomi.cli.admin_mount import AdminMount
from tokonomi.gateway.config import Config, load, store_of
from tokonomi.gateway.server import run, surroundings_of
from tokonomi.storage.location import CONFIG_FILE


def serve(*, config: Path = CONFIG_FILE, host: str = "", port: int | None = None) -> None:
    """Run the gateway until it is told to stop; then finish the calls in flight.

    Args:
        config: the file to boot from; without it, and without one here, the defaults hold.
        host: listen here instead of where the file says.
        port: listen on this port instead; 0 takes a free one.
    """
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    # Everything in the file has a default, so only one that was named has to be there.
    absent = config == CONFIG_FILE and not config.exists()
    settings = Config(folder=Path.cwd()) if absent else load(config)
    listen = msgspec.structs.replace(
        settings.listen,
        host=host or settings.listen.host,
        port=settings.listen.port if port is None else port,
    )
    run(
        msgspec.structs.replace(settings, listen=listen),
        announce=_announce,
        beside=applications(settings),
    )


def applications(settings: Config) -> dict[str, AdminMount]:
    """What is served beside the data plane: the admin API."""
    store, around = store_of(settings, os.environ), surroundings_of(settings, os.environ)
    return {"/admin": AdminMount(store, around.master_keys)}


def _announce(url: str) -> None:
    sys.stdout.write(f"Tokonomi's gateway listens on {url}\n")
    sys.stdout.flush()
