"""Every command on the store takes a file, a folder or a DSN, and says what it cannot take."""

import subprocess
import sys
from pathlib import Path

import pytest

WRONG_USAGE = 2
TRACE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:00.0000000,4,1\n"


def tokonomi(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tokonomi", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
    )


def test_calls_are_imported_reported_and_exported_in_postgresql(
    tmp_path: Path, postgres_server: str
) -> None:
    (tmp_path / "trace.csv").write_text(TRACE)
    there = ("--store", postgres_server)
    done = tokonomi(tmp_path, "import", "trace.csv", "--as", "gpt-4o", *there)
    assert done.stdout == (
        "imported 1, already present 0, quarantined 0\nThe file's calls cost $0.00002.\n"
    )
    assert "$0.00002" in tokonomi(tmp_path, "report", *there).stdout
    assert tokonomi(tmp_path, "export", "c.csv", *there).stdout == "wrote 1 calls to c.csv\n"
    call_id = (tmp_path / "c.csv").read_text().splitlines()[1].split(",")[0]
    assert "$0.00002" in tokonomi(tmp_path, "explain", call_id, *there).stdout
    status = tokonomi(tmp_path, "lake", "status", *there).stdout
    assert status.endswith("1 calls wait to be exported\n")
    assert tokonomi(tmp_path, "keys", "create", "--name", "n", *there).returncode == 0
    assert "n" in tokonomi(tmp_path, "keys", "list", "--format", "csv", *there).stdout
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    "command",
    [("keys", "list"), ("report",), ("report", "--format", "json"), ("export", "c.csv")],
)
def test_who_only_reads_makes_no_store(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = tokonomi(tmp_path, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("up", "--port", "80000"), "80000 is not a port. Choose one from 1 to 65535."),
        (("prices", "explain", "gpt-4o", "--input", "-5"), "--input -5 is below 0"),
        (
            ("prices", "find", "gpt-4o", "--at", "30-01-2026"),
            "Write it like 2026-01-30 or 2026-01-30T09:00Z.",
        ),
        (("prices", "diff", "--from", "30-01-2026"), "Write it like 2026-01-30."),
        (("import", "."), "is a folder. Name one of the files in it."),
    ],
)
def test_what_cannot_be_is_told_with_what_to_write(
    tmp_path: Path, command: tuple[str, ...], said: str
) -> None:
    done = tokonomi(tmp_path, *command)
    assert (done.returncode, done.stdout) == (WRONG_USAGE, "")
    assert said in done.stderr
