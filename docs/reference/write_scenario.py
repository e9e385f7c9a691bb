"""Writes `scenario.md`, the page of a scenario's keys, from the classes that read them."""

from pathlib import Path

import msgspec

from tokonomi.plan.told import keys_of, summary_of, tables

PAGE = Path(__file__).with_name("scenario.md")
INTRODUCTION = """# The keys of a scenario

A scenario is a TOML file. [Plans](plan.md) says how it is used. This page is written from the
classes that read the file (`docs/reference/write_scenario.py`); `tokonomi plan schema` writes the
same as a JSON Schema for editors.

A number is written in one of these ways. Only the first is one value; the others are distributions,
of which tables take the exact mean.

| written | means |
|---|---|
| `200`, `0.5`, `"80%"`, `"2/3"` | the value |
| `"100..400"` | anything between, equally likely |
| `"100..200..400"` | low, most likely, high (a triangle) |
| `{ p10 = 90, p50 = 200, p90 = 700 }` | percentiles, with straight lines between them |
| `{ values = [120, 80, 310] }` | values that were measured, each equally likely |

A plan draws each number once for a whole month. Of tokens a call, state what their mean over a
month may be, which varies far less than single calls do; `tokonomi plan predict --scenario` does.
"""


def page() -> str:
    """The whole page."""
    sections = "".join(section(path, table) for path, table in tables())
    return f"{INTRODUCTION}{sections}"


def section(path: str, table: type[msgspec.Struct]) -> str:
    """What one table is and which keys it has."""
    title = f"`{path}`" if path else "The file"
    rows = "".join(
        f"| `{key.name}` | {key.form}{' (needed)' if key.needed else ''} | {key.meaning} |\n"
        for key in keys_of(table)
    )
    head = "| key | what it is | meaning |\n|---|---|---|\n"
    return f"\n## {title}\n\n{summary_of(table)}\n\n{head}{rows}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
