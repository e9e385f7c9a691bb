"""Notices: a wallet that runs low or empty is told once, until it is topped up."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Notice(StrEnum):
    """What a wallet's owner is told."""

    LOW = "credits_low"
    EXHAUSTED = "credits_exhausted"


class NoticeKey(msgspec.Struct, frozen=True):
    """What a notice fires once for: a wallet, until its next grant."""

    wallet: str
    notice: Notice
    after: str


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """How a wallet stands.

    Attributes:
        wallet: its id.
        balance: milli-credits, holds not counted.
        newest: id of its newest grant: a top-up makes its notices fire anew.
        refused: whether a request was just refused for lack of credits.
    """

    wallet: str
    balance: int
    newest: str
    refused: bool = False


def due_notice(level: Level, *, low_at: int | None, fired: Iterable[NoticeKey]) -> NoticeKey | None:
    """The notice that is due and not yet fired, at most one: the graver.

    A wallet is exhausted when it is empty or a request was refused for lack of credits, and low at
    `low_at` milli-credits or fewer (None never tells). Stored under a unique constraint, a key
    fires once per top-up, and not again after a restart.

    >>> ani = Level(wallet="shop:user:ani", balance=9_000, newest="p")
    >>> due_notice(ani, low_at=10_000, fired=())
    NoticeKey(wallet='shop:user:ani', notice=<Notice.LOW: 'credits_low'>, after='p')
    """
    if level.balance <= 0 or level.refused:
        notice = Notice.EXHAUSTED
    elif low_at is not None and level.balance <= low_at:
        notice = Notice.LOW
    else:
        return None
    key = NoticeKey(level.wallet, notice, level.newest)
    return None if key in fired else key
