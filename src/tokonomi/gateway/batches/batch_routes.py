"""`/v1/batches`: batches as their clients make, see and cancel them."""

from typing import Final

import msgspec
from msgspec.structs import replace

from tokonomi.batches.batch import Batch, Leg, Progress, status_of
from tokonomi.gateway.answer import JSON, send_body
from tokonomi.gateway.authenticate import allow_model
from tokonomi.gateway.batches.desk import Desk, Visit, kept_seconds, new_id, now_us, seconds_of
from tokonomi.gateway.batches.file_routes import listed, no_file
from tokonomi.gateway.batches.form import received
from tokonomi.gateway.batches.lines import ENDPOINTS, TAGS, chosen
from tokonomi.gateway.batches.uploads import BATCH
from tokonomi.gateway.dimensions import bound_user, dimensions_of
from tokonomi.gateway.wire_errors import RATE_LIMIT, WireError
from tokonomi.storage.batch_store import (
    StoredBatch,
    cancel_batch,
    create_batch,
    find_batch,
    list_batches,
)
from tokonomi.storage.file_store import StoredFile, find_file

LISTED: Final = 20
_MOST_LISTED: Final = 100
_WINDOW: Final = "24h"
_BODY_BYTES: Final = 64 * 1024
_MOST_METADATA: Final = 16
_LONGEST_NAME: Final = 64
_LONGEST_VALUE: Final = 512
_encode: Final = msgspec.json.Encoder().encode


class _Expiry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    anchor: str
    seconds: int


class _Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request for a batch; what is not known here is refused by its name."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None
    output_expires_after: _Expiry | None = None


_decode: Final = msgspec.json.Decoder(_Asked).decode


async def create_new_batch(desk: Desk, visit: Visit) -> None:
    """Makes a batch of a file's requests. What it may cost is held before any of them leaves."""
    asked = await _asked(desk, visit)
    file = await desk.store.run(
        lambda database: find_file(database, visit.project, asked.input_file_id)
    )
    if file is None:
        raise no_file(asked.input_file_id)
    batch = _made(desk, visit, asked, file)
    most = desk.settings.project_open
    if not await desk.store.run(lambda database: create_batch(database, batch, most_open=most)):
        raise WireError(
            429,
            "too_many_batches",
            f"This project has {most} batches that have not ended, which is the limit. Wait for"
            " one of them, or raise [batches] project_open.",
            kind=RATE_LIMIT,
            try_again=False,
        )
    await _say(visit, StoredBatch(batch, Progress()))


async def list_all_batches(desk: Desk, visit: Visit) -> None:
    """Lists the batches of the project, the newest first."""
    page = visit.page(limit=LISTED, most=_MOST_LISTED)
    asked = page._replace(limit=page.limit + 1)
    found = await desk.store.run(lambda database: list_batches(database, asked, visit.project))
    if found is None:
        raise _no_batch(page.after)
    body = _encode(listed([_told(each) for each in found], page))
    await send_body(visit.send, 200, [JSON], body)


async def retrieve_batch(desk: Desk, visit: Visit) -> None:
    """Tells how far a batch is."""
    found = await desk.store.run(lambda database: find_batch(database, visit.named, visit.project))
    if found is None:
        raise _no_batch(visit.named)
    await _say(visit, found)


async def cancel_one_batch(desk: Desk, visit: Visit) -> None:
    """Ends a batch as soon as can be; what was answered by then is there, and is paid for."""
    found = await desk.store.run(
        lambda database: cancel_batch(database, visit.project, visit.named, now_us=now_us())
    )
    if found is None:
        raise _no_batch(visit.named)
    if found.progress.ended_us is not None:
        raise WireError(
            409,
            "batch_ended",
            f"The batch {found.batch.id} has ended: it is {found.progress.outcome}.",
        )
    await _say(visit, found)


async def _asked(desk: Desk, visit: Visit) -> _Asked:
    body = await received(visit.receive, most_bytes=_BODY_BYTES, patience_seconds=desk.body_seconds)
    try:
        asked = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(400, "invalid_request", f"The body is no batch: {error}.") from None
    if asked.completion_window != _WINDOW:
        raise WireError(
            400,
            "invalid_request",
            f'The only `completion_window` is "{_WINDOW}".',
            param="completion_window",
        )
    if asked.endpoint not in ENDPOINTS:
        raise WireError(
            400,
            "invalid_request",
            f"A batch can have the `endpoint` {', '.join(ENDPOINTS)}.",
            param="endpoint",
        )
    _check_metadata(asked.metadata or {})
    return asked


