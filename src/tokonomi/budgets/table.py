"""A budget as people write it: one table of a TOML file, or one object of the admin API."""

import re
from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from typing import Final

import msgspec

from tokonomi.budgets.limit import Budget, Mode
from tokonomi.budgets.scope import Scope
from tokonomi.budgets.window import Period, Window
from tokonomi.errors import BadInput
from tokonomi.money import Money
from tokonomi.naming import meant

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""How a week's first day is written."""

_CHOICES: Final[Mapping[str, Iterable[str]]] = {"window": Period, "mode": Mode}
"""The keys whose value is one of a few words."""
_PERCENT: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,9})?)\s?%")
_RATIO: Final = re.compile(r"([0-9]{1,18})/([1-9][0-9]{0,17})")
_PERCENT_DIGITS: Final = 9


class BudgetForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may stand in a budget's table."""

    id: str
    window: Period
    currency: str
    name: str = ""
    amount: str | int | None = None
    starts: str | int | None = None
    zone: str = "UTC"
    mode: Mode = Mode.HARD
    overshoot: str | int | None = None
    per_request: str | int | None = None
    alerts: tuple[str, ...] = ()
    forecast_alerts: tuple[str, ...] = ()
    scope: dict[str, str] = {}
    each: tuple[str, ...] = ()
    across_projects: bool = False


def budget_from_table(stated: Mapping[str, object], *, zones: Collection[str]) -> Budget:
    """The budget that a table states.

    Amounts are text or whole numbers, never binary fractions; `starts` is a weekday's name or a day
    of the month; alerts are percentages or ratios as text. `zones` are the known names of time
    zones: finding them needs the machine's files, so the caller brings them.

    Raises:
        BadInput: an unknown key, a wrong type, an unknown zone, a contradiction.

    >>> budget = budget_from_table({"id": "growth", "window": "month", "currency": "IDR",
    ...     "amount": "500000", "zone": "Asia/Jakarta", "each": ["user"], "alerts": ["80%"]},
    ...     zones={"Asia/Jakarta"})
    >>> budget.amount.format("id"), budget.alerts
    ('Rp 500.000', (Fraction(4, 5),))
    """
    named = stated.get("id")
    place = f"budget {named}" if isinstance(named, str) and named else "a budget without an id"
    try:
        table = msgspec.convert(dict(stated), BudgetForm)
    except msgspec.ValidationError as wrong:
        raise _explained(str(wrong), place) from None
    if table.zone not in zones:
        raise _unknown_zone(table.zone, zones, place)
    return Budget(
        id=table.id,
        name=table.name,
        scope=Scope.of(table.scope, table.each),
        window=_window(table, place),
        zone=table.zone,
        currency=table.currency,
        amount=_money(table.amount, table.currency),
        mode=table.mode,
        overshoot=_money(table.overshoot, table.currency),
        per_request=_money(table.per_request, table.currency),
        alerts=tuple(sorted(share_from_text(text) for text in table.alerts)),
        forecast_alerts=tuple(sorted(share_from_text(text) for text in table.forecast_alerts)),
        across_projects=table.across_projects,
    )


def budget_to_table(budget: Budget) -> dict[str, object]:
    """The table that states a budget; `budget_from_table` reads it back. Defaults are left out."""
    whole = {
        "id": budget.id,
        "name": budget.name,
        "scope": dict(budget.scope.only),
        "each": list(budget.scope.each),
        "window": str(budget.window.period),
        "starts": _starts(budget.window),
        "zone": budget.zone,
        "currency": budget.currency,
        "amount": budget.amount and budget.amount.decimal(),
        "mode": str(budget.mode),
        "overshoot": budget.overshoot and budget.overshoot.decimal(),
        "per_request": budget.per_request and budget.per_request.decimal(),
        "alerts": [share_to_text(share) for share in budget.alerts],
        "forecast_alerts": [share_to_text(share) for share in budget.forecast_alerts],
        "across_projects": budget.across_projects or None,
    }
    return {key: value for key, value in whole.items() if value not in (None, "", [], {})}


def share_from_text(text: str) -> Fraction:
    """The exact share that a text states: `80%`, `87.5%` or `1/3`.

    Raises:
        BadInput: it is neither.
    """
    if percent := _PERCENT.fullmatch(text.strip()):
        return Fraction(percent[1]) / 100
    if ratio := _RATIO.fullmatch(text.strip()):
        return Fraction(int(ratio[1]), int(ratio[2]))
    raise BadInput(f'"{text}" is not a share', remedy='Write "80%", "87.5%" or "1/3".')


def share_to_text(share: Fraction) -> str:
    """The text that states a share exactly, as a percentage where that is short.

    >>> share_to_text(Fraction(7, 8)), share_to_text(Fraction(1, 3))
    ('87.5%', '1/3')
    """
    scaled = share * 100 * 10**_PERCENT_DIGITS
    if scaled.denominator != 1:
        return f"{share.numerator}/{share.denominator}"
    whole, part = divmod(scaled.numerator, 10**_PERCENT_DIGITS)
    digits = f"{part:0{_PERCENT_DIGITS}d}".rstrip("0")
    return f"{whole}.{digits}%" if digits else f"{whole}%"


def _money(stated: str | int | None, currency: str) -> Money | None:
    return None if stated is None else Money.parse(str(stated), currency)


def _window(table: BudgetForm, place: str) -> Window:
    if table.starts is None:
        return Window(period=table.window)
    if isinstance(table.starts, int):
        return Window(period=table.window, month_day=table.starts)
    if table.starts not in WEEKDAYS:
        raise BadInput(
            f'{place}: "{table.starts}" is no day to start on', remedy=meant(table.starts, WEEKDAYS)
        )
    return Window(period=table.window, weekday=WEEKDAYS.index(table.starts))


def _starts(window: Window) -> str | int | None:
    if window.weekday:
        return WEEKDAYS[window.weekday]
    return window.month_day if window.month_day > 1 else None


def _unknown_zone(zone: str, zones: Collection[str], place: str) -> BadInput:
    hint = meant(zone, sorted(zones))
    if not hint.startswith("Did"):
        hint = 'Write it like "Asia/Jakarta".'
    return BadInput(f'{place}: no time zone is called "{zone}"', remedy=hint)


def _explained(wrong: str, place: str) -> BadInput:
    what, _, path = wrong.partition(" - at ")
    key = path.strip("`").removeprefix("$").removeprefix(".")
    where = f"{place}, {key}" if key else place
    if value := re.search(r"Invalid enum value '(.*)'", what):
        known = [*_CHOICES[key]]
        return BadInput(f'{where}: there is no "{value[1]}"', remedy=meant(value[1], known))
    return BadInput(f"{where}: {what}", remedy=_remedy(what))


def _remedy(what: str) -> str:
    if unknown := re.search(r"unknown field `(.+?)`", what):
        return meant(unknown[1], BudgetForm.__struct_fields__)
    if missing := re.search(r"missing required field `(.+?)`", what):
        return f"Add {missing[1]}."
    if "float" in what:
        return 'Write amounts as text, "12.50", so that they stay exact.'
    return "See docs/reference/budgets.md for what may stand there."
