"""What a scenario consumes in a month, priced: every token to a model, a part and an amount."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic

from tokonomi.errors import BadPlan
from tokonomi.plan.conversation import Turn, turns_of
from tokonomi.plan.numbers import FEES, Arithmetic, N, has_fee
from tokonomi.plan.price_list import PriceList, converted
from tokonomi.plan.quantity import Quantity
from tokonomi.plan.scenario import Category, Feature, ModelShare, Part, Scenario, Volume
from tokonomi.pricing.row import PriceRow


class Role(StrEnum):
    """Why a model is called."""

    PRIMARY = "primary"
    FALLBACK = "fallback"
    BATCH = "batch"
    BATCH_FALLBACK = "batch fallback"
    MEASURED = "measured"


@dataclass(frozen=True, slots=True)
class Scale(Generic[N]):
    """How much there is of everything in a month; None where nobody counts it.

    `month` is its number in the plan, from 0.
    """

    sessions: N | None
    users: N | None
    days: N
    calls: N | None
    month: int = 0


@dataclass(frozen=True, slots=True)
class Item(Generic[N]):
    """One amount of a month.

    Attributes:
        feature: the feature, or the name of a cost that is no token.
        component: a part of the calls, or a category of other costs.
        model: as the scenario names it; empty where there is none.
        role: why the model is called.
        tokens: how many, None where nothing is counted.
        amount: in whole units of the plan's currency.
        row: the price row that made it.
    """

    feature: str
    component: Part | Category | str
    amount: N
    model: str = ""
    role: Role | None = None
    tokens: N | None = None
    row: PriceRow | None = None


@dataclass(frozen=True, slots=True)
class Target(Generic[N]):
    """A model that answers `calls` calls a month for each conversation's call."""

    feature: Feature
    model: str
    role: Role
    row: PriceRow
    conversations: N
    multiplier: N
    system: N


def scale_of(scenario: Scenario, numbers: Arithmetic[N], month: int | None = None) -> Scale[N]:
    """Sessions, users, days and calls of the month with this number, from 0.

    Without a number it is the first month, without growth and season.
    """
    volume = scenario.volume
    times = numbers.whole(1) if month is None else factor_of(scenario, month, numbers)
    stated = _sessions(volume, numbers)
    sessions = None if stated is None else stated * times
    users = None if volume.users is None else numbers.of(volume.users) * times
    days = numbers.whole(volume.days_per_month)
    return Scale(sessions, users, days, _calls(scenario, sessions, numbers), month or 0)


def factor_of(scenario: Scenario, month: int, numbers: Arithmetic[N]) -> N:
    """How much volume the month with this number, from 0, has against one without either."""
    growth = numbers.of(scenario.volume.growth_per_month) + 1
    factor = numbers.whole(1)
    for _ in range(month):
        factor = factor * growth
    season = scenario.volume.season
    return factor * numbers.of(season[month % len(season)]) if season else factor


def counts_calls(scenario: Scenario) -> bool:
    """Whether anything says how many calls there are."""
    stated = scenario.volume.calls_per_day is not None
    return bool(stated or scenario.feature or scenario.measured)


def _calls(scenario: Scenario, sessions: N | None, numbers: Arithmetic[N]) -> N | None:
    """The calls of features and the measured ones; without either, those that the volume states."""
    if not counts_calls(scenario):
        return None
    if not (scenario.feature or scenario.measured):
        return sessions
    calls = numbers.whole(sum(each.calls for each in scenario.measured))
    for feature in scenario.feature:
        calls = calls + conversations(feature, sessions, numbers) * numbers.of(feature.turns)
    return calls


def _sessions(volume: Volume, numbers: Arithmetic[N]) -> N | None:
    daily = volume.sessions_per_day or volume.queries_per_day or volume.calls_per_day
    if daily is not None:
        return numbers.of(daily) * volume.days_per_month
    if volume.sessions_per_month is not None:
        return numbers.of(volume.sessions_per_month)
    if volume.sessions_per_user is None:
        return None
    assert volume.users is not None, "the checks ask for it"
    return numbers.of(volume.users) * numbers.of(volume.sessions_per_user)


