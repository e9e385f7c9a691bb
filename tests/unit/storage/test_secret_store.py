"""Secrets in the store: sealed under their names, set, listed, removed, and sealed anew."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tokonomi.errors import BadConfig, BadInput, NotFound, StartError
from tokonomi.storage.changes import Author
from tokonomi.storage.config_store import audit_of, in_force, latest_versions
from tokonomi.storage.database import Database
from tokonomi.storage.location import MasterKeyPlace
from tokonomi.storage.master_keys import (
    MasterKeys,
    Sealed,
    new_key,
    read_master_keys,
    write_key_first,
)
from tokonomi.storage.secret_store import (
    every_secret,
    remove_secret,
    rotate,
    sealed_secrets,
    set_secret,
)

NOW = datetime(2026, 11, 28, tzinfo=UTC)
NAME, SECRET = "providers/openai", "sk-very-secret-of-the-provider"
BY = Author("ani")


def keys(*texts: str) -> MasterKeys:
    return read_master_keys(MasterKeyPlace("KEYS", Path()), {"KEYS": "\n".join(texts)})


OLD, NEW = new_key(), new_key()


def test_a_secret_is_opened_by_its_key_under_its_name_alone() -> None:
    sealed = keys(OLD).seal(NAME, SECRET)
    assert keys(NEW, OLD).open(NAME, sealed) == SECRET
    assert SECRET.encode() not in sealed.text
    with pytest.raises(BadConfig, match="was changed by somebody"):
        keys(OLD).open("providers/other", sealed)
    broken = bytes([sealed.text[0] ^ 1]) + sealed.text[1:]
    with pytest.raises(BadConfig, match="was changed by somebody"):
        keys(OLD).open(NAME, Sealed(sealed.key_id, sealed.nonce, broken))
    with pytest.raises(BadConfig, match=f"sealed with master key {sealed.key_id}"):
        keys(NEW).open(NAME, sealed)


def test_two_seals_of_one_secret_have_nothing_in_common() -> None:
    first, second = keys(OLD).seal(NAME, SECRET), keys(OLD).seal(NAME, SECRET)
    assert first.nonce != second.nonce
    assert first.text != second.text


def test_a_master_key_does_not_print_itself() -> None:
    assert OLD not in repr(keys(OLD))
    assert repr(keys(OLD).current.secret) not in repr(keys(OLD))


@pytest.mark.parametrize(
    "text",
    ["short", "A" * 44, f"{OLD}\nshort", "\u00e9"],
    ids=["short", "weak", "short second", "not ascii"],
)
def test_what_is_no_master_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(BadConfig) as wrong:
        keys(text)
    assert "KEYS holds something that is no master key" in str(wrong.value)
    assert text not in str(wrong.value)


def test_a_master_key_that_is_not_there_is_told_with_the_way_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="new-key"):
        read_master_keys(MasterKeyPlace("", tmp_path / "none.key"), {})
    with pytest.raises(BadConfig, match="new-key --print-key"):
        keys()
    with pytest.raises(BadConfig, match="cannot be read"):
        read_master_keys(MasterKeyPlace("", tmp_path), {})


def test_a_new_master_key_stands_first_for_its_owner_alone_and_the_old_one_still_opens(
    tmp_path: Path,
) -> None:
    place = MasterKeyPlace("", tmp_path / "var" / "master.key")
    first = write_key_first(place.file)
    sealed = read_master_keys(place, {}).seal(NAME, SECRET)
    second = write_key_first(place.file)
    found = read_master_keys(place, {})
    assert [key.id for key in found.keys] == [second.id, first.id]
    assert found.open(NAME, sealed) == SECRET
    assert place.file.stat().st_mode & 0o777 == 0o600
    assert [*place.file.parent.iterdir()] == [place.file]
    with pytest.raises(StartError, match="cannot be written"):
        write_key_first(place.file / "inside")


def test_a_secret_is_set_listed_and_removed_and_the_history_never_has_it(
    database: Database,
) -> None:
    set_secret(database, NAME, SECRET, keys(OLD), now=NOW, by=BY)
    set_secret(database, NAME, f"{SECRET}-2", keys(OLD), now=NOW, by=BY)
    [known] = every_secret(database)
    assert (known.name, known.key_id, known.set_at) == (NAME, keys(OLD).current.id, NOW)
    sealed = sealed_secrets(database)[NAME]
    assert keys(OLD).open(NAME, sealed) == f"{SECRET}-2"
    remove_secret(database, NAME, now=NOW, by=BY)
    assert every_secret(database) == []
    versions = latest_versions(database, last=9)
    assert [each.who for each in versions] == ["ani"] * 3
    kept = [audit_of(database, each.number) for each in versions]
    assert [[(row.kind, row.name) for row in rows] for rows in kept] == [[("secret", NAME)]] * 3
    assert SECRET not in repr(kept)
    assert in_force(database).document.tables == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [("openai", SECRET), ("providers/", SECRET), (NAME, ""), (NAME, "a\nb"), (NAME, "x" * 9_000)],
)
def test_what_nothing_can_use_is_refused_without_showing_it(
    database: Database, name: str, text: str
) -> None:
    with pytest.raises(BadInput) as wrong:
        set_secret(database, name, text, keys(OLD), now=NOW)
    assert SECRET not in str(wrong.value)
    assert every_secret(database) == []


def test_a_secret_that_is_not_there_cannot_be_removed(database: Database) -> None:
    with pytest.raises(NotFound, match="There is none at all"):
        remove_secret(database, NAME, now=NOW)
    set_secret(database, NAME, SECRET, keys(OLD), now=NOW)
    with pytest.raises(NotFound, match='Did you mean "providers/openai"'):
        remove_secret(database, "providers/opnai", now=NOW)


def test_rotation_seals_all_anew_or_none(database: Database) -> None:
    names = [NAME, "providers/other", "alerts/webhook"]
    for name in names:
        set_secret(database, name, f"{SECRET} of {name}", keys(OLD), now=NOW)
    both = keys(NEW, OLD)
    assert rotate(database, both, now=NOW, by=BY) == sorted(names)
    assert rotate(database, both, now=NOW, by=BY) == []
    for name, sealed in sealed_secrets(database).items():
        assert keys(NEW).open(name, sealed) == f"{SECRET} of {name}"
    third = new_key()
    set_secret(database, NAME, SECRET, keys(third), now=NOW)
    before = sealed_secrets(database)
    with pytest.raises(BadConfig, match="sealed with master key"):
        rotate(database, keys(OLD, NEW), now=NOW)
    assert sealed_secrets(database) == before
