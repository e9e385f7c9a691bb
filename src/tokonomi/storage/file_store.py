"""Files of clients in the store, in parts of whole lines, sealed where there is a master key.

A file holds prompts or answers. It is stored for its batch and no longer: it is deleted when its
time is over, or when its owner says so.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from tokonomi.errors import BadConfig
from tokonomi.storage.database import Database, Row, only_row
from tokonomi.storage.master_keys import MasterKeys, Sealed

_COLUMNS: Final = (
    "id, project, purpose, name, bytes, lines, endpoint, models, created_us, expires_us"
)
_IN_USE: Final = "SELECT id FROM batch WHERE input_file = ? AND ended_us IS NULL LIMIT 1"
_MOST_AT_ONCE: Final = 100
"""Files that one round deletes."""
_encode: Final = msgspec.json.Encoder().encode
_decode_models: Final = msgspec.json.Decoder(tuple[str, ...]).decode


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file besides its content.

    Attributes:
        id: our name of it.
        project: whose it is; nobody else sees it.
        purpose: `batch` for requests, `batch_output` for what came of them.
        name: what its owner calls it.
        size: its length in bytes.
        lines: how many lines it has.
        endpoint: the operation of all its lines; empty for results.
        models: the models that its lines ask for.
        created_us: when it began to arrive, in microseconds since 1970.
        expires_us: when it is deleted.
    """

    id: str
    project: str
    purpose: str
    name: str
    created_us: int
    expires_us: int
    size: int = 0
    lines: int = 0
    endpoint: str = ""
    models: tuple[str, ...] = ()


class Part(NamedTuple):
    """Some whole lines of a file, and the number of the first of them."""

    number: int
    first_line: int
    content: bytes


class Page(NamedTuple):
    """Which part of a list is asked for: after what, how much of it, and in which order."""

    after: str = ""
    limit: int = 20
    descending: bool = True


def begin_file(database: Database, file: StoredFile) -> None:
    """Takes note of a file that arrives; nobody sees it before `finish_file`."""
    database.execute(
        "INSERT INTO stored_file (id, project, purpose, name, created_us, expires_us)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (file.id, file.project, file.purpose, file.name, file.created_us, file.expires_us),
    )


def add_part(database: Database, file_id: str, part: Part, keys: MasterKeys | None) -> None:
    """Writes a part, sealed where there are keys."""
    key_id, nonce, content = None, None, part.content
    if keys is not None:
        key_id, nonce, content = _sealed(keys.seal_bytes(_name(file_id, part.number), content))
    database.execute(
        "INSERT INTO stored_file_part (file, number, first_line, bytes, key_id, nonce, content)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (file_id, part.number, part.first_line, len(part.content), key_id, nonce, content),
    )


def finish_file(database: Database, file: StoredFile) -> None:
    """From now on the file is there for its owner."""
    database.execute(
        "UPDATE stored_file SET is_ready = 1, name = ?, bytes = ?, lines = ?, endpoint = ?,"
        " models = ?, expires_us = ? WHERE id = ?",
        (
            file.name,
            file.size,
            file.lines,
            file.endpoint,
            _encode(file.models).decode(),
            file.expires_us,
            file.id,
        ),
    )


def find_file(database: Database, project: str, file_id: str) -> StoredFile | None:
    """The file of a project, or None where it has none of this name."""
    row = database.execute(
        f"SELECT {_COLUMNS} FROM stored_file WHERE id = ? AND project = ? AND is_ready = 1",  # noqa: S608 - ours
        (file_id, project),
    ).fetchone()
    return None if row is None else _file(row)


def list_files(
    database: Database, project: str, page: Page, purpose: str = ""
) -> list[StoredFile] | None:
    """A part of the files of a project by their age; None where the file to begin after is none."""
    where, values = "project = ? AND is_ready = 1", [project]
    if purpose:
        where, values = f"{where} AND purpose = ?", [*values, purpose]
    rows = page_of(database, _COLUMNS, "stored_file", (where, values), page)
    return None if rows is None else [_file(row) for row in rows]


