"""Tokens of this API over HTTP."""

from datetime import datetime
from typing import Final

import msgspec
from litestar import get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from tokonomi.admin.stores import stores_of, utc_now
from tokonomi.storage import admin_tokens
from tokonomi.storage.admin_tokens import AdminToken, Role


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose the token is, and what it may do."""

    name: str
    role: Role


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a token: everything but the token."""

    id: str
    name: str
    role: Role
    hint: str
    created: datetime
    revoked: datetime | None


class MadeToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new token, which is shown this once."""

    text: str
    token: TokenView


@get("/tokens", sync_to_thread=True, tags=["tokens"], operation_id="list_tokens")
def list_tokens(state: State) -> list[TokenView]:
    """All tokens, the revoked ones too."""
    with stores_of(state).opened() as database:
        return [_view(each) for each in admin_tokens.every_token(database)]


@post("/tokens", sync_to_thread=True, tags=["tokens"], operation_id="create_token")
def create_token(state: State, data: JSONBody[NewToken]) -> MadeToken:
    """A new token; its text is in this answer and nowhere else."""
    with stores_of(state).opened() as database:
        text, token = admin_tokens.create(database, data.name, role=data.role, now=utc_now())
    return MadeToken(text=text, token=_view(token))


@post(
    "/tokens/{token_id:str}/revoke",
    sync_to_thread=True,
    tags=["tokens"],
    operation_id="revoke_token",
    status_code=200,
)
def revoke_token(state: State, token_id: FromPath[str]) -> TokenView:
    """The token, which the next request with it finds revoked."""
    with stores_of(state).opened() as database:
        return _view(admin_tokens.revoke(database, token_id, now=utc_now()))


ROUTES: Final = (list_tokens, create_token, revoke_token)


def _view(token: AdminToken) -> TokenView:
    return TokenView(
        id=token.id,
        name=token.name,
        role=token.role,
        hint=token.hint,
        created=token.created,
        revoked=token.revoked,
    )
