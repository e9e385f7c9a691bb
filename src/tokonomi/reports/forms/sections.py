"""Several statements of one thing in one answer: tables one below the other, or one file."""

import json
from collections.abc import Mapping
from typing import Final

from tokonomi.errors import WrongUsage
from tokonomi.money import Locale
from tokonomi.naming import meant
from tokonomi.reports.forms import FOR_PEOPLE, Form, rendered
from tokonomi.reports.forms.html import sections_page
from tokonomi.reports.forms.machine import VERSION, json_object
from tokonomi.reports.statement import Statement

Sections = Mapping[str, Statement]
"""Statements by their names, in the order in which they are to be read."""

LINES: Final = "lines"
"""The section that other sections add up; people are spared it unless they ask for it."""


def rendered_sections(
    sections: Sections,
    form: Form,
    locale: Locale = "en",
    *,
    only: str = "",
    width: int | None = None,
) -> bytes:
    """The sections in a form. CSV and Parquet hold one table: `only`, else the lines or the first.

    Raises:
        WrongUsage: there is no section `only`.
    """
    if only and only not in sections:
        raise WrongUsage(f'there is no section "{only}"', remedy=meant(only, sections))
    if form in {"csv", "parquet"}:
        return rendered(sections[only or _atoms(sections)], form, locale)
    shown = {only: sections[only]} if only else sections
    if form == "json":
        content = {
            "version": VERSION,
            "sections": {name: json_object(each) for name, each in shown.items()},
        }
        return (json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()
    assert form in FOR_PEOPLE, "the other forms are for machines"
    if form == "html":
        return sections_page(shown, locale).encode()
    named = [each for name, each in shown.items() if only or name != LINES]
    return b"\n".join(rendered(each, form, locale, width=width) for each in named)


def _atoms(sections: Sections) -> str:
    return LINES if LINES in sections else next(iter(sections))