def page_of(
    database: Database,
    columns: str,
    table: str,
    of: tuple[str, Sequence[str]],
    page: Page,
) -> list[Row] | None:
    """Rows of a table by their age, as `page` asks; None where the row to begin after is none.

    `of` is the condition that all of them meet, and its values.
    """
    where, values = of
    order, beyond = ("DESC", "<") if page.descending else ("ASC", ">")
    placed: list[str | int] = [*values]
    begin = ""
    if page.after:
        found = database.execute(
            f"SELECT created_us FROM {table} WHERE {where} AND id = ?",  # noqa: S608 - ours
            (*values, page.after),
        ).fetchone()
        if found is None:
            return None
        begin = f" AND (created_us, id) {beyond} (?, ?)"
        placed += [found[0], page.after]
    return database.execute(
        f"SELECT {columns} FROM {table} WHERE {where}{begin}"  # noqa: S608 - ours
        f" ORDER BY created_us {order}, id {order} LIMIT ?",
        (*placed, page.limit),
    ).fetchall()


def read_part(
    database: Database, file_id: str, number: int, keys: MasterKeys | None
) -> Part | None:
    """The part of this number, from 1, or None behind the last one.

    Raises:
        BadConfig: it is sealed, and its master key is not known here.
    """
    row = database.execute(
        "SELECT number, first_line, key_id, nonce, content FROM stored_file_part"
        " WHERE file = ? AND number = ?",
        (file_id, number),
    ).fetchone()
    return None if row is None else _part(file_id, row, keys)


def part_of_line(
    database: Database, file_id: str, line: int, keys: MasterKeys | None
) -> Part | None:
    """The part that a line of the file is in, or None where the file is gone.

    Raises:
        BadConfig: as `read_part` does.
    """
    row = database.execute(
        "SELECT number, first_line, key_id, nonce, content FROM stored_file_part"
        " WHERE file = ? AND first_line <= ? ORDER BY number DESC LIMIT 1",
        (file_id, line),
    ).fetchone()
    return None if row is None else _part(file_id, row, keys)


def stored_bytes(database: Database, project: str) -> int:
    """What the files of a project take, those among them that still arrive."""
    return int(
        only_row(
            database,
            "SELECT COALESCE(SUM(stored_file_part.bytes), 0) FROM stored_file_part"
            " JOIN stored_file ON stored_file.id = file WHERE project = ?",
            (project,),
        )[0]
    )


def delete_file(database: Database, project: str, file_id: str) -> str | None:
    """The batch that still needs the file, which stays; None once it is deleted."""
    with database.transaction():
        used = database.execute(_IN_USE, (file_id,)).fetchone()
        if used is not None:
            return str(used[0])
        if find_file(database, project, file_id) is not None:
            _remove(database, file_id)
    return None


def discard_file(database: Database, file_id: str) -> None:
    """Removes a file that did not arrive whole."""
    with database.transaction():
        _remove(database, file_id)


def delete_expired(database: Database, *, now_us: int) -> int:
    """How many files were deleted whose time is over; one that a batch needs stays so long."""
    expired = database.execute(
        "SELECT id FROM stored_file WHERE expires_us <= ? AND NOT EXISTS"
        " (SELECT 1 FROM batch WHERE input_file = stored_file.id AND ended_us IS NULL) LIMIT ?",
        (now_us, _MOST_AT_ONCE),
    ).fetchall()
    for (file_id,) in expired:
        discard_file(database, file_id)
    return len(expired)


def _remove(database: Database, file_id: str) -> None:
    database.execute("DELETE FROM stored_file_part WHERE file = ?", (file_id,))
    database.execute("DELETE FROM stored_file WHERE id = ?", (file_id,))


def _part(file_id: str, row: Row, keys: MasterKeys | None) -> Part:
    number, first_line, key_id, nonce, content = row
    if key_id is None:
        return Part(number, first_line, bytes(content))
    if keys is None:
        raise BadConfig(
            f"the file {file_id} is sealed with master key {key_id}, and none is known here",
            remedy="Give this gateway the master key too: [secrets] key_file or key_env.",
        )
    sealed = Sealed(key_id, bytes(nonce), bytes(content))
    return Part(number, first_line, keys.open_bytes(_name(file_id, number), sealed))


def _sealed(sealed: Sealed) -> tuple[str, bytes, bytes]:
    return sealed.key_id, sealed.nonce, sealed.text


def _name(file_id: str, number: int) -> str:
    return f"{file_id}/{number}"


def _file(row: Row) -> StoredFile:
    return StoredFile(
        id=row[0],
        project=row[1],
        purpose=row[2],
        name=row[3],
        size=row[4],
        lines=row[5],
        endpoint=row[6],
        models=_decode_models(row[7]),
        created_us=row[8],
        expires_us=row[9],
    )
