"""`/v1/files`: what clients put in for their batches, and what they get out."""

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from tokonomi.errors import TokonomiError
from tokonomi.gateway.answer import JSON, send_body
from tokonomi.gateway.batches.desk import Desk, Visit, seconds_of
from tokonomi.gateway.batches.uploads import upload
from tokonomi.gateway.wire_errors import WireError
from tokonomi.storage.database import Database
from tokonomi.storage.file_store import (
    Page,
    Part,
    StoredFile,
    delete_file,
    find_file,
    list_files,
    read_part,
)

LISTED: Final = 100
"""Files of a page whose length is not asked for; OpenAI's 10,000 would be a large answer."""
_log: Final = logging.getLogger("tokonomi.batches")
_encode: Final = msgspec.json.Encoder().encode


async def create_file(desk: Desk, visit: Visit) -> None:
    """Stores a file of requests."""
    await _say(visit, _told(await upload(desk, visit)))


async def list_all_files(desk: Desk, visit: Visit) -> None:
    """Lists the files of the project, the newest first."""
    page, purpose = visit.page(limit=LISTED), visit.asked("purpose")
    # One more than asked for tells whether there are more.
    asked = page._replace(limit=page.limit + 1)
    found = await desk.store.run(
        lambda database: list_files(database, visit.project, asked, purpose)
    )
    if found is None:
        raise no_file(page.after)
    await _say(visit, listed([_told(each) for each in found], page))


async def retrieve_file(desk: Desk, visit: Visit) -> None:
    """Tells of one file."""
    await _say(visit, _told(await _found(desk, visit)))


async def remove_file(desk: Desk, visit: Visit) -> None:
    """Deletes a file that no batch needs any more."""
    file = await _found(desk, visit)
    used = await desk.store.run(
        lambda database: delete_file(database, visit.project, file.id),
    )
    if used is not None:
        raise WireError(
            409,
            "file_in_use",
            f"The file {file.id} holds the requests of {used}, which has not ended. Cancel that"
            " first, or wait for its end.",
        )
    await _say(visit, {"id": file.id, "object": "file", "deleted": True})


async def send_content(desk: Desk, visit: Visit) -> None:
    """Sends what a file holds, a part at a time."""
    file = await _found(desk, visit)
    headers = [
        (b"content-type", b"application/jsonl"),
        (b"content-length", b"%d" % file.size),
    ]
    part = await desk.store.run(_reading(desk, file.id, 1))
    await visit.send({"type": "http.response.start", "status": 200, "headers": headers})
    try:
        while part is not None:
            piece = {"type": "http.response.body", "body": part.content, "more_body": True}
            await visit.send(piece)
            part = await desk.store.run(_reading(desk, file.id, part.number + 1))
    except TokonomiError as error:
        # Its length was said, so a client sees that this is not all of it.
        _log.warning("the file %s could not be sent to its end: %s", file.id, error)
        return
    await visit.send({"type": "http.response.body", "body": b""})


def _reading(desk: Desk, file_id: str, number: int) -> Callable[[Database], Part | None]:
    return lambda database: read_part(database, file_id, number, desk.keys())


async def _found(desk: Desk, visit: Visit) -> StoredFile:
    found = await desk.store.run(
        lambda database: find_file(database, visit.project, visit.named),
    )
    if found is None:
        raise no_file(visit.named)
    return found


def listed(objects: list[dict[str, object]], page: Page) -> dict[str, object]:
    """A page of a list; `objects` has one more than was asked for where there are more."""
    shown = objects[: page.limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(objects) > len(shown),
    }


def no_file(named: str) -> WireError:
    """The answer where the project has no file of this name."""
    return WireError(
        404,
        "file_not_found",
        f"This project has no file {named[:100]!r}. GET /v1/files lists those that it has; files"
        " are deleted when their time is over.",
    )


def _told(file: StoredFile) -> dict[str, object]:
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": seconds_of(file.created_us),
        "expires_at": seconds_of(file.expires_us),
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


async def _say(visit: Visit, told: dict[str, object]) -> None:
    await send_body(visit.send, 200, [JSON], _encode(told))
