"""The commands on the configuration and its secrets, on both databases, as they are typed."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from tokonomi.cli import main
from tokonomi.storage.engine import open_store
from tokonomi.storage.location import Location, master_keys_of
from tokonomi.storage.master_keys import read_master_keys
from tokonomi.storage.secret_store import sealed_secrets

Typed = Callable[..., tuple[int, str, str]]
FIRST = """[providers.a]
base_url = "https://a/v1"

[models."a/*"]
provider = "a"
"""
SECRET = "sk-typed-and-never-shown"


@pytest.fixture
def store(new_store: Callable[[], Path | str]) -> str:
    return str(new_store())


@pytest.fixture
def typed(
    store: str,
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Typed:
    """Types a command in an empty folder: its exit code, what it printed, what it said beside."""
    monkeypatch.chdir(tmp_path)

    def type_command(*words: str, given: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        with pytest.raises(SystemExit) as ended:
            main([*words, "--store", store])
        out, err = capfdbinary.readouterr()
        assert SECRET not in out.decode() + err.decode()
        return cast("int", ended.value.code), out.decode(), err.decode()

    return type_command


def test_what_is_applied_is_exported_as_it_was_and_changes_nothing_again(typed: Typed) -> None:
    assert typed("apply", "-f", "-", "--yes", given=FIRST)[0] == 0
    assert typed("export", "config") == (0, FIRST, "")
    again = typed("apply", "-f", "-", "--fail-on-changes", given=FIRST)
    assert again == (0, "Nothing to change.\n", "")


def test_a_plan_shows_and_changes_nothing_and_can_tell_by_its_exit_code(typed: Typed) -> None:
    code, out, _ = typed("apply", "-f", "-", "--plan", given=FIRST)
    assert (code, out.splitlines()[-1]) == (0, "2 to add.")
    assert typed("apply", "-f", "-", "--plan", "--fail-on-changes", given=FIRST)[0] == 4
    assert typed("export", "config") == (0, "", "")


def test_where_nobody_can_be_asked_nothing_is_changed(typed: Typed) -> None:
    code, _, said = typed("apply", "-f", "-", given=FIRST)
    assert code == 2
    assert "nobody is here to be asked, and nothing was changed" in said
    assert typed("export", "config") == (0, "", "")


def test_a_folder_of_files_is_one_change(typed: Typed, tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    assert "has no file *.toml" in typed("apply", "-f", "config", "--yes")[2]
    parts = FIRST.partition("[models")
    (folder / "providers.toml").write_text(parts[0], encoding="utf-8")
    (folder / "models.toml").write_text("[models" + parts[2], encoding="utf-8")
    (folder / "tokonomi.toml").write_text("[listen]\nport = 1\n", encoding="utf-8")
    assert typed("apply", "-f", "config", "--yes")[0] == 0
    assert typed("export", "config")[1] == FIRST
    assert typed("apply", "-f", "config/nowhere.toml", "--yes")[0] == 3


def test_history_is_listed_shown_compared_exported_and_taken_back(typed: Typed) -> None:
    typed("apply", "-f", "-", "--yes", "--message", "first", given=FIRST)
    typed("apply", "-f", "-", "--yes", given="[models.b]\nprovider = 'a'")
    listed = json.loads(typed("config", "history", "--format", "json")[1])["rows"]
    assert [(each["version"], each["message"]) for each in listed] == [(2, ""), (1, "first")]
    shown = json.loads(typed("config", "show", "2", "--format", "json")[1])["rows"]
    assert [(each["name"], each["field"], each["after"]) for each in shown] == [
        ("b", "provider", "a")
    ]
    code, out, _ = typed("config", "diff", "1", "2", "--fail-on-changes", "--format", "csv")
    assert (code, out.splitlines()[1]) == (4, "add,models.b,provider,,a")
    code, out, said = typed("config", "rollback", "1", "--yes")
    assert (code, out.splitlines()[0]) == (0, "- models.b")
    assert "Applied as version 3" in said
    assert typed("export", "config")[1] == typed("export", "config", "--version", "1")[1] == FIRST
    assert typed("config", "rollback", "9", "--yes")[0] == 1
    assert typed("config", "history", "--last", "0")[0] == 2


def test_budgets_that_are_typed_stand_in_the_history_with_who_typed_them(typed: Typed) -> None:
    typed("budget", "create", "team", "--amount", "10")
    typed("budget", "rate", "USD", "IDR", "16000", "--on", "2026-01-30", "--source", "a bank")
    typed("credits", "rule", "user")
    listed = json.loads(typed("config", "history", "--format", "json")[1])["rows"]
    assert len(listed) == 3
    assert "unnamed" not in {each["who"] for each in listed}
    exported = typed("export", "config")[1]
    assert all(each in exported for each in ("[[budget]]", "[[rate]]", "[[wallet_rule]]"))


def test_no_gateway_runs_on_a_new_store(typed: Typed) -> None:
    assert "No gateway runs on this store." in typed("config", "status")[1]


def test_the_schema_is_json(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    with pytest.raises(SystemExit):
        main(["config", "schema"])
    assert "DocumentForm" in json.loads(capsysbinary.readouterr().out)["$defs"]


def test_a_secret_is_set_listed_rotated_and_removed(typed: Typed, store: str) -> None:
    assert typed("secrets", "set", "providers/a", given=SECRET)[0] == 3
    assert typed("secrets", "new-key")[0] == 0
    assert typed("secrets", "set", "providers/a", given=f"{SECRET}\n")[0] == 0
    first = json.loads(typed("secrets", "list", "--format", "json")[1])["rows"]
    typed("secrets", "new-key")
    assert typed("secrets", "rotate")[1].endswith(": providers/a\n")
    second = json.loads(typed("secrets", "list", "--format", "json")[1])["rows"]
    assert first[0]["master_key"] != second[0]["master_key"]
    location = Location(Path("var/tokonomi.db") if "://" in store else Path(store))
    keys = read_master_keys(master_keys_of(location))
    with contextlib.closing(open_store(store)) as database:
        assert keys.open("providers/a", sealed_secrets(database)["providers/a"]) == SECRET
    assert typed("secrets", "remove", "providers/a") == (0, "providers/a is removed\n", "")
    assert typed("secrets", "remove", "providers/a")[0] == 1


def test_a_secret_that_is_typed_as_a_word_is_not_repeated(typed: Typed) -> None:
    code, _, said = typed("secrets", "set", "providers/a", SECRET)
    assert (code, "Give it on standard input." in said) == (2, True)


def test_a_master_key_is_printed_where_a_variable_holds_it(typed: Typed, tmp_path: Path) -> None:
    assert len(typed("secrets", "new-key", "--print-key")[1].strip()) == 44
    (tmp_path / "tokonomi.toml").write_text('[secrets]\nkey_env = "MASTER"\n', encoding="utf-8")
    code, _, said = typed("secrets", "new-key")
    assert (code, "--print-key" in said) == (2, True)
    assert "MASTER" in typed("secrets", "set", "providers/a", given=SECRET)[2]
