"""The pages' examples are run: what a page shows is what the program prints.

A fenced block after the line `<!-- example -->` is run. In a `console` block each `$ command` is
followed by what it prints; a line `...` stands for any lines. All examples of a page share one
folder, empty at first, and run in order. A `python` block is a doctest.
"""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"<!-- example -->\n+```(\w+)\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
EXAMPLES = [
    pytest.param(page, id=page.relative_to(ROOT).as_posix())
    for page in PAGES
    if BLOCK.search(page.read_text("utf-8"))
]
SECONDS = 60


def matches(shown: str, printed: str) -> bool:
    lines = [line.rstrip() for line in shown.strip().splitlines()]
    pattern = "".join(r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in lines)
    real = "".join(f"{line.rstrip()}\n" for line in printed.strip().splitlines())
    return re.fullmatch(pattern, real) is not None


def run(command: str, folder: Path) -> str:
    commands_first = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    plain = {"PATH": commands_first, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, **plain},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("page", EXAMPLES)
def test_the_examples_of_a_page_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    for block in BLOCK.finditer(page.read_text("utf-8")):
        language, body = block[1], block[2]
        if language == "python":
            example = doctest.DocTestParser().get_doctest(body, {}, page.name, str(page), 0)
            assert doctest.DocTestRunner().run(example).failed == 0
            continue
        assert language == "console", f"{page.name} marks a {language} block as an example"
        for each in COMMAND.finditer(body):
            printed = run(each[1], tmp_path)
            assert matches(each[2], printed), f"$ {each[1]}\n{printed}"


def test_an_example_matches_only_what_it_shows() -> None:
    assert matches("a\n...\nc", "a\nb\nb\nc\n")
    assert matches("...\nc", "c")
    assert not matches("a\nc", "a\nb\nc")
    assert not matches("a (1)", "a 1")


def test_a_command_goes_on_after_a_backslash() -> None:
    assert COMMAND.findall("$ a \\\n  b\nsaid\n$ c\n") == [("a \\\n  b", "said\n"), ("c", "")]
