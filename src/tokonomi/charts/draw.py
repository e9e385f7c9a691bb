"""Charts as SVG: text that any page can hold, with no script and nothing to fetch."""

from typing import Any

import altair as alt
import vl_convert

from tokonomi.charts.theme import CONFIG
from tokonomi.money import Locale, currency_of

Rows = list[dict[str, Any]]
Drawing = alt.Chart | alt.LayerChart | alt.FacetChart


def rows_of(values: Rows) -> alt.Data:
    """The values as the data of a chart, inline."""
    return alt.Data(values=values)


def svg(chart: Drawing, *, currency: str, locale: Locale) -> str:
    """The chart as SVG, its numbers as people of the language write them."""
    specification = {**chart.to_dict(), "config": CONFIG}
    drawn = vl_convert.vegalite_to_svg(
        specification, format_locale=_numbers(currency, locale), allowed_base_urls=[]
    )
    return drawn[drawn.index("<svg") :]


def _numbers(currency: str, locale: Locale) -> Any:
    unit = currency_of(currency)
    thousands, decimal = (".", ",") if locale == "id" else (",", ".")
    symbol = f"{unit.symbol} " if unit.spaced else unit.symbol
    return {
        "decimal": decimal,
        "thousands": thousands,
        "grouping": [3],
        "currency": [symbol, ""],
    }
