"""The page of promises names tests that exist, and commands that run what they say."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ")][1:]
COMMAND = re.compile(r"^(\w+)=\d+ .* -m pytest .*?(tests/\S+\.py)$", re.MULTILINE)


def files_of(proof: str) -> list[Path]:
    """The files that a cell names: a bare name stands in the folder of the one before it."""
    found: list[Path] = []
    for name in re.findall(r"`((?:tests/\S+/)?test_\w+\.py)`", proof):
        found.append(ROOT / name if "/" in name else found[-1].parent / name)
    return found


def test_each_promise_names_the_files_that_prove_it() -> None:
    assert ROWS
    for row in ROWS:
        files = files_of(row.split(" | ")[1])
        assert files, row
        assert [path for path in files if not path.is_file()] == [], row


def test_each_longer_run_sets_a_variable_that_its_test_reads() -> None:
    runs = COMMAND.findall(PAGE)
    assert len(runs) == PAGE.count("TOKONOMI_")
    for variable, file in runs:
        assert f'"{variable}"' in (ROOT / file).read_text("utf-8")
