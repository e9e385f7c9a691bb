"""A real hour of traffic, priced at three models, against an independent computation."""

import csv
import json
import os
import subprocess
import sys
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest

from tokonomi.cli import main
from tokonomi.storage.compaction import compact
from tokonomi.storage.engine import open_store
from tokonomi.storage.lake import export
from tokonomi.storage.location import Location

DATA = Path(os.environ.get("TOKONOMI_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
TRACE = DATA / "traces" / "azure_llm_2023_conv.csv"
ROWS = 19_366

PRICES = {
    "gpt-4o": ("2.50", "10"),
    "gemini-2.5-flash": ("0.30", "2.50"),
    "mistral-medium-2508": ("0.40", "2.00"),
}
"""USD for a million input and output tokens, as the providers' price lists state them."""


def command(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tokonomi", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def report(data: Path, by: str) -> dict[str, Fraction]:
    """Cost in dollars by the asked dimension, and under "" the total."""
    file = data / "report.json"
    with pytest.raises(SystemExit) as done:
        main(["report", "--data", str(data), "--by", by, "--format", "json", "--output", str(file)])
    assert done.value.code == 0
    answer = json.loads(file.read_text())
    costs = {row[by]: Fraction(row["cost_usd"]["amount"]) for row in answer["rows"]}
    return {**costs, "": Fraction(answer["totals"]["cost_usd"]["amount"])}


def expected() -> dict[str, Fraction]:
    costs = dict.fromkeys(PRICES, Fraction())
    with TRACE.open(newline="") as file:
        for row in csv.DictReader(file):
            for model, (given, made) in PRICES.items():
                costs[model] += int(row["ContextTokens"]) * Fraction(given) / 10**6
                costs[model] += int(row["GeneratedTokens"]) * Fraction(made) / 10**6
    return {**costs, "": sum(costs.values(), Fraction())}


@pytest.mark.skipif(not TRACE.exists(), reason="the Azure trace is not beside the repository")
def test_the_azure_trace_costs_what_fractions_say_at_three_models_at_every_stage(
    tmp_path: Path,
) -> None:
    for model in PRICES:
        said = command("import", TRACE, "--as", model, "--data", tmp_path)
        assert said.startswith(f"imported {ROWS:,}, already present 0, quarantined 0\n")
    again = command("import", TRACE, "--as", "gpt-4o", "--data", tmp_path)
    assert again.startswith(f"imported 0, already present {ROWS:,}, quarantined 0\n")

    costs = expected()
    assert report(tmp_path, "alias") == costs, "before the export"

    location = Location(tmp_path / "tokonomi.db")
    with closing(open_store(location.store)) as store, pytest.raises(InterruptedError):
        export(store, location.lake, chunk_rows=9_000, on_step=StopAfter(3))
    assert report(tmp_path, "alias") == costs, "half exported"

    with closing(open_store(location.store)) as store:
        export(store, location.lake)
        assert report(tmp_path, "alias") == costs, "exported"
        assert compact(store, location.lake, now_us=0).written == 1
    assert report(tmp_path, "alias") == costs, "compacted"
    assert report(tmp_path, "meter")[""] == costs[""], "line by line"


class StopAfter:
    """Stops an export after some chunks, as an interruption between two of them does."""

    def __init__(self, chunks: int) -> None:
        self.left = chunks

    def __call__(self, step: str) -> None:
        self.left -= step == "the chunk is entered"
        if self.left == 0:
            raise InterruptedError(step)
