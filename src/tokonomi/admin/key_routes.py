"""Virtual keys over HTTP: made, listed, limited, bound and revoked."""

from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from litestar import get, post, put
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from tokonomi.admin.stores import in_utc, stores_of, utc_now
from tokonomi.budgets.rate_limit import RateLimits
from tokonomi.storage import keys
from tokonomi.storage.keys import Key, Terms


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What binds a key, beside budgets; what is left out binds nothing.

    Attributes:
        requests_per_minute: requests a minute.
        tokens_per_minute: tokens a minute, input and output together.
        concurrent: requests at the same time.
        expires: instant from which the key is refused.
        networks: where its requests may come from, such as `10.0.0.0/8`.
        models: models that it may ask for; one that ends with `*` allows all that begin so.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None
    expires: datetime | None = None
    networks: list[str] = []
    models: list[str] = []


class KeyBinding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all calls of a key are counted as; a request that says otherwise is refused.

    Attributes:
        user: the end user; empty binds none.
        feature: the feature; empty binds none.
        tags: names of tags with their values.
    """

    user: str = ""
    feature: str = ""
    tags: dict[str, str] = {}


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be made."""

    name: str
    project: str = keys.DEFAULT_PROJECT
    limits: KeyLimits | None = None
    bound_to: KeyBinding | None = None


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key: everything but the key."""

    id: str
    name: str
    project: str
    hint: str
    created: datetime
    revoked: datetime | None
    limits: KeyLimits
    bound_to: KeyBinding


class MadeKey(msgspec.Struct, frozen=True, kw_only=True):
    """A new key. `secret` is the key itself, and is told this once."""

    secret: str
    key: KeyView


@get("/keys", sync_to_thread=True, tags=["keys"], operation_id="list_keys")
def list_keys(state: State) -> list[KeyView]:
    """All keys, the revoked ones too, in the order of their creation."""
    with stores_of(state).opened() as database:
        return [_view(each) for each in keys.every_key(database)]


@post("/keys", sync_to_thread=True, tags=["keys"], operation_id="create_key")
def create_key(state: State, data: JSONBody[NewKey]) -> MadeKey:
    """The new key, with the text that is told this once."""
    terms = _terms(data.limits or KeyLimits(), _bound(data.bound_to or KeyBinding()))
    with stores_of(state).opened() as database:
        text, key = keys.create(database, data.name, data.project, now=utc_now(), terms=terms)
    return MadeKey(secret=text, key=_view(key))


@put("/keys/{key_id:str}/limits", sync_to_thread=True, tags=["keys"], operation_id="limit_key")
def limit_key(state: State, key_id: FromPath[str], data: JSONBody[KeyLimits]) -> KeyView:
    """The key, with all its limits stated anew; what it has taken of one stays taken."""
    with stores_of(state).opened() as database:
        changed = keys.change_terms(
            database, key_id, lambda known: _terms(data, known.bound), now=utc_now()
        )
    return _view(changed)


@put("/keys/{key_id:str}/binding", sync_to_thread=True, tags=["keys"], operation_id="bind_key")
def bind_key(state: State, key_id: FromPath[str], data: JSONBody[KeyBinding]) -> KeyView:
    """The key, with all that its calls are counted as stated anew; its limits stay."""
    bound = _bound(data)
    with stores_of(state).opened() as database:
        changed = keys.change_terms(
            database, key_id, lambda known: replace(known, bound=bound), now=utc_now()
        )
    return _view(changed)


@post(
    "/keys/{key_id:str}/revoke",
    sync_to_thread=True,
    tags=["keys"],
    operation_id="revoke_key",
    status_code=200,
)
def revoke_key(state: State, key_id: FromPath[str]) -> KeyView:
    """The key, revoked now, or at the earlier time when it already was."""
    with stores_of(state).opened() as database:
        return _view(keys.revoke(database, key_id, now=utc_now()))


ROUTES: Final = (list_keys, create_key, limit_key, bind_key, revoke_key)


Bound = tuple[tuple[str, str], ...]


def _bound(data: KeyBinding) -> Bound:
    return keys.bound_to(user=data.user, feature=data.feature, tags=data.tags)


def _terms(data: KeyLimits, bound: Bound) -> Terms:
    return Terms(
        expires=in_utc(data.expires),
        networks=keys.networks_from(data.networks),
        models=tuple(data.models),
        limits=RateLimits(
            requests=data.requests_per_minute,
            tokens=data.tokens_per_minute,
            concurrent=data.concurrent,
        ),
        bound=bound,
    )


def _view(key: Key) -> KeyView:
    terms = key.terms
    return KeyView(
        id=key.id,
        name=key.name,
        project=key.project,
        hint=key.hint,
        created=key.created,
        revoked=key.revoked,
        limits=KeyLimits(
            requests_per_minute=terms.limits.requests,
            tokens_per_minute=terms.limits.tokens,
            concurrent=terms.limits.concurrent,
            expires=terms.expires,
            networks=[str(network) for network in terms.networks],
            models=[*terms.models],
        ),
        bound_to=KeyBinding(
            user=dict(terms.bound).get("user", ""),
            feature=dict(terms.bound).get("feature", ""),
            tags=terms.bound_tags,
        ),
    )
