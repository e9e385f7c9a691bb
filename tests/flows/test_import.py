"""`tokonomi import` as a person runs it."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tokonomi.storage.database import only_row
from tokonomi.storage.engine import open_store
from tokonomi.storage.lake import export
from tokonomi.storage.location import Location
from tokonomi.storage.retention import prune

HEADING = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
STOPPING = Path(__file__).with_name("stopping_import.py")
FINE, FAILED, WRONG_USAGE, DIED = 0, 1, 2, 9
AS_GPT = ("--as", "gpt-4o")


def tokonomi(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tokonomi", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def trace(folder: Path, lines: int, *, bad: str = "") -> Path:
    path = folder / "trace.csv"
    good = "".join(f"2023-11-16 18:15:{n % 60:02}.0000000,{n},1\n" for n in range(lines))
    path.write_text(HEADING + bad + good)
    return path


def stored(folder: Path) -> int:
    with closing(open_store(folder / "tokonomi.db")) as connection:
        return int(only_row(connection, "SELECT count(*) FROM call")[0])


def test_a_file_imported_twice_adds_nothing_and_a_longer_one_its_new_lines(tmp_path: Path) -> None:
    store = ("--data", tmp_path)
    first = tokonomi("import", trace(tmp_path, 3), *AS_GPT, *store)
    assert (first.returncode, first.stderr) == (FINE, "")
    assert first.stdout == (
        "imported 3, already present 0, quarantined 0\nThe file's calls cost $0.0000375.\n"
    )
    again = tokonomi("import", trace(tmp_path, 3), *AS_GPT, *store)
    assert again.stdout.startswith("imported 0, already present 3, quarantined 0\n")
    longer = tokonomi("import", trace(tmp_path, 5), *AS_GPT, *store)
    assert longer.stdout.startswith("imported 2, already present 3, quarantined 0\n")
    assert stored(tmp_path) == 5


def test_bad_rows_go_to_a_file_and_the_exit_code_says_so(tmp_path: Path) -> None:
    path = trace(tmp_path, 2, bad="2023-11-16 18:15:00,many,1\n")
    done = tokonomi("import", path, *AS_GPT, "--data", tmp_path)
    bad_rows = tmp_path / "trace.csv.quarantine.jsonl"
    assert done.returncode == FAILED
    assert done.stdout.startswith(f"imported 2, already present 0, quarantined 1: see {bad_rows}\n")
    assert [json.loads(line) for line in bad_rows.read_text().splitlines()] == [
        {
            "line": 2,
            "reason": "token counts that are not whole numbers",
            "raw": "2023-11-16 18:15:00,many,1",
        }
    ]


def test_an_import_that_died_is_completed_by_running_it_again(tmp_path: Path) -> None:
    path = trace(tmp_path, 12_000, bad="x\n")
    command = [sys.executable, str(STOPPING), str(path), str(tmp_path)]
    assert subprocess.run(command, check=False, timeout=60).returncode == DIED
    assert stored(tmp_path) == 5_000
    assert not (tmp_path / "trace.csv.quarantine.jsonl").exists()
    done = tokonomi("import", path, *AS_GPT, "--data", tmp_path)
    assert done.stdout.startswith("imported 7,000, already present 5,000, quarantined 1: see")
    assert stored(tmp_path) == 12_000


def test_a_file_adds_nothing_after_retention_removed_its_calls(tmp_path: Path) -> None:
    path, location = trace(tmp_path, 5), Location(tmp_path / "tokonomi.db")
    tokonomi("import", path, *AS_GPT, "--data", tmp_path)
    with closing(open_store(location.store)) as connection:
        export(connection, location.lake)
        assert prune(connection, before_us=2**52, chunk_rows=2) == 5
    assert stored(tmp_path) == 0
    for dry in ([], ["--dry-run"]):
        again = tokonomi("import", path, *AS_GPT, "--data", tmp_path, *dry)
        assert "already present 5, quarantined 0" in again.stdout
    assert stored(tmp_path) == 0


def test_an_unknown_model_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = trace(tmp_path, 2)
    done = tokonomi("import", path, "--as", "gpt-nope", "--data", tmp_path / "data")
    assert done.returncode == FAILED
    assert done.stderr.startswith("not_found: no price is known for gpt-nope; nothing was written.")
    assert not (tmp_path / "data").exists()
    allowed = ("--as", "gpt-nope", "--provider", "openai", "--allow-unpriced")
    done = tokonomi("import", path, *allowed, "--data", tmp_path / "data")
    assert done.stdout == (
        "imported 2, already present 0, quarantined 0\n"
        "Without a price, and not in the cost: 2 of the calls.\n"
    )


def test_a_dry_run_counts_and_prices_and_writes_nothing(tmp_path: Path) -> None:
    path = trace(tmp_path, 2, bad="x\n")
    done = tokonomi("import", path, *AS_GPT, "--data", tmp_path / "data", "--dry-run")
    assert done.returncode == FAILED
    assert done.stdout == (
        "would import 2, already present 0, quarantined 1\nThe file's calls cost $0.0000225.\n"
    )
    assert [each.name for each in tmp_path.iterdir()] == ["trace.csv"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "a trace of kind azure names no model. Say what to price it as"),
        (["--as", "gpt-4o", "--format", "mooncake"], "milliseconds from an unknown start"),
        (["--as", "gpt-4o", "--format", "tokonomi"], "the rows of this file name their own models"),
    ],
)
def test_wrong_usage_is_told_with_what_to_write_instead(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = tokonomi("import", trace(tmp_path, 1), *arguments, "--data", tmp_path)
    assert done.returncode == WRONG_USAGE
    assert said in done.stderr


def test_the_printed_total_is_the_sum_of_the_stored_rows(tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    heading = "id,at,provider,model,uncached_input,output\n"
    dear = f"a,2026-01-30T00:00:00Z,openai,gpt-4o,0,{10**12}\n"
    file.write_text(f"{heading}{dear}b,2026-01-30T00:00:00Z,openai,gpt-4o,1000000,0\n")
    done = tokonomi("import", file, "--data", tmp_path)
    assert done.stdout == (
        "imported 2, already present 0, quarantined 0\n"
        "The file's calls cost $2.50.\n"
        "Without a price, and not in the cost: 1 of the calls.\n"
    )
    with closing(open_store(tmp_path / "tokonomi.db")) as connection:
        assert only_row(connection, "SELECT sum(amount) FROM call")[0] == 25 * 10**11


def test_a_served_model_without_a_price_costs_what_the_gateway_charged(tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(
        "id,at,provider,model_served,model_asked,uncached_input\n"
        "a,2026-01-30T00:00:00Z,openai,nobody-knows-it,gpt-4o,1000000\n"
    )
    done = tokonomi("import", file, "--data", tmp_path)
    assert done.stdout.endswith("The file's calls cost $2.50.\n")


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_exported_calls_can_be_imported_and_cost_the_same(tmp_path: Path, kind: str) -> None:
    here, there, file = tmp_path / "here", tmp_path / "there", tmp_path / f"calls.{kind}"
    tokonomi("import", trace(tmp_path, 7), *AS_GPT, "--data", here, "--feature", "chat")
    assert tokonomi("export", file, "--data", here).stdout == f"wrote 7 calls to {file}\n"
    done = tokonomi("import", file, "--data", there)
    assert done.stdout.startswith("imported 7, already present 0, quarantined 0\n")
    assert "nother amount" not in done.stdout
    asked = ("report", "--by", "feature,model,hour,meter", "--format", "json", "--data")
    assert tokonomi(*asked, there).stdout == tokonomi(*asked, here).stdout
    back = tokonomi("import", file, "--data", here)
    assert back.stdout.startswith("imported 0, already present 7, quarantined 0\n")
