"""A budget: how much may be spent, by whom, in which window, and what happens at the limit."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from typing import Final

import msgspec

from tokonomi.budgets.scope import Scope
from tokonomi.budgets.window import Window
from tokonomi.errors import BadInput
from tokonomi.money import INT64_MAX, Money, currency_of

_PREFIX: Final = "budget:"
_INSTANT_CHARACTERS: Final = len("2026-01-31T00:00:00Z")
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Mode(StrEnum):
    """What happens when a request does not fit."""

    HARD = "hard"
    """It is refused. Spend never passes the limit."""
    SOFT = "soft"
    """It passes up to a named overshoot above the limit, and is refused beyond that."""
    NOTIFY = "notify"
    """It passes. People are told."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A limit on spend.

    Attributes:
        id: stable name, part of the ledger's account names.
        name: what people read.
        scope: which requests it binds, and who has one of their own.
        window: the stretch of time that one amount is for.
        zone: name of the time zone whose clocks count, such as "Asia/Jakarta".
        currency: of all its amounts.
        amount: the limit per window; 0 is a limit, None is none.
        mode: what happens at the limit.
        overshoot: how far above the limit a soft budget lets spend go.
        per_request: the most that one request may hold, None for any.
        alerts: shares of the amount at which spend is told, exact, rising, each once a window.
        forecast_alerts: shares of the amount at which the forecast of the window's end is told.
        across_projects: whether users, features and tags of one name are the same in all projects.

    Raises:
        BadInput: values that contradict each other; the text says which and what to do.
    """

    id: str
    window: Window
    currency: str
    name: str = ""
    scope: Scope = Scope()
    zone: str = "UTC"
    amount: Money | None = None
    mode: Mode = Mode.HARD
    overshoot: Money | None = None
    per_request: Money | None = None
    alerts: tuple[Fraction, ...] = ()
    forecast_alerts: tuple[Fraction, ...] = ()
    across_projects: bool = False

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise BadInput(
                f'"{self.id}" cannot name a budget',
                remedy="Use up to 64 of a-z, 0-9, _ and -, beginning with a letter or a digit.",
            )
        currency_of(self.currency)
        self._check_amounts()
        self._check_mode()
        self._check_alerts()
        if self.across_projects and self.scope.within_projects == self.scope:
            raise BadInput(
                f"budget {self.id} counts across projects, and its scope counts none apart",
                remedy="Leave across_projects out: it is for scopes that name a user, feature or"
                " tag, and neither organisation, project nor key.",
            )

    def _check_amounts(self) -> None:
        amounts = {
            "amount": self.amount,
            "overshoot": self.overshoot,
            "per_request": self.per_request,
        }
        for name, money in amounts.items():
            if money is not None and money.currency != self.currency:
                raise BadInput(
                    f"budget {self.id}: {name} is in {money.currency}, the budget in "
                    f"{self.currency}",
                    remedy="Give all its amounts in one currency; spend is converted to it.",
                )
            if money is not None and money.sub_units < 0:
                raise BadInput(
                    f"budget {self.id}: {name} is {money}",
                    remedy="Use 0 to allow nothing, or leave it out for no limit.",
                )
        self._check_size()

    def _check_size(self) -> None:
        """An account has 64 bits of sub-units: calls would fail under a larger limit."""
        most = Money(INT64_MAX, self.currency)
        amounts = [each for each in (self.amount, self.overshoot) if each is not None]
        whole = Money(sum(each.sub_units for each in amounts), self.currency)
        if most < whole:
            raise BadInput(
                f"budget {self.id} lets {whole} be spent in a window",
                remedy=f"No account holds more than {most}: choose less, a shorter window, or"
                " budgets of parts of it.",
            )

    def _check_mode(self) -> None:
        limited = self.amount is not None
        if self.mode is Mode.SOFT and (self.overshoot is None or not limited):
            raise BadInput(
                f"budget {self.id} is soft, without saying how far spend may go",
                remedy="Give it an amount, and an overshoot above it.",
            )
        if self.mode is not Mode.SOFT and self.overshoot is not None:
            raise BadInput(
                f"budget {self.id} is {self.mode} and has an overshoot of {self.overshoot}",
                remedy='Set mode = "soft", or leave the overshoot out.',
            )
        if self.mode is Mode.NOTIFY and self.per_request is not None:
            raise BadInput(
                f"budget {self.id} only notifies, and refuses requests over {self.per_request}",
                remedy='Set mode = "hard" or "soft", or leave per_request out.',
            )

    def _check_alerts(self) -> None:
        for name, shares in (("alerts", self.alerts), ("forecast_alerts", self.forecast_alerts)):
            if shares and self.amount is None:
                raise BadInput(
                    f"budget {self.id} has {name}, and no amount that they are shares of",
                    remedy="Give it an amount, or leave them out.",
                )
            if any(share <= 0 for share in shares) or list(shares) != sorted(set(shares)):
                raise BadInput(
                    f"budget {self.id}: {name} are not rising shares above 0",
                    remedy='Write them like ["50%", "80%", "100%"].',
                )

    @property
    def counted(self) -> Scope:
        """By whom its accounts are kept: its scope, with every project apart where that matters."""
        return self.scope if self.across_projects else self.scope.within_projects

    @property
    def floor(self) -> int | None:
        """What its accounts may fall to, in sub-units, or None where nothing stops them.

        Accounts are funded with the amount, so a hard budget's floor is 0.
        """
        if self.amount is None or self.mode is Mode.NOTIFY:
            return None
        return 0 if self.overshoot is None else -self.overshoot.sub_units

    @property
    def can_refuse(self) -> bool:
        """Whether it can refuse a request at all, and so must know what the request may cost."""
        return self.floor is not None or self.per_request is not None


def account_name(budget_id: str, subject: str, start: datetime) -> str:
    """The ledger's name for one subject's share of a budget in one window.

    `start` is the start of the window's span; it is written in UTC.

    >>> account_name("growth", "user=ani", datetime(2026, 1, 31, tzinfo=UTC))
    'budget:growth:user=ani:2026-01-31T00:00:00Z'
    """
    return f"{_PREFIX}{budget_id}:{subject}:{_instant(start)}"


def budget_window(budget_id: str, start: datetime) -> str:
    """What the accounts of one budget in one window have in common.

    >>> budget_window("growth", datetime(2026, 1, 31, tzinfo=UTC))
    'growth:2026-01-31T00:00:00Z'
    """
    return f"{budget_id}:{_instant(start)}"


def budget_window_of(account: str) -> str | None:
    """The budget and window of an account, as `budget_window` has it; None for other accounts.

    >>> budget_window_of("budget:growth:user=ani:2026-01-31T00:00:00Z")
    'growth:2026-01-31T00:00:00Z'
    >>> budget_window_of("wallet:default:user:ani") is None
    True
    """
    if not account.startswith(_PREFIX):
        return None
    budget_id = account.removeprefix(_PREFIX).partition(":")[0]
    return f"{budget_id}:{account[-_INSTANT_CHARACTERS:]}"


def subject_of_account(account: str) -> str:
    """Whose share of a budget an account of it is.

    >>> subject_of_account("budget:growth:user=ani:2026-01-31T00:00:00Z")
    'user=ani'
    """
    return account[: -_INSTANT_CHARACTERS - 1].split(":", 2)[2]


def _instant(start: datetime) -> str:
    return start.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
