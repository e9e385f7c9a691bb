"""The routes of files and batches. None reaches a provider: the keeper does, beside them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from tokonomi.errors import TokonomiError
from tokonomi.gateway.batches import batch_routes, file_routes
from tokonomi.gateway.batches.desk import Desk, Visit
from tokonomi.gateway.wire_errors import store_unavailable

NAMED: Final = "{id}"
"""Stands for the name of a file or a batch in the path of a route."""
_FAMILIES: Final = ("files", "batches")
_NAME_AT: Final = 3
"""Where in a path the name stands: `/v1/files/NAME`."""
Page = Callable[[Desk, Visit], Awaitable[None]]
ROUTES: Final[Mapping[tuple[str, str], Page]] = {
    ("POST", "/v1/files"): file_routes.create_file,
    ("GET", "/v1/files"): file_routes.list_all_files,
    ("GET", f"/v1/files/{NAMED}"): file_routes.retrieve_file,
    ("DELETE", f"/v1/files/{NAMED}"): file_routes.remove_file,
    ("GET", f"/v1/files/{NAMED}/content"): file_routes.send_content,
    ("POST", "/v1/batches"): batch_routes.create_new_batch,
    ("GET", "/v1/batches"): batch_routes.list_all_batches,
    ("GET", f"/v1/batches/{NAMED}"): batch_routes.retrieve_batch,
    ("POST", f"/v1/batches/{NAMED}/cancel"): batch_routes.cancel_one_batch,
}


def route_of(path: str) -> tuple[str, str]:
    """The path of a route with `{id}` in the place of a name, and the name.

    >>> route_of("/v1/files/file-1/content")
    ('/v1/files/{id}/content', 'file-1')
    >>> route_of("/v1/models/m")
    ('/v1/models/m', '')
    """
    steps = path.split("/")
    if len(steps) <= _NAME_AT or steps[1] != "v1" or steps[2] not in _FAMILIES:
        return path, ""
    name = steps[_NAME_AT]
    return "/".join([*steps[:_NAME_AT], NAMED, *steps[_NAME_AT + 1 :]]), name


async def answer(page: Page, desk: Desk, visit: Visit) -> None:
    """Answers one request.

    Raises:
        WireError: it is refused, or the store does not answer.
    """
    try:
        await page(desk, visit)
    except TokonomiError as error:
        # What is wrong here is told to the operator, not to the client.
        raise store_unavailable(
            f"Files and batches cannot be reached now ({error.code}); the log says why."
        ) from error
