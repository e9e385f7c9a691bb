"""The configuration over HTTP: read, plan, apply, go back; providers and models one by one.

`ETag` is the version in force. What changes something takes it as `If-Match`, so that of two who
look at the same version only one changes it, and the other is told what was changed (409).
"""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, delete, get, post, put
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from tokonomi.admin.stores import Asked, DryRun, author_of, stores_of, utc_now
from tokonomi.configuration.changes import ItemChange, Verb, changes_between, laid_over
from tokonomi.configuration.document import LISTED, NAMED, Document, Item, Kind, Table
from tokonomi.configuration.reading import Source, Stated, read_tables
from tokonomi.errors import BadInput, NotFound
from tokonomi.naming import meant
from tokonomi.storage import config_store
from tokonomi.storage.changes import Author
from tokonomi.storage.config_files import known_to_this_machine
from tokonomi.storage.config_store import AuditRow, InForce, Version
from tokonomi.storage.database import Database

_MOST: Final = 1_000
_FROM_JSON: Final = Source("the body", {})
Tables = dict[str, Any]
"""The tables of the document as JSON: what stands in TOML under the same names."""
IfMatch = Annotated[
    str, HeaderParameter(name="If-Match", description="The version that was looked at: its ETag.")
]
Last = Annotated[int, QueryParameter(ge=1, le=_MOST, description="How many, the newest first.")]
Message = Annotated[str, QueryParameter(description="Why, for the history.")]
Prune = Annotated[
    bool, QueryParameter(description="Also remove what is not stated, of each kind that is.")
]


class ConfigView(msgspec.Struct, frozen=True, kw_only=True):
    """A whole configuration: its version, and its tables as they stand in TOML."""

    version: int
    document: Tables


class NamedView(msgspec.Struct, frozen=True, kw_only=True):
    """All items of one kind by name, and the version in which they stand so."""

    version: int
    items: Tables


class FieldView(msgspec.Struct, frozen=True, kw_only=True):
    """A value before and after a change; null where there was none."""

    field: str
    before: Any
    after: Any


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one item."""

    change: Verb
    kind: Kind
    name: str
    fields: list[FieldView]


class ChangesView(msgspec.Struct, frozen=True, kw_only=True):
    """The version that is in force afterwards, and what was changed for it."""

    version: int
    changes: list[ChangeView]


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """One version: when, who, and why."""

    version: int
    at: datetime
    who: str
    message: str


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """What one item was before a version, and what it was from then on."""

    kind: str
    name: str
    before: Tables | None
    after: Tables | None


class VersionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One version, what it changed, and the whole document since then."""

    version: VersionView
    changes: list[AuditView]
    document: Tables


@get("/config", sync_to_thread=True, tags=["configuration"], operation_id="show_config")
def show_config(state: State) -> ConfigView:
    """The configuration in force; secrets are not in it."""
    with stores_of(state).opened() as database:
        now = config_store.in_force(database)
    return ConfigView(version=now.version, document=tables_of(now.document))


@put("/config", sync_to_thread=True, tags=["configuration"], operation_id="replace_config")
def replace_config(
    state: State,
    request: Asked,
    data: JSONBody[Tables],
    if_match: IfMatch,
    *,
    message: Message = "",
    dry_run: DryRun = False,
) -> ChangesView:
    """The whole configuration stated anew: what the body does not state is removed."""
    stated = _stated(data)
    with stores_of(state).opened() as database:
        stated.check(stated.document)
        by = author_of(request, message)
        return _applied(database, stated.document, _version(if_match), by=by, dry_run=dry_run)


@post(
    "/config/plan",
    sync_to_thread=True,
    tags=["configuration"],
    operation_id="plan_config",
    status_code=200,
)
def plan_config(state: State, data: JSONBody[Tables], *, prune: Prune = False) -> ChangesView:
    """What applying the body would change. It takes an admin, as applying does."""
    stated = _stated(data)
    with stores_of(state).opened() as database:
        now = config_store.in_force(database)
        wanted = laid_over(now.document, stated, prune=prune)
    stated.check(wanted)
    return _changed(now.version, changes_between(now.document, wanted))


