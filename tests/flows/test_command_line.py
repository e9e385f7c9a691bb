"""The command as a person types it: fast help, exit codes, no traceback."""

import subprocess
import sys
from pathlib import Path

TOKONOMI = str(Path(sys.executable).with_name("tokonomi"))
SECONDS = 60
HEAVY = ("duckdb", "ibis", "openai", "pyarrow", "pyreqwest", "tokonomi.gateway")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_help_loads_nothing_that_only_a_command_needs() -> None:
    program = (
        "import sys; from tokonomi.cli import application; application().help_print(); "
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = run(sys.executable, "-c", program)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "up" in done.stdout.split()


def test_an_unknown_command_is_wrong_usage_with_a_suggestion() -> None:
    done = run(TOKONOMI, "dwon")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "wrong_usage: there is no command 'dwon'. Did you mean \"down\"?\n"


def test_words_that_a_command_does_not_take_are_named_with_the_help_of_that_command() -> None:
    done = run(TOKONOMI, "prices", "diff", "2025-01-01")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "wrong_usage: 2025-01-01 is more than this command takes.",
        "See `tokonomi prices diff --help`.",
    ]


def test_an_unknown_option_is_wrong_usage() -> None:
    done = run(TOKONOMI, "down", "--dta", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("wrong_usage: ")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = run("bash", "-o", "pipefail", "-c", f"{sys.executable} -m tokonomi --help | true")
    assert done.stderr == ""


def test_the_version_is_that_of_the_package() -> None:
    assert run(TOKONOMI, "--version").stdout == "0.1.0\n"


def test_a_folder_that_cannot_be_made_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file stands where a folder should be")
    done = run(TOKONOMI, "down", "--data", str(tmp_path / "var"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("system_error: ")
    assert len(done.stderr.splitlines()) == 1


def test_an_error_shows_where_it_came_from_when_asked(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file stands where a folder should be")
    done = run("env", "TOKONOMI_TRACEBACK=1", TOKONOMI, "down", "--data", str(tmp_path / "var"))
    assert "Traceback (most recent call last)" in done.stderr
