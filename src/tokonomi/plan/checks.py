"""What must hold in a scenario beside the types of its keys; each break is one clear error."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from tokonomi.errors import BadPlan
from tokonomi.money import CURRENCIES, format_percent
from tokonomi.naming import meant
from tokonomi.plan.money_items import ALL_TOKENS, in_order, is_lump_sum
from tokonomi.plan.price_list import no_rate
from tokonomi.plan.scenario import Cost, Credits, Feature, ModelShare, Scenario, Volume
from tokonomi.plan.workload import counts_calls
from tokonomi.toml_places import Place

Where = Callable[[Place], str]
"""Says where a key stands, such as `coaching.toml:12`."""

SEASON_MONTHS = 12
VOLUME_KEYS = (
    "sessions_per_user",
    "sessions_per_month",
    "sessions_per_day",
    "queries_per_day",
    "calls_per_day",
)


def check(scenario: Scenario, where: Where) -> None:
    """Nothing: the scenario makes sense.

    Raises:
        BadPlan: it does not; the error says where, the numbers, and what to do.
    """
    for place, what, remedy in _problems(scenario):
        raise BadPlan(f"{where(place)}: {what}", remedy=remedy)
    _check_circles(scenario, where)


Problem = tuple[Place, str, str]


def _problems(scenario: Scenario) -> Iterator[Problem]:
    yield from _volume(scenario.volume, needed=bool(scenario.feature or scenario.human))
    yield from _names(scenario)
    for number, feature in enumerate(scenario.feature):
        yield from _feature(feature, ("feature", number))
    for number, cost in enumerate(scenario.cost):
        yield from _cost(cost, scenario, ("cost", number))
    for number, revenue in enumerate(scenario.revenue):
        yield from _per(revenue.per, f'revenue "{revenue.name}"', scenario, ("revenue", number))
    yield from _money(scenario)
    if scenario.credits is not None:
        yield from _credits(scenario.credits)
    if not (scenario.feature or scenario.measured or scenario.cost or scenario.credits):
        yield (), "there is nothing to plan", "Add a [[feature]] with its models, or a [[cost]]."


def _stated(volume: Volume) -> list[str]:
    """The ways in which the number of sessions is stated."""
    return [name for name in VOLUME_KEYS if getattr(volume, name) is not None]


def _volume(volume: Volume, *, needed: bool) -> Iterator[Problem]:
    stated = _stated(volume)
    if len(stated) > 1 or (needed and not stated):
        yield (
            ("volume", *stated[1:2]),
            f"the volume is stated in {len(stated)} ways ({', '.join(stated) or 'none'})",
            f"State exactly one of {', '.join(VOLUME_KEYS)}.",
        )
    if volume.sessions_per_user is not None and volume.users is None:
        yield (
            ("volume", "sessions_per_user"),
            "sessions_per_user stands without users",
            "State users, the monthly active users.",
        )
    if volume.season and len(volume.season) != SEASON_MONTHS:
        yield (
            ("volume", "season"),
            f"season has {len(volume.season)} factors",
            "State twelve, one for each month; 1 is a usual one.",
        )


def _names(scenario: Scenario) -> Iterator[Problem]:
    lists = {"feature": scenario.feature, "cost": scenario.cost, "revenue": scenario.revenue}
    for table, items in lists.items():
        seen: set[str] = set()
        for number, item in enumerate(items):
            if item.name in seen:
                yield (
                    (table, number, "name"),
                    f'two tables [[{table}]] are called "{item.name}"',
                    "Give each a name of its own.",
                )
            seen.add(item.name)


def _feature(feature: Feature, place: Place) -> Iterator[Problem]:
    named = f'feature "{feature.name}"'
    yield from _mix(feature.models, named, place)
    if feature.fallback_share.high > 0 and not feature.fallback:
        yield (
            (*place, "fallback_share"),
            f"{named} falls back on {feature.fallback_share.text} of its calls, and on no model",
            'Name one: fallback = "openai/gpt-5.1".',
        )
    cached = feature.cached_share.high + feature.cache_write_share.high
    if cached > 1:
        both = f"reads {feature.cached_share.text} of its input from a cache and writes"
        what = f"{named} {both} {feature.cache_write_share.text}, more than all of it"
        yield (*place, "cached_share"), what, "Lower one of them: together at most 100%."
    needed = {"window": "window_turns", "summary": "summary_tokens"}.get(feature.history)
    if needed is not None and getattr(feature, needed) is None:
        yield (
            (*place, "history"),
            f'{named} has history = "{feature.history}" and no {needed}',
            f"State {needed}.",
        )


def _mix(models: Sequence[ModelShare], named: str, place: Place) -> Iterator[Problem]:
    where = (*place, "models")
    open_ended = [each for each in models if each.share is None]
    if len(open_ended) > 1:
        yield (
            where,
            f"{named} leaves the share of {len(open_ended)} models open",
            "At most one model may take what the others leave.",
        )
    shares = [each.share for each in models if each.share is not None]
    total = sum((share.high for share in shares), Fraction())
    texts = " + ".join(share.text for share in shares)
    if open_ended and total > 1:
        yield where, f"the shares of {named} are {texts}, more than 100%", "Lower one of them."
    if not open_ended and any(share.uncertain for share in shares):
        yield (
            where,
            f"a share of {named} is uncertain, so that {texts} may not be 100%",
            "Leave one model without a share: it takes what the others leave.",
        )
    elif not open_ended and total != 1:
        shown = format_percent(total, decimals=2)
        yield where, f"the shares of {named} are {texts} = {shown}", "Make them sum to 100%."


def _cost(cost: Cost, scenario: Scenario, place: Place) -> Iterator[Problem]:
    named = f'cost "{cost.name}"'
    ways = (
        cost.amount is not None,
        cost.hours is not None or cost.wage is not None,
        cost.percent is not None or bool(cost.of),
    )
    half = (cost.hours is None) != (cost.wage is None) or (cost.percent is None) == bool(cost.of)
    if sum(ways) != 1 or half:
        yield (
            place,
            f"{named} is not stated in one whole way",
            "State amount, or hours and wage, or percent and of.",
        )
    if cost.name == ALL_TOKENS:
        what = f'no cost can be named "{ALL_TOKENS}", which stands for all tokens'
        yield (*place, "name"), what, 'Choose another name, such as "LLM API".'
    known = [ALL_TOKENS, *(each.name for each in scenario.cost)]
    for name in cost.of:
        if name not in known:
            yield (
                (*place, "of"),
                f'{named} is a part of "{name}", which is no cost',
                meant(name, known),
            )
    for each in scenario.cost:
        if ALL_TOKENS in cost.of and each.name in cost.of and is_lump_sum(each):
            yield (
                (*place, "of"),
                f'{named} is a part of "{each.name}" twice: "{ALL_TOKENS}" includes it',
                f'Leave out "{each.name}".',
            )
    yield from _per(cost.per, named, scenario, place)


def _per(per: str, named: str, scenario: Scenario, place: Place) -> Iterator[Problem]:
    """What is counted by something must find a number of it in the scenario."""
    volume = scenario.volume
    match per:
        case "user" if volume.users is None:
            what, remedy = "volume.users is not stated", "State volume.users, or another per."
        case "session" if not _stated(volume):
            what = "the volume states no sessions"
            remedy = f"State one of {', '.join(VOLUME_KEYS)} in [volume], or another per."
        case "call" if not counts_calls(scenario):
            what = "nothing says how many calls there are"
            remedy = "State volume.calls_per_day, a [[feature]], a [[measured]], or another per."
        case _:
            return
    yield (*place, "per"), f"{named} is per {per}, and {what}", remedy


def _money(scenario: Scenario) -> Iterator[Problem]:
    stated: list[tuple[Place, str]] = [(("plan", "currency"), scenario.plan.currency)]
    for number, each in enumerate(scenario.cost):
        stated.append((("cost", number, "currency"), each.currency or scenario.plan.currency))
    for number, each in enumerate(scenario.revenue):
        stated.append((("revenue", number, "currency"), each.currency or scenario.plan.currency))
    for number, each in enumerate(scenario.exchange):
        stated += [(("exchange", number, key), getattr(each, key)) for key in ("base", "quote")]
        if each.rate.low <= 0:
            yield (
                ("exchange", number, "rate"),
                f"an exchange rate of {each.rate.text} {each.base}/{each.quote}",
                "State a rate above 0.",
            )
    for place, code in stated:
        if code not in CURRENCIES:
            yield place, f'unknown currency "{code}"', f"Use one of {', '.join(CURRENCIES)}."
        elif place[0] in {"cost", "revenue"} and not _converts(code, scenario):
            yield place, *no_rate(code, scenario.plan.currency)
    for number, each in enumerate(scenario.correlation):
        if not -1 <= each.rank.low <= each.rank.high <= 1:
            yield (
                ("correlation", number, "rank"),
                f"a correlation of {each.rank.text}",
                "It lies between -1 and 1.",
            )


def _converts(code: str, scenario: Scenario) -> bool:
    """Whether amounts in a currency have a rate to the plan's."""
    wanted = scenario.plan.currency
    return code == wanted or any(
        {each.base, each.quote} == {code, wanted} for each in scenario.exchange
    )


def _credits(credit: Credits) -> Iterator[Problem]:
    if credit.target_margin is not None and credit.target_margin.high == 1:
        yield (
            ("credits", "target_margin"),
            f"a target margin of {credit.target_margin.text}, which no price reaches",
            "State one below 100%.",
        )
    known = [credit.primary, credit.fallback, credit.previous or "", *credit.candidates]
    for model in credit.reasoning_per_output:
        if model not in known:
            yield (
                ("credits", "reasoning_per_output"),
                f'"{model}" has hidden tokens and is not compared',
                meant(model, [name for name in known if name]),
            )


def _check_circles(scenario: Scenario, where: Where) -> None:
    try:
        in_order(scenario.cost)
    except BadPlan as wrong:
        raise BadPlan(f"{where(('cost', 0))}: {wrong.what}", remedy=wrong.remedy) from None
