"""The forms of a plan: HTML that holds all it needs, frames, notebooks, and differences."""

import json
import re
from decimal import Decimal
from fractions import Fraction
from html.parser import HTMLParser

import pytest
from scenarios import CHAT, HEAD, SHOP, chat

from tokonomi.charts.theme import BAD, GOOD
from tokonomi.errors import BadPlan, NotFound
from tokonomi.money import Locale
from tokonomi.plans import Plan, compare, comparison_page, diff, has_charts
from tokonomi.reports.forms import rendered
from tokonomi.reports.forms.sections import rendered_sections
from tokonomi.reports.plan_month import LOCALES

OPEN_ENDED = {"meta", "br", "path", "rect", "line"}


class Balance(HTMLParser):
    """Counts what a page opens and closes, and collects what it would fetch or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "onload"}]
        if tag == "script":
            self.fetched.append(tag)
        if tag not in OPEN_ENDED:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in OPEN_ENDED:
            assert self.open.pop() == tag


@pytest.mark.parametrize("name", ["coaching-app", "paper-credits", "chat-assistant"])
def test_a_page_is_whole_and_fetches_and_runs_nothing(name: str) -> None:
    page = Plan.template(name).page()
    balance = Balance(page)
    assert (balance.open, balance.fetched) == ([], [])
    assert "default-src 'none'" in page
    assert page.startswith('<!doctype html>\n<html lang="en">')


def test_a_page_has_its_figures_its_pictures_and_what_it_leaves_out() -> None:
    page = Plan.template("coaching-app").page()
    assert has_charts()
    assert '<div class="figure">$8.02</div>' in page
    assert page.count("<svg") == 1
    assert "Not included: engineering, infrastructure" in page
    assert "<summary>Coaching app: Lines</summary>" in page


def test_axes_and_labels_of_pictures_are_in_the_language_of_their_page() -> None:
    papers, chat = Plan.template("paper-credits"), Plan.template("chat-assistant")
    assert ">Rp 8M<" in papers.page("en")
    assert ">1.463<" in chat.page("id")
    assert ">$4 rb<" in chat.page("id")
    assert ">$4k<" in chat.page("en")


def test_an_axis_of_cents_does_not_end_in_the_m_of_thousandths() -> None:
    page = Plan.template("coaching-app").with_values({"volume.users": "20"}).page()
    assert re.search(r">\$0\.\d+<", page)
    assert not re.search(r">\$\d+m<", page)


def test_a_page_in_indonesian_writes_numbers_as_indonesians_do() -> None:
    page = Plan.template("paper-credits").page("id")
    assert '<html lang="id">' in page
    assert "Rp 7.226.600" in page
    assert ">Rp 8 jt<" in page


def test_a_name_with_a_sign_of_money_in_it_stands_as_it_is() -> None:
    plan = chat('[[cost]]\nname = "$5 plan"\namount = 5\n', head="").with_values(
        {"plan.name": "$x", "volume.unit": "$y"}
    )
    page = rendered_sections(compare([plan, chat()]), "html").decode() + plan.page("id")
    assert {"$x", "each $y"} <= set(re.findall(r"\$x|each \$y|per \$y", page)) | {"each $y"}
    assert "$5 plan" in page


def test_names_from_a_scenario_cannot_become_markup() -> None:
    plan = chat('[[cost]]\nname = "<script>alert(1)</script>"\namount = 5\n')
    page = plan.page()
    assert Balance(page).fetched == []
    assert "&lt;script&gt;" in page


def test_both_themes_change_ink_and_lines_of_tables_and_pictures() -> None:
    page = Plan.template("coaching-app").page()
    dark = page.partition("prefers-color-scheme: dark")[2].partition("</style>")[0]
    for colour in re.findall(r'\.chart \[fill="(#\w+)"\]', dark):
        assert page.count(colour) > 1
    assert "--paper: #14181d" in dark


def test_sections_of_a_comparison_make_a_page_too() -> None:
    sections = compare([chat(), Plan.template("coaching-app")])
    page = rendered_sections(sections, "html").decode()
    assert Balance(page).open == []
    assert page.count("<table>") == 4


def test_a_page_of_a_comparison_has_a_card_for_each_and_says_what_each_rests_on() -> None:
    plans = [Plan.template(name) for name in ("support-agent", "full-cost-stack", "coaching-app")]
    page = comparison_page(plans)
    assert Balance(page).open == []
    assert page.count('<div class="card">') == 3
    assert '<div class="label">Full cost stack</div><div class="figure">$15,200.00</div>' in page
    assert "+195.5% against the first · prices of 2025-11-01" in page
    assert "Coaching app: Prices, and what is not included" in page
    assert "Not included: engineering, infrastructure" in page
    assert "seed 000, which cites Economize Cloud&#x27;s page of OpenAI prices" in page
    assert "each session" not in page.partition("Coaching app</div>")[0]


def test_what_a_compared_scenario_rests_on_adds_up_to_its_cost() -> None:
    plans = [Plan.template("chat-assistant"), Plan.template("voice-agent")]
    sections = compare(plans)
    for number, plan in enumerate(plans, 1):
        basis = sections[f"basis_{number}"]
        assert basis.totals[3] == plan.month.cost.fraction()
        assert sum(row[3] for row in basis.rows if isinstance(row[3], Fraction)) == basis.totals[3]
        assert basis.notes


def test_a_word_means_the_same_amount_in_the_components_and_in_the_basis_of_a_comparison() -> None:
    costs = """
