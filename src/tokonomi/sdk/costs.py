"""What the calls of this process cost: exact sums, by model, feature or anything else."""

import os
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final
from weakref import WeakSet

from tokonomi.calls import NAMED_DIMENSIONS, TAG_PREFIX, Call
from tokonomi.errors import BadMoney, WrongUsage
from tokonomi.money import Money, round_half_up
from tokonomi.naming import meant
from tokonomi.pricing.charge import Charge, Unpriced
from tokonomi.sdk.summary import Line, as_html, as_text
from tokonomi.usage import Source, Usage

_CLIENTS: Final = ("project", "feature", "user", "session")
NAMES: Final = ("model", "provider", *_CLIENTS, "status")
MOST_VALUES: Final = 10_000
"""Values of one dimension that are kept apart; what comes after them is one group, `OTHER`."""
OTHER: Final = "(other)"
_NO_CURRENCY: Final = "USD"


@dataclass(frozen=True, slots=True)
class Spend:
    """The sums of some calls.

    Attributes:
        calls: attempts at a provider; a call that an SDK tried three times is three.
        priced: those with a cost.
        estimated: those whose tokens are an estimate of ours.
        input_tokens: of all whose usage is known.
        output_tokens: likewise.
        amounts: the exact cost of the priced ones, one amount for each currency.
    """

    calls: int = 0
    priced: int = 0
    estimated: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    amounts: tuple[Money, ...] = ()

    @property
    def unpriced(self) -> int:
        """Calls whose cost is not known, refused ones among them; it is not 0."""
        return self.calls - self.priced

    @property
    def cost(self) -> Money | Unpriced:
        """The exact cost of the priced calls; `Unpriced` when there are calls, and none is priced.

        Raises:
            BadMoney: they were priced in several currencies; `amounts` has each.
        """
        match self.amounts:
            case (amount,):
                return amount
            case () if self.calls:
                return Unpriced(f"none of the {self.calls} calls has a price")
            case ():
                return Money(0, _NO_CURRENCY)
            case several:
                names = ", ".join(amount.currency for amount in several)
                raise BadMoney(
                    f"the calls were priced in {names}, which cannot be added",
                    remedy="Read `amounts`, one for each currency.",
                )

    @property
    def average(self) -> Money | Unpriced:
        """The cost of a priced call, rounded half-up to a sub-unit; as `cost` otherwise."""
        cost = self.cost
        if isinstance(cost, Unpriced) or not self.priced:
            return cost
        return Money(round_half_up(Fraction(cost.sub_units, self.priced)), cost.currency)


@dataclass(slots=True)
class _Tally:
    """Sums that grow."""

    calls: int = 0
    priced: int = 0
    estimated: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    sub_units: Counter[str] = field(default_factory=Counter[str])

    def add(self, call: Call) -> None:
        """Adds one call."""
        self.calls += 1
        if isinstance(call.usage, Usage):
            self.estimated += call.usage.source is Source.ESTIMATED
            self.input_tokens += call.usage.total_input
            self.output_tokens += call.usage.total_output
        if isinstance(call.cost, Charge):
            self.priced += 1
            self.sub_units[call.cost.currency] += call.cost.sub_units

    @property
    def spend(self) -> Spend:
        """The sums as they are now."""
        amounts = tuple(Money(n, currency) for currency, n in sorted(self.sub_units.items()))
        return Spend(
            self.calls,
            self.priced,
            self.estimated,
            self.input_tokens,
            self.output_tokens,
            amounts,
        )


class Costs:
    """The costs of tracked clients in this process; `print` it, or show it in a notebook.

    Several clients may share one. What other processes spent, and what was before this one, is in
    the store: `tokonomi report`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all = _Tally()
        self._groups: dict[str, dict[str, _Tally]] = {}
        self._last: Call | None = None
        _EVERY.add(self)

    def add(self, call: Call) -> None:
        """Adds one settled call."""
        values = _values_of(call)
        with self._lock:
            self._last = call
            self._all.add(call)
            for name, value in values.items():
                groups = self._groups.setdefault(name, {})
                if value not in groups and len(groups) >= MOST_VALUES:
                    value = OTHER  # noqa: PLW2901 - the group that takes the rest
                groups.setdefault(value, _Tally()).add(call)

    def total(self) -> Money | Unpriced:
        """The exact cost of all calls that have a price.

        Raises:
            BadMoney: they were priced in several currencies; see `spend().amounts`.
        """
        return self.spend().cost

    def average_per_call(self) -> Money | Unpriced:
        """The cost of a call that has a price, rounded half-up to a sub-unit.

        Raises:
            BadMoney: as `total` does.
        """
        return self.spend().average

    def spend(self) -> Spend:
        """All sums: calls, tokens, amounts."""
        with self._lock:
            return self._all.spend

    def by(self, name: str) -> Mapping[str, Spend]:
        """The sums of each value of a dimension, in the order in which they first came.

        `name` is `model` (the one that served), `provider`, `project`, `feature`, `user`,
        `session`, `status` or `tag:NAME`. What was not said is the empty text.

        Raises:
            WrongUsage: there is no such dimension.
        """
        if name not in NAMES and not name.startswith(TAG_PREFIX):
            raise WrongUsage(
                f'there is no dimension "{name}"', remedy=meant(name, [*NAMES, "tag:NAME"])
            )
        with self._lock:
            return {value: tally.spend for value, tally in self._groups.get(name, {}).items()}

    @property
    def last(self) -> Charge | Unpriced | None:
        """The cost of the call that ended last, with its lines; None before the first."""
        return self._last.cost if self._last else None

    @property
    def last_call(self) -> Call | None:
        """The call that ended last: its usage, status, provider's id and cost."""
        return self._last

    def __str__(self) -> str:
        return as_text(self._lines())

    def __repr__(self) -> str:
        spend = self.spend()
        amounts = " + ".join(amount.format() for amount in spend.amounts) or "no cost"
        return f"<Costs: {amounts} for {spend.calls} calls>"

    def _repr_html_(self) -> str:
        return as_html(self._lines())

    def _lines(self) -> list[Line]:
        models = [_line(name or "?", spend) for name, spend in self.by("model").items()]
        return [*models, _line("", self.spend())]

    def forked(self) -> None:
        """In the child of a fork: a lock that another thread held is nobody's now."""
        self._lock = threading.Lock()


_EVERY: Final[WeakSet[Costs]] = WeakSet()


def _forked() -> None:
    for costs in list(_EVERY):
        costs.forked()


os.register_at_fork(after_in_child=_forked)


def _line(name: str, spend: Spend) -> Line:
    return Line(
        name=name,
        calls=spend.calls,
        input_tokens=spend.input_tokens,
        output_tokens=spend.output_tokens,
        unpriced=spend.unpriced,
        estimated=spend.estimated,
        amounts=spend.amounts,
    )


def _values_of(call: Call) -> dict[str, str]:
    who = call.intent.dimensions
    return {
        "model": call.model_served,
        "provider": who.provider,
        **{name: getattr(who, NAMED_DIMENSIONS[name]) for name in _CLIENTS},
        "status": call.status.value,
        **{f"{TAG_PREFIX}{tag}": value for tag, value in who.tags},
    }
