"""What templates and commands say for figures of the seed documents, by the figure's id."""

from collections.abc import Callable
from fractions import Fraction
from functools import cache

from tokonomi.plan.credit_costs import ALL_OUTPUT, Shop
from tokonomi.plan.energy import used
from tokonomi.plan.evaluate import Month, ends_of
from tokonomi.plan.savings import Saved, added, compounded
from tokonomi.plans import Plan
from tokonomi.pricing.row import Meter, PriceRow

Said = Callable[[], Fraction]
SAID: dict[str, Said] = {}
PERCENT = 100
MISTRAL, GPT_4O = "seed-000/mistral-medium-3.1", "seed-000/gpt-4o"
PRIMARY, FALLBACK, FORMER = "seed-001/gemini-2.5-flash", "seed-001/gpt-5.1", "seed-001/gpt-4o"
PACKAGES = ("Paper", "Extension S", "Extension M")


@cache
def template(name: str, **values: str) -> Plan:
    """A template with other values; `__` stands for the dot of a path."""
    return Plan.template(name).with_values(
        {path.replace("__", "."): value for path, value in values.items()}
    )


def cell(plan: Plan, section: str, names: tuple[str, ...], column: str) -> Fraction:
    """A figure of a plan's tables: the row that begins with these names, and the column."""
    statement = plan.sections()[section]
    place = [each.name for each in statement.columns].index(column)
    [row] = [row for row in statement.rows if row[: len(names)] == names]
    value = row[place]
    assert isinstance(value, Fraction | int)
    return Fraction(value)


def sessions_of(month: Month) -> Fraction:
    """The sessions of a month that counts them."""
    assert month.scale.sessions is not None
    return month.scale.sessions


def cost(month: Month, **wanted: str) -> Fraction:
    """The cost of the lines whose fields are these."""
    lines = (line for line in month.lines if all(getattr(line, k) == v for k, v in wanted.items()))
    return month.total(lines).fraction()


def tokens(month: Month, **wanted: str) -> Fraction:
    """The tokens of the lines whose fields are these."""
    counts = [
        line.tokens
        for line in month.lines
        if line.tokens is not None and all(getattr(line, k) == v for k, v in wanted.items())
    ]
    return sum(counts, Fraction())


def rate(model: str, meter: Meter) -> Fraction:
    """What a million tokens cost, as the price book states it."""
    row = template("coaching-app").prices.row(model)
    assert isinstance(row, PriceRow)
    return Fraction(row.rates[meter].text)


def coaching() -> None:
    """Seed 000."""
    plan = template("coaching-app")
    month = plan.month
    sessions = {MISTRAL: 4_000, GPT_4O: 1_000}
    SAID["000-001"] = lambda: cell(plan, "summary", ("session",), "count")
    SAID["000-002"] = lambda: tokens(month) / sessions_of(month)
    SAID["000-003"] = lambda: tokens(month)
    SAID["000-004"] = lambda: (
        PERCENT
        * sum((cell(plan, "models", (model,), "input") for model in sessions), Fraction())
        / tokens(month, component="message")
    )
    for number, model in enumerate(sessions):
        SAID[f"000-00{5 + number}"] = lambda model=model: (
            tokens(month, model=model, component="message") / 200
        )
        first = 7 + 3 * number
        SAID[f"000-{first:03}"] = lambda model=model: (
            cost(month, model=model, component="message") / sessions[model]
        )
        SAID[f"000-{first + 1:03}"] = lambda model=model: (
            cost(month, model=model, component="output") / sessions[model]
        )
        SAID[f"000-{first + 2:03}"] = lambda model=model: cost(month, model=model) / sessions[model]
        SAID[f"000-{13 + number:03}"] = lambda model=model: cell(plan, "models", (model,), "cost")
    SAID["000-015"] = lambda: cell(plan, "summary", ("month",), "cost")
    strong = {
        "feature__coaching__models__0__share": "0%",
        "feature__coaching__models__1__share": "100%",
    }
    cheap = {
        "feature__coaching__models__0__share": "100%",
        "feature__coaching__models__1__share": "0%",
    }
    SAID["000-016"] = template("coaching-app", **strong).month.cost.fraction
    SAID["000-017"] = template("coaching-app", **cheap).month.cost.fraction
    SAID["000-018"] = lambda: PERCENT * (1 - month.cost.fraction() / SAID["000-016"]())
    SAID["000-019"] = lambda: PERCENT * cell(plan, "models", (GPT_4O,), "share")
    SAID["000-020"] = lambda: cell(plan, "summary", ("session",), "cost")
    SAID["000-021"] = lambda: cell(plan, "summary", ("user",), "cost")
    SAID["000-022"] = lambda: month.cost.fraction() / tokens(month) * 10**6


