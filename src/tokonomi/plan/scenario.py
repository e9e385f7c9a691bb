"""A scenario: everything that a plan assumes, typed. The one definition of the file's form.

Each table of the TOML file is one class here. Its fields are the keys that may stand there; the
JSON Schema for editors and the page of the reference are made from the same classes.
"""

from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Literal

import msgspec

from tokonomi.credits.package import CreditTable, PackageTable
from tokonomi.plan.quantity import Factor, Natural, Positive, Quantity, Rate, Share
from tokonomi.plan.table import ALL, NONE, ONE, ZERO, Currency, Months, Table, Text, default


class Category(StrEnum):
    """What a cost that is no token is for: the layers of the full stack."""

    PLATFORM = "platform"
    ENGINEERING = "engineering"
    INFRASTRUCTURE = "infrastructure"
    MONITORING = "monitoring"
    EVALUATION = "evaluation"
    EMBEDDINGS = "embeddings"
    VECTOR_DATABASE = "vector database"
    TELEPHONY = "telephony"
    HUMAN_REVIEW = "human review"
    TRAINING = "training"
    LLM = "llm"
    OTHER = "other costs"


class Part(StrEnum):
    """What the tokens of a call are: the parts of its input and of its output."""

    SYSTEM = "system prompt"
    MESSAGE = "message"
    HISTORY = "history"
    RETRIEVED = "retrieved text"
    TOOLS = "tool results"
    SUMMARY = "summaries"
    OUTPUT = "output"
    REASONING = "reasoning"
    FEES = "fees"


INPUT_PARTS = (Part.SYSTEM, Part.MESSAGE, Part.HISTORY, Part.RETRIEVED, Part.TOOLS, Part.SUMMARY)


class Notes(Table, frozen=True, kw_only=True):
    """What is to be said beside the result, in each language.

    Attributes:
        en: sentences in English.
        id: the same sentences in Indonesian, in the same order.
    """

    en: tuple[str, ...] = ()
    id: tuple[str, ...] = ()


class Plan(Table, frozen=True, kw_only=True):
    """What the plan is called and how its result is stated.

    Attributes:
        name: what readers see.
        at: the date of its prices.
        currency: of the result.
        buffer: added to all cost of tokens, for growth of contexts, retries and edge cases.
        budget: an amount a month; the chance of going over it is told.
        months: how many months the projection has.
        notes: what is to be said beside the result.
    """

    name: Text
    at: date
    currency: Currency = "USD"
    buffer: Share = default(NONE)
    budget: Natural | None = None
    months: Months = 1
    notes: Notes = Notes()


class Volume(Table, frozen=True, kw_only=True):
    """How much there is of it: one of the five ways of saying it; none where nothing is counted so.

    Attributes:
        users: monthly active users; with `sessions_per_user` they make the sessions.
        sessions_per_user: sessions of one user in a month.
        sessions_per_month: sessions in a month.
        sessions_per_day: sessions in a day.
        queries_per_day: the same, where a session is one query.
        calls_per_day: the same, where a session is one call.
        unit: what one session is: session, query, document, call.
        days_per_month: days with traffic.
        growth_per_month: of the number of sessions and of users.
        season: factors of both in twelve months, the first of which is the first of the plan.
    """

    users: Natural | None = None
    sessions_per_user: Natural | None = None
    sessions_per_month: Natural | None = None
    sessions_per_day: Natural | None = None
    queries_per_day: Natural | None = None
    calls_per_day: Natural | None = None
    unit: Text | None = None
    days_per_month: Annotated[int, msgspec.Meta(ge=1, le=31)] = 30
    growth_per_month: Rate = default(Rate.of(0))
    season: tuple[Factor, ...] = ()


class ModelShare(Table, frozen=True, kw_only=True):
    """A model and the part of a feature's calls that it answers.

    Attributes:
        model: as `provider/model`, by any name that the price book knows.
        share: of the calls; without it, what the others leave.
        tier: the service tier that is bought.
        price_multiplier: of a fine-tuned model, against the listed price.
        system_tokens: its own system prompt, when it needs another one.
    """

    model: Text
    share: Share | None = None
    tier: Text = "standard"
    price_multiplier: Factor = default(Factor.of(1))
    system_tokens: Natural | None = None


