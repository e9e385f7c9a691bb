"""Laws of prompt analysis: text is never lost, findings lie in it, savings never exceed a bill."""

import json
from datetime import UTC, date, datetime
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tokonomi.errors import BadInput
from tokonomi.money import Money
from tokonomi.pricing.charge import Unpriced
from tokonomi.pricing.row import Comparator, ContextTier, Meter, PriceRow, Rate
from tokonomi.prompts.analyse import analyse
from tokonomi.prompts.finding import Analysis
from tokonomi.prompts.json_text import JsonList, JsonText, parse_json
from tokonomi.prompts.layout import Count
from tokonomi.prompts.model_facts import CacheMinimum
from tokonomi.prompts.place import Lines
from tokonomi.prompts.request import Part, from_json, from_json_lines, from_text
from tokonomi.prompts.savings import Savings, Terms, savings
from tokonomi.prompts.units import units_of
from tokonomi.storage.prompt_files import load_prompt_rules

AT = datetime(2026, 11, 22, tzinfo=UTC)
RULES = load_prompt_rules()
LINES = (
    "Be polite and helpful.",
    "Never promise a delivery date to anybody.",
    "Please never promise anybody a delivery date!",
    "Today is 2026-11-22. You are talking to Ani Wijaya.",
    "Prices hold from 1 January 2026 on.",
    "Session id: {{session}}",
    "- Selalu bersikap sopan.",
    "## Examples",
    "Example 2:",
    "<example>",
    "</example>",
    "## Rules",
    "# Context",
    "```",
    "The shop is open all day, and closed on Sundays. Is it? Yes.",
    "word " * 160,
    "",
    "  ",
    "そうです。はい。",
)
lines = st.sampled_from(LINES) | st.text(max_size=40)
texts = st.lists(lines, min_size=1, max_size=14).map("\n".join).filter(str.strip)


def by_signs(text: str) -> int:
    return len(text)


def by_thirds(text: str) -> int:
    return -(-len(text) // 3)


counts = st.sampled_from([by_signs, by_thirds])
prices = st.integers(0, 20_000).map(lambda cents: f"{cents // 100}.{cents % 100:02d}")


def rate(text: str) -> Rate:
    return Rate.of(text, per=1_000_000, currency="USD")


@st.composite
def rows(draw: st.DrawFn) -> PriceRow:
    meters = {
        Meter.INPUT,
        *draw(st.sets(st.sampled_from((Meter.CACHE_READ, Meter.CACHE_WRITE_5M)))),
    }
    table = {meter: rate(draw(prices)) for meter in sorted(meters)}
    tier = ContextTier(
        draw(st.integers(1, 400)), Comparator.ABOVE, {Meter.INPUT: rate(draw(prices))}
    )
    tiers = (tier,) if draw(st.booleans()) else ()
    return PriceRow("row", "p", "m", "USD", "a law", table, context_tiers=tiers)


minimums = st.builds(
    CacheMinimum,
    label=st.just("l"),
    providers=st.just(("p",)),
    models=st.just(("m",)),
    tokens=st.integers(1, 500),
    step=st.integers(1, 128),
    marking=st.sampled_from(["automatic", "explicit"]),
    source=st.just("a law"),
    read_on=st.just(date(2026, 11, 22)),
)
shares = st.none() | st.fractions(0, 1, max_denominator=1000)


@st.composite
def requests(draw: st.DrawFn) -> str:
    """JSON lines of requests that share most of their text."""
    fixed = draw(st.lists(lines, min_size=1, max_size=6))
    told: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        own = [*fixed[:1], draw(st.text(max_size=10)), *fixed[1:]]
        system = "\n".join(own) if draw(st.integers(0, 5)) else draw(st.text(max_size=60))
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": draw(st.text(max_size=20)) + "?"},
        ]
        tools = [{"name": "find", "description": draw(lines)}] * draw(st.integers(0, 1))
        ascii_ = draw(st.booleans())
        request = {"messages": messages, "tools": tools}
        # Without white space, so that a tool stands in the file as a model gets it.
        told.append(json.dumps(request, ensure_ascii=ascii_, separators=(",", ":")))
    return "\n".join(told)


def amount(saving: Money | Unpriced | None) -> int:
    return saving.sub_units if isinstance(saving, Money) else 0


def sums(found: Savings) -> tuple[int, int]:
    """All savings together, and the bill."""
    return sum(map(amount, (*found.each, found.cache))), amount(found.cost)


@given(text=st.text(), part=st.sampled_from(Part))
def test_the_units_of_a_text_are_all_of_it_and_none_is_empty(text: str, part: Part) -> None:
    units = units_of(text, part, RULES)
    assert "".join(text[unit.start : unit.end] for unit in units) == text
    assert all(unit.start < unit.end for unit in units)


