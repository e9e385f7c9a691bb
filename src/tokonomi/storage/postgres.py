"""PostgreSQL as the store: the same schema and the same laws, shared by several hosts."""

import re
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final, LiteralString, cast

import psycopg

from tokonomi.errors import StoreError
from tokonomi.storage.database import Cursor, Dialect, Value

MIGRATION_LOCK: Final = 0x746F6B6F
CALLS_LOCK: Final = 0x746F6B70
_VERSION: Final = "tokonomi schema "

_REFUSE: Final = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$
"""
"""What a trigger of our schema calls here."""


class PostgresDatabase:
    """A connection to a PostgreSQL database that holds our schema."""

    def __init__(self, dsn: str) -> None:
        try:
            self._connection = psycopg.connect(dsn, autocommit=True)
        except psycopg.Error as error:
            raise StoreError(
                f"the database cannot be reached: {error}",
                remedy="Check the DSN in [store] and that the server runs.",
            ) from error

    @property
    def dialect(self) -> Dialect:
        """Always `postgresql`."""
        return "postgresql"

    def execute(self, sql: str, values: Sequence[Value] = ()) -> Cursor:
        """See `Database.execute`."""
        return self._connection.execute(_numbered(sql), values)

    def executemany(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """See `Database.executemany`."""
        with self._connection.cursor() as cursor:
            cursor.executemany(_numbered(sql), rows)

    @contextmanager
    def transaction(self, *, power_safe: bool = True) -> Generator[None]:
        """See `Database.transaction`."""
        with self._connection.transaction():
            if not power_safe:
                self._connection.execute("SET LOCAL synchronous_commit = off")
            yield

    def write_in_order_of_commits(self) -> None:
        """See `Database.write_in_order_of_commits`; it comes before every other lock."""
        self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (CALLS_LOCK,))

    def define(self, statement: str) -> None:
        """See `Database.define`."""
        self._connection.execute(cast("LiteralString", postgres_schema(statement)))

    def schema_version(self) -> int:
        """See `Database.schema_version`."""
        row = self._connection.execute(
            "SELECT obj_description(to_regclass('call'), 'pg_class')"
        ).fetchone()
        return int(row[0].removeprefix(_VERSION)) if row is not None and row[0] else 0

    def set_schema_version(self, version: int) -> None:
        """See `Database.set_schema_version`; it is the comment of the table `call`."""
        self._connection.execute(
            cast("LiteralString", f"COMMENT ON TABLE call IS '{_VERSION}{int(version)}'")
        )

    def lock_schema(self) -> None:
        """See `Database.lock_schema`."""
        self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        self._connection.execute(_REFUSE)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@cache
def _numbered(sql: str) -> LiteralString:
    """The statement with psycopg's placeholders; all our SQL is written in this package."""
    return cast("LiteralString", sql.replace("%", "%%").replace("?", "%s"))


_REWRITES: Final = (
    (re.compile(r"INTEGER PRIMARY KEY AUTOINCREMENT"), "BIGSERIAL PRIMARY KEY"),
    (re.compile(r"\bINTEGER\b"), "BIGINT"),
    (re.compile(r"\bBLOB\b"), "BYTEA"),
    (re.compile(r"\)\s*STRICT(,\s*WITHOUT ROWID)?\s*;"), ");"),
)
_TRIGGER: Final = re.compile(
    r"CREATE TRIGGER (\w+) BEFORE (UPDATE|DELETE) ON (\w+)\s+"
    r"BEGIN\s+SELECT RAISE\(ABORT, '([^']+)'\);\s+END;"
)


def postgres_schema(statement: str) -> str:
    """A statement of our schema, which is written for SQLite, in PostgreSQL's words.

    >>> postgres_schema("CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, b BLOB) STRICT;")
    'CREATE TABLE a (id BIGSERIAL PRIMARY KEY, b BYTEA);'
    """
    if trigger := _TRIGGER.search(statement):
        name, event, table, message = trigger.groups()
        return (
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION refuse('{message}');"
        )
    for pattern, replacement in _REWRITES:
        statement = pattern.sub(replacement, statement)
    return statement