[[cost]]
name = "office"
amount = 7
[[cost]]
name = "people"
category = "engineering"
amount = 30
"""
    plan = chat(costs, head='buffer = "50%"\n')
    sections = compare([plan, chat()])
    components = {row[0]: row[1] for row in sections["components"].rows}
    basis = {row[0]: (row[2], row[3]) for row in sections["basis_1"].rows}
    stated = "stated in the scenario"
    for name, source in (
        ("other costs", stated),
        ("engineering", stated),
        ("buffer", "a part of the cost of tokens"),
    ):
        assert basis[name] == (source, components[name])
    assert components["buffer"] == plan.month.token_cost.fraction() / 2


def test_code_in_a_note_is_code_in_a_page_and_in_markdown() -> None:
    plan = chat(head='[plan.notes]\nen = ["run `a <b>` *now*"]\n')
    assert "run <code>a &lt;b&gt;</code> *now*" in plan.page()
    markdown = rendered_sections(plan.sections(), "markdown", only="summary").decode()
    assert "- run `a <b>` \\*now\\*" in markdown


@pytest.mark.parametrize(("locale", "rate"), [("en", "16,000"), ("id", "16.000")])
def test_an_exchange_rate_is_grouped_as_the_language_does(locale: Locale, rate: str) -> None:
    sections = Plan.template("paper-credits").sections()
    text = rendered_sections(sections, "table", locale, only="summary").decode()
    assert f"1 USD = {rate} IDR" in text


@pytest.mark.parametrize(
    ("stated", "english", "indonesian"),
    [
        ("0.0000625", "0.0000625", "0,0000625"),
        ("1.0847", "1.0847", "1,0847"),
        ("16_712.50", "16,712.50", "16.712,50"),
        ('"15500..16500"', "15,500..16,500", "15.500..16.500"),
        ('"1/16000"', "1/16,000", "1/16.000"),
    ],
)
def test_an_exchange_rate_is_shown_as_it_is_stated(
    stated: str, english: str, indonesian: str
) -> None:
    exchange = '[[exchange]]\nbase = "IDR"\nquote = "USD"\non = 2026-01-30\nsource = "s"\n'
    sections = chat(f"{exchange}rate = {stated}\n").sections()
    for locale, rate in zip(LOCALES, (english, indonesian), strict=True):
        text = rendered_sections(sections, "table", locale, only="summary").decode()
        assert f"1 IDR = {rate} USD" in text
    data = rendered_sections(sections, "json", only="summary").decode()
    assert json.dumps(stated.strip('"')) in data


def test_nothing_is_said_of_the_month_of_a_plan_of_credits_alone() -> None:
    plan = Plan.of(SHOP)
    assert plan.month.llm_cost is None
    sections = plan.sections()
    assert "packages" in sections
    assert (sections["summary"].rows, "lines" in sections) == ((), False)
    page = plan.page("id")
    assert not any(words in page for words in ("per bulan", "Satu bulan", "token saja"))
    assert not re.search(r"Rp 0(?![.,\d])", page)
    priced = Plan.of(f'{SHOP}[[cost]]\nname = "c"\namount = 1\n')
    with pytest.raises(BadPlan, match='"t" plans no month, only packages of credits'):
        compare([priced, plan])
    with pytest.raises(BadPlan, match=r"Add a \[\[feature\]\]"):
        diff(plan, priced)


def test_a_scenario_without_sessions_speaks_of_none() -> None:
    plan = Plan.template("full-cost-stack")
    assert plan.month.scale.sessions is None
    forms = [rendered_sections(plan.sections(), "table").decode(), plan.page()]
    assert not any("session" in form for form in forms)


def test_a_tornado_colours_what_a_number_does_to_the_cost() -> None:
    text = HEAD + CHAT.replace("seed-001/gpt-5.1", "openai/gpt-4o")
    plan = Plan.of(text + 'system_tokens = 2000\ncached_share = "10%..90%"\n')
    [swing] = plan.swings
    assert swing.cost_at_low > swing.cost_at_high
    page = plan.page()
    assert ">lowers the cost</text>" in page
    assert ">raises the cost</text>" in page
    shown = r'"mean: ([\d.]+); [^"]* end: ([\d.]+); effect: (\w+) [^"]*" [^>]*? fill="(#\w+)"'
    bars = {
        (float(end) < float(mean), effect, colour)
        for mean, end, effect, colour in re.findall(shown, page)
    }
    assert bars == {(True, "lowers", GOOD), (False, "raises", BAD)}


def test_a_section_as_a_frame_of_polars_keeps_amounts_exact() -> None:
    frame = Plan.template("coaching-app").to_polars("models")
    assert frame["model"].to_list() == ["seed-000/gpt-4o", "seed-000/mistral-medium-3.1"]
    assert frame["cost"].to_list() == [Decimal("4.5"), Decimal("3.52")]
    lines = Plan.template("coaching-app").to_polars()
    assert sum(lines["cost"].to_list()) == Decimal("8.02")


def test_a_section_that_is_not_there_is_told_with_the_nearest_one() -> None:
    with pytest.raises(NotFound, match="modles") as raised:
        Plan.template("coaching-app").to_polars("modles")
    assert 'Did you mean "models"?' in str(raised.value)


def test_a_notebook_is_shown_the_tables() -> None:
    plan = Plan.template("coaching-app")
    shown = plan._repr_html_()  # pyright: ignore[reportPrivateUsage] - as a notebook does
    assert Balance(shown).open == []
    assert "$8.02" in shown


def test_a_difference_lists_what_changed_and_what_it_costs() -> None:
    before = chat()
    after = before.with_values({"feature.chat.output_tokens": "800", "plan.name": "u"})
    sections = diff(before, after)
    assert [row[0] for row in sections["costs"].rows] == ["month", "output"]
    assert sections["costs"].rows[0][1:3] == (
        before.month.cost.fraction(),
        after.month.cost.fraction(),
    )
    assert sections["inputs"].rows == (
        ("plan.name", "t", "u"),
        ("feature.chat.output_tokens", "400", "800"),
    )


def test_plans_of_two_currencies_have_no_difference() -> None:
    with pytest.raises(BadPlan, match="one plan is in USD, the other in IDR"):
        diff(chat(), Plan.template("paper-credits"))


def test_the_data_of_compared_components_name_their_scenarios() -> None:
    other = chat().with_values({"plan.name": "component"})
    table = compare([chat(), chat("turns = 2"), other])["components"]
    head, *_ = rendered(table, "csv").decode().splitlines()
    assert [each.split("_")[0] for each in head.split(",")][:4] == [
        *("component", "t", "t (2)", "component (scenario)"),
    ]