@given(text=texts, count=counts)
def test_every_finding_lies_in_the_text_and_none_overlaps_another(text: str, count: Count) -> None:
    analysis = analyse(from_text(text, "p"), RULES, count)
    told = Lines(text)
    end = 0
    for found in sorted(analysis.findings, key=lambda each: each.place.start):
        place = found.place
        assert end <= place.start < place.end <= len(text)
        assert text[place.start : place.end] == found.text
        assert (place.line, place.column) == told.at(place.start)
        end = place.end


@given(text=requests())
def test_a_finding_in_json_stands_where_its_text_is_written(text: str) -> None:
    analysis = analyse(from_json_lines(text, "c"), RULES, by_signs)
    for found in analysis.findings:
        written = text[found.place.start : found.place.end]
        in_string = f'"{written}"' if found.part is not Part.TOOLS else json.dumps(written)
        assert json.loads(in_string) == found.text


@given(value=st.text(), written=st.sampled_from([str, ascii]), indent=st.none() | st.integers(0, 3))
def test_every_character_of_a_json_string_is_found_again(
    value: str, written: object, indent: int | None
) -> None:
    source = json.dumps(["x", value], ensure_ascii=written is ascii, indent=indent)
    parsed = parse_json(source, "p")
    assert isinstance(parsed, JsonList)
    text = parsed.items[1]
    assert isinstance(text, JsonText)
    assert text.text == value
    for index, char in enumerate(value):
        literal = source[text.offsets.at(index) : text.offsets.at(index + 1)]
        assert json.loads(f'"{literal}"') == char


@given(text=texts, count=counts)
def test_tokens_by_part_add_up_to_those_of_the_whole_text(text: str, count: Count) -> None:
    analysis = analyse(from_text(text, "p"), RULES, count)
    assert sum(analysis.parts.values()) == analysis.tokens == count(text)
    assert 0 <= analysis.saved_tokens <= analysis.tokens
    assert 0 <= analysis.prefix_tokens <= analysis.tokens


@given(
    text=requests(),
    row=rows(),
    calls=st.integers(0, 10**9),
    minimum=st.none() | minimums,
    hits=shares,
)
def test_savings_are_never_negative_and_never_exceed_the_bill(
    text: str, row: PriceRow, calls: int, minimum: CacheMinimum | None, hits: Fraction | None
) -> None:
    analysis = analyse(from_json_lines(text, "c"), RULES, by_signs)
    found = savings(analysis, Terms(row, AT, calls, minimum, hits))
    saved, bill = sums(found)
    assert all(amount(each) >= 0 for each in (*found.each, found.cache))
    assert saved <= bill


@given(
    text=texts,
    row=rows(),
    calls=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    minimum=minimums,
    hits=shares,
)
def test_no_saving_falls_as_calls_rise(
    text: str,
    row: PriceRow,
    calls: tuple[int, int],
    minimum: CacheMinimum,
    hits: Fraction | None,
) -> None:
    analysis = analyse(from_text(text, "p"), RULES, by_thirds)
    below, above = (
        savings(analysis, Terms(row, AT, number, minimum, hits)) for number in sorted(calls)
    )
    assert amount(below.cost) <= amount(above.cost)
    for less, greater in zip(below.each, above.each, strict=True):
        assert amount(less) <= amount(greater)
        assert type(less) is type(greater)


def mended(text: str, analysis: Analysis) -> str:
    """The text without the sentences that were found to be superfluous."""
    left = text
    for found in reversed(analysis.findings):
        left = left[: found.place.start] + left[found.place.end :]
    return left


@given(sentences=st.lists(st.sampled_from(LINES[:3]), min_size=1, max_size=8))
def test_a_text_without_its_superfluous_sentences_has_no_findings(sentences: list[str]) -> None:
    text = "\n".join(sentences)
    analysis = analyse(from_text(text, "p"), RULES, by_signs)
    left = mended(text, analysis)
    assert not left.strip() or analyse(from_text(left, "p"), RULES, by_signs).findings == ()


def refusal(text: str) -> str:
    """What a person is told about a file that cannot be analysed, or nothing."""
    try:
        analyse(from_json(text, "p"), RULES, by_signs)
    except BadInput as wrong:
        return str(wrong)
    return ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("messages", "system", "tools", "content", "text", "type", "role", "input")
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(value=json_values)
def test_any_json_is_analysed_or_refused_with_a_sentence_for_people(value: object) -> None:
    told = refusal(json.dumps(value))
    assert told == "" or told.startswith("bad_input: p holds no text for a model. Give")


@given(text=st.text(max_size=60))
def test_any_text_is_analysed_as_json_or_refused_with_its_place(text: str) -> None:
    assert refusal(text) == "" or refusal(text).startswith("bad_input: p")
