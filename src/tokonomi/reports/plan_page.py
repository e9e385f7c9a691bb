"""A plan as one page to send: what it costs in large figures, pictures, tables, and the lines."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from html import escape

from tokonomi.money import Locale, format_amount, format_percent
from tokonomi.plan.evaluate import Month
from tokonomi.plan.scenario import Scenario
from tokonomi.reports.forms.html import (
    NO_FIGURES,
    Card,
    Figure,
    html_cards,
    sections_page,
)
from tokonomi.reports.forms.sections import LINES, Sections
from tokonomi.reports.plan_compare import Compared
from tokonomi.reports.plan_month import unit_of
from tokonomi.reports.words import named, word

Figures = Mapping[str, tuple[Figure, ...]]


def plan_page(
    scenario: Scenario,
    month: Month,
    sections: Sections,
    locale: Locale,
    *,
    figures: Figures = NO_FIGURES,
) -> str:
    """The page of one plan. Its lines are closed until a reader opens them."""
    return sections_page(
        sections,
        locale,
        head=page_head(scenario, month, locale),
        figures=figures,
        closed=frozenset({LINES}),
    )


def page_of_comparison(
    compared: Sequence[Compared],
    sections: Sections,
    locale: Locale,
    *,
    figures: Figures = NO_FIGURES,
) -> str:
    """The page of several plans: a card for each, the tables, and what each rests on."""
    dates = sorted({each.scenario.plan.at.isoformat() for each in compared})
    lead = word("page.lead", locale, on=", ".join(dates))
    cards = html_cards([_card_of(each, compared[0], locale) for each in compared])
    head = (
        f"<h1>{escape(word('scenarios compared', locale))}</h1>\n"
        f'<p class="lead">{escape(lead)}</p>\n{cards}'
    )
    return sections_page(sections, locale, head=head, figures=figures)


def _card_of(compared: Compared, first: Compared, locale: Locale) -> Card:
    """A month's cost, what that is for each unit, the margin, and the change to the first."""
    month, said = compared.month, list[str]()
    each = month.each(month.cost, month.scale.sessions)
    if each is not None and compared.unit is not None:
        label = word("page.each", locale, unit=named(compared.unit, locale))
        said.append(f"{format_amount(each, month.currency, locale)} {label}")
    if month.margin is not None:
        margin = format_percent(month.margin, locale=locale)
        said.append(f"{word('margin', locale)} {margin}")
    before = first.month.cost.sub_units
    if compared is not first and before:
        share = Fraction(month.cost.sub_units - before, before)
        sign = "+" if share > 0 else ""
        change = f"{sign}{format_percent(share, locale=locale)}"
        said.append(f"{change} {word('against the first', locale)}")
    said.append(word("page.prices_of", locale, on=compared.scenario.plan.at.isoformat()))
    return Card(compared.name, month.cost.format(locale), " · ".join(said))


def page_head(scenario: Scenario, month: Month, locale: Locale) -> str:
    """Name, date and the figures that a reader looks for first."""
    key = "page.lead" if month.known else "page.prices_of"
    lead = word(key, locale, on=scenario.plan.at.isoformat())
    return (
        f"<h1>{escape(scenario.plan.name)}</h1>\n"
        f'<p class="lead">{escape(lead)}</p>\n{html_cards(_cards(scenario, month, locale))}'
    )


def _cards(scenario: Scenario, month: Month, locale: Locale) -> list[Card]:
    if not month.known:
        return []
    currency = month.currency
    cards = [Card(word("page.month", locale), month.cost.format(locale))]
    unit = unit_of(scenario)
    for name, count in ((unit, month.scale.sessions), ("user", month.scale.users)):
        each = month.each(month.cost, count)
        if each is not None:
            label = word("page.each", locale, unit=named(name, locale))
            cards.append(Card(label, format_amount(each, currency, locale)))
    if month.margin is not None:
        profit = month.profit.format(locale)
        about = f"{word('gross profit', locale)} {profit}"
        cards.append(
            Card(word("margin", locale), format_percent(month.margin, locale=locale), about)
        )
    return cards
