"""The look of our pages, in one style sheet that goes with each of them."""

from typing import Final

from tokonomi.charts.theme import dark_css

_LIGHT: Final = """
:root { --paper: #ffffff; --raised: #f6f8fa; --ink: #1d2733; --quiet: #5b6673; --line: #d9dee4;
  --accent: #1f5fbf; }
"""
_DARK: Final = """
@media (prefers-color-scheme: dark) {
:root { --paper: #14181d; --raised: #1c2229; --ink: #e8edf2; --quiet: #a3afbc; --line: #39434e;
  --accent: #7fb1ff; }
"""
_RULES: Final = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 84rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .35rem; letter-spacing: -.01em; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .7rem; padding-top: 1.1rem;
  border-top: 1px solid var(--line); }
.lead { color: var(--quiet); margin: 0 0 1.4rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem;
  margin: 1.2rem 0 1.6rem; }
.card { background: var(--raised); border: 1px solid var(--line); border-radius: 10px;
  padding: .9rem 1rem; }
.card .label { color: var(--quiet); font-size: .85rem; }
.card .figure { font-size: 1.65rem; font-weight: 650; letter-spacing: -.01em;
  font-variant-numeric: tabular-nums; }
.card .about { color: var(--quiet); font-size: .8rem; min-height: 1em; }
.chart { margin: .4rem 0 1rem; }
.chart svg { max-width: 100%; height: auto; display: block; overflow: visible; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; color: var(--quiet); font-weight: 550; border-bottom: 1px solid var(--line);
  vertical-align: bottom; }
th, td { padding: .38rem .9rem .38rem 0; }
th:last-child, td:last-child { padding-right: 0; }
td { border-bottom: 1px solid color-mix(in srgb, var(--line) 55%, transparent); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th:first-child, td:first-child { white-space: nowrap; }
tfoot td { font-weight: 650; border-bottom: 0; }
.notes { color: var(--quiet); font-size: .88rem; padding-left: 1.1rem; margin: .8rem 0 0; }
code { font: .92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  background: var(--raised); border-radius: 4px; padding: .05em .3em; }
summary { cursor: pointer; color: var(--accent); margin: 2.4rem 0 .6rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
footer { color: var(--quiet); font-size: .82rem; margin-top: 3rem; }
@media print { main { max-width: none; padding: 0; } section { break-inside: avoid; }
  table { font-size: .7rem; } th, td { padding-right: .5rem; } .wide { overflow: visible; } }
"""

STYLE: Final = f"{_LIGHT}{_RULES}{_DARK}{dark_css()}\n}}\n"
"""Light first, dark where the reader's machine asks for it."""
