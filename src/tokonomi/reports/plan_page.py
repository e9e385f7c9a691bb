"""A plan as one page to send: what it costs in large figures, pictures, tables, and the lines."""

from collections.abc import Mapping
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


def page_head(scenario: Scenario, month: Month, locale: Locale) -> str:
    """Name, date and the figures that a reader looks for first."""
    lead = word("page.lead", locale, on=scenario.plan.at.isoformat())
    return (
        f"<h1>{escape(scenario.plan.name)}</h1>\n"
        f'<p class="lead">{escape(lead)}</p>\n{html_cards(_cards(scenario, month, locale))}'
    )


def _cards(scenario: Scenario, month: Month, locale: Locale) -> list[Card]:
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
