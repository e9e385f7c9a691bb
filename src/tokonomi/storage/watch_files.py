"""Reads the thresholds and actions of the fallback watch: those in the package, or the user's."""

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from tokonomi.budgets.table import share_from_text
from tokonomi.errors import BadInput
from tokonomi.money import Locale, Money
from tokonomi.routing.provider import Section
from tokonomi.routing.watch import Cause, WatchRules

BUNDLED = "fallback_watch.toml"


class _Limits(Section, frozen=True):
    warning: str
    critical: str


class _Action(Section, frozen=True):
    cause: Cause
    en: str
    id: str


class _File(Section, frozen=True):
    source: str
    minimum_calls: int
    currency: str
    rate: _Limits
    day_cost: _Limits
    action: tuple[_Action, ...]


def load_watch_rules(path: Path | None = None) -> WatchRules:
    """The rules in the package, or those of a file of the same form.

    Raises:
        BadInput: the file cannot be read, or what stands in it is wrong.
    """
    return _bundled() if path is None else _read(_text(path), path.name)


@cache
def _bundled() -> WatchRules:
    folder = files("tokonomi.catalogue").joinpath("routing")
    return _read(folder.joinpath(BUNDLED).read_text(encoding="utf-8"), BUNDLED)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise BadInput(
            f"the rules {path} cannot be read: {wrong}", remedy="Check the path after --rules."
        ) from wrong


def _read(text: str, name: str) -> WatchRules:
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as wrong:
        raise BadInput(
            f"{name}: {wrong}", remedy=f"Compare it with the bundled {BUNDLED}."
        ) from None
    actions: dict[Cause, dict[Locale, str]] = {
        each.cause: {"en": each.en, "id": each.id} for each in file.action
    }
    if missing := [str(cause) for cause in Cause if cause not in actions]:
        raise BadInput(
            f"{name} has no action for {', '.join(missing)}", remedy="Add an [[action]]."
        )
    rules = WatchRules(
        rate_warning=share_from_text(file.rate.warning),
        rate_critical=share_from_text(file.rate.critical),
        cost_warning=Money.parse(file.day_cost.warning, file.currency),
        cost_critical=Money.parse(file.day_cost.critical, file.currency),
        minimum_calls=file.minimum_calls,
        actions=actions,
        source=file.source,
    )
    if rules.rate_warning > rules.rate_critical or rules.cost_warning > rules.cost_critical:
        raise BadInput(
            f"{name} is critical before it warns", remedy="Make critical the higher one."
        )
    return rules
