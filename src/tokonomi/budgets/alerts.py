"""Alerts: each share of a budget is told once per subject and window."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

import msgspec

from tokonomi.budgets.limit import Budget
from tokonomi.budgets.pace import forecast
from tokonomi.budgets.window import Span
from tokonomi.money import Money


class Basis(StrEnum):
    """What crossed the share."""

    SPENT = "spent"
    FORECAST = "forecast"


class AlertKey(msgspec.Struct, frozen=True):
    """What an alert fires once for. Stored when it fires, so that a restart does not repeat it."""

    budget_id: str
    subject: str
    start: datetime
    basis: Basis
    share: Fraction


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A share of a budget that was reached.

    Attributes:
        key: what it fires once for.
        reached: what is gone, or is forecast to be at the end of the window.
        amount: the limit.
        left: the limit less what is gone; negative above the limit.
    """

    key: AlertKey
    reached: Money
    amount: Money
    left: Money


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one subject of a budget stands in one window; holds are not counted.

    Attributes:
        subject: whose share of the budget.
        span: the window.
        spent: what calls are known to have used.
        exposed: what failed calls may have cost besides. It counts against the limit, so it is told
            as spend is, but no forecast is made of it: it does not go on like this.
    """

    subject: str
    span: Span
    spent: Money
    exposed: Money | None = None

    @property
    def gone(self) -> Money:
        """What is gone from the limit."""
        return self.spent if self.exposed is None else self.spent + self.exposed


def due_alerts(
    budget: Budget, standing: Standing, *, now: datetime, fired: Collection[AlertKey]
) -> tuple[Alert, ...]:
    """The alerts that are due and not yet fired, spend before forecast, in rising order of share.

    Keys never repeat: a caller that stores the keys of what it sends, under a unique constraint,
    sends each once, however often, late or concurrently it asks. A budget of 0 is reached by the
    first spend, not by none.

    >>> from datetime import UTC
    >>> from tokonomi.budgets.window import Period, Window
    >>> budget = Budget(id="team", window=Window(period=Period.MONTH), currency="USD",
    ...                 amount=Money.parse("10", "USD"), alerts=(Fraction(1, 2), Fraction(4, 5)))
    >>> january = Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    >>> standing = Standing(subject="all", span=january, spent=Money.parse("6", "USD"))
    >>> due = due_alerts(budget, standing, now=january.start, fired=())
    >>> [(alert.key.share, alert.left.format()) for alert in due]
    [(Fraction(1, 2), '$4.00')]
    """
    if budget.amount is None:
        return ()
    heading = forecast(standing.spent, standing.span, now)
    gone = standing.gone
    if heading is not None and standing.exposed is not None:
        heading += standing.exposed
    stated = [
        (Basis.SPENT, gone, budget.alerts),
        (Basis.FORECAST, heading, budget.forecast_alerts),
    ]
    return tuple(
        Alert(key=key, reached=reached, amount=budget.amount, left=budget.amount - gone)
        for basis, reached, shares in stated
        if reached is not None and reached.sub_units > 0
        for share in shares
        if reached.sub_units >= share * budget.amount.sub_units
        for key in [AlertKey(budget.id, standing.subject, standing.span.start, basis, share)]
        if key not in fired
    )
