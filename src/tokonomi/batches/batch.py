"""A batch: what was asked, how far it has come, and what it is called towards its client.

The stages are ours, the statuses are OpenAI's. Each step from one stage to the next is one function
here, whose result is written in one transaction, so a process that dies leaves a stage that another
one can go on from.
"""

from enum import StrEnum
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from tokonomi.calls import Dimensions

WINDOW_SECONDS: Final = 24 * 3_600
"""How long a batch may take: OpenAI's only window."""
OVERDUE_SECONDS: Final = 24 * 3_600
"""How long after its window a batch is waited for that the provider does not end."""
_MICROSECONDS: Final = 1_000_000
MOST_ERRORS: Final = 100
"""Errors of a batch that are kept."""

Outcome = Literal["completed", "failed", "expired", "cancelled"]
_OUTCOMES: Final[frozenset[str]] = frozenset({"completed", "failed", "expired", "cancelled"})


class Stage(StrEnum):
    """How far a batch has come."""

    HOLDING = "holding"
    """The worst case of line after line is held; nothing has left."""
    VOIDING = "voiding"
    """It will not leave: what its lines hold is given back."""
    UPLOADING = "uploading"
    """All lines are held; the provider is to get its file."""
    CREATING = "creating"
    """The provider has the file, and is to begin."""
    RUNNING = "running"
    """The provider works on it."""
    SETTLING = "settling"
    """The provider has ended; each line is settled, and its answer stored."""
    ENDED = "ended"
    """Nothing of it is held, and the client has what came of it."""


