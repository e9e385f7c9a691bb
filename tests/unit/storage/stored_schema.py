"""What a store's own catalogue says of its schema, in the same words for both databases."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tokonomi.storage.database import Database

TYPES = {"INTEGER": "bigint", "TEXT": "text", "BLOB": "bytea"}
_TRIGGER = re.compile(r"CREATE TRIGGER \w+ (\w+) (\w+) ON \w+\s+BEGIN\s+(.+?)\s*END", re.DOTALL)
_REFUSAL = re.compile(r"SELECT RAISE\(ABORT, '([^']+)'\);")
_CHECK = re.compile(r"(?:CONSTRAINT (\w+)\s+)?CHECK (?=\()")
_COMMENT = re.compile(r"--[^\n]*")


@dataclass(frozen=True)
class StoredSchema:
    """Every part of a schema, as sets of plain facts.

    Attributes:
        columns: table, name, type, whether NULL is refused, default.
        primary_keys: table and columns.
        uniques: table and columns of each UNIQUE constraint.
        foreign_keys: table, columns, the table they refer to, its columns, action on delete.
        indexes: name, table, columns, whether it is unique, predicate.
        checks: table, expression, and the name where one was given.
        triggers: name, table, when and what they refuse, and with which words.
    """

    columns: frozenset[tuple[str, str, str, bool, str | None]]
    primary_keys: frozenset[tuple[str, tuple[str, ...]]]
    uniques: frozenset[tuple[str, tuple[str, ...]]]
    foreign_keys: frozenset[tuple[str, tuple[str, ...], str, tuple[str, ...], str]]
    indexes: frozenset[tuple[str, str, tuple[str, ...], bool, str]]
    checks: frozenset[tuple[str, str, str]]
    triggers: frozenset[tuple[str, str, str, str, str]]


class Canon:
    """Spells the expressions of both databases as PostgreSQL reads them.

    Two texts mean the same when its parser makes the same of them, and nobody's pattern decides.
    """

    def __init__(self, server: Database) -> None:
        self._server = server

    def expression(self, table: str, text: str | None) -> str:
        """The expression over a table's columns in PostgreSQL's own spelling; '' of none."""
        if text is None:
            return ""
        run = self._server.execute
        run(f"CREATE TEMP TABLE canon AS SELECT * FROM {table} WHERE false")
        run(f"ALTER TABLE canon ADD CONSTRAINT canon CHECK ({text})")
        rows = run(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = 'pg_temp.canon'::regclass AND conname = 'canon'"
        ).fetchall()
        run("DROP TABLE pg_temp.canon")
        return str(rows[0][0])


def sqlite_schema(file: Database, canon: Canon) -> StoredSchema:
    """The schema of a SQLite store."""
    tables: dict[str, str] = {
        name: _COMMENT.sub("", text)
        for name, text in file.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    }
    infos = {name: file.execute(f"PRAGMA table_info({name})").fetchall() for name in tables}
    listed = [
        (table, *row[1:5])
        for table in tables
        for row in file.execute(f"PRAGMA index_list({table})")
    ]
    return StoredSchema(
        columns=frozenset(
            # A key column refuses NULL in every strict table, whether or not it is said.
            (table, name, TYPES[kind], bool(refuses or key), _default(default))
            for table, info in infos.items()
            for _, name, kind, refuses, default, key in info
        ),
        primary_keys=frozenset(
            (table, tuple(row[1] for row in sorted(info, key=lambda row: row[5]) if row[5]))
            for table, info in infos.items()
        ),
        uniques=frozenset(
            (table, _columns(file, name)) for table, name, _, origin, _ in listed if origin == "u"
        ),
        foreign_keys=frozenset(_sqlite_references(file, infos)),
        indexes=frozenset(
            (name, table, _columns(file, name), bool(unique), _predicate(file, name, table, canon))
            for table, name, unique, origin, _ in listed
            if origin == "c"
        ),
        checks=frozenset(
            (table, canon.expression(table, check), name)
            for table, text in tables.items()
            for name, check in _checks(text)
        ),
        triggers=frozenset(_sqlite_triggers(file)),
    )


def _columns(file: Database, index: str) -> tuple[str, ...]:
    return tuple(row[2] for row in file.execute(f"PRAGMA index_info({index})"))


def _predicate(file: Database, index: str, table: str, canon: Canon) -> str:
    row = file.execute("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).fetchone()
    assert row is not None
    _, _, predicate = row[0].partition(" WHERE ")
    return canon.expression(table, predicate or None)


def _default(default: str | None) -> str | None:
    return None if default is None else default.strip("'")


def _sqlite_references(
    file: Database, infos: dict[str, list[tuple[object, ...]]]
) -> Iterator[tuple[str, tuple[str, ...], str, tuple[str, ...], str]]:
    for table in infos:
        for row in file.execute(f"PRAGMA foreign_key_list({table})"):
            _, place, other, column, target, _, on_delete, _ = row
            assert place == 0, "a reference of several columns is compared column by column"
            [key] = [str(it[1]) for it in infos[other] if it[5]] if target is None else [target]
            yield table, (column,), other, (key,), on_delete


def _checks(text: str) -> Iterator[tuple[str, str]]:
    """Name and expression of every CHECK in the text of a table."""
    for found in _CHECK.finditer(text):
        depth, end = 0, found.end()
        while True:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
            if depth == 0:
                break
        yield found[1] or "", text[found.end() + 1 : end - 1]


def _sqlite_triggers(file: Database) -> Iterator[tuple[str, str, str, str, str]]:
    for name, table, text in file.execute(
        "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
    ):
        shape = _TRIGGER.search(text)
        assert shape is not None, text
        refusal = _REFUSAL.fullmatch(shape[3])
        assert refusal is not None, text
        yield name, table, shape[1], shape[2], refusal[1]


def postgres_schema_of(server: Database, canon: Canon) -> StoredSchema:
    """The schema of a PostgreSQL store."""
    return StoredSchema(
        columns=frozenset(
            (table, name, kind, refuses == "NO", _plain_default(default))
            for table, name, kind, refuses, default in server.execute(
                "SELECT table_name, column_name, data_type, is_nullable, column_default"
                " FROM information_schema.columns WHERE table_schema = 'public'"
            )
        ),
        primary_keys=frozenset((row[0], row[1]) for row in _constraints(server, "p")),
        uniques=frozenset((row[0], row[1]) for row in _constraints(server, "u")),
        foreign_keys=frozenset(
            (table, columns, other, keys, {"a": "NO ACTION"}.get(on_delete, on_delete))
            for table, columns, other, keys, on_delete in _constraints(server, "f")
        ),
        indexes=frozenset(_postgres_indexes(server, canon)),
        checks=frozenset(_postgres_checks(server, canon)),
        triggers=frozenset(
            (name, table, timing, event, words.removeprefix("EXECUTE FUNCTION refuse('")[:-2])
            for name, table, timing, event, words in server.execute(
                "SELECT tgname, event_object_table, action_timing, event_manipulation,"
                " action_statement FROM pg_trigger JOIN information_schema.triggers"
                " ON trigger_name = tgname WHERE NOT tgisinternal AND tgenabled = 'O'"
                " AND action_orientation = 'ROW' AND action_condition IS NULL"
            )
        ),
    )


def _plain_default(default: str | None) -> str | None:
    """A column's default; a number that the database counts itself is none."""
    if default is None or default.startswith("nextval("):
        return None
    return default.removesuffix("::text").strip("'")