class Feature(Table, frozen=True, kw_only=True):
    """A kind of conversation: what its calls carry and who answers them; tokens are a turn's.

    Attributes:
        name: what readers see.
        share: of the sessions that have it.
        uses: how often a session that has it has it.
        turns: calls of one use; each turn is a message and its answer.
        history: what of the former turns is sent again.
        window_turns: former turns that `window` sends again.
        summary_tokens: length of the summary that `summary` sends instead, written after each turn.
        system_tokens: system prompt, sent with every turn.
        input_tokens: the user's message.
        rag_chunks: retrieved chunks of a turn.
        chunk_tokens: length of one.
        tool_tokens: results of tools in a turn.
        output_tokens: the visible answer.
        reasoning_tokens: hidden thinking, billed as output.
        searches: billable web searches of a turn.
        cached_share: of the cacheable input, read from a cache.
        cache_write_share: of the cacheable input, written to a cache.
        cached_parts: the parts of the input that can be cached.
        attempts: attempts per accepted answer; every one of them is billed.
        batch_share: of the calls, sent through a batch interface.
        batch_multiplier: price of a batch against the listed one, such as "50%"; without it the
            price book must know a price for batches.
        fallback: the model that answers when the others fail.
        fallback_share: of the calls.
        models: who answers; their shares sum to 1.
    """

    name: Text
    models: Annotated[tuple[ModelShare, ...], msgspec.Meta(min_length=1)]
    share: Share = default(ALL)
    uses: Natural = default(Natural.of(1))
    turns: Positive = default(ONE)
    history: Literal["full", "window", "summary", "none"] = "full"
    window_turns: Natural | None = None
    summary_tokens: Natural | None = None
    system_tokens: Natural = default(ZERO)
    input_tokens: Natural = default(ZERO)
    rag_chunks: Natural = default(ZERO)
    chunk_tokens: Natural = default(ZERO)
    tool_tokens: Natural = default(ZERO)
    output_tokens: Natural = default(ZERO)
    reasoning_tokens: Natural = default(ZERO)
    searches: Natural = default(ZERO)
    cached_share: Share = default(NONE)
    cache_write_share: Share = default(NONE)
    cached_parts: tuple[Literal["system", "message", "history", "retrieved", "tools"], ...] = (
        "system",
        "history",
    )
    attempts: Positive = default(ONE)
    batch_share: Share = default(NONE)
    batch_multiplier: Factor | None = None
    fallback: str | None = None
    fallback_share: Share = default(NONE)


class Measured(Table, frozen=True, kw_only=True):
    """Calls that were counted: totals of a group of calls with one price.

    Attributes:
        model: as `provider/model`.
        calls: how many.
        feature: what readers see.
        tier: the service tier that served them.
        batch: whether they went through a batch interface.
        context_tokens: input tokens that choose the context tier of each of them.
        uncached_input: tokens of all of them together; so are the other counts.
        cache_read: read from a cache.
        cache_read_audio: of audio, read from a cache.
        cache_write_5m: written to a cache for five minutes.
        cache_write_1h: written to a cache for an hour.
        audio_in: of audio, sent.
        image_in: of images, sent.
        output: of answers, reasoning among them.
        reasoning: of hidden thinking, a part of `output`.
        audio_out: of audio, answered.
        image_out: of images, answered.
        searches: billable web searches.
        requests: billable requests, where a request as such has a price.
    """

    model: Text
    calls: Annotated[int, msgspec.Meta(ge=1)]
    feature: Text = "measured"
    tier: Text = "standard"
    batch: bool = False
    context_tokens: Annotated[int, msgspec.Meta(ge=0)] = 0
    uncached_input: Annotated[int, msgspec.Meta(ge=0)] = 0
    cache_read: Annotated[int, msgspec.Meta(ge=0)] = 0
    cache_read_audio: Annotated[int, msgspec.Meta(ge=0)] = 0
    cache_write_5m: Annotated[int, msgspec.Meta(ge=0)] = 0
    cache_write_1h: Annotated[int, msgspec.Meta(ge=0)] = 0
    audio_in: Annotated[int, msgspec.Meta(ge=0)] = 0
    image_in: Annotated[int, msgspec.Meta(ge=0)] = 0
    output: Annotated[int, msgspec.Meta(ge=0)] = 0
    reasoning: Annotated[int, msgspec.Meta(ge=0)] = 0
    audio_out: Annotated[int, msgspec.Meta(ge=0)] = 0
    image_out: Annotated[int, msgspec.Meta(ge=0)] = 0
    searches: Annotated[int, msgspec.Meta(ge=0)] = 0
    requests: Annotated[int, msgspec.Meta(ge=0)] = 0


