"""When fallback is too much, as people write it: the bundled thresholds, and others over them."""

from fractions import Fraction

import msgspec

from tokonomi.budgets.table import share_from_text
from tokonomi.errors import BadInput
from tokonomi.money import Money
from tokonomi.routing.provider import Section
from tokonomi.routing.watch import Cause, WatchRules


class Limits(Section, frozen=True):
    """From where it is a warning, and from where it is critical."""

    warning: str
    critical: str


class Action(Section, frozen=True):
    """What to do when most failures of a primary have this cause."""

    cause: Cause
    en: str
    id: str


class FallbackWatch(Section, frozen=True):
    """`[fallback_watch]`. What it leaves out is as the bundled rules say.

    Attributes:
        source: who set the thresholds, and when.
        minimum_calls: a share of fewer calls of an alias in an hour says nothing.
        currency: of `day_cost`.
        rate: shares of the calls of an alias in an hour.
        day_cost: what fallbacks of an alias cost on one day.
        action: what to do, by cause.
    """

    source: str
    minimum_calls: int | None = None
    currency: str | None = None
    rate: Limits | None = None
    day_cost: Limits | None = None
    action: tuple[Action, ...] = ()

    def over(self, below: "FallbackWatch") -> "FallbackWatch":
        """These thresholds, and those below where they say nothing."""
        fields = msgspec.structs.asdict(self).items()
        stated = {name: value for name, value in fields if value is not None}
        causes = {each.cause for each in self.action}
        kept = [each for each in below.action if each.cause not in causes]
        return msgspec.structs.replace(below, **{**stated, "action": (*self.action, *kept)})


def check_fallback_watch(table: FallbackWatch) -> None:
    """Nothing: what is stated can be judged by.

    Raises:
        BadInput: a share or an amount that is none, a limit that is critical before it warns, an
            amount without its currency, or two actions for one cause.
    """
    if table.minimum_calls is not None and table.minimum_calls < 1:
        raise BadInput(f"minimum_calls is {table.minimum_calls}", remedy="Use 1 or more.")
    if (table.currency is None) != (table.day_cost is None):
        raise BadInput(
            "an amount of money needs its currency", remedy="State currency and day_cost together."
        )
    if table.rate is not None:
        _shares(table.rate)
    if table.day_cost is not None and table.currency is not None:
        _amounts(table.day_cost, table.currency)
    causes = [each.cause for each in table.action]
    if len({*causes}) < len(causes):
        raise BadInput("a cause has two actions", remedy="Keep one of them.")


def watch_rules(table: FallbackWatch) -> WatchRules:
    """The rules that a table states which leaves nothing out.

    Raises:
        BadInput: as `check_fallback_watch` does.
    """
    check_fallback_watch(table)
    assert table.minimum_calls is not None, "the bundled rules are complete"
    assert table.rate is not None, "the bundled rules are complete"
    assert table.day_cost is not None, "the bundled rules are complete"
    assert table.currency is not None, "the bundled rules are complete"
    rate_warning, rate_critical = _shares(table.rate)
    cost_warning, cost_critical = _amounts(table.day_cost, table.currency)
    return WatchRules(
        rate_warning=rate_warning,
        rate_critical=rate_critical,
        cost_warning=cost_warning,
        cost_critical=cost_critical,
        minimum_calls=table.minimum_calls,
        actions={each.cause: {"en": each.en, "id": each.id} for each in table.action},
        source=table.source,
    )


def _shares(limits: Limits) -> tuple[Fraction, Fraction]:
    warning, critical = share_from_text(limits.warning), share_from_text(limits.critical)
    if warning > critical:
        raise _upside_down("rate", limits)
    return warning, critical


def _amounts(limits: Limits, currency: str) -> tuple[Money, Money]:
    warning, critical = (
        Money.parse(limits.warning, currency),
        Money.parse(limits.critical, currency),
    )
    if warning > critical:
        raise _upside_down("day_cost", limits)
    return warning, critical


def _upside_down(name: str, limits: Limits) -> BadInput:
    return BadInput(
        f"{name} is critical at {limits.critical}, before it warns at {limits.warning}",
        remedy="Make critical the higher one.",
    )