def _constraints(
    server: Database, kind: str
) -> Iterator[tuple[str, tuple[str, ...], str, tuple[str, ...], str]]:
    names = (
        "ARRAY(SELECT attname::text FROM unnest({0}) WITH ORDINALITY AS key (number, place)"
        " JOIN pg_attribute ON attrelid = {1} AND attnum = number ORDER BY place)"
    )
    rows = server.execute(
        f"SELECT conrelid::regclass::text, {names.format('conkey', 'conrelid')},"
        f" confrelid::regclass::text, {names.format('confkey', 'confrelid')}, confdeltype::text"
        " FROM pg_constraint WHERE contype = ? AND connamespace = 'public'::regnamespace"
        " AND convalidated",
        (kind,),
    )
    return ((table, tuple(own), other, tuple(keys), act) for table, own, other, keys, act in rows)


def _postgres_indexes(
    server: Database, canon: Canon
) -> Iterator[tuple[str, str, tuple[str, ...], bool, str]]:
    rows = server.execute(
        "SELECT indexrelid::regclass::text, indrelid::regclass::text,"
        " ARRAY(SELECT attname::text FROM pg_attribute"
        " WHERE attrelid = indexrelid ORDER BY attnum),"
        " indisunique, pg_get_expr(indpred, indrelid) FROM pg_index"
        " JOIN pg_class ON pg_class.oid = indexrelid AND relnamespace = 'public'::regnamespace"
        " WHERE indisvalid AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid"
        " AND contype IN ('p', 'u'))"
    ).fetchall()
    for name, table, columns, unique, predicate in rows:
        yield name, table, tuple(columns), unique, canon.expression(table, predicate)


def _postgres_checks(server: Database, canon: Canon) -> Iterator[tuple[str, str, str]]:
    rows = server.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_expr(conbin, conrelid) FROM pg_constraint"
        " WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND convalidated"
    ).fetchall()
    for table, name, expression in rows:
        # The server makes names of its own, from the table's, where the schema gives none.
        given = "" if name.startswith(f"{table}_") else name
        yield table, canon.expression(table, expression), given