class Cost(Table, frozen=True, kw_only=True):
    """A cost that is no token.

    Attributes:
        name: what readers see.
        category: the layer of the stack that it belongs to.
        amount: for each of `per`.
        hours: of work for each of `per`, at `wage`, instead of an amount.
        wage: of an hour.
        percent: of the costs named in `of`, instead of an amount.
        of: names of other costs, or "llm" for all tokens and the lump sums for them.
        per: what it is counted by; "once" is spread over `spread_months`, and over after them.
        share: of those that have it, such as the documents that people check.
        currency: of the amount or the wage; the plan's when not given.
        spread_months: over which a cost that is paid once is spread, from the plan's first.
    """

    name: Text
    category: Category = Category.OTHER
    amount: Natural | None = None
    hours: Natural | None = None
    wage: Natural | None = None
    percent: Factor | None = None
    of: tuple[Text, ...] = ()
    per: Literal["month", "day", "user", "session", "call", "once"] = "month"
    share: Share = default(ALL)
    currency: Currency | None = None
    spread_months: Months = 12


class Revenue(Table, frozen=True, kw_only=True):
    """Money that comes in.

    Attributes:
        name: what readers see.
        price: for each of `per`.
        per: what it is counted by.
        share: of those that pay.
        currency: of the price; the plan's when not given.
    """

    name: Text
    price: Natural
    per: Literal["month", "day", "user", "session", "call"] = "user"
    share: Share = default(ALL)
    currency: Currency | None = None


class Exchange(Table, frozen=True, kw_only=True):
    """What one unit of a currency buys of another on a day, with where that was read.

    Attributes:
        base: the currency of which one unit is meant.
        quote: the currency that it buys.
        rate: units of `quote` for one of `base`.
        on: the day of the rate.
        source: where it was read.
    """

    base: Currency
    quote: Currency
    rate: Natural
    on: date
    source: Text


class Correlation(Table, frozen=True, kw_only=True):
    """Two uncertain numbers that move together.

    Attributes:
        a: path of one, such as `volume.users` or `feature.chat.turns`.
        b: path of the other.
        rank: their rank correlation, from -1 to 1.
    """

    a: Text
    b: Text
    rank: Quantity


class Credits(Table, frozen=True, kw_only=True):
    """What packages of credits cost and leave, by provider and by mix of tokens.

    Attributes:
        packages: ids of packages, the bundled or your own, in their order.
        primary: the model that answers as a rule.
        fallback: the model that answers when it fails.
        previous: the fallback that it replaced.
        candidates: other models to compare.
        output_share: of a package's tokens, in the mix that is taken as usual.
        mixes: further shares of output.
        reasoning_per_output: hidden tokens per visible output token, by candidate that reasons.
        fallback_shares: of the requests, to look at.
        buffers: parts of the budget that are kept for fallback, to look at.
        exchange_moves: changes of the exchange rate, to look at.
        daily_alerts: amounts of fallback a day at which somebody is told.
        target_margin: for which prices are recommended.
        price_step: to which recommended prices are rounded up.
    """

    packages: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    primary: Text
    fallback: Text
    previous: Text | None = None
    candidates: tuple[Text, ...] = ()
    output_share: Share = default(Share.of(Fraction(1, 2)))
    mixes: tuple[Share, ...] = ()
    reasoning_per_output: dict[str, Natural] = msgspec.field(default_factory=dict[str, Natural])
    fallback_shares: tuple[Share, ...] = ()
    buffers: tuple[Share, ...] = ()
    exchange_moves: tuple[Rate, ...] = ()
    daily_alerts: tuple[Natural, ...] = ()
    target_margin: Share | None = None
    price_step: Positive = default(ONE)


