"""Charts as SVG: text that any page can hold, with no script and nothing to fetch."""

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import vl_convert

from tokonomi.charts.theme import CONFIG
from tokonomi.money import Locale, currency_of

Rows = list[dict[str, Any]]
Drawing = alt.Chart | alt.LayerChart | alt.FacetChart

MONEY: Final = (
    "abs(datum.value) < 1 ? format(datum.value, '$,.3~r') : "
    "replace(replace(replace(format(datum.value, '$,.3~s'), "
    "/k$/, thousands), /M$/, millions), /G$/, billions)"
)
"""The labels of an axis of money, such as $1.2k; symbol and ending are the language's."""
ENDINGS: Final[Mapping[Locale, Mapping[str, str]]] = {
    "en": {"thousands": "k", "millions": "M", "billions": "B"},
    "id": {"thousands": " rb", "millions": " jt", "billions": " M"},
}
"""A million is `jt` in Indonesian, where M is a thousand millions."""


def rows_of(values: Rows) -> alt.Data:
    """The values as the data of a chart, inline."""
    return alt.Data(values=values)


def svg(chart: Drawing, *, currency: str, locale: Locale) -> str:
    """The chart as SVG, its numbers as people of the language write them."""
    endings = [{"name": name, "value": ending} for name, ending in ENDINGS[locale].items()]
    specification = {**chart.to_dict(), "config": CONFIG, "params": endings}
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