def papers() -> None:
    """Seed 001: rates, packages, margins, savings."""
    plan = template("paper-credits")
    for number, model in enumerate((FALLBACK, FORMER, PRIMARY)):
        for place, column in enumerate(("input_per_thousand", "output_per_thousand")):
            SAID[f"001-{1 + 2 * number + place:03}"] = lambda model=model, column=column: cell(
                plan, "rates", (model,), column
            )
    columns = ("input_cost", "output_cost", "cost")
    for number, package in enumerate(PACKAGES):
        key = (package, FALLBACK)
        SAID[f"001-{7 + number:03}"] = lambda key=key: cell(plan, "packages", key, "tokens")
        for start, model in ((10, FALLBACK), (19, PRIMARY), (28, FORMER)):
            for place, column in enumerate(columns):
                SAID[f"001-{start + 3 * number + place:03}"] = (
                    lambda key=(package, model), column=column: cell(plan, "packages", key, column)
                )
        for start, model in ((37, FALLBACK), (41, PRIMARY)):
            SAID[f"001-{start + number:03}"] = lambda key=(package, model): (
                PERCENT * cell(plan, "margins", key, "margin")
            )
        SAID[f"001-{48 + 2 * number:03}"] = lambda name=package: cell(
            plan, "previous", (name,), "saved"
        )
        SAID[f"001-{49 + 2 * number:03}"] = lambda name=package: (
            PERCENT * cell(plan, "previous", (name,), "saved_share")
        )
        SAID[f"001-{62 + number:03}"] = lambda key=key: (
            PERCENT * cell(plan, "margins", key, "worst_margin")
        )
    SAID["001-040"] = lambda: PERCENT * cell(plan, "margins", ("Paper", FORMER), "margin")
    for number, key in enumerate(
        (
            ("Paper", FALLBACK),
            ("Paper", FORMER),
            ("Extension S", FALLBACK),
            ("Extension M", FALLBACK),
        )
    ):
        SAID[f"001-{44 + number:03}"] = lambda key=key: (
            PERCENT * cell(plan, "margins", key, "against")
        )
    SAID["001-065"] = lambda: PERCENT * cell(plan, "margins", ("Paper", PRIMARY), "worst_margin")
    SAID["001-066"] = lambda: (
        PERCENT * cell(plan, "margins", ("Extension S", PRIMARY), "worst_margin")
    )


def models_of_papers() -> None:
    """Seed 001: the models beside each other."""
    plan = template("paper-credits")
    as_before = template("paper-credits", credits__fallback=FORMER, credits__candidates__0=FALLBACK)
    SAID["001-054"] = SAID["001-056"] = SAID["001-049"]
    SAID["001-057"] = lambda: -PERCENT * cell(as_before, "candidates", (FALLBACK,), "input_against")
    SAID["001-058"] = lambda: 1 + cell(plan, "candidates", (FORMER,), "output_against")
    SAID["001-059"] = lambda: (
        PERCENT * cell(plan, "candidates", ("seed-001/gpt-5.2",), "output_against")
    )
    SAID["001-060"] = lambda: cell(plan, "rates", (FALLBACK,), "input_against")
    SAID["001-061"] = lambda: cell(plan, "rates", (FALLBACK,), "output_against")