class Human(Table, frozen=True, kw_only=True):
    """People who do the same work.

    Attributes:
        monthly_cost: of one person.
        items_per_day: that one person finishes.
    """

    monthly_cost: Natural
    items_per_day: Positive


class Saving(Table, frozen=True, kw_only=True):
    """A technique that makes tokens cheaper by a part; several compound, they do not add up.

    Attributes:
        name: what readers see.
        share: of the cost of tokens, saved.
    """

    name: Text
    share: Share


class SelfHost(Table, frozen=True, kw_only=True):
    """Running the model oneself, against the interface that `feature` is planned for.

    Attributes:
        replica_cost: of one replica in a month.
        requests_per_minute: that one replica sustains.
        engineering: fixed cost in a month, however many replicas there are.
        cost_per_request: energy and the like.
        most_replicas: to look at.
        peak_factor: busiest minute against the mean one.
        weights_gb: size of the model's weights.
        memory_gb: of one replica.
        scales: queries a day to look at.
    """

    replica_cost: Natural
    requests_per_minute: Positive
    engineering: Natural = default(ZERO)
    cost_per_request: Natural = default(ZERO)
    most_replicas: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 8
    peak_factor: Positive = default(ONE)
    weights_gb: Natural | None = None
    memory_gb: Natural | None = None
    scales: tuple[Natural, ...] = ()


class FineTune(Table, frozen=True, kw_only=True):
    """A fine-tuned model instead of the listed one.

    Attributes:
        price_multiplier: of its tokens.
        token_reduction: part of the tokens that it does not need.
        training_cost: paid once.
        spread_months: over which training is spread.
        upkeep: cost in a month.
        target_savings: net parts of the bill, to look at.
    """

    price_multiplier: Factor
    token_reduction: Share
    training_cost: Natural = default(ZERO)
    spread_months: Months = 12
    upkeep: Natural = default(ZERO)
    target_savings: tuple[Share, ...] = ()


class Energy(Table, frozen=True, kw_only=True):
    """Electricity of machines that make tokens: what one token of theirs takes and costs.

    Attributes:
        tokens_per_second: that the machines make.
        watts: that they draw, servers and all.
        price_per_kwh: in the plan's currency.
        hours: of the run that is looked at.
        requests: that were answered in it.
    """

    tokens_per_second: Natural
    watts: Positive
    price_per_kwh: Natural
    hours: Natural = default(Natural.of(1))
    requests: Natural | None = None


class Scenario(Table, frozen=True, kw_only=True):
    """The whole file.

    Attributes:
        plan: its name, date, currency, buffer and notes.
        volume: how much there is of it.
        extends: a template's name, or a file beside this one, whose keys hold where this has none.
        feature: kinds of conversations, priced by their tokens.
        measured: calls that were counted, priced by their tokens.
        cost: what is no token.
        revenue: what comes in.
        exchange: rates between currencies.
        correlation: uncertain numbers that move together.
        saving: techniques that make tokens cheaper.
        credits: packages that are sold.
        package: your own packages, instead of the bundled ones; the form is that of their file.
        credit: what a credit of packages is, instead of the bundled 1,000 tokens.
        human: people who do the same work.
        self_host: running the model oneself.
        fine_tune: a fine-tuned model instead.
        energy: electricity of machines that make tokens.
    """

    plan: Plan
    volume: Volume = default(Volume())
    extends: str | None = None
    feature: tuple[Feature, ...] = ()
    measured: tuple[Measured, ...] = ()
    cost: tuple[Cost, ...] = ()
    revenue: tuple[Revenue, ...] = ()
    exchange: tuple[Exchange, ...] = ()
    correlation: tuple[Correlation, ...] = ()
    saving: tuple[Saving, ...] = ()
    credits: Credits | None = None
    package: tuple[PackageTable, ...] = ()
    credit: CreditTable | None = None
    human: Human | None = None
    self_host: SelfHost | None = None
    fine_tune: FineTune | None = None
    energy: Energy | None = None