def conversations(feature: Feature, sessions: N | None, numbers: Arithmetic[N]) -> N:
    """How many conversations of a feature there are in a month, retries apart."""
    assert sessions is not None, "the checks ask for it"
    return sessions * numbers.of(feature.share) * numbers.of(feature.uses)


def token_items(
    scenario: Scenario, prices: PriceList, numbers: Arithmetic[N], scale: Scale[N]
) -> Iterator[Item[N]]:
    """Every amount that tokens make, one for each feature, model, role and part of a turn."""
    for feature in scenario.feature:
        for target in _targets(feature, prices, numbers, scale):
            for turn in turns_of(feature, target.system, numbers):
                yield from _turn_items(target, turn, scenario, numbers)
    yield from _measured_items(scenario, prices, numbers)


def _targets(
    feature: Feature, prices: PriceList, numbers: Arithmetic[N], scale: Scale[N]
) -> Iterator[Target[N]]:
    """The models of a feature, split by whether they stand in for others and come in batches."""
    all_of_it = conversations(feature, scale.sessions, numbers) * numbers.of(feature.attempts)
    fallback, batch = numbers.of(feature.fallback_share), numbers.of(feature.batch_share)
    shares = shares_of(feature, numbers)
    asked = [(each, share * (1 - fallback), Role.PRIMARY) for each, share in shares]
    if feature.fallback and possible(feature.fallback_share):
        stand_in = ModelShare(model=feature.fallback)
        asked.append((stand_in, fallback, Role.FALLBACK))
    for each, share, role in asked:
        system = feature.system_tokens if each.system_tokens is None else each.system_tokens
        for in_batch, batch_row in enumerate(rows_in_batch(feature)):
            part = share * (batch if in_batch else 1 - batch)
            multiplier, discount = numbers.of(each.price_multiplier), feature.batch_multiplier
            if in_batch and discount is not None:
                multiplier = multiplier * numbers.of(discount)
            yield Target(
                feature,
                each.model,
                _role(role, in_batch=bool(in_batch)),
                prices.row(each.model, each.tier, batch=batch_row),
                all_of_it * part,
                multiplier,
                numbers.of(system),
            )


def _role(role: Role, *, in_batch: bool) -> Role:
    if not in_batch:
        return role
    return Role.BATCH if role is Role.PRIMARY else Role.BATCH_FALLBACK


def rows_in_batch(feature: Feature) -> tuple[bool, ...]:
    """Whether a batch row prices the calls outside a batch, and those in one where there are any.

    A stated `batch_multiplier` is on the usual price, so no batch row is asked for.
    """
    if not possible(feature.batch_share):
        return (False,)
    return False, feature.batch_multiplier is None


def possible(share: Quantity) -> bool:
    """Whether a share can be above 0."""
    return share.high > 0


def shares_of(feature: Feature, numbers: Arithmetic[N]) -> list[tuple[ModelShare, N]]:
    """The models of a feature with their shares; the one without a share gets the rest."""
    rest = numbers.whole(1)
    for each in feature.models:
        if each.share is not None:
            rest = rest - numbers.of(each.share)
    return [
        (each, rest if each.share is None else numbers.of(each.share)) for each in feature.models
    ]


def token_cost(scenario: Scenario, prices: PriceList, numbers: Arithmetic[N], scale: Scale[N]) -> N:
    """What all tokens cost: the sum of `token_items`, in fewer steps, for arithmetic of draws."""
    total = numbers.whole(0)
    for feature in scenario.feature:
        for target in _targets(feature, prices, numbers, scale):
            for turn in turns_of(feature, target.system, numbers):
                context = _context(turn, numbers)
                call = numbers.whole(0)
                for _, count, tokens in _counts(target, turn, numbers):
                    call = call + numbers.price(target.row, count, tokens, context)
                amount = call * (target.conversations * turn.calls * target.multiplier)
                total = total + converted(amount, target.row.currency, scenario, numbers)
    for item in _measured_items(scenario, prices, numbers):
        total = total + item.amount
    return total