def choices_of_papers() -> None:
    """Seed 001: mixes, fallback rates, buffers, alerts, exchange rates."""
    plan = template("paper-credits")

    def shop() -> Shop:
        found = plan.shop
        assert found is not None
        return found

    def margin(share: Fraction) -> Fraction:
        paper = shop().packages[0]
        revenue = shop().revenue(paper)
        return PERCENT * (revenue - shop().cost(paper, FALLBACK, share).total) / revenue

    SAID["001-067"] = lambda: margin(Fraction(2, 3))
    assert margin(ALL_OUTPUT) == 40
    for figure, share, column in (
        ("001-068", Fraction(5, 100), "extra"),
        ("001-069", Fraction(15, 100), "extra"),
        ("001-074", Fraction(5, 100), "of_the_bill"),
        ("001-075", Fraction(15, 100), "of_the_bill"),
        ("001-085", Fraction(5, 100), "margin"),
    ):
        key = ("Paper", share)
        SAID[figure] = lambda key=key, column=column: (
            PERCENT * row_of(plan, "fallback", key, column)
        )
    for number, percent in enumerate((2, 5, 20)):
        key = (Fraction(percent, 100),)
        SAID[f"001-{70 + number:03}"] = lambda key=key: (
            PERCENT * row_of(plan, "buffers", key, "share")
        )
    SAID["001-073"] = lambda: row_of(plan, "buffers", (Fraction(1, 5),), "days")
    SAID["001-076"] = lambda: row_of(plan, "alerts", ("Paper", Fraction(100_000)), "packages")
    SAID["001-077"] = lambda: row_of(plan, "alerts", ("Paper", Fraction(500_000)), "packages")
    for number, package in enumerate(PACKAGES):
        SAID[f"001-{78 + number:03}"] = lambda name=package: cell(
            plan, "prices", (name, FALLBACK), "price_per_credit"
        )
    SAID["001-081"] = lambda: cell(plan, "prices", ("Paper", FALLBACK), "cost_per_credit")
    SAID["001-082"] = lambda: cell(plan, "prices", ("Paper", PRIMARY), "cost_per_credit")
    SAID["001-083"] = lambda: cell(plan, "limits", ("Paper", FALLBACK), "rate")
    SAID["001-084"] = lambda: (
        PERCENT * row_of(plan, "exchange", ("Paper", Fraction(1, 10)), "margin")
    )


def row_of(plan: Plan, section: str, key: tuple[object, ...], column: str) -> Fraction:
    """As `cell`, where figures are part of the key."""
    statement = plan.sections()[section]
    place = [each.name for each in statement.columns].index(column)
    [row] = [row for row in statement.rows if row[: len(key)] == key]
    value = row[place]
    assert isinstance(value, Fraction)
    return value


def bot() -> None:
    """Seed 002."""
    plan = template("production-bot")
    month = plan.month
    energy = plan.scenario.energy
    assert energy is not None
    run = used(energy)
    answers = sessions_of(month)
    SAID["002-001"] = lambda: cell(plan, "energy", ("seconds of the run",), "value")
    SAID["002-002"] = lambda: cell(plan, "energy", ("tokens a watt-second",), "value")
    SAID["002-004"] = lambda: cell(plan, "energy", ("tokens a kilowatt-hour",), "value")
    SAID["002-005"] = lambda: run.cost_per_token
    SAID["002-007"] = lambda: tokens(month, feature="response") / answers / Fraction(6, 5)
    SAID["002-008"] = lambda: cell(plan, "features", ("response",), "cost") / answers
    SAID["002-009"] = lambda: cell(plan, "features", ("guardrail",), "cost") / answers
    SAID["002-010"] = lambda: cell(plan, "summary", ("response",), "cost")
    SAID["002-012"] = lambda: cell(plan, "energy", ("tokens a request",), "value")
    SAID["002-013"] = lambda: cell(plan, "energy", ("energy of a request",), "cost")
    SAID["002-015"] = lambda: cell(plan, "energy", ("tokens a unit of money",), "value")