class Leg(msgspec.Struct, frozen=True):
    """Where the lines of one alias go: the provider's model, and the alias as configured."""

    model: str
    label: str


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked; it never changes.

    Attributes:
        id: our name of it.
        project: who made it, and alone sees it.
        key_id: the key that made it.
        endpoint: the operation of all its lines, such as `/v1/chat/completions`.
        input_file: the file with its lines.
        total: how many lines there are.
        provider: the name of the provider's section.
        price_as: the provider's name in the price book.
        legs: where the lines of each alias go.
        dimensions: what its lines are grouped by, as the client said when it made the batch.
        metadata: what the client wants to have back.
        bound_user: the user that the key is bound to; no line may name another one.
        keep_seconds: how long its results are kept.
        created_us: when it was made, in microseconds since 1970; prices and windows of budgets are
            those of this instant.
    """

    id: str
    project: str
    key_id: str
    endpoint: str
    input_file: str
    total: int
    provider: str
    price_as: str
    legs: dict[str, Leg]
    dimensions: Dimensions
    keep_seconds: int
    created_us: int
    metadata: dict[str, str] | None = None
    bound_user: str = ""

    @property
    def expires_us(self) -> int:
        """The end of its window."""
        return self.created_us + WINDOW_SECONDS * _MICROSECONDS

    @property
    def given_up_us(self) -> int:
        """When the provider is not waited for any more."""
        return self.expires_us + OVERDUE_SECONDS * _MICROSECONDS


class BatchError(msgspec.Struct, frozen=True):
    """Why a batch failed, as OpenAI's form has it."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a batch has come.

    Attributes:
        stage: what is to be done next.
        held_lines: lines up to this number hold what they may cost.
        uploads: how often the input was on its way to the provider; it may be there as often.
        remote_file: the provider's id of the input.
        sent_us: when the provider was asked to begin, while it is not known whether it did.
        remote_batch: the provider's id of the batch.
        cancel_sent: whether the provider was told to cancel.
        remote_output, remote_error: the provider's ids of its two files of results.
        outcome: how it ends; None while that is open.
        is_lost: whether nobody knows what became of it at the provider.
        errors: why it failed.
        completed, failed: lines by how they ended, by the provider's word until they are settled.
        output_file, error_file: our files of results.
        started_us, finalizing_us, ended_us: when it began, was ended by the provider, and by us.
        failures: how often in a row the last step has failed.
        failure: why it failed the last time.
    """

    stage: Stage = Stage.HOLDING
    held_lines: int = 0
    uploads: int = 0
    remote_file: str = ""
    sent_us: int | None = None
    remote_batch: str = ""
    cancel_sent: bool = False
    remote_output: str = ""
    remote_error: str = ""
    outcome: Outcome | None = None
    is_lost: bool = False
    errors: tuple[BatchError, ...] = ()
    completed: int = 0
    failed: int = 0
    output_file: str = ""
    error_file: str = ""
    started_us: int | None = None
    finalizing_us: int | None = None
    ended_us: int | None = None
    failures: int = 0
    failure: str = ""


class RemoteBatch(msgspec.Struct, frozen=True):
    """A batch as its provider tells of it.

    Attributes:
        id: the provider's id.
        status: its word for how far it is.
        output_file: its id of the file of answers; empty when there is none.
        error_file: its id of the file of errors.
        completed, failed: lines by how they ended, by its word.
        errors: why it failed.
    """

    id: str
    status: str
    output_file: str = ""
    error_file: str = ""
    completed: int = 0
    failed: int = 0
    errors: tuple[BatchError, ...] = ()


def void(progress: Progress, outcome: Outcome, *errors: BatchError) -> Progress:
    """It will not leave, and ends like this."""
    return replace(progress, stage=Stage.VOIDING, outcome=outcome, errors=errors)


def may_have_strays(progress: Progress) -> bool:
    """Whether the provider may have a copy of the input whose id nobody has written down."""
    return progress.uploads > (1 if progress.remote_file else 0)


def running(progress: Progress, remote: RemoteBatch, *, now_us: int) -> Progress:
    """The provider has begun."""
    return replace(
        progress,
        stage=Stage.RUNNING,
        remote_batch=remote.id,
        sent_us=None,
        started_us=now_us,
    )


def seen(progress: Progress, batch: Batch, remote: RemoteBatch, *, now_us: int) -> Progress:
    """What the provider says of a running batch is taken note of; it settles where that ends it.

    A status that is not known here is one of a batch that goes on.
    """
    told = replace(
        progress,
        completed=min(max(remote.completed, 0), batch.total),
        failed=min(max(remote.failed, 0), batch.total),
        failures=0,
        failure="",
    )
    if remote.status not in _OUTCOMES:
        return told
    return replace(
        told,
        stage=Stage.SETTLING,
        outcome=msgspec.convert(remote.status, Outcome),
        errors=remote.errors[:MOST_ERRORS],
        remote_output=remote.output_file,
        remote_error=remote.error_file,
        finalizing_us=now_us,
    )


def given_up(progress: Progress, *, now_us: int, why: str) -> Progress:
    """Nobody knows what became of it at the provider: its lines may be billed, unanswered."""
    return replace(
        progress,
        stage=Stage.SETTLING,
        outcome="failed",
        is_lost=True,
        errors=(BatchError("provider_lost", why),),
        finalizing_us=now_us,
    )


def ended(progress: Progress, *, now_us: int) -> Progress:
    """Nothing is left to do."""
    return replace(progress, stage=Stage.ENDED, ended_us=now_us)


def failed_again(progress: Progress, why: str) -> Progress:
    """The last step has failed, and is to be tried again."""
    return replace(progress, failures=progress.failures + 1, failure=why)


def may_be_billed(progress: Progress) -> bool:
    """Whether a line without an answer may be billed all the same.

    Of a batch that was cancelled or expired, lines without an answer were not run, and of one that
    the provider refused as a whole none was. One that it calls completed has run them.
    """
    return progress.is_lost or progress.outcome == "completed"


def status_of(progress: Progress, *, cancelling: bool) -> str:
    """The status that a client reads."""
    if progress.stage is Stage.ENDED:
        assert progress.outcome is not None, "what has ended has an outcome"
        return progress.outcome
    if progress.stage is Stage.SETTLING:
        return "finalizing"
    if cancelling:
        return "cancelling"
    return "in_progress" if progress.stage is Stage.RUNNING else "validating"
