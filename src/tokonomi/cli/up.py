"""`tokonomi up`: the gateway with a local model, and one real call through it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from tokonomi.cli.demo import HOSTED, DemoFolder, demo_key, refuse_taken_port
from tokonomi.errors import StartError, WrongUsage
from tokonomi.providers.local_model import (
    CHAT_MODEL,
    EMBEDDING_MODEL,
    LOOPBACK,
    stop,
    wait_for_health,
    weights_path,
)

DEFAULT_FOLDER: Final = Path("var")
PORTS: Final = range(1, 65_536)
LOG_LINES: Final = 15
DRAIN_SECONDS: Final = 40

out: Final = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)


def up(*, detach: bool = False, port: int = 4000, data: Path = DEFAULT_FOLDER) -> int:
    """Start the gateway with a local model, make one real call through it, and show its cost.

    Everything is kept in one folder: the store, the log, and a virtual key in a file that only you
    can read. With OPENAI_API_KEY, OPENROUTER_API_KEY or AI_GATEWAY_API_KEY in the environment that
    provider is configured too, for models such as `openai/gpt-4o-mini`.

    Args:
        detach: leave gateway and model running in the background, and return.
        port: where the gateway listens, on this machine only.
        data: the folder that holds everything.
    """
    if port not in PORTS:
        raise WrongUsage(f"{port} is not a port", remedy="Choose one from 1 to 65535.")
    folder = DemoFolder(data)
    running = folder.running()
    if running is not None:
        out.print(f"Tokonomi is already running on http://{LOOPBACK}:{running.port}.")
        out.print(f"Stop it with: {_typed(folder, 'down')}")
        return 0
    weights_path()
    flags = ["--detach"] * detach
    another = _typed(folder, "up", *flags, "--port", str(port + 1))
    refuse_taken_port(port, instead=another)
    folder.path.mkdir(parents=True, exist_ok=True)
    key = demo_key(folder)
    out.print("Starting the gateway and a small language model on this machine ...")
    process = _start(folder, port, attached=not detach)
    kept = False
    try:
        _wait(folder, port, process)
        _show_first_call(folder, port, key)
        _show_what_next(folder, port, key, detach=detach)
        kept = detach
        if not kept:
            process.wait()
    except KeyboardInterrupt:
        out.print("Stopping ...")
    finally:
        if not kept:
            stop(process, seconds=DRAIN_SECONDS)
    return 0


def _start(folder: DemoFolder, port: int, *, attached: bool) -> "subprocess.Popen[bytes]":
    """The process that serves, its prints going to the folder's log.

    An attached one ends with this process; another one lives on. Neither hears this terminal's
    Ctrl-C, so that calls in flight are finished when we stop it.
    """
    options = ["--data", str(folder.path), "--port", str(port), *["--attached"] * attached]
    with folder.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tokonomi.cli.stack", *options],
            stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait(folder: DemoFolder, port: int, process: "subprocess.Popen[bytes]") -> None:
    try:
        wait_for_health(port, "/healthz", process, "the gateway")
    except StartError as error:
        end = folder.log.read_text("utf-8", errors="replace").splitlines()[-LOG_LINES:]
        raise StartError(
            error.what, remedy="\n".join([f"The end of its log, {folder.log}:", *end])
        ) from None


def _show_first_call(folder: DemoFolder, port: int, key: str) -> None:
    # The demo's packages are optional, and by now it is known that they are here.
    from tokonomi.cli.first_call import QUESTION, ask  # noqa: PLC0415

    answer = ask(f"http://{LOOPBACK}:{port}/v1", key)
    out.print()
    out.print(f"  Question  {QUESTION}")
    out.print(f"  Answer    {answer.text}")
    _show(folder, "explain", answer.request_id)
    _show(folder, "report")


def _show(folder: DemoFolder, *command: str) -> None:
    """Shows a command and what it prints; it runs in a process of its own, as if typed."""
    out.print(f"\n$ {_typed(folder, *command)}")
    sys.stdout.flush()
    subprocess.run(
        [sys.executable, "-m", "tokonomi", *command, "--data", str(folder.path)], check=False
    )


def _show_what_next(folder: DemoFolder, port: int, key: str, *, detach: bool) -> None:
    hosted = [name for variable, name, _ in HOSTED if os.environ.get(variable)]
    models = [CHAT_MODEL, EMBEDDING_MODEL, *(f"{name}/MODEL" for name in hosted)]
    out.print()
    out.print(f"The gateway   http://{LOOPBACK}:{port}/v1")
    out.print(f"Your key      {key}  (only in {folder.key_file}, readable by you alone)")
    out.print(f"Models        {', '.join(models)}")
    out.print()
    out.print("Call it yourself:")
    out.print(
        f"  curl http://{LOOPBACK}:{port}/v1/chat/completions \\\n"
        f'    -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\\n'
        f'    -d \'{{"model": "{CHAT_MODEL}", "messages": '
        '[{"role": "user", "content": "Name three rivers."}]}\''
    )
    out.print(f"Stop it:\n  {_typed(folder, 'down') if detach else 'Ctrl-C'}")


def _typed(folder: DemoFolder, *command: str) -> str:
    """What to type here to run a command on this folder."""
    beside = Path(sys.executable).with_name("tokonomi")
    found = shutil.which("tokonomi")
    named = found is not None and Path(found).resolve() == beside.resolve()
    program = "tokonomi" if named else os.path.relpath(beside)
    options = [] if folder.path == DEFAULT_FOLDER else ["--data", str(folder.path)]
    return " ".join([program, *command, *options])