def support() -> None:
    """Seed 003: token math and the support agent."""
    plan = template("support-agent")
    day = template("support-agent", volume__days_per_month="1").month
    month = plan.month
    SAID["003-004"] = lambda: (
        PERCENT * sum((line.sub_units for line in month.lines), 0) / Fraction(month.cost.sub_units)
    )
    SAID["003-029"] = lambda: tokens(day, component="system prompt")
    SAID["003-030"] = lambda: cost(day, component="system prompt")
    SAID["003-031"] = lambda: cell(plan, "components", ("system prompt",), "cost")
    for figure, size in (("003-036", "1000"), ("003-037", "3000")):
        found = {"volume__days_per_month": "1", "feature__answers__rag_chunks": "1"}
        found["feature__answers__chunk_tokens"] = size
        SAID[figure] = lambda found=found: cost(
            template("support-agent", **found).month, component="retrieved text"
        )
    SAID["003-055"] = lambda: cell(plan, "summary", ("month",), "tokens_alone")
    SAID["003-057"] = SAID["003-061"] = lambda: cell(plan, "summary", ("month",), "cost")
    SAID["003-058"] = lambda: month.cost.fraction() / sessions_of(month)
    SAID["003-059"] = lambda: PERCENT * cell(plan, "features", ("answers",), "share")
    SAID["003-060"] = lambda: PERCENT * cell(plan, "components", ("engineering",), "share")
    SAID["003-064"] = lambda: cell(plan, "people", ("cheapest",), "times")
    SAID["003-065"] = lambda: cell(plan, "people", ("dearest",), "times")
    SAID["003-063"] = lambda: cell(plan, "people", ("dearest",), "cost_per_item")
    SAID["003-066"] = lambda: cost(month, component="embeddings") / sessions_of(month)
    SAID["003-129"] = lambda: (
        1_800 + cost(template("support-agent", plan__buffer="30%").month, component="buffer")
    )


def conversations() -> None:
    """Seed 003: what five turns send against one."""

    def input_tokens(turns: int, **values: str) -> Fraction:
        stated = {f"feature__answers__{name}": value for name, value in values.items()}
        month = template("support-agent", feature__answers__turns=str(turns), **stated).month
        return tokens(month)

    alone = {"system_tokens": "0", "history": "none"}
    SAID["003-032"] = lambda: input_tokens(5, **alone) / input_tokens(1, **alone)
    plain = {"system_tokens": "0"}
    SAID["003-033"] = lambda: input_tokens(5, **plain) / input_tokens(1, **plain)


def use_cases() -> None:
    """Seed 003: the content pipeline, the voice agent, and techniques that save."""
    content, priced = template("content-pipeline"), template("content-pipeline-priced")
    SAID["003-067"] = lambda: cell(priced, "summary", ("month",), "tokens_alone")
    SAID["003-071"] = lambda: cell(content, "summary", ("month",), "cost")
    SAID["003-072"] = lambda: cell(content, "summary", ("document",), "cost")
    SAID["003-073"] = lambda: cell(priced, "summary", ("month",), "cost")
    SAID["003-074"] = lambda: cell(priced, "summary", ("document",), "cost")
    SAID["003-075"] = lambda: PERCENT * cell(content, "components", ("llm",), "share")
    voice = template("voice-agent")
    for number, end in enumerate(("low", "high")):
        SAID[f"003-{77 + number:03}"] = lambda end=end: cell(voice, "ends", ("month",), end)
        SAID[f"003-{79 + number:03}"] = lambda end=end: (
            cell(voice, "ends", ("month",), end) / 15_000
        )
    techniques = template("support-agent").scenario.saving
    together, summed = compounded(techniques), added(techniques)
    SAID["003-089"] = lambda: PERCENT * together.low
    SAID["003-090"] = lambda: PERCENT * together.high
    SAID["003-091"] = lambda: PERCENT * summed.low
    SAID["003-092"] = lambda: PERCENT * summed.high
    SAID["003-093"] = lambda: PERCENT * of_forty_percent(together).low
    SAID["003-094"] = lambda: PERCENT * of_forty_percent(together).high


def stack() -> None:
    """Seed 003: the full cost stack."""
    plan = template("full-cost-stack")
    low, high = ends_of(plan.scenario, plan.prices)
    SAID["003-009"] = lambda: cell(plan, "ends", ("month",), "low")
    SAID["003-010"] = lambda: cell(plan, "ends", ("month",), "high")
    for number, layer in enumerate(each.name for each in plan.scenario.cost):
        for place, month in enumerate((low, high)):
            SAID[f"003-{11 + 2 * number + place:03}"] = lambda month=month, layer=layer: (
                PERCENT * cost(month, feature=layer) / month.cost.fraction()
            )


