"""The admin API beside the gateway, in the same process, loaded when somebody first asks for it."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from tokonomi.storage.engine import open_store
from tokonomi.storage.location import MasterKeyPlace

Scope = MutableMapping[str, Any]
AsgiApp = Callable[[Scope, Any, Any], Awaitable[None]]


class AdminMount:
    """An ASGI application for the paths under `/admin`.

    A gateway that nobody manages over HTTP spends neither time nor memory on it.
    """

    def __init__(self, store: str, master_keys: MasterKeyPlace) -> None:
        self._store = store
        self._master_keys = master_keys
        self._app: AsgiApp | None = None

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answers one request."""
        if self._app is None:
            self._app = await asyncio.to_thread(self._load)
        await self._app(scope, receive, send)

    def _load(self) -> AsgiApp:
        from tokonomi.admin.app import admin_app  # noqa: PLC0415 - half a second of imports
        from tokonomi.storage.master_keys import read_master_keys  # noqa: PLC0415 - likewise

        app = admin_app(
            lambda: open_store(self._store),
            master_keys=lambda: read_master_keys(self._master_keys),
        )
        return cast("AsgiApp", app)