def _check_metadata(metadata: dict[str, str]) -> None:
    fits = len(metadata) <= _MOST_METADATA and all(
        len(name) <= _LONGEST_NAME and len(value) <= _LONGEST_VALUE
        for name, value in metadata.items()
    )
    if not fits:
        raise WireError(
            400,
            "invalid_request",
            f"`metadata` has at most {_MOST_METADATA} names of {_LONGEST_NAME} characters with"
            f" values of {_LONGEST_VALUE}.",
            param="metadata",
        )


def _made(desk: Desk, visit: Visit, asked: _Asked, file: StoredFile) -> Batch:
    if file.purpose != BATCH:
        raise WireError(
            400,
            "invalid_request",
            f"The file {file.id} holds results, not requests.",
            param="input_file_id",
        )
    if file.endpoint != asked.endpoint:
        raise WireError(
            400,
            "invalid_request",
            f"The requests of {file.id} are for {file.endpoint}, and `endpoint` is"
            f" {asked.endpoint}.",
            param="endpoint",
        )
    provider, price_as, legs = _legs(visit, file)
    who = dimensions_of(dict(visit.headers), visit.key, alias="", user="")
    for name, _ in who.tags:
        if name in TAGS:
            raise WireError(
                400,
                "invalid_header",
                f"The tag {name!r} is what the calls of a batch are found by. Use another name.",
                param="x-tokonomi-tags",
            )
    expiry = asked.output_expires_after
    anchor, seconds = ("", "") if expiry is None else (expiry.anchor, str(expiry.seconds))
    return Batch(
        id=new_id("batch_"),
        project=visit.project,
        key_id=visit.key.id,
        endpoint=asked.endpoint,
        input_file=file.id,
        total=file.lines,
        provider=provider,
        price_as=price_as,
        legs=legs,
        dimensions=replace(who, provider=price_as),
        keep_seconds=kept_seconds(desk.settings, anchor, seconds),
        created_us=now_us(),
        metadata=asked.metadata,
        bound_user=bound_user(visit.key),
    )


def _legs(visit: Visit, file: StoredFile) -> tuple[str, str, dict[str, Leg]]:
    """The one provider that all lines of a file go to, and where each alias leads there."""
    legs: dict[str, Leg] = {}
    provider = price_as = ""
    for alias in file.models:
        allow_model(visit.key, alias)
        found = chosen(alias, ENDPOINTS[file.endpoint], visit.aliases)
        target = found.target
        if provider and target.name != provider:
            raise WireError(
                400,
                "batch_unsupported",
                f"{alias!r} leads to {target.name} now, and other lines of {file.id} to {provider}."
                " A batch goes to one provider: make a file for each.",
                param="input_file_id",
            )
        provider, price_as = target.name, target.price_as
        legs[alias] = Leg(target.model, found.label)
    return provider, price_as, legs


def _no_batch(named: str) -> WireError:
    return WireError(
        404,
        "batch_not_found",
        f"This project has no batch {named[:100]!r}. GET /v1/batches lists those that it has.",
    )


def _told(stored: StoredBatch) -> dict[str, object]:
    batch, progress, cancelling_us = stored
    outcome, ended = progress.outcome, seconds_of(progress.ended_us)
    errors = [msgspec.structs.asdict(each) for each in progress.errors]
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": errors} if errors else None,
        "input_file_id": batch.input_file,
        "completion_window": _WINDOW,
        "status": status_of(progress, cancelling=cancelling_us is not None),
        "output_file_id": progress.output_file or None,
        "error_file_id": progress.error_file or None,
        "created_at": seconds_of(batch.created_us),
        "in_progress_at": seconds_of(progress.started_us),
        "expires_at": seconds_of(batch.expires_us),
        "finalizing_at": seconds_of(progress.finalizing_us),
        "cancelling_at": seconds_of(cancelling_us),
        **{
            f"{each}_at": ended if outcome == each else None
            for each in ("completed", "failed", "expired", "cancelled")
        },
        "request_counts": {
            "total": batch.total,
            "completed": progress.completed,
            "failed": progress.failed,
        },
        "metadata": batch.metadata,
    }


async def _say(visit: Visit, stored: StoredBatch) -> None:
    await send_body(visit.send, 200, [JSON], _encode(_told(stored)))