def building() -> None:
    """Seed 003: build or buy."""
    plan = template("build-or-buy")
    busy = {"100": "144000", "200": "288000", "30": "43200", "50": "72000"}

    def by_interface(rate: str) -> Fraction:
        return template("build-or-buy", volume__queries_per_day=busy[rate]).month.cost.fraction()

    SAID["003-105"] = lambda: by_interface("200")
    SAID["003-106"] = lambda: by_interface("100")
    SAID["003-110"] = lambda: by_interface("30")
    SAID["003-111"] = lambda: by_interface("50")
    rent = template("build-or-buy", self_host__engineering="0")
    SAID["003-108"] = lambda: row_of(rent, "crossover", ("at the means",), "low")
    SAID["003-109"] = lambda: row_of(rent, "crossover", ("at the means",), "per_day")
    SAID["003-114"] = lambda: row_of(plan, "crossover", ("best for machines",), "low")
    SAID["003-115"] = lambda: row_of(plan, "crossover", ("worst for machines",), "low")
    for figure, scale in (("003-122", 1_000), ("003-123", 50_000), ("003-124", 500_000)):
        key = (Fraction(scale),)
        SAID[figure] = lambda key=key: row_of(plan, "scales", key, "interface")
    for number, (multiplier, place) in enumerate(
        ((Fraction(3, 2), 1), (Fraction(3, 2), 2), (Fraction(2), 1), (Fraction(2), 2))
    ):
        key, column = (multiplier,), f"needed_{place}"
        SAID[f"003-{134 + number}"] = lambda key=key, column=column: (
            PERCENT * row_of(plan, "fine_tuning", key, column)
        )


def of_forty_percent(saved: Saved) -> Saved:
    """What is saved of a bill of which 40 % are tokens."""
    return saved.of_the_whole(Fraction(40, 100))


def prices() -> None:
    """Seed 003 and 004: batches, and rates between the documents."""
    batch = {"feature__answers__batch_share": "100%", "feature__answers__batch_multiplier": "1/2"}
    usual = template("support-agent").month.token_cost.fraction()
    SAID["003-097"] = lambda: (
        PERCENT * (1 - template("support-agent", **batch).month.token_cost.fraction() / usual)
    )
    shorter = {"feature__answers__input_tokens": "0", "feature__answers__system_tokens": "2100"}
    SAID["003-086"] = lambda: (
        PERCENT
        * (
            1
            - template(
                "support-agent", **{**shorter, "feature__answers__system_tokens": "890"}
            ).month.token_cost.fraction()
            / template("support-agent", **shorter).month.token_cost.fraction()
        )
    )
    names = ("gpt-4o-mini", "gpt-4o", "gpt-4-turbo")
    for number, name in enumerate(names):
        for place, meter in enumerate((Meter.INPUT, Meter.OUTPUT)):
            SAID[f"004-{1 + 2 * number + place:03}"] = lambda name=name, meter=meter: rate(
                f"seed-004/{name}", meter
            )
    for number, (one, other, meter) in enumerate(
        (
            ("seed-001/gpt-4o", "seed-004/gpt-4o", Meter.INPUT),
            ("seed-001/gpt-4o", "seed-004/gpt-4o", Meter.OUTPUT),
            ("seed-003/gpt-4o", "seed-001/gpt-4o", Meter.INPUT),
            ("seed-003/gpt-4o-mini", "seed-004/gpt-4o-mini", Meter.INPUT),
            ("seed-004/claude-3-haiku", "seed-003/haiku", Meter.INPUT),
            ("seed-004/claude-3-5-sonnet", "seed-003/sonnet", Meter.INPUT),
        ),
        1,
    ):
        SAID[f"cross-{number:03}"] = lambda one=one, other=other, meter=meter: (
            rate(one, meter) / rate(other, meter)
        )


for chapter in (
    coaching,
    papers,
    models_of_papers,
    choices_of_papers,
    bot,
    support,
    conversations,
    use_cases,
    stack,
    building,
    prices,
):
    chapter()