def _context(turn: Turn[N], numbers: Arithmetic[N]) -> N:
    """The input tokens of one call, which choose its context tier."""
    context = numbers.whole(0)
    for tokens in turn.inputs.values():
        context = context + tokens
    return context


_KIND = {
    Part.SYSTEM: "system",
    Part.MESSAGE: "message",
    Part.HISTORY: "history",
    Part.RETRIEVED: "retrieved",
    Part.TOOLS: "tools",
}


def _turn_items(
    target: Target[N], turn: Turn[N], scenario: Scenario, numbers: Arithmetic[N]
) -> Iterator[Item[N]]:
    calls = target.conversations * turn.calls
    weight = calls * target.multiplier
    context = _context(turn, numbers)
    for part, count, tokens in _counts(target, turn, numbers):
        amount = numbers.price(target.row, count, tokens, context) * weight
        yield Item(
            target.feature.name,
            part,
            converted(amount, target.row.currency, scenario, numbers),
            target.model,
            target.role,
            None if count == FEES else tokens * calls,
            target.row,
        )


def _counts(
    target: Target[N], turn: Turn[N], numbers: Arithmetic[N]
) -> Iterator[tuple[Part, str, N]]:
    """The counts of one call: part, name of the count, and how many."""
    feature = target.feature
    read, write = numbers.of(feature.cached_share), numbers.of(feature.cache_write_share)
    for part, tokens in turn.inputs.items():
        if _KIND.get(part) not in feature.cached_parts:
            yield part, "uncached_input", tokens
            continue
        yield part, "uncached_input", tokens * (1 - read - write)
        if possible(feature.cached_share):
            yield part, "cache_read", tokens * read
        if possible(feature.cache_write_share):
            yield part, "cache_write_5m", tokens * write
    for part, tokens in turn.outputs.items():
        yield part, "reasoning" if part is Part.REASONING else "output", tokens
    if turn.answers and (possible(feature.searches) or has_fee(target.row)):
        yield Part.FEES, FEES, numbers.of(feature.searches)


_MEASURED = (
    ("uncached_input", Part.MESSAGE),
    ("cache_read", Part.MESSAGE),
    ("cache_read_audio", Part.MESSAGE),
    ("cache_write_5m", Part.MESSAGE),
    ("cache_write_1h", Part.MESSAGE),
    ("audio_in", Part.MESSAGE),
    ("image_in", Part.MESSAGE),
    ("output", Part.OUTPUT),
    ("reasoning", Part.REASONING),
    ("audio_out", Part.OUTPUT),
    ("image_out", Part.OUTPUT),
)


def _measured_items(
    scenario: Scenario, prices: PriceList, numbers: Arithmetic[N]
) -> Iterator[Item[N]]:
    """The amounts of calls that were counted: their totals, at the context tier of their group."""
    for group in scenario.measured:
        if group.reasoning > group.output:
            raise BadPlan(
                f"measured calls of {group.model} have {group.reasoning} reasoning tokens inside "
                f"{group.output} output tokens"
            )
        row = prices.row(group.model, group.tier, batch=group.batch)
        context = numbers.whole(group.context_tokens)
        counts = [(name, part, int(getattr(group, name))) for name, part in _MEASURED]
        visible = group.output - group.reasoning
        for name, part, total in counts:
            number = visible if name == "output" else total
            if number:
                tokens = numbers.whole(number)
                amount = numbers.price(row, name, tokens, context)
                amount = converted(amount, row.currency, scenario, numbers)
                yield Item(group.feature, part, amount, group.model, Role.MEASURED, tokens, row)
        if group.searches or (group.requests and has_fee(row)):
            amount = numbers.fee(row, group.searches, group.requests)
            amount = converted(amount, row.currency, scenario, numbers)
            yield Item(group.feature, Part.FEES, amount, group.model, Role.MEASURED, row=row)
