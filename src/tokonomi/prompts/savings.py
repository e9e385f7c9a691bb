"""What a prompt costs a month and what each finding would save, priced by `charge`.

Savings are counted one after the other: text that goes first, in the order of its places, then the
cache for what is left, then volatile text that moves behind the fixed text. So they add up, and
never to more than the prompt costs.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from math import floor
from typing import Final

from tokonomi.errors import BadInput
from tokonomi.money import Money, round_half_up
from tokonomi.pricing.charge import Unpriced, charge
from tokonomi.pricing.row import Meter, PriceRow
from tokonomi.prompts.finding import Analysis, Finding, Kind
from tokonomi.prompts.model_facts import CacheMinimum
from tokonomi.usage import Source, Usage


@dataclass(frozen=True, slots=True)
class Terms:
    """At what prices and volume savings are counted.

    Attributes:
        row: the price of the model, or why there is none.
        at: the instant of the prices, in UTC.
        calls: calls a month.
        minimum: the shortest prefix that the provider caches, when a source states it.
        hits: share of the calls that find the prefix in the cache today, from 0 to 1. None is not
            known: then nothing is taken to be cached today, and what a cache would save is counted
            as if every call found the prefix there, which is the most that it can save.

    Raises:
        BadInput: negative calls, or a share outside 0 to 1.
    """

    row: PriceRow | Unpriced
    at: datetime
    calls: int
    minimum: CacheMinimum | None = None
    hits: Fraction | None = None

    def __post_init__(self) -> None:
        if self.calls < 0:
            raise BadInput(f"{self.calls} calls a month", remedy="Write 0 or more.")
        if self.hits is not None and not 0 <= self.hits <= 1:
            raise BadInput(f"a share of {self.hits} of all calls", remedy="Write 0% to 100%.")


@dataclass(frozen=True, slots=True)
class Savings:
    """Amounts a month. A saving is rounded down to its currency's sub-unit.

    Attributes:
        cost: what the prompt's tokens cost as it is, or why that is not known. Output is not in it.
        each: of each finding, in their order: a saving, why it is not known, or None for a finding
            that is only shown. 0 where mending it alone brings nothing, such as a prefix that stays
            below the minimum.
        cache: what reading the present prefix from the cache saves beside the findings; None where
            it is read from there already.
    """

    cost: Money | Unpriced
    each: tuple[Money | Unpriced | None, ...]
    cache: Money | Unpriced | None

    @property
    def total(self) -> Money | None:
        """The sum of the known savings of the findings; None when none is known."""
        known = [amount for amount in self.each if isinstance(amount, Money)]
        return sum(known[1:], known[0]) if known else None


def savings(analysis: Analysis, terms: Terms) -> Savings:
    """What the prompt costs a month, and what each of its findings would save of that."""
    bill = _Bill(analysis, terms)
    state = _State(tuple(piece.tokens for piece in analysis.pieces), cached=bill.cached_today)
    cost = bill.monthly(state)
    if isinstance(cost, Unpriced):
        each = tuple(cost if finding.certain else None for finding in analysis.findings)
        return Savings(cost, each, cost)
    walk = _Walk(bill, state, cost)
    amounts: list[Money | Unpriced | None] = [None] * len(analysis.findings)
    for place, finding in enumerate(analysis.findings):
        if finding.kind is not Kind.VOLATILE:
            amounts[place] = walk.saving(walk.state.without(finding))
    cache: Money | Unpriced | None = None
    if not walk.state.cached:
        cache = bill.no_cache or walk.saving(replace(walk.state, cached=True))
    for place, finding in enumerate(analysis.findings):
        if finding.kind is Kind.VOLATILE and finding.certain:
            amounts[place] = bill.no_cache or walk.saving(walk.state.with_moved(finding))
    return Savings(bill.money(cost, round_half_up(cost)), tuple(amounts), cache)


def is_unmarked(analysis: Analysis, terms: Terms) -> bool:
    """Whether the provider caches marked prefixes only, and the request is seen to mark none."""
    explicit = terms.minimum is not None and terms.minimum.marking == "explicit"
    return explicit and analysis.marked is False


def mended_prefix(analysis: Analysis) -> int:
    """Tokens of the prefix when every finding is mended."""
    state = _State(tuple(piece.tokens for piece in analysis.pieces))
    for finding in analysis.findings:
        if finding.kind is not Kind.VOLATILE:
            state = state.without(finding)
        elif finding.certain:
            state = state.with_moved(finding)
    return _prefix(analysis, state)


@dataclass(frozen=True, slots=True)
class _State:
    """A prompt with some findings mended: the tokens of its pieces, and pieces moved to its end."""

    tokens: tuple[int, ...]
    moved: frozenset[int] = frozenset()
    cached: bool = False

    def without(self, finding: Finding) -> "_State":
        """The state without the tokens that a finding saves, taken from its end."""
        tokens = list(self.tokens)
        left = finding.saved_tokens
        for place in reversed(range(*finding.pieces)):
            taken = min(left, tokens[place])
            tokens[place] -= taken
            left -= taken
        return replace(self, tokens=tuple(tokens))

    def with_moved(self, finding: Finding) -> "_State":
        """The state with a volatile text behind the fixed text."""
        return replace(self, moved=self.moved | {*range(*finding.pieces)})


def _prefix(analysis: Analysis, state: _State) -> int:
    total = 0
    for place, (piece, tokens) in enumerate(zip(analysis.pieces, state.tokens, strict=True)):
        if place in state.moved:
            continue
        if piece.volatile or not piece.in_prefix:
            break
        total += tokens
    return total


class _Bill:
    """Prices states of a prompt."""

    def __init__(self, analysis: Analysis, terms: Terms) -> None:
        self._analysis = analysis
        self._terms = terms
        self._hits = _ALL if terms.hits is None else terms.hits
        self.no_cache = _no_cache(terms)
        unmarked = is_unmarked(analysis, terms)
        self.cached_today = bool(terms.hits) and self.no_cache is None and not unmarked

    def monthly(self, state: _State) -> Fraction | Unpriced:
        """The cost of a month, in sub-units of the row's currency, exactly."""
        minimum = self._terms.minimum
        held = 0
        if state.cached and minimum is not None:
            held = minimum.cached(_prefix(self._analysis, state))
        rest = sum(state.tokens) - held
        total = Fraction(0)
        for share, call in (
            (self._hits, self._call(rest, cache_read=held)),
            (1 - self._hits, self._call(rest, cache_write=held)),
        ):
            if not share:
                continue
            if isinstance(call, Unpriced):
                return call
            total += share * call
        return self._terms.calls * total

    def _call(self, rest: int, *, cache_read: int = 0, cache_write: int = 0) -> int | Unpriced:
        row = self._terms.row
        if isinstance(row, Unpriced):
            return row
        usage = Usage(
            at=self._terms.at,
            uncached_input=rest,
            cache_read=cache_read,
            cache_write_5m=cache_write,
            requests=0,
            tier=row.tier,
            source=Source.ESTIMATED,
        )
        cost = charge(usage, row)
        return cost if isinstance(cost, Unpriced) else cost.sub_units

    def money(self, exact: Fraction, sub_units: int | None = None) -> Money:
        """An amount of the row's currency, rounded down unless its sub-units are given."""
        row = self._terms.row
        assert isinstance(row, PriceRow), "an amount was made, so that there is a price"
        return Money(floor(exact) if sub_units is None else sub_units, row.currency)


_ALL: Final = Fraction(1)


def _no_cache(terms: Terms) -> Unpriced | None:
    """Why it is not known what a cache would save, or None when it is."""
    if isinstance(terms.row, Unpriced):
        return terms.row
    if terms.minimum is None:
        return Unpriced(f"no source states the shortest prefix that {terms.row.id} caches")
    if Meter.CACHE_READ not in terms.row.rates:
        return Unpriced(f"{terms.row.id} has no price for cache_read", (Meter.CACHE_READ,))
    return None


class _Walk:
    """Goes from state to state as long as that does not cost more."""

    def __init__(self, bill: _Bill, state: _State, cost: Fraction) -> None:
        self._bill = bill
        self.state = state
        self._cost = cost

    def saving(self, state: _State) -> Money | Unpriced:
        """What going to a state saves; 0, and no step is made, when it would cost more.

        Less text can cost more: a prefix that falls below the minimum is not cached any more.
        """
        cost = self._bill.monthly(state)
        if isinstance(cost, Unpriced):
            return cost
        saved = self._cost - cost
        if saved < 0:
            return self._bill.money(Fraction(0))
        self.state, self._cost = state, cost
        return self._bill.money(saved)
