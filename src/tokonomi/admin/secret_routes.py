"""Secrets over HTTP: set, listed by name, removed. No route gives a secret back."""

from datetime import datetime
from typing import Final

import msgspec
from litestar import delete, get, put
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from tokonomi.admin.stores import Asked, author_of, stores_of, utc_now
from tokonomi.storage import secret_store
from tokonomi.storage.secret_store import StoredSecret


class SecretValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a provider asks for, or what signs the webhook's messages."""

    value: str


class SecretView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a secret: everything but the secret."""

    name: str
    set: datetime
    master_key: str


@get("/secrets", sync_to_thread=True, tags=["secrets"], operation_id="list_secrets")
def list_secrets(state: State) -> list[SecretView]:
    """The secrets by name, with the instant when each was set."""
    with stores_of(state).opened() as database:
        return [_view(each) for each in secret_store.every_secret(database)]


@put("/secrets/{name:path}", sync_to_thread=True, tags=["secrets"], operation_id="set_secret")
def set_secret(
    state: State, request: Asked, name: FromPath[str], data: JSONBody[SecretValue]
) -> SecretView:
    """The secret `providers/NAME` or `alerts/webhook`, in place of the one that was there."""
    stores = stores_of(state)
    keys = stores.master_keys()
    with stores.opened() as database:
        stored = secret_store.set_secret(
            database,
            name.removeprefix("/"),
            data.value,
            keys,
            now=utc_now(),
            by=author_of(request),
        )
    return _view(stored)


@delete(
    "/secrets/{name:path}",
    sync_to_thread=True,
    tags=["secrets"],
    operation_id="remove_secret",
    status_code=200,
)
def remove_secret(state: State, request: Asked, name: FromPath[str]) -> SecretView:
    """The secret that is no more."""
    with stores_of(state).opened() as database:
        return _view(
            secret_store.remove_secret(
                database, name.removeprefix("/"), now=utc_now(), by=author_of(request)
            )
        )


ROUTES: Final = (list_secrets, set_secret, remove_secret)


def _view(secret: StoredSecret) -> SecretView:
    return SecretView(name=secret.name, set=secret.set_at, master_key=secret.key_id)
