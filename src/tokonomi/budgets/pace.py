"""Pace: where the spend of a window is heading, from what was spent so far."""

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from tokonomi.budgets.window import Span
from tokonomi.money import Money, round_half_up

SILENCE: Final = timedelta(days=3)
"""A forecast from less than this is noise, and none is given."""

_MICROSECOND: Final = timedelta(microseconds=1)


def elapsed_share(span: Span, now: datetime) -> Fraction | None:
    """How much of a span is over, from 0 to 1, or None for a span that never ends."""
    if span.end is None:
        return None
    over = min(max(now, span.start), span.end) - span.start
    return Fraction(over // _MICROSECOND, (span.end - span.start) // _MICROSECOND)


def forecast(spent: Money, span: Span, now: datetime) -> Money | None:
    """What the whole span will cost if it goes on like this, or None while nobody can say.

    `spent / elapsed * length`, rounded half-up, as Oracle's cloud forecasts budgets. None in the
    first three days, so for windows of an hour or a day always, and for a lifetime.

    >>> from datetime import UTC
    >>> january = Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    >>> tenth = datetime(2026, 1, 11, tzinfo=UTC)
    >>> forecast(Money.parse("100", "USD"), january, tenth).format()
    '$310.00'
    """
    share = elapsed_share(span, now)
    if share is None or now - span.start < SILENCE:
        return None
    return Money(round_half_up(spent.sub_units / share), spent.currency)


def pace(spent: Money, amount: Money, *, span: Span, now: datetime) -> Fraction | None:
    """The share spent over the share of time gone: above 1 the budget will not last.

    None where the question has no answer: at the very start, in a lifetime, for an amount of 0.

    >>> from datetime import UTC
    >>> january = Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    >>> spent, amount = Money.parse("150", "USD"), Money.parse("310", "USD")
    >>> pace(spent, amount, span=january, now=datetime(2026, 1, 11, tzinfo=UTC))
    Fraction(3, 2)
    """
    share = elapsed_share(span, now)
    if not share or not amount.sub_units:
        return None
    return (spent.fraction() / amount.fraction()) / share


def runs_out_at(spent: Money, amount: Money, *, span: Span, now: datetime) -> datetime | None:
    """The instant at which spend will reach, or did reach, the amount if it goes on evenly.

    None when that is not before the end of the span, or nothing was spent, or the span has no end.

    >>> from datetime import UTC
    >>> january = Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    >>> spent, amount = Money.parse("150", "USD"), Money.parse("310", "USD")
    >>> tenth = datetime(2026, 1, 11, tzinfo=UTC)
    >>> runs_out_at(spent, amount, span=january, now=tenth).isoformat()
    '2026-01-21T16:00:00+00:00'
    """
    ratio = pace(spent, amount, span=span, now=now)
    if ratio is None or ratio <= 1 or span.end is None:
        return None
    length = (span.end - span.start) // _MICROSECOND
    return span.start + round_half_up(length / ratio) * _MICROSECOND
