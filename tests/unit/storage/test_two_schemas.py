"""Both databases hold one schema: each constraint, index and trigger is compared as stored."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest
from stored_schema import Canon, StoredSchema, postgres_schema_of, sqlite_schema

from tokonomi.storage.database import Database
from tokonomi.storage.engine import open_store

AVAILABLE = "((credits_posted - debits_posted) - debits_pending)"
PARTS = tuple(field.name for field in fields(StoredSchema))
WEAKENED = {
    "columns": "ALTER TABLE transfer ALTER COLUMN amount DROP NOT NULL",
    "primary_keys": "ALTER TABLE budget DROP CONSTRAINT budget_pkey",
    "uniques": "ALTER TABLE account DROP CONSTRAINT account_name_key",
    "foreign_keys": "ALTER TABLE transfer DROP CONSTRAINT transfer_account_fkey,"
    " ADD FOREIGN KEY (account) REFERENCES account ON DELETE CASCADE",
    "indexes": "DROP INDEX one_resolution; CREATE UNIQUE INDEX one_resolution ON transfer"
    " (call_id, account, kind) WHERE call_id IS NOT NULL AND amount > 0",
    "checks": "ALTER TABLE account DROP CONSTRAINT floor_holds, ADD CONSTRAINT floor_holds"
    " CHECK (floor IS NULL OR credits_posted - debits_posted >= floor)",
    "triggers": "ALTER TABLE transfer DISABLE TRIGGER transfer_is_never_changed",
}
"""A statement for each part that leaves as many parts as before, or as many names, but weaker."""


@pytest.fixture
def server(postgres_store: str) -> Iterator[Database]:
    with closing(open_store(postgres_store)) as opened:
        yield opened


@pytest.fixture
def in_a_file(tmp_path: Path, server: Database) -> StoredSchema:
    with closing(open_store(tmp_path / "tokonomi.db")) as file:
        return sqlite_schema(file, Canon(server))


def test_both_databases_store_the_same_schema(in_a_file: StoredSchema, server: Database) -> None:
    on_a_server = postgres_schema_of(server, Canon(server))
    for part in PARTS:
        assert getattr(in_a_file, part) == getattr(on_a_server, part), part


@pytest.mark.parametrize(
    ("part", "fact"),
    [
        (
            "indexes",
            (
                "one_resolution",
                "transfer",
                ("call_id", "account", "kind"),
                True,
                "CHECK ((call_id IS NOT NULL))",
            ),
        ),
        (
            "checks",
            (
                "account",
                f"CHECK (((floor IS NULL) OR ({AVAILABLE} >= floor)))",
                "floor_holds",
            ),
        ),
        ("foreign_keys", ("transfer", ("account",), "account", ("id",), "NO ACTION")),
        (
            "triggers",
            (
                "transfer_is_never_removed",
                "transfer",
                "BEFORE",
                "DELETE",
                "a transfer is never removed",
            ),
        ),
    ],
)
def test_the_guards_of_the_ledger_are_among_what_is_compared(
    in_a_file: StoredSchema, part: str, fact: object
) -> None:
    assert fact in getattr(in_a_file, part)


@pytest.mark.parametrize("part", PARTS)
def test_one_weaker_guard_on_one_database_is_a_difference(
    in_a_file: StoredSchema, server: Database, part: str
) -> None:
    for statement in WEAKENED[part].split("; "):
        server.execute(statement)
    weaker = postgres_schema_of(server, Canon(server))
    assert getattr(weaker, part) != getattr(in_a_file, part)
    same = set(PARTS) - {part}
    assert {name for name in same if getattr(weaker, name) == getattr(in_a_file, name)} == same