@post(
    "/config/apply",
    sync_to_thread=True,
    tags=["configuration"],
    operation_id="apply_config",
    status_code=200,
)
def apply_config(
    state: State,
    request: Asked,
    data: JSONBody[Tables],
    if_match: IfMatch,
    *,
    prune: Prune = False,
    message: Message = "",
    dry_run: DryRun = False,
) -> ChangesView:
    """What the body states is in force; other items stay, unless `prune` removes them."""
    stated = _stated(data)
    with stores_of(state).opened() as database:
        now = _looked_at(database, if_match)
        wanted = laid_over(now.document, stated, prune=prune)
        stated.check(wanted)
        by = author_of(request, message)
        return _applied(database, wanted, now.version, by=by, dry_run=dry_run)


@get("/config/versions", sync_to_thread=True, tags=["configuration"], operation_id="list_versions")
def list_versions(state: State, *, last: Last = 100) -> list[VersionView]:
    """The newest versions, the newest first."""
    with stores_of(state).opened() as database:
        return [_view(each) for each in config_store.latest_versions(database, last=last)]


@get(
    "/config/versions/{number:int}",
    sync_to_thread=True,
    tags=["configuration"],
    operation_id="show_version",
)
def show_version(state: State, number: FromPath[int]) -> VersionDetail:
    """One version: what it changed, and the document since then."""
    with stores_of(state).opened() as database:
        return VersionDetail(
            version=_view(config_store.find_version(database, number)),
            changes=[_audited(each) for each in config_store.audit_of(database, number)],
            document=tables_of(config_store.document_of(database, number)),
        )


@get("/config/diff", sync_to_thread=True, tags=["configuration"], operation_id="compare_versions")
def compare_versions(state: State, *, old: FromQuery[int], new: FromQuery[int]) -> list[ChangeView]:
    """What lies between two versions."""
    with stores_of(state).opened() as database:
        documents = [config_store.document_of(database, each) for each in (old, new)]
    return [_change(each) for each in changes_between(*documents)]


@post(
    "/config/versions/{number:int}/rollback",
    sync_to_thread=True,
    tags=["configuration"],
    operation_id="roll_back",
    status_code=200,
)
def roll_back(
    state: State,
    request: Asked,
    number: FromPath[int],
    if_match: IfMatch,
    *,
    message: Message = "",
    dry_run: DryRun = False,
) -> ChangesView:
    """A new version with the document of an old one. What was spent stays spent."""
    with stores_of(state).opened() as database:
        wanted = config_store.document_of(database, number)
        by = author_of(request, message or f"back to version {number}")
        return _applied(database, wanted, _version(if_match), by=by, dry_run=dry_run)


@get("/providers", sync_to_thread=True, tags=["configuration"], operation_id="list_providers")
def list_providers(state: State) -> NamedView:
    """All providers, by name, without their keys."""
    return _listed(state, Kind.PROVIDER)


@put(
    "/providers/{name:str}",
    sync_to_thread=True,
    tags=["configuration"],
    operation_id="set_provider",
)
def set_provider(
    state: State,
    request: Asked,
    name: FromPath[str],
    data: JSONBody[Tables],
    if_match: IfMatch,
    *,
    dry_run: DryRun = False,
) -> ChangesView:
    """The provider of this name, as the body states it."""
    return _put(state, request, Item(Kind.PROVIDER, name), data, if_match=if_match, dry_run=dry_run)


@delete(
    "/providers/{name:str}",
    sync_to_thread=True,
    tags=["configuration"],
    operation_id="remove_provider",
    status_code=200,
)
def remove_provider(
    state: State,
    request: Asked,
    name: FromPath[str],
    if_match: IfMatch,
    *,
    dry_run: DryRun = False,
) -> ChangesView:
    """The provider is no more; refused while a model names it."""
    return _remove(state, request, Item(Kind.PROVIDER, name), if_match=if_match, dry_run=dry_run)


@get("/models", sync_to_thread=True, tags=["configuration"], operation_id="list_models")
def list_models(state: State) -> NamedView:
    """All model names of clients, each with its chain."""
    return _listed(state, Kind.MODEL)


@put("/models/{alias:path}", sync_to_thread=True, tags=["configuration"], operation_id="set_model")
def set_model(
    state: State,
    request: Asked,
    alias: FromPath[str],
    data: JSONBody[Tables],
    if_match: IfMatch,
    *,
    dry_run: DryRun = False,
) -> ChangesView:
    """The model of this name, as the body states it; a name may have slashes."""
    item = Item(Kind.MODEL, alias.removeprefix("/"))
    return _put(state, request, item, data, if_match=if_match, dry_run=dry_run)


