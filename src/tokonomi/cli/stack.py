"""What `tokonomi up` keeps running: the local model as a child, and the gateway in this process."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tokonomi.cli.demo import DemoFolder, prepare
from tokonomi.cli.serve import applications, start_logging
from tokonomi.errors import TokonomiError
from tokonomi.gateway.config import load
from tokonomi.gateway.server import run
from tokonomi.providers import local_model


@contextmanager
def _model_running(model: local_model.LocalModel) -> Generator[None]:
    child = local_model.start(model, sys.stderr.buffer)
    try:
        local_model.wait_until_ready(model, child)
        yield
    finally:
        local_model.stop(child)


def _stop_when_standard_input_closes() -> None:
    # Not `sys.stdin.read`: a thread that waits inside it breaks the end of the interpreter.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serves until it is told to terminate or, with --attached, standard input closes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--attached", action="store_true")
    chosen = parser.parse_args()
    if chosen.attached:
        threading.Thread(target=_stop_when_standard_input_closes, daemon=True).start()
    start_logging("text")
    folder = DemoFolder(chosen.data)
    try:
        with folder.hold(chosen.port):
            model = prepare(folder, chosen.port, os.environ)
            with _model_running(model):
                settings = load(folder.config)
                run(settings, beside=applications(settings))
    except TokonomiError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
