"""How charts look: ink, lines, and ten colours that stay with what they stand for.

A chart is drawn once, in the colours of a light page. Its page lays the dark ones over them by CSS,
which is why ink and lines are single colours that nothing else has.
"""

from collections.abc import Sequence
from typing import Any, Final

INK: Final = "#1d2733"
QUIET: Final = "#5b6673"
LINE: Final = "#d9dee4"
ACCENT: Final = "#1f6feb"
BAD: Final = "#c4432b"
GOOD: Final = "#2b8a57"
PLAIN: Final = "#8295ab"
COLOURS: Final = (
    *("#2f78c4", "#e08a1e", "#3a9d6e", "#b0568f", "#8a7ad0"),
    *("#c9a227", "#4aa5b5", "#c4563f", "#7d8a3c", "#8c6d5a"),
)
"""Checked for readers who do not see red or green apart: neighbours differ in lightness too."""

WIDTH: Final = 720
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"

CONFIG: Final[dict[str, Any]] = {
    "background": None,
    "padding": {"left": 16, "right": 56, "top": 4, "bottom": 4},
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": QUIET,
        "titleColor": QUIET,
        "titleFontWeight": "normal",
        "gridColor": LINE,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": 240,
    },
    "legend": {
        "labelColor": QUIET,
        "titleColor": QUIET,
        "labelFontSize": 12,
        "orient": "bottom",
        "columns": 3,
        "columnPadding": 40,
        "rowPadding": 4,
        "labelLimit": 200,
        "title": None,
    },
    "text": {"color": INK, "fontSize": 12},
    "bar": {"cornerRadiusEnd": 2},
    "range": {"category": list(COLOURS)},
}


def dark_css() -> str:
    """Style rules that lay dark colours over a chart that was drawn for a light page."""
    pairs = ((INK, "#e8edf2"), (QUIET, "#a3afbc"), (LINE, "#39434e"))
    return "".join(
        f'.chart [{name}="{light}"]{{{name}:{dark}}}'
        for light, dark in pairs
        for name in ("fill", "stroke")
    )


def colours_of(names: Sequence[str]) -> list[str]:
    """A colour for each name, in their order; the eleventh begins again."""
    return [COLOURS[place % len(COLOURS)] for place in range(len(names))]