@delete(
    "/models/{alias:path}",
    sync_to_thread=True,
    tags=["configuration"],
    operation_id="remove_model",
    status_code=200,
)
def remove_model(
    state: State,
    request: Asked,
    alias: FromPath[str],
    if_match: IfMatch,
    *,
    dry_run: DryRun = False,
) -> ChangesView:
    """The model is no more: clients that ask for it are answered 404."""
    item = Item(Kind.MODEL, alias.removeprefix("/"))
    return _remove(state, request, item, if_match=if_match, dry_run=dry_run)


ROUTES: Final = (
    show_config,
    replace_config,
    plan_config,
    apply_config,
    list_versions,
    show_version,
    compare_versions,
    roll_back,
    list_providers,
    set_provider,
    remove_provider,
    list_models,
    set_model,
    remove_model,
)


def tables_of(document: Document) -> Tables:
    """A document as JSON: named tables by name, listed ones as lists, under the names of TOML."""
    tables: Tables = {}
    for item, table in document.tables.items():
        section = item.kind.section
        if item.kind in NAMED:
            tables.setdefault(section, {})[item.name] = dict(table)
        elif item.kind in LISTED:
            tables.setdefault(section, []).append(dict(table))
        else:
            tables[section] = dict(table)
    return tables


def _listed(state: State, kind: Kind) -> NamedView:
    with stores_of(state).opened() as database:
        now = config_store.in_force(database)
    tables: Tables = {name: dict(table) for name, table in now.document.named(kind).items()}
    return NamedView(version=now.version, items=tables)


def _put(
    state: State, request: Asked, item: Item, table: Table, *, if_match: str, dry_run: bool
) -> ChangesView:
    stated = _stated({item.kind.section: {item.name: table}})
    with stores_of(state).opened() as database:
        now = _looked_at(database, if_match)
        wanted = laid_over(now.document, stated)
        stated.check(wanted)
        by = author_of(request)
        return _applied(database, wanted, now.version, by=by, dry_run=dry_run)


def _remove(
    state: State, request: Asked, item: Item, *, if_match: str, dry_run: bool
) -> ChangesView:
    with stores_of(state).opened() as database:
        now = _looked_at(database, if_match)
        tables = dict(now.document.tables)
        if item not in tables:
            known = [*now.document.named(item.kind)]
            raise NotFound(
                f"there is no {item.kind} {item.name!r}",
                remedy=meant(item.name, known) if known else "There is none at all.",
            )
        del tables[item]
        wanted = Document.of(tables)
        Stated(wanted, frozenset(), {}).check(wanted)
        by = author_of(request)
        return _applied(database, wanted, now.version, by=by, dry_run=dry_run)


def _looked_at(database: Database, if_match: str) -> InForce:
    """The configuration in force, which is the one that the client has looked at."""
    config_store.refuse_other_than(database, _version(if_match))
    return config_store.in_force(database)


def _applied(
    database: Database, wanted: Document, based_on: int, *, by: Author, dry_run: bool
) -> ChangesView:
    applied = config_store.apply(
        database, wanted, based_on=based_on, now=utc_now(), by=by, dry_run=dry_run
    )
    return _changed(applied.version, applied.changes)


def _stated(tables: Tables) -> Stated:
    return read_tables(tables, known_to_this_machine(), _FROM_JSON)


def _version(if_match: str) -> int:
    text = if_match.strip().strip('"')
    if not text.isdecimal():
        raise BadInput(
            f"If-Match is {if_match!r}", remedy='Send the ETag that GET /admin/config gave: "7".'
        )
    return int(text)


def with_etag(answer: Response[Any]) -> Response[Any]:
    """The answer with its version as the ETag, where it has one."""
    if isinstance(answer.content, ConfigView | NamedView | ChangesView):
        answer.headers["ETag"] = f'"{answer.content.version}"'
    return answer


def _changed(version: int, changes: tuple[ItemChange, ...]) -> ChangesView:
    return ChangesView(version=version, changes=[_change(each) for each in changes])


def _change(change: ItemChange) -> ChangeView:
    return ChangeView(
        change=change.verb,
        kind=change.item.kind,
        name=change.item.name,
        fields=[
            FieldView(field=each.path, before=each.before, after=each.after)
            for each in change.fields
        ],
    )


def _view(version: Version) -> VersionView:
    return VersionView(
        version=version.number, at=version.at, who=version.who, message=version.message
    )


def _audited(row: AuditRow) -> AuditView:
    return AuditView(
        kind=row.kind,
        name=row.name,
        before=None if row.before is None else dict(row.before),
        after=None if row.after is None else dict(row.after),
    )
